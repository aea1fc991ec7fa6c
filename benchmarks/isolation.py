"""What the sandbox costs: each step's start, and the throughput of scoring.

Both are measured against mode ``none`` in one run, one after the other in turn, so that a machine
that is busy with something else is busy for both. What isolation takes from the throughput is told
in processor time, which other work disturbs less than the clock on the wall.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _table import Goal, Options, Report, publish, read_options

from harness.card.run import IsolationKind
from harness.sandbox import Sandbox, open_sandbox
from harness.sandbox.step import GIB, Limits, Step

MAX_STEP_COST_S = 0.3
MAX_THROUGHPUT_COST_PERCENT = 3.0
KINDS: tuple[IsolationKind, ...] = ("none", "bwrap")
MODEL = """
import keras


def network():
    keras.utils.set_random_seed(1)
    inputs = keras.Input((57,))
    hidden = keras.layers.Dense(32, activation="relu")(inputs)
    hidden = keras.layers.Dense(16, activation="relu")(hidden)
    return keras.Model(inputs, keras.layers.Dense(1)(hidden))
"""
LIMITS = Limits(wall_s=600.0, memory_bytes=8 * GIB)


def step_seconds(sandbox: Sandbox) -> float:
    """Return the wall-clock seconds of a step that does nothing."""
    step = Step(name="nothing", entry="harness.sandbox.trial:nothing")
    with tempfile.TemporaryDirectory() as folder:
        started_s = time.perf_counter()
        sandbox.run(step, Path(folder))
        return time.perf_counter() - started_s


def export(sandbox: Sandbox, folder: Path) -> dict[str, Path]:
    """Export a small dense network; return its graph and weights."""
    submission = folder / "submission"
    submission.mkdir()
    (submission / "model.py").write_text(MODEL)
    (folder / "export").mkdir()
    step = Step(
        name="export",
        entry="harness.submission.export:export_submission",
        request={"event_shape": [19, 3]},
        inputs={"submission": submission},
        outputs={"graph": 10**6, "weights": 10**6},
        limits=LIMITS,
    )
    return dict(sandbox.run(step, folder / "export").outputs)


@dataclass(frozen=True, kw_only=True, slots=True)
class Scoring:
    """What scoring took: events in a second, and processor seconds, the parent's among them."""

    events_per_s: float
    cpu_s: float


def score(sandbox: Sandbox, network: dict[str, Path], events: Path, n_events: int) -> Scoring:
    """Score all events once; the start of TensorFlow counts as processor time, not in the rate."""
    step = Step(
        name="score",
        entry="harness.submission.inference:score_network",
        inputs={**network, "events": events},
        outputs={"scores": 8 * n_events},
        limits=LIMITS,
    )
    with tempfile.TemporaryDirectory() as folder:
        started_s = time.process_time()
        result = sandbox.run(step, Path(folder))
        own_s = time.process_time() - started_s
    seconds = result.report["score_s"]
    assert isinstance(seconds, float)
    return Scoring(events_per_s=n_events / seconds, cpu_s=own_s + result.usage.cpu_s)


def measure(options: Options) -> Report:
    """Measure both kinds in turn."""
    n_steps, n_rates, n_events = (10, 1, 200_000) if options.quick else (60, 5, 2_000_000)
    sandboxes = {kind: open_sandbox(kind) for kind in KINDS}
    seconds: dict[IsolationKind, list[float]] = {kind: [] for kind in KINDS}
    runs: dict[IsolationKind, list[Scoring]] = {kind: [] for kind in KINDS}
    for _ in range(n_steps):
        for kind, sandbox in sandboxes.items():
            seconds[kind].append(step_seconds(sandbox))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        network = export(sandboxes["bwrap"], folder)
        events = folder / "events.npy"
        rng = np.random.default_rng(1)
        np.save(events, rng.exponential(20.0, (n_events, 19, 3)).astype(np.float32))
        for turn in range(n_rates):
            # In turn first and second: the first of a pair may find a colder cache.
            for kind in KINDS[:: 1 if turn % 2 else -1]:
                runs[kind].append(score(sandboxes[kind], network, events, n_events))
    step_cost_s = statistics.median(seconds["bwrap"]) - statistics.median(seconds["none"])
    cpu_s = {kind: min(run.cpu_s for run in runs[kind]) for kind in KINDS}
    cost_percent = 100 * (cpu_s["bwrap"] / cpu_s["none"] - 1)
    return Report(
        name="isolation",
        title="Cost of isolation",
        columns=("kind", "ms a step", "slowest ms", "events/s", "processor seconds"),
        rows=tuple(
            (
                kind,
                1000 * statistics.median(seconds[kind]),
                1000 * max(seconds[kind]),
                max(run.events_per_s for run in runs[kind]),
                cpu_s[kind],
            )
            for kind in KINDS
        ),
        goals=(
            Goal(
                name="isolation of a step (median)",
                value=step_cost_s,
                relation="<=",
                limit=MAX_STEP_COST_S,
                unit=" s",
            ),
            Goal(
                name="further processor time of a scoring (best of each)",
                value=cost_percent,
                relation="<=",
                limit=MAX_THROUGHPUT_COST_PERCENT,
                unit=" %",
            ),
        ),
        conditions={"steps": n_steps, "runs": n_rates, "events": n_events},
    )


if __name__ == "__main__":
    chosen = read_options("What the sandbox costs")
    sys.exit(publish(measure(chosen), chosen))
