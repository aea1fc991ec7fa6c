"""What a scoring costs beside its network: time by part, memory, cost per event, quick commands.

A whole `harness score` of `submissions/team_x`, with firmware made for the first time and with
`--no-firmware`, runs on challenges of one's own, made by repeating the sample's test events, in
processes of their own. Four kinds of time are told apart:

- **harness**: start of Python, mixing the events, sandboxes, what the integrity checks draw, write
  and compare, metrics, card;
- **TensorFlow's start**: its import and Keras's, once for each process that holds a network;
- **network**: building, compiling and evaluating it, on the events of the checks too;
- **firmware**: translating, simulating and synthesising it, and its scores of all events.

The export's start of TensorFlow is not measured by itself; it is taken to be that of the checks in
the same run. The cost is counted in a process beside the scoring and has no part of its own, but
takes a core from it.

    python benchmarks/overhead.py [--quick] [--json FILE]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import yaml
from _table import Goal, Options, Report, publish, read_options, timed
from numpy.typing import NDArray

from harness.challenge import Challenge
from harness.data.cache import lock_process, store_events
from harness.data.event_source import EventSource
from harness.data.events import EventStore, open_store
from harness.data.manifest import load_manifest
from harness.data.selection import EventSelection

ROOT = Path(__file__).resolve().parents[1]
SUBMISSION = ROOT / "submissions" / "team_x"
CHILD = Path(__file__).with_name("_one_scoring.py")
# Scored events, signals included; the shares are taken of the second, memory of the last.
SIZES = (100_000, 1_000_000, 7_000_000)
QUICK_SIZES = (50_000, 200_000, 400_000)
# Asked of a scoring: share of the time that is the harness's own, memory, and the processor time
# of a further event among many against that among few.
MAX_SHARE_PERCENT = 15.0
MAX_MEMORY_GB = 2.0
MAX_RISE = 1.3
# Asked of the commands, in seconds.
MAX_HELP_S, MAX_VALIDATE_S, MAX_QUICK_S = 0.3, 3.0, 20.0
GB = 1e9
OWNERS = HARNESS, TENSORFLOW, NETWORK, FIRMWARE = (
    "harness",
    "TensorFlow's start",
    "network",
    "firmware",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A stretch of a run, and whose it is: one of `OWNERS`."""

    name: str
    seconds: float
    owner: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Scoring:
    """One scoring, as `_one_scoring.py` saw it.

    Attributes
    ----------
    wall_s : float
        From the start of the process to its end.
    started_s : float
        Until all modules were imported.
    cpu_s : float
        Processor time of the parent and of the step that scores: what grows with the events.
    stages : mapping of stage to float
        Wall-clock seconds.
    steps : mapping of step to mapping
        ``wall_s``, ``cpu_s``, ``load_s``, ``score_s`` and ``peak_bytes`` of each.
    """

    n_events: int
    wall_s: float
    started_s: float
    cpu_s: float
    parent_peak_bytes: float
    stages: Mapping[str, float]
    steps: Mapping[str, Mapping[str, float]]

    @property
    def largest_step(self) -> str:
        """Name of the step with the largest memory."""
        return max(self.steps, key=lambda name: self.steps[name]["peak_bytes"])

    def parts(self) -> tuple[Part, ...]:
        """Take the run apart; the parts add up to `wall_s`."""
        score, checks, stages = self.steps["score"], self.steps["checks"], self.stages
        start = checks["load_s"]
        sandbox = score["wall_s"] - score["load_s"] - score["score_s"]
        # The cost is counted beside the scoring.
        in_turn = sum(seconds for name, seconds in stages.items() if name != "cost")
        rows = (
            ("start of Python, imports", HARNESS, self.started_s),
            ("events mixed", HARNESS, stages["data"]),
            ("export: sandbox", HARNESS, sandbox),
            ("export: TensorFlow", TENSORFLOW, start),
            (
                "export: network() twice, rebuilt, tried",
                NETWORK,
                stages["export"] - start - sandbox,
            ),
            (
                "score: sandbox, scores read",
                HARNESS,
                stages["score"] - score["load_s"] - score["score_s"],
            ),
            ("score: TensorFlow", TENSORFLOW, score["load_s"]),
            ("score: compiled and evaluated", NETWORK, score["score_s"]),
            ("metrics", HARNESS, stages["metrics"] + stages.get("firmware-metrics", 0.0)),
            ("acceptance and cuts", HARNESS, stages["acceptance"]),
            ("checks: TensorFlow", TENSORFLOW, start),
            ("checks: compiled and evaluated", NETWORK, checks["score_s"]),
            (
                "checks: variants drawn, written, compared",
                HARNESS,
                stages["checks"] - start - checks["score_s"],
            ),
            ("firmware", FIRMWARE, stages.get("firmware", 0.0)),
            (
                "trial of the sandbox, digests, card, end",
                HARNESS,
                self.wall_s - self.started_s - in_turn,
            ),
        )
        return tuple(
            Part(name=name, owner=owner, seconds=seconds)
            for name, owner, seconds in rows
            if seconds
        )


def repeat(selection: EventSelection, n_events: int) -> Iterator[tuple[NDArray[np.float32], None]]:
    """Give the selected events over and over, `n_events` in all."""
    left = n_events
    while left:
        for chunk in selection.chunks():
            part = chunk[:left]
            left -= len(part)
            yield part, None
            if not left:
                return


def tile(sample: EventStore, n_events: int, root: Path) -> Challenge:
    """Make a challenge of `n_events` scored events in the cache at `root`.

    It keeps the sample's split, so repetitions of test events are test events.
    """
    selections = {name: sample.select(name, "test") for name in sample.processes}
    n_test = sum(map(len, selections.values()))
    files = tuple(
        file.model_copy(
            update={
                "url": None,
                "checksum": None,
                "n_events": round(n_events * len(selections[file.process]) / n_test),
            }
        )
        for file in sample.challenge.files
    )
    challenge = sample.challenge.model_copy(
        update={"name": f"tiled-{n_events}", "title": f"{n_events:,} events", "files": files}
    )
    for file in files:
        source = EventSource(
            chunks=repeat(selections[file.process], file.n_events or 0),
            n_events=file.n_events or 0,
            checksum=sample.checksum(file.process),
        )
        with lock_process(challenge, file.process, root):
            store_events(challenge, file, source, root)
    return challenge


def score(
    challenge: Challenge,
    n_events: int,
    folder: Path,
    *,
    has_firmware: bool = False,
    submission: Path = SUBMISSION,
) -> Scoring:
    """Score `submission` on `challenge` in a process of its own."""
    manifest = folder / "manifest.yaml"
    document = {"schema": 1, "challenges": [challenge.model_dump(mode="json")]}
    manifest.write_text(yaml.safe_dump(document), encoding="utf-8")
    started_s = time.monotonic()
    arguments: list[object] = [submission, challenge.name, manifest, folder / "results"]
    arguments += [int(has_firmware), started_s]
    done = subprocess.run(
        [sys.executable, CHILD, *map(str, arguments)],
        env={**os.environ, "HARNESS_CACHE": str(folder / "cache")},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    wall_s = time.monotonic() - started_s
    return Scoring(n_events=n_events, wall_s=wall_s, **json.loads(done.stdout))


def measure(sizes: tuple[int, ...]) -> tuple[list[Scoring], Scoring]:
    """Score challenges of several sizes without firmware, and the second with it.

    The smallest is scored once more before, to warm the disk up.
    """
    sample = open_store(load_manifest().challenge("sample"))
    runs = []
    for n_events, has_firmware in (
        (sizes[0], False),
        *((size, False) for size in sizes),
        (sizes[1], True),
    ):
        with tempfile.TemporaryDirectory(prefix="overhead-") as name:
            challenge = tile(sample, n_events, Path(name) / "cache")
            runs.append(score(challenge, n_events, Path(name), has_firmware=has_firmware))
    return runs[1:-1], runs[-1]


def time_report(run: Scoring, name: str, firmware: str, *, has_goal: bool) -> Report:
    """Tell the parts of a run; the goal is set for what `harness score` does by default."""
    parts = run.parts()
    seconds = {
        owner: sum(part.seconds for part in parts if part.owner == owner) for owner in OWNERS
    }
    starts = [part.seconds for part in parts if part.owner == TENSORFLOW]
    rows = [(part.name, part.owner, part.seconds) for part in parts]
    rows += [("in all", owner, spent) for owner, spent in seconds.items() if spent]
    once = seconds[HARNESS] + sum(starts) - starts[0]
    rows.append(("harness, and TensorFlow's starts but the first", "", once))
    goal = Goal(
        name="harness's own share of the run",
        value=100 * seconds[HARNESS] / run.wall_s,
        relation="<=",
        limit=MAX_SHARE_PERCENT,
        unit=" %",
    )
    return Report(
        name=name,
        title=f"Where the time of one scoring goes, {run.n_events:,} events, {run.wall_s:.1f} s",
        columns=("part", "whose", "wall [s]", "% of the run"),
        rows=tuple((*row, 100 * row[-1] / run.wall_s) for row in rows),
        goals=(goal,) if has_goal else (),
        conditions={"events": run.n_events, "submission": SUBMISSION.name, "firmware": firmware},
    )


def size_report(runs: list[Scoring]) -> Report:
    """Tell memory and processor time by the number of events."""
    # Between two sizes all that a run costs once drops out.
    further = [
        1e6 * (more.cpu_s - fewer.cpu_s) / (more.n_events - fewer.n_events)
        for fewer, more in pairwise(runs)
    ]
    largest = runs[-1]
    step = largest.largest_step
    return Report(
        name="size",
        title="Memory and processor time by the number of events",
        columns=(
            "events",
            "wall [s]",
            "processor [s]",
            "us a further event",
            "parent [GB]",
            "largest step [GB]",
            "which",
        ),
        rows=tuple(
            (
                run.n_events,
                run.wall_s,
                run.cpu_s,
                f"{cost:.2f}" if cost is not None else "",
                run.parent_peak_bytes / GB,
                run.steps[run.largest_step]["peak_bytes"] / GB,
                run.largest_step,
            )
            for run, cost in zip(runs, [None, *further], strict=True)
        ),
        goals=(
            Goal(
                name=f"peak memory of the parent at {largest.n_events:,} events",
                value=largest.parent_peak_bytes / GB,
                relation="<=",
                limit=MAX_MEMORY_GB,
                unit=" GB",
            ),
            Goal(
                name=f"peak memory of a step ({step}) at {largest.n_events:,} events",
                value=largest.steps[step]["peak_bytes"] / GB,
                relation="<=",
                limit=MAX_MEMORY_GB,
                unit=" GB",
            ),
            Goal(
                name="processor time of a further event, most events against fewest",
                value=further[-1] / further[0],
                relation="<=",
                limit=MAX_RISE,
            ),
        ),
        conditions={"processor time": "of the parent and of the step that scores"},
    )


def run_harness(*arguments: str | Path) -> None:
    """Run the command line."""
    subprocess.run(
        [Path(sys.executable).with_name("harness"), *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=True,
    )


def command_report(n_repeats: int) -> Report:
    """Time the commands that somebody waits for."""
    commands = {
        "harness --help": (("--help",), 3 * n_repeats, MAX_HELP_S),
        "harness validate": (("validate", SUBMISSION), n_repeats, MAX_VALIDATE_S),
        "harness score --quick": (("score", SUBMISSION, "--quick"), n_repeats, MAX_QUICK_S),
    }
    times = {
        name: timed(partial(run_harness, *arguments), repeats=repeats)
        for name, (arguments, repeats, _) in commands.items()
    }
    return Report(
        name="commands",
        title="Commands that somebody waits for",
        columns=("command", "least wall [s]", "median wall [s]"),
        rows=tuple((name, found.best_s, found.median_s) for name, found in times.items()),
        goals=tuple(
            Goal(name=name, value=times[name].best_s, relation="<=", limit=limit, unit=" s")
            for name, (_, _, limit) in commands.items()
        ),
    )


def main() -> int:
    """Measure, print and keep."""
    options = read_options("what a scoring costs beside its network")
    reports: list[Report] = [command_report(1 if options.quick else 3)]
    runs, whole = measure(QUICK_SIZES if options.quick else SIZES)
    reports += [
        time_report(whole, "overhead", "made for the first time", has_goal=True),
        time_report(runs[1], "no-firmware", "left out", has_goal=False),
        size_report(runs),
    ]
    return max(publish(report, _kept(options, report)) for report in reports)


def _kept(options: Options, report: Report) -> Options:
    """Name the file of one of the reports: FILE gets the report's name before its ending."""
    if options.json is None:
        return options
    path = options.json.with_stem(f"{options.json.stem}-{report.name}")
    return Options(quick=options.quick, json=path)


if __name__ == "__main__":
    sys.exit(main())
