"""Jets: a scoring against the bare network on the same jets, and the reading of a table of pandas.

    python benchmarks/jets.py [--quick] [--json FILE]

The network is a deep set of Keras, 3-64-64 for each of 200 constituents, then 64-1; the jets repeat
the embedded ones. *Bare* is what its evaluation took in the step that scores, without the start of
TensorFlow. *Scored* is all of `harness score`: start, mixture, sandboxes, checks, metrics,
card.
*Into the cache* is what a fetch does with a table of E, px, py and pz that pandas wrote, without
compression: the most memory that the process ever held (VmHWM) does not grow with the file.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from _table import Goal, Report, publish, read_options
from cmsl1t import in_child
from numpy.typing import NDArray
from overhead import Scoring, score, tile

from harness.challenge import Challenge, DataFile, TableColumns
from harness.data.cache import lock_process, store_events
from harness.data.events import EventStore, open_store
from harness.data.formats import file_format
from harness.data.manifest import load_manifest
from harness.jets import four_momenta

CHALLENGE, BACKGROUND = "jets-anomaly-sample", "anomaly_qcd"
N_JETS, N_QUICK = 200_000, 10_000
MAX_RATIO, MAX_GB = 3.0, 2.0
# Of the memory that a table of ten times as many jets takes.
MAX_GROWTH = 1.5
_MODEL = """
import keras


def network():
    keras.utils.set_random_seed(1)
    jets = keras.Input((N_CONSTITUENTS, 3))
    x = keras.layers.Dense(64, activation="relu")(jets)
    x = keras.layers.Dense(64, activation="relu")(x)
    x = keras.layers.GlobalAveragePooling1D()(x)
    return keras.Model(jets, keras.layers.Dense(1)(x))
"""
_DECLARATION = """
team: deep_set
title: A deep set with drawn weights
authors: [Benchmark]
division: trigger
description: for the benchmark
training_data: none
learning: unsupervised
precision: auto
licence: Apache-2.0
"""


def main() -> int:
    """Run the benchmark."""
    options = read_options(__doc__ or "")
    n_jets = N_QUICK if options.quick else N_JETS
    with tempfile.TemporaryDirectory(prefix="jets-") as name:
        folder = Path(name)
        run = scored(folder, n_jets, CHALLENGE)
        small, large = (in_child(into_cache, folder, count) for count in (n_jets // 10, n_jets))
    return publish(report(n_jets, run, small, large, quick=options.quick), options)


def scored(
    folder: Path, n_events: int, name: str, *, before: Callable[[EventStore], None] | None = None
) -> Scoring:
    """Score the network on repeated events of an embedded challenge; first do `before`."""
    sample = open_store(load_manifest().challenge(name))
    n_constituents = str(sample.challenge.layout.n_objects)
    submission = folder / "deep_set"
    submission.mkdir()
    model = _MODEL.replace("N_CONSTITUENTS", n_constituents)
    (submission / "model.py").write_text(model, "utf-8")
    (submission / "submission.yaml").write_text(_DECLARATION, "utf-8")
    challenge = tile(sample, n_events, folder / "cache")
    if before is not None:
        before(open_store(challenge, folder / "cache"))
    return score(challenge, n_events, folder, submission=submission)


def into_cache(folder: Path, n_jets: int) -> tuple[float, float]:
    """Write a table of `n_jets`, and do what a fetch does; return seconds and processor seconds."""
    path = folder / f"{n_jets}.h5"
    write_table(path, n_jets)
    columns = TableColumns(coordinates="e_px_py_pz", n_constituents=200, widths=(800,))
    file = DataFile(name=path.name, role="background", process="qcd", title="QCD")
    like = load_manifest().challenge(CHALLENGE)
    stated = like.model_dump(exclude={"targets", "split", "files", "ranking", "mass"})
    challenge = Challenge.model_validate(
        {
            **stated,
            "columns": columns,
            "files": (file,),
            "split": {"key": "x", "test": 1.0},
            "target": {"kind": "none"},
        }
    )
    start, cpu = time.perf_counter(), time.process_time()
    with lock_process(challenge, "qcd", folder / "tables"):
        source = file_format(challenge).open(challenge, file, file, path, "sha256:" + "0" * 64)
        store_events(challenge, file, source, folder / "tables")
    return time.perf_counter() - start, time.process_time() - cpu


def write_table(path: Path, n_jets: int) -> None:
    """Write momenta as pandas does, 10,000 jets at a time."""
    sample = open_store(load_manifest().challenge(CHALLENGE))
    jets = np.asarray(sample.events(BACKGROUND))[:1000]
    rows: NDArray[np.float32] = four_momenta(jets).astype(np.float32).reshape(len(jets), -1)
    with h5py.File(path, "w") as file:
        file.create_group("df").attrs["pandas_type"] = np.bytes_(b"frame")
        file["df/axis0"] = file["df/block0_items"] = np.arange(rows.shape[1])
        values = file.create_dataset(
            "df/block0_values", (n_jets, rows.shape[1]), "<f4", chunks=(100, rows.shape[1])
        )
        for start in range(0, n_jets, len(rows)):
            values[start : start + len(rows)] = rows[: n_jets - start]


def report(
    n_jets: int,
    run: Scoring,
    small: tuple[float, float, float],
    large: tuple[float, float, float],
    *,
    quick: bool,
) -> Report:
    """Put the figures into a table with what is asked of them."""
    bare_s = run.steps["score"]["score_s"]
    step_gb = run.steps[run.largest_step]["peak_bytes"] / 1e9
    parent_gb = run.parent_peak_bytes / 1e9
    memory = Goal(
        name="memory",
        value=max(step_gb, parent_gb, large[2] / 1e3),
        relation="<=",
        limit=MAX_GB,
        unit=" GB",
    )
    # Of few jets, the starts, the checks and the first chunk are most of it.
    of_many = (
        Goal(name="scored over bare", value=run.wall_s / bare_s, relation="<=", limit=MAX_RATIO),
        Goal(
            name="memory of ten times the file",
            value=large[2] / small[2],
            relation="<=",
            limit=MAX_GROWTH,
        ),
    )
    return Report(
        name="jets",
        title=f"{n_jets:,} jets of 200 constituents",
        columns=("what", "s", "jets/s", "peak GB"),
        rows=(
            ("bare network", bare_s, n_jets / bare_s, ""),
            ("scored", run.wall_s, n_jets / run.wall_s, parent_gb),
            (f"step {run.largest_step}", run.steps["score"]["wall_s"], "", step_gb),
            ("a tenth into the cache", small[0], n_jets / 10 / small[0], small[2] / 1e3),
            ("into the cache", large[0], n_jets / large[0], large[2] / 1e3),
        ),
        goals=(memory,) if quick else (memory, *of_many),
        conditions={"quick": str(quick)},
    )


if __name__ == "__main__":
    sys.exit(main())
