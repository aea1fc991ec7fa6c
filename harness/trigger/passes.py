"""The sections of a stream, looked at in two passes: memory does not grow with their number.

The first pass holds the last sections that a window needs, sums over all, and sums over a hundred
groups of sections for the pictures. It finds the first alarm of each property. The second pass, for
which the sums over all are known, finds since when each of these properties is off: the start that
the likelihood prefers, as `harness.trigger.alarms.change_point` finds it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from harness.trigger.alarms import WINDOWS, Raised, Watched, raise_alarms, start_gain

# Sections before those of a block that its windows reach back to.
_OVERLAP = max(WINDOWS) - 1
MOST_GROUPS = 100


@dataclass(kw_only=True, slots=True)
class Family:
    """Properties that are counted over the same events, and what was found of them.

    Attributes
    ----------
    reference : int64 array, shape (n_properties,)
    reference_trials : int
    p_alarm : float
        See `harness.trigger.alarms.alarm_p`.
    n_sections : int
        Of the whole stream.
    total, total_trials : int64 array, shape (n_properties,), and int
        Over the sections so far.
    grouped, grouped_trials : int64 arrays, shapes (n_groups, n_properties) and (n_groups,)
        Over groups of consecutive sections.
    """

    reference: NDArray[np.int64]
    reference_trials: int
    p_alarm: float
    n_sections: int
    total: NDArray[np.int64] = field(init=False)
    total_trials: int = 0
    grouped: NDArray[np.int64] = field(init=False)
    grouped_trials: NDArray[np.int64] = field(init=False)
    _raised: dict[int, Raised] = field(default_factory=dict)
    _held: NDArray[np.int64] = field(init=False)
    _held_trials: NDArray[np.int64] = field(init=False)
    _n_fed: int = 0

    def __post_init__(self) -> None:
        """Begin with nothing."""
        n_properties = len(self.reference)
        n_groups = min(self.n_sections, MOST_GROUPS)
        self.total = np.zeros(n_properties, np.int64)
        self.grouped = np.zeros((n_groups, n_properties), np.int64)
        self.grouped_trials = np.zeros(n_groups, np.int64)
        self._held = np.zeros((0, n_properties), np.int64)
        self._held_trials = np.zeros(0, np.int64)

    @property
    def share(self) -> NDArray[np.float64]:
        """What the reference leads to expect of each property, per event."""
        return np.asarray(self.reference / max(self.reference_trials, 1))

    @property
    def raised(self) -> list[Raised]:
        """The first alarm of each property that raised one, in the order of time."""
        return sorted(self._raised.values(), key=lambda one: (one.at, one.p))

    def feed(self, counts: NDArray[np.int64], trials: NDArray[np.int64]) -> None:
        """Look at the next sections.

        Parameters
        ----------
        counts : int64 array, shape (n_block, n_properties)
        trials : int64 array, shape (n_block,)
            Events of each section.
        """
        first = self._n_fed - len(self._held)
        held = np.concatenate([self._held, counts])
        held_trials = np.concatenate([self._held_trials, trials])
        watched = Watched(
            counts=held,
            trials=held_trials,
            reference=self.reference,
            reference_trials=self.reference_trials,
        )
        for one in raise_alarms(watched, self.p_alarm, before=len(self._held)):
            known = Raised(prop=one.prop, at=first + one.at, is_more=one.is_more, p=one.p)
            self._raised.setdefault(one.prop, known)
        self._held, self._held_trials = held[-_OVERLAP:], held_trials[-_OVERLAP:]
        self.total += counts.sum(axis=0)
        self.total_trials += int(trials.sum())
        places = self._groups(len(counts))
        np.add.at(self.grouped, places, counts)
        np.add.at(self.grouped_trials, places, trials)
        self._n_fed += len(counts)

    def _groups(self, n_block: int) -> NDArray[np.int64]:
        """Return the groups of the next sections: all have as many, the first ones one more."""
        n_groups = len(self.grouped)
        small, n_large = divmod(self.n_sections, n_groups)
        at = np.arange(self._n_fed, self._n_fed + n_block)
        edge = n_large * (small + 1)
        return np.where(at < edge, at // (small + 1), n_large + (at - edge) // small)

    def trace(self) -> Tracing:
        """Begin the second pass."""
        return Tracing(family=self)


@dataclass(kw_only=True, slots=True)
class Traced:
    """Since when a property is off.

    Attributes
    ----------
    start : int
        Position of the section from which on it is.
    before, before_trials : int64 array, shape (n_properties,), and int
        What was counted before it, of all properties of the family.
    """

    start: int
    before: NDArray[np.int64]
    before_trials: int


@dataclass(kw_only=True, slots=True)
class Tracing:
    """The second pass over the sections of a family that raised alarms."""

    family: Family
    _raised: list[Raised] = field(init=False)
    _gain: NDArray[np.float64] = field(init=False)
    _best: list[Traced | None] = field(init=False)
    _limit: list[Traced | None] = field(init=False)
    _before: NDArray[np.int64] = field(init=False)
    _before_trials: int = 0
    _n_fed: int = 0

    def __post_init__(self) -> None:
        """Begin with the alarms of the first pass."""
        self._raised = self.family.raised
        self._gain = np.full(len(self._raised), -np.inf)
        self._best = [None] * len(self._raised)
        self._limit = [None] * len(self._raised)
        self._before = np.zeros_like(self.family.total)

    def feed(self, counts: NDArray[np.int64], trials: NDArray[np.int64]) -> None:
        """Look at the next sections again; see `Family.feed`."""
        if not self._raised or not len(counts):
            return
        before = self._before + np.cumsum(counts, axis=0) - counts
        before_trials = self._before_trials + np.cumsum(trials) - trials
        columns = [one.prop for one in self._raised]
        gain = start_gain(
            self.family.total[columns] - before[:, columns],
            (self.family.total_trials - before_trials)[:, None],
            self.family.share[columns],
        )
        rows = gain.argmax(axis=0)

        def traced(row: int) -> Traced:
            return Traced(
                start=self._n_fed + row,
                before=before[row].copy(),
                before_trials=int(before_trials[row]),
            )

        for place, row in enumerate(rows.tolist()):
            if gain[row, place] > self._gain[place]:
                self._gain[place] = gain[row, place]
                self._best[place] = traced(row)
            limit = self._raised[place].at - self._n_fed
            if 0 <= limit < len(counts):
                self._limit[place] = traced(limit)
        self._before = before[-1] + counts[-1]
        self._before_trials = int(before_trials[-1] + trials[-1])
        self._n_fed += len(counts)

    def found(self) -> dict[int, Traced]:
        """Return since when each property is off, no later than its alarm was raised."""
        starts: dict[int, Traced] = {}
        for one, best, limit in zip(self._raised, self._best, self._limit, strict=True):
            assert best is not None
            assert limit is not None
            starts[one.prop] = best if best.start <= one.at else limit
        return starts
