"""What one event costs a processor: measured from outside the process that scores."""

from __future__ import annotations

import time
from collections.abc import Mapping
from statistics import median

import numpy as np
from numpy.typing import NDArray

from harness.card.costs import ProcessorUse
from harness.card.figures import NotMeasured
from harness.data.mix import Mixture
from harness.errors import IntegrityError
from harness.metrics.consistency import Unit, compare_scores
from harness.sandbox import Workspace
from harness.sandbox.step import Usage
from harness.scoring.integrity import Batch
from harness.scoring.scorer import Scorer, score_batches
from harness.submission.events import save_events

# Events of the shorter process and, at first, of the longer one, which gets more until they take
# long enough: the kernel counts hundredths of a second. What starting costs cancels.
_FEW, _MANY, _MOST = 50, 350, 50_000
_ENOUGH_S = 0.5
_REPEATS = 3
# The fixed calculation: this many products of two matrices of this size, float64.
_REFERENCE_PRODUCTS, _REFERENCE_SIZE = 20, 128


def measure_processor(
    workspace: Workspace,
    scorer: Scorer,
    mixture: Mixture,
    scores: Mapping[str, NDArray[np.float64]],
) -> ProcessorUse | NotMeasured:
    """Measure the processor time and memory of one event, scored by itself.

    The kernel counts the time of a process with all of its children: nothing that runs in it can
    say another one. Two processes score few events and many, one at a time; the difference of
    their times is that of the events alone.

    Parameters
    ----------
    workspace : Workspace
        Runs the processes.
    scorer : Scorer
        What scores.
    mixture : Mixture
        The events, of which the first ones are taken.
    scores : mapping of process to float64 array
        What the scoring gave for all of them.

    Raises
    ------
    IntegrityError
        An event by itself has another score than in the scoring: what was timed is something else.
    """
    if mixture.n_events <= _FEW:
        return NotMeasured(not_measured=f"{mixture.n_events} events are too few to be timed")
    timing = _Timing(workspace, scorer, mixture, mixture.join(scores))
    n_events = timing.enough(min(_MOST, mixture.n_events))
    pairs = [(timing.score(_FEW), timing.score(n_events)) for _ in range(_REPEATS)]
    n_more = n_events - _FEW
    times = [max(long.cpu_s - short.cpu_s, 0.0) / n_more for short, long in pairs]
    walls = [max(long.wall_s - short.wall_s, 0.0) / n_more for short, long in pairs]
    peak = max(long.peak_memory_bytes for _, long in pairs)
    return ProcessorUse(
        time_ms=1e3 * median(times),
        lowest_ms=1e3 * min(times),
        highest_ms=1e3 * max(times),
        repeats=_REPEATS,
        n_events=n_more,
        reference_ms=reference_ms(),
        wall_ms=1e3 * median(walls),
        peak_memory_mb=peak / 2**20,
    )


class _Timing:
    """Scores the first events of a mixture one by one, and compares their scores."""

    def __init__(
        self, workspace: Workspace, scorer: Scorer, mixture: Mixture, expected: NDArray[np.float64]
    ) -> None:
        self._workspace, self._scorer, self._mixture = workspace, scorer, mixture
        self._expected, self._unit = expected, Unit.of(expected)

    def enough(self, most: int) -> int:
        """Return how many events take long enough to be timed, `most` if no number does."""
        least, n_events = self.score(_FEW).cpu_s, min(_MANY, most)
        while n_events < most and self.score(n_events).cpu_s - least < _ENOUGH_S:
            n_events = min(4 * n_events, most)
        return n_events

    def score(self, n_events: int) -> Usage:
        """Score that many, one at a time on one core; return what the process used."""
        path = self._workspace.new_folder("processor") / "events.npy"
        save_events(path, self._mixture.gather(np.arange(n_events)))
        batch = Batch(events=path, n_events=n_events, at_once=1)
        (scores,), done = score_batches(
            self._workspace, self._scorer, [batch], "checks", is_one_thread=True
        )
        found = compare_scores("processor", self._expected[:n_events], scores, unit=self._unit)
        if found.outcome == "leak":
            raise IntegrityError(
                "an event that is scored by itself has another score than in the scoring",
                where="processor",
                expected="a score that depends on its own event alone",
                fix="remove what looks at the number of events, the clock, a counter or a file",
            )
        return done.usage


def reference_ms() -> float:
    """Return the processor time of a fixed calculation on this machine, in milliseconds."""
    values = np.random.default_rng(0).standard_normal((_REFERENCE_SIZE, _REFERENCE_SIZE))
    times = []
    for _ in range(5):
        started = time.process_time()
        for _ in range(_REFERENCE_PRODUCTS):
            values @ values
        times.append(time.process_time() - started)
    return max(1e3 * median(times), 1e-6)
