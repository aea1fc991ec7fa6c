"""`harness trigger` against the bare exact scoring of the same events, in the same run.

    python benchmarks/trigger.py [--quick] [--json FILE]

`submissions/team_x` runs as a trigger on the background of the sample's test part, in a process of
its own. What is compared is its stream, from the first event that is read to the last file that is
written; opening the entry and the cache is not in it, and is shown beside it. *Bare* is one step of
the sandbox that interprets the same program on the same events, which lie in one file already. Both
are timed in turn, and the best of each is taken. Memory is that of the largest process of the
trigger's tree.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _table import Goal, Options, Report, publish, read_options
from _tree import TreeWatch

from harness.data.cache import cache_root
from harness.data.events import open_store
from harness.data.manifest import load_manifest
from harness.data.mix import read_rows
from harness.firmware.artefacts import PROGRAM, compress
from harness.firmware.interpret import score_by_program
from harness.sandbox.tried import open_tried_workspace
from harness.sandbox.workspace import Workspace
from harness.scoring.synthesis import synthesise_submission
from harness.submission.events import save_events
from harness.trigger import start
from harness.trigger.accept import run_trigger
from harness.trigger.records import TriggerRun

ROOT = Path(__file__).resolve().parents[1]
SUBMISSION = ROOT / "submissions" / "team_x"
SAMPLE, PROCESS = "sample", "background"
QUICK_EVENTS, REPEATS = 100_000, 3
MIN_RATIO, MAX_GB = 0.7, 1.0
GB = 1e9


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """Seconds of both, of the trigger also with its start, and its memory."""

    n_events: int
    bare_s: float
    trigger_s: float
    whole_s: float
    peak_bytes: int
    largest: str


def trigger(n_events: int, program: Path, out: Path) -> None:
    """Run the trigger, and print the seconds of its stream, and of all that it did."""
    streams: list[float] = []

    def stream(*words: Any, **more: Any) -> TriggerRun:  # noqa: ANN401 - handed on as they are
        begun = time.perf_counter()
        run = run_trigger(*words, **more)
        streams.append(time.perf_counter() - begun)
        return run

    start.run_trigger = stream  # type: ignore[attr-defined]
    started = time.perf_counter()
    start.start_trigger(
        start.TriggerRequest(
            entry=str(SUBMISSION),
            events=(f"{SAMPLE}:{PROCESS}[:{n_events}]",),
            out=out,
            results=ROOT / "results",
            program=program,
        )
    )
    print(streams[0], time.perf_counter() - started)


def watched(n_events: int, program: Path, out: Path) -> tuple[float, float, TreeWatch]:
    """Run the trigger in a process of its own; return its seconds, and what was seen of it."""
    words = [sys.executable, __file__, "--trigger", str(n_events), str(program), str(out)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    with TreeWatch(process.pid) as watch:
        output, _ = process.communicate()
    if process.returncode:
        sys.exit("the trigger failed")
    stream_s, whole_s = map(float, output.split())
    return stream_s, whole_s, watch


def bare(packed: Path, events: Path, workspace: Workspace) -> float:
    """Score all events in one step; return its seconds."""
    started = time.perf_counter()
    score_by_program(packed, events, workspace)
    return time.perf_counter() - started


def measure(folder: Path, *, is_quick: bool) -> Measured:
    """Make the program and the file of events, then time both in turn."""
    build = folder / "build"
    synthesise_submission(SUBMISSION, challenge=SAMPLE, backend="estimate", export_folder=build)
    program = build / "program.json"
    store = open_store(load_manifest().challenge(SAMPLE), processes={PROCESS})
    rows = store.indices(PROCESS, "test")
    rows = np.sort(rows)[: QUICK_EVENTS if is_quick else None]
    events = np.concatenate([np.asarray(some) for some in read_rows(store, PROCESS, rows)])
    save_events(folder / "events.npy", events)
    bare_s, trigger_s, watches = [], [], []
    whole_s = []
    with open_tried_workspace("bwrap", cache_root()) as workspace:
        packed = compress(program, folder / PROGRAM)
        for number in range(1 if is_quick else REPEATS):
            bare_s.append(bare(packed, folder / "events.npy", workspace))
            seconds, whole, watch = watched(len(rows), program, folder / f"out{number}")
            trigger_s.append(seconds)
            whole_s.append(whole)
            watches.append(watch)
    largest, peak = max((watch.largest for watch in watches), key=lambda one: one[1])
    return Measured(
        n_events=len(rows),
        bare_s=min(bare_s),
        trigger_s=min(trigger_s),
        whole_s=min(whole_s),
        peak_bytes=peak,
        largest=largest,
    )


def report(found: Measured, options: Options) -> Report:
    """Put the figures into a table with what is asked of them."""
    return Report(
        name="trigger",
        title=f"{SUBMISSION.name} as a trigger, and its bare exact scoring",
        columns=(
            "events",
            "stream s",
            "with its start s",
            "bare s",
            "events/s",
            "ratio",
            "peak GB",
            "which",
        ),
        rows=(
            (
                found.n_events,
                found.trigger_s,
                found.whole_s,
                found.bare_s,
                found.n_events / found.trigger_s,
                found.bare_s / found.trigger_s,
                found.peak_bytes / GB,
                found.largest,
            ),
        ),
        goals=(
            Goal(
                name="rate of the trigger over that of the bare exact scoring",
                value=found.bare_s / found.trigger_s,
                relation=">=",
                limit=MIN_RATIO,
            ),
            Goal(
                name="memory of the largest process",
                value=found.peak_bytes / GB,
                relation="<=",
                limit=MAX_GB,
                unit=" GB",
            ),
        ),
        conditions={"quick": str(options.quick)},
    )


def main() -> int:
    """Measure, print and keep."""
    if sys.argv[1:2] == ["--trigger"]:
        trigger(int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))
        return 0
    options = read_options(__doc__ or "")
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), is_quick=options.quick)
    return publish(report(found, options), options)


if __name__ == "__main__":
    sys.exit(main())
