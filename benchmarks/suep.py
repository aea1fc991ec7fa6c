"""Images of a high-level trigger: a whole scoring against the bare inference, and the ConvAE.

    python benchmarks/suep.py [--quick] [--json FILE]

Drawn images of 288 x 360 x 3, of which 1,600 values are not zero, and the autoencoder of
`submissions/suep_published` with 8 filters in each layer, one PReLU weight for each filter and
weights at random: what is timed does not depend on them. *Bare* is
Keras on dense images in memory, in the chunks that the harness takes. *Scoring* is `harness score`:
cost, scores, checks, figures; the time of one event by itself is measured by the harness too, and
left out of the ratio. The published ConvAE is built, counted, and timed one event at a time on one
core, beside a fixed calculation in the same run; it is untrained.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import numpy as np
import yaml
from _table import Goal, Report, publish, read_options
from layouts import SHAPE, chunk_events
from overhead import Scoring

from harness.data.hdf5_writer import write_events
from harness.data.manifest import load_manifest
from harness.sandbox import Workspace, open_sandbox
from harness.scoring.integrity import Batch
from harness.scoring.processor import reference_ms
from harness.scoring.scorer import ExportedNetwork, Scorer, score_batches
from harness.submission.events import ENTRY, SparseEvents, save_events
from harness.submission.network import export_network, load_keras, model_digest

ROOT = Path(__file__).resolve().parents[1]
PUBLISHED = ROOT / "submissions" / "suep_published"
NARROW = {"filters": [8] * 5, "element_wise": False}
CHILD = Path(__file__).with_name("_one_scoring.py")
CHALLENGE = "hlt-suep-sample"
N_FILLED = 1_600
MAX_RATIO, MAX_MEMORY_GB = 3.0, 2.0
GB = 1e9


def main() -> int:
    """Run the benchmark."""
    options = read_options(__doc__ or "")
    n_events = 300 if options.quick else 5_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        team = untrained(PUBLISHED, folder / "narrow", NARROW)
        bare_s = bare(team, draw_images(n_events, 1))
        found = scoring(team, folder, n_events)
        published_ms, n_parameters = one_by_one(PUBLISHED, folder, 20 if options.quick else 200)
        reference = reference_ms()
    whole_s = found.wall_s - found.stages["processor"]
    peak = max(found.parent_peak_bytes, *(one["peak_bytes"] for one in found.steps.values()))
    rows = (
        ("bare inference [s]", bare_s),
        ("scoring without the timing of single events [s]", whole_s),
        ("largest process [GB]", peak / GB),
        ("published ConvAE, untrained: parameters", n_parameters),
        ("published ConvAE: processor time of one event [ms]", published_ms),
        ("a fixed calculation [ms]", reference),
        ("ratio of the two", published_ms / reference),
    )
    goals = (
        Goal(name="scoring over bare inference", value=whole_s / bare_s, relation="<=",
             limit=MAX_RATIO, unit=""),
        Goal(name="largest process", value=peak / GB, relation="<=", limit=MAX_MEMORY_GB,
             unit="GB"),
    )  # fmt: skip
    report = Report(
        name="suep",
        title=f"{n_events:,} images",
        columns=("figure", "value"),
        rows=rows,
        goals=goals,
        conditions={"quick": str(options.quick)},
    )
    return publish(report, options)


def draw_images(n_events: int, seed: int) -> SparseEvents:
    """Draw images of `N_FILLED` values each that are not zero."""
    generator = np.random.default_rng(seed)
    entries = np.empty(n_events * N_FILLED, ENTRY)
    step = int(np.prod(SHAPE)) // N_FILLED
    index = np.arange(N_FILLED) * step + generator.integers(0, step, (n_events, N_FILLED))
    entries["index"] = index.ravel()
    entries["value"] = generator.exponential(1.0, len(entries)) + 0.1
    return SparseEvents(entries, np.arange(n_events + 1, dtype=np.int64) * N_FILLED, SHAPE)


def load(folder: Path) -> ModuleType:
    """Import the model of one of our own submissions."""
    load_keras()
    spec = importlib.util.spec_from_file_location(folder.name, folder / "model.py")
    if spec is None or spec.loader is None:
        raise ImportError(folder)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def untrained(team: Path, folder: Path, size: Mapping[str, object] | None = None) -> Path:
    """Copy a submission, with weights at random, and with another size if one is given."""
    import keras

    copy = folder / team.name
    shutil.copytree(team, copy)
    known = json.loads((copy / "size.json").read_text("utf-8"))
    (copy / "size.json").write_text(json.dumps(known | dict(size or {})), "utf-8")
    keras.utils.set_random_seed(1)
    load(copy).autoencoder().save_weights(copy / "autoencoder.weights.h5")
    return copy


def bare(team: Path, images: SparseEvents) -> float:
    """Return the seconds that Keras takes for dense images in memory, chunk by chunk."""
    model = load(team).network()
    step = chunk_events()
    model.predict_on_batch(images[:step])
    total = 0.0
    for start in range(0, len(images), step):
        dense = images[start : start + step]
        started = time.monotonic()
        model.predict_on_batch(dense)
        total += time.monotonic() - started
    return total


def scoring(team: Path, folder: Path, n_events: int) -> Scoring:
    """Score drawn images by the command's own function, in a process of its own."""
    challenge = load_manifest().challenge(CHALLENGE)
    files = []
    for role, process, seed in (("background", "qcd", 1), ("signal", "loud", 2)):
        images = draw_images(n_events // 2, seed)
        path = folder / "files" / f"{process}.h5"
        write_events(path, challenge.layout, [images], n_events=len(images))
        files.append({"name": path.name, "role": role, "process": process, "title": process})
    content = challenge.model_dump(mode="json", exclude_none=True)
    content |= {
        "name": "drawn",
        "files": files,
        "training_signals": False,
        "split": {"key": "drawn-1", "train": 0.0, "validation": 0.0, "test": 1.0},
    }
    manifest = folder / "manifest.yaml"
    manifest.write_text(yaml.safe_dump({"schema": 1, "challenges": [content]}), "utf-8")
    fetch = ["fetch", "drawn", "--manifest", str(manifest), "--from", str(folder / "files")]
    environment = {"HARNESS_CACHE": str(folder / "cache")}
    run([*fetch, "--trust-first-use"], environment)
    started = time.monotonic()
    arguments = [str(team), "drawn", str(manifest), str(folder / "results"), "0", str(started)]
    text = run_child(arguments, environment)
    found = json.loads(text.splitlines()[-1])
    return Scoring(n_events=n_events, wall_s=time.monotonic() - started, **found)


def run(arguments: list[str], more: dict[str, str]) -> None:
    """Run a command of the harness."""
    command = [sys.executable, "-m", "harness.cli", *arguments]
    subprocess.run(command, env={**os.environ, **more}, check=True, capture_output=True)


def run_child(arguments: list[str], more: dict[str, str]) -> str:
    """Run `_one_scoring.py`; return what it printed."""
    done = subprocess.run(
        [sys.executable, str(CHILD), *arguments],
        env={**os.environ, **more},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout


def one_by_one(team: Path, folder: Path, n_events: int) -> tuple[float, int]:
    """Return the processor time of one event [ms] in the sandbox, and the number of parameters.

    The time of a process that scores few events is subtracted: loading and compiling cancel.
    """
    copy = untrained(team, folder)
    model = load(copy).network()
    graph, weights = folder / "graph", folder / "weights"
    export_network(model, graph, weights)
    network = ExportedNetwork(graph=graph, weights=weights, digest=model_digest(graph, weights))
    layout = load_manifest().challenge(CHALLENGE).layout
    scorer = Scorer.of_network(network, layout)
    workspace = Workspace(run_step=open_sandbox("bwrap").run, folder=folder / "steps")
    used = []
    for number in (n_events // 10, n_events + n_events // 10):
        path = folder / f"{number}.npy"
        save_events(path, draw_images(number, 3))
        batch = Batch(events=path, n_events=number, at_once=1)
        _, done = score_batches(workspace, scorer, [batch], "checks", is_one_thread=True)
        used.append(done.usage.cpu_s)
    return 1e3 * (used[1] - used[0]) / n_events, model.count_params()


if __name__ == "__main__":
    sys.exit(main())
