"""A whole scoring at the size of the CMS level-1 release, against the bare inference in one run.

    python benchmarks/cmsl1t_scoring.py [--quick] [--json FILE]

The stand-in `cmsl1t-sample` is repeated to 4.2 M zero-bias and 5.2 M signal test events, with all
that stands beside them, and `submissions/l1_dense_ae` is scored on them without firmware.
*Bare inference* is the compiled network in a process of its own, on as many of the same events, by
the function of the step that scores; its start is not counted. What is compared is processor time,
of the scoring that of all its processes, sandboxes included: a busy machine disturbs it less than
the wall clock. Memory is that of the largest process of the whole tree.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from _table import Goal, Options, Report, publish, read_options
from _tree import TreeWatch
from numpy.typing import NDArray

from harness.challenge import Challenge, DataFile
from harness.data.beside import Algorithms, conditions_of, has_algorithms
from harness.data.cache import lock_process, store_events
from harness.data.cache_record import ReadingReport
from harness.data.event_source import EventSource
from harness.data.events import EventStore, open_store
from harness.data.manifest import load_manifest

ROOT = Path(__file__).resolve().parents[1]
SUBMISSION = ROOT / "submissions" / "l1_dense_ae"
CHILD = Path(__file__).with_name("_one_scoring.py")
SAMPLE = "cmsl1t-sample"
# Scored events; the first size is what the cost of a further event is compared with.
SIZES = (1_000_000, 4_000_000, 9_400_000)
QUICK_SIZES = (50_000, 100_000)
ZERO_BIAS_SHARE = 4.2 / 9.4
# Events that are repeated at a time.
_TILE = 65_536
MAX_OF_INFERENCE, MAX_GB, MAX_RISE = 3.0, 2.0, 1.3
GB = 1e9


@dataclass(frozen=True, kw_only=True, slots=True)
class Scored:
    """One scoring and the bare inference of the same events.

    Attributes
    ----------
    cpu_s, inference_s : float
        Processor time of all processes of the scoring, and of the network alone.
    wall_s, inference_wall_s : float
        The same by the clock.
    peak_bytes, private_bytes : int
        Of the largest process, with and without pages of mapped files.
    largest : str
        Which process that was.
    parts : mapping of str to float
        Processor time by step, and that of the parent.
    """

    n_events: int
    cpu_s: float
    wall_s: float
    inference_s: float
    inference_wall_s: float
    peak_bytes: int
    private_bytes: int
    largest: str
    parts: dict[str, float]


def tile(sample: EventStore, n_events: int, root: Path) -> Challenge:
    """Make a challenge of `n_events` scored events in the cache at `root`: test parts repeated."""
    files = [file for file in sample.challenge.files if file.role in {"background", "signal"}]
    n_background = sum(file.role == "background" for file in files)
    per = {
        "background": round(n_events * ZERO_BIAS_SHARE / n_background),
        "signal": round(n_events * (1 - ZERO_BIAS_SHARE) / (len(files) - n_background)),
    }
    tiled = tuple(
        file.model_copy(
            update={
                # The address stays: nothing is read there, since all is in the cache.
                "checksum": None,
                "n_events": per[file.role],
                "part_events": {"test": per[file.role]},
            }
        )
        for file in files
    )
    challenge = sample.challenge.model_copy(
        update={"name": f"tiled-{n_events}", "title": f"{n_events:,} events", "files": tiled}
    )
    for file in tiled:
        with lock_process(challenge, file.process, root):
            store_events(challenge, file, _repeated(sample, file, per[file.role]), root)
    return challenge


def _repeated(sample: EventStore, file: DataFile, n_events: int) -> EventSource:
    """Give the test events of a process over and over, with all that stands beside them."""
    rows = sample.indices(file.process, "test")
    where = np.resize(rows, n_events)
    menu = sample.menu(file.process)
    algorithms = None
    if has_algorithms(sample.challenge, file) and (found := sample.algorithms(file.process)):
        names, packed = found
        algorithms = Algorithms(
            names=names, chunks=(packed[one] for one in _pieces(where)), is_packed=True
        )
    events = np.asarray(sample.events(file.process))
    return EventSource(
        chunks=((events[one], None) for one in _pieces(where)),
        n_events=n_events,
        checksum=None,
        menu=None if menu is None else menu[where],
        conditions={
            one.name: [sample.condition(file.process, one.name)[where]]
            for one in conditions_of(sample.challenge, file)
        },
        algorithms=algorithms,
        parts=np.full(n_events, 2, np.int8),
        reading=lambda: ReadingReport(layout="package", n_read={"test": n_events}),
    )


def _pieces(where: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(where), _TILE):
        yield where[start : start + _TILE]


def measure(n_events: int) -> Scored:
    """Score, and run the network alone on the same events."""
    sample = open_store(load_manifest().challenge(SAMPLE))
    with tempfile.TemporaryDirectory(prefix="cmsl1t-scoring-") as name:
        folder = Path(name)
        challenge = tile(sample, n_events, folder / "cache")
        found, wall_s, watch = _score(challenge, folder)
        inference = _bare(challenge, folder)
    parts = {name: step["cpu_s"] for name, step in found["steps"].items()}
    parts["parent"] = found["cpu_s"] - found["steps"]["score"]["cpu_s"]
    return Scored(
        n_events=n_events,
        cpu_s=sum(parts.values()),
        wall_s=wall_s,
        inference_s=inference["cpu_s"],
        inference_wall_s=inference["wall_s"],
        peak_bytes=watch.largest[1],
        private_bytes=watch.largest_private,
        largest=watch.largest[0],
        parts=parts,
    )


def _score(challenge: Challenge, folder: Path) -> tuple[dict[str, Any], float, TreeWatch]:
    manifest = folder / "manifest.yaml"
    document = {"schema": 1, "challenges": [challenge.model_dump(mode="json")]}
    manifest.write_text(yaml.safe_dump(document), encoding="utf-8")
    started_s = time.monotonic()
    arguments = [SUBMISSION, challenge.name, manifest, folder / "results", 0, started_s]
    process = subprocess.Popen(
        [sys.executable, CHILD, *map(str, arguments)],
        env={**os.environ, "HARNESS_CACHE": str(folder / "cache")},
        stdout=subprocess.PIPE,
        text=True,
    )
    with TreeWatch(process.pid) as watch:
        output, _ = process.communicate()
    if process.returncode:
        sys.exit(f"the scoring of {challenge.name} failed")
    return json.loads(output), time.monotonic() - started_s, watch


def _bare(challenge: Challenge, folder: Path) -> dict[str, float]:
    """Run the network of the submission, and nothing else, in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--bare", challenge.name, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def bare(name: str, folder: Path) -> None:
    """Print the seconds that the network takes on all cached events of a challenge."""
    from harness.submission.export import FUNCTION
    from harness.submission.inference import CHUNK_EVENTS, CHUNKS_AT_A_TIME, compile_network
    from harness.submission.jobs import Job, score_job
    from harness.submission.plugin import find_function, load_plugin

    challenge = load_manifest(folder / "manifest.yaml").challenge(name)
    store = open_store(challenge, folder / "cache")
    # Of the project itself: it may run in this process.
    model = find_function(load_plugin(SUBMISSION), FUNCTION)()
    scorer, _ = compile_network(model, CHUNK_EVENTS)
    job = Job(events="events", scores="scores", chunk=CHUNK_EVENTS)
    some = np.load(store.path(store.processes[0]), mmap_mode="r")[:CHUNK_EVENTS]
    # Compiles the network.
    score_job(scorer, some, job, {"scores": folder / "scores"}, chunks_at_a_time=CHUNKS_AT_A_TIME)
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    for process in store.processes:
        score_job(
            scorer,
            np.load(store.path(process), mmap_mode="r"),
            job,
            {"scores": folder / "scores"},
            chunks_at_a_time=CHUNKS_AT_A_TIME,
        )
    print(
        json.dumps({"wall_s": time.perf_counter() - wall_s, "cpu_s": time.process_time() - cpu_s})
    )


def report(runs: list[Scored], options: Options) -> Report:
    """Put the figures into a table with what is asked of them."""
    further = [
        1e6 * (more.cpu_s - fewer.cpu_s) / (more.n_events - fewer.n_events)
        for fewer, more in pairwise(runs)
    ]
    largest = runs[-1]
    return Report(
        name="cmsl1t-scoring",
        title=f"Scoring {SUBMISSION.name} without firmware, and its network alone",
        columns=(
            "events", "processor s", "network alone", "ratio", "wall s", "network alone wall",
            "us a further event", "peak GB", "without maps GB", "which",
        ),
        rows=tuple(
            (
                run.n_events, run.cpu_s, run.inference_s, run.cpu_s / run.inference_s, run.wall_s,
                run.inference_wall_s, "" if cost is None else f"{cost:.2f}", run.peak_bytes / GB,
                run.private_bytes / GB, run.largest,
            )
            for run, cost in zip(runs, [None, *further], strict=True)
        ),
        goals=(
            Goal(
                name=f"processor time over that of the network at {largest.n_events:,} events",
                value=largest.cpu_s / largest.inference_s, relation="<=", limit=MAX_OF_INFERENCE,
            ),
            Goal(
                name="memory of the largest process", value=largest.peak_bytes / GB,
                relation="<=", limit=MAX_GB, unit=" GB",
            ),
            Goal(
                name="processor time of a further event, most events against fewest",
                value=further[-1] / further[0], relation="<=", limit=MAX_RISE,
            ),
        ),
        conditions={
            "quick": str(options.quick),
            **{f"{name} [processor s]": seconds for name, seconds in largest.parts.items()},
        },
    )  # fmt: skip


def main() -> int:
    """Measure, print and keep."""
    if sys.argv[1:2] == ["--bare"]:
        bare(sys.argv[2], Path(sys.argv[3]))
        return 0
    options = read_options(__doc__ or "")
    runs = [measure(size) for size in (QUICK_SIZES if options.quick else SIZES)]
    return publish(report(runs, options), options)


if __name__ == "__main__":
    sys.exit(main())
