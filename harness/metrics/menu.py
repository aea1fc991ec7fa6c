"""What an anomaly trigger adds to the menu of a trigger, at its total and at its added rate.

Events that the menu accepts are put below all others: then what is added is the TPR of a cut. The
total rate is that of all background above the cut, the added one that of the background which the
menu leaves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.card.figures import UnreachedWorkingPoint
from harness.card.in_trigger import AddedPoint, AddedRate, MenuGain, UnreachedAddedPoint
from harness.card.physics import WorkingPoint
from harness.metrics.intervals import clopper_pearson
from harness.metrics.rates import (
    BACKGROUND,
    MeasuredPoint,
    measure_point,
    record_point,
    replicate_points,
)
from harness.metrics.replicates import Dealing, tail_length
from harness.metrics.scores import RankedScores, Sample, rank_samples
from harness.metrics.working_point import count_allowed

Fixed = Literal["total", "added"]
# Of the background's upper tail, so many times what thresholds need is put in order.
_TAILS = 4
FIXED: tuple[Fixed, ...] = ("total", "added")


@dataclass(frozen=True, kw_only=True, slots=True)
class Unaccepted:
    """Samples in which no event that the menu accepts passes any cut.

    Attributes
    ----------
    every : mapping of str to Sample
        As they are.
    left : mapping of str to Sample
        The same events; those that the menu accepts score less than all others.
    """

    every: Mapping[str, Sample]
    left: Mapping[str, Sample]

    def where(self, fixed: Fixed) -> dict[str, Sample]:
        """Return the samples in which the rate that is fixed is that of the background."""
        background = self.every if fixed == "total" else self.left
        return {**self.left, BACKGROUND: background[BACKGROUND]}

    def whole(self) -> Unaccepted:
        """Return the same with all scores in order, not their upper tails alone."""
        ranked = rank_samples([one.scores for one in self.left.values()])
        return Unaccepted(
            every=self.every,
            left={
                name: replace(sample, ranked=one)
                for (name, sample), one in zip(self.left.items(), ranked, strict=True)
            },
        )


def without_accepted(
    samples: Mapping[str, Sample], accepted: Mapping[str, NDArray[np.bool_]], *, largest_fpr: float
) -> Unaccepted:
    """Put the events that the menu accepts below all others.

    Parameters
    ----------
    samples : mapping of str to Sample
        The signals, and the test background as `BACKGROUND`.
    accepted : mapping of str to ndarray of bool, shape (n,)
        Whether the menu accepts each event.
    largest_fpr : float
        At which something will be measured: only the upper tails are put in order that most menus
        need for it. Where one needs more, `measure_added` puts all of it in order.
    """
    background = samples[BACKGROUND].ranked
    least = min(float(one.ranked.ascending[0]) for one in samples.values())
    floor = float(np.nextafter(np.float32(least), np.float32(-np.inf)))
    n_tail = _TAILS * tail_length(count_allowed(largest_fpr, background.n_events))
    lowest = background.from_top(n_tail) if n_tail < background.n_events else floor
    return Unaccepted(
        every=samples,
        left={
            name: _without(sample, accepted[name], floor, lowest)
            for name, sample in samples.items()
        },
    )


def _without(sample: Sample, accepted: NDArray[np.bool_], floor: float, lowest: float) -> Sample:
    """Put accepted events at `floor`, and the scores from `lowest` on in order."""
    masked = np.where(accepted, floor, sample.scores)
    tail = np.sort(masked[masked >= lowest])
    is_narrow = sample.ranked.ascending.dtype == np.float32
    ascending = tail.astype(np.float32) if is_narrow else tail
    ranked = RankedScores(ascending=ascending, n_events=sample.n_events)
    return Sample(scores=masked, hashes=sample.hashes, ranked=ranked)


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredAdded:
    """What is added where one of the rates is fixed.

    Attributes
    ----------
    found : Unaccepted
        The samples that it was measured on.
    replicates : mapping of (FPR, signal) to float64 array
    """

    found: Unaccepted
    points: tuple[WorkingPoint | UnreachedWorkingPoint, ...]
    measured: tuple[MeasuredPoint | UnreachedWorkingPoint, ...]
    replicates: Mapping[tuple[float, str], NDArray[np.float64]]


def measure_added(
    found: Unaccepted,
    fprs: Sequence[float],
    *,
    fixed: Fixed,
    kept: float | None,
    seed: int,
    dealings: dict[str, Dealing] | None = None,
) -> MeasuredAdded:
    """Measure what is added at each of `fprs`; the replicates of the rate `kept` are kept."""
    try:
        return _measure(found, fprs, fixed, kept, seed, dealings)
    except IndexError:
        # The menu accepts nearly all that scores high.
        return _measure(found.whole(), fprs, fixed, kept, seed, dealings)


def _measure(
    found: Unaccepted,
    fprs: Sequence[float],
    fixed: Fixed,
    kept: float | None,
    seed: int,
    dealings: dict[str, Dealing] | None,
) -> MeasuredAdded:
    samples = found.where(fixed)
    measured = tuple(measure_point(fpr, samples) for fpr in fprs)
    replicates = replicate_points(
        measured, samples, working_point=kept, seed=seed, dealings=dealings
    )
    points = tuple(record_point(point, samples, replicates) for point in measured)
    return MeasuredAdded(found=found, points=points, measured=measured, replicates=replicates)


def measure_menu(
    found: Unaccepted,
    fprs: Sequence[float],
    *,
    working_point: float,
    seed: int,
    dealings: dict[str, Dealing] | None = None,
) -> MenuGain:
    """Measure what is added to the menu at each of `fprs`, as total and as added rate."""
    by_fixed = {
        fixed: measure_added(
            found, fprs, fixed=fixed, kept=working_point, seed=seed, dealings=dealings
        )
        for fixed in FIXED
    }
    kept = {
        fixed: {
            name: tuple(rates.tolist())
            for (fpr, name), rates in added.replicates.items()
            if fpr == working_point
        }
        for fixed, added in by_fixed.items()
    }
    return MenuGain(
        points=tuple(
            _record(point, measured, fixed, added.found)
            for fixed, added in by_fixed.items()
            for point, measured in zip(added.points, added.measured, strict=True)
        ),
        replicates=kept["total"],
        pure_replicates=kept["added"],
    )


def _record(
    point: WorkingPoint | UnreachedWorkingPoint,
    measured: MeasuredPoint | UnreachedWorkingPoint,
    fixed: Fixed,
    found: Unaccepted,
) -> AddedPoint | UnreachedAddedPoint:
    if isinstance(point, UnreachedWorkingPoint) or isinstance(measured, UnreachedWorkingPoint):
        why = point.not_measured if isinstance(point, UnreachedWorkingPoint) else ""
        return UnreachedAddedPoint(fpr=point.fpr, fixed=fixed, not_measured=why)
    left, every = (one[BACKGROUND].ranked for one in (found.left, found.every))
    n_added = measured.cut.n_passing(left)
    return AddedPoint(
        fpr=point.fpr,
        fixed=fixed,
        threshold=point.threshold,
        is_strict=point.is_strict,
        n_allowed=point.n_allowed,
        n_passing=measured.cut.n_passing(every),
        is_low_statistics=point.is_low_statistics,
        background=AddedRate(
            n_added=n_added,
            n_events=left.n_events,
            value=n_added / left.n_events,
            interval=clopper_pearson(n_added, left.n_events),
        ),
        signals={
            name: AddedRate(
                n_added=rate.n_passing,
                n_events=rate.n_events,
                value=rate.tpr,
                interval=rate.interval,
            )
            for name, rate in point.rates.items()
        },
    )
