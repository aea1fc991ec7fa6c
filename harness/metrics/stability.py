"""How stable the rate of a fixed threshold is: by run, by pile-up, and from one run to another.

All intervals count events. A threshold that was set on the same events at the k-th highest score is
a random one; what that does to each interval stands at the function that makes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from harness.card.figures import Interval, NotMeasured, UnreachedWorkingPoint
from harness.card.in_trigger import (
    Drift,
    RateInBin,
    RatesByCondition,
    Stability,
    StablePoint,
    Transfer,
)
from harness.challenge import Condition
from harness.metrics.intervals import clopper_pearson
from harness.metrics.rates import MeasuredPoint
from harness.metrics.roc import CONFIDENCE_LEVEL
from harness.metrics.scores import RankedScores, Sample, rank_samples
from harness.metrics.working_point import LOW_STATISTICS, Cut, count_allowed, set_cut

# Each pair of bins of single values is tried both ways; of more values the pairs say little.
MAX_TRANSFERRED = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class _Binned:
    """The test background shared out by one condition; bins without events are left out."""

    condition: Condition
    labels: tuple[str, ...]
    edges: tuple[tuple[float, float], ...]
    bin_of: NDArray[np.int64]
    n_events: tuple[int, ...]


def measure_stability(
    background: Sample,
    points: Sequence[MeasuredPoint | UnreachedWorkingPoint],
    conditions: Sequence[Condition],
    values: Mapping[str, NDArray[np.float64]],
) -> Stability:
    """Measure the rate of every working point's threshold under each condition.

    Parameters
    ----------
    background : Sample
        The test background.
    points : sequence of MeasuredPoint or UnreachedWorkingPoint
        With the thresholds that were set on it.
    conditions : sequence of Condition
        By which rates are measured.
    values : mapping of name to float64 array, shape (n,)
        What each condition was for each event of `background`.
    """
    binned = [_share_out(condition, values[condition.name]) for condition in conditions]
    apart = {one.condition.name: _apart(one, background) for one in binned if _is_transferred(one)}
    found: list[StablePoint | UnreachedWorkingPoint] = []
    for point in points:
        if isinstance(point, UnreachedWorkingPoint):
            found.append(point)
            continue
        passing = _passing(background.scores, point.cut)
        found.append(
            StablePoint(
                fpr=point.fpr,
                n_passing=len(passing),
                n_events=background.n_events,
                is_low_statistics=point.n_allowed < LOW_STATISTICS,
                conditions=tuple(
                    _rates(one, passing, point.fpr, apart.get(one.condition.name)) for one in binned
                ),
            )
        )
    return Stability(points=tuple(found))


def _passing(scores: NDArray[np.float64], cut: Cut) -> NDArray[np.int64]:
    is_passing = scores > cut.threshold if cut.is_strict else scores >= cut.threshold
    return np.flatnonzero(is_passing)


def _share_out(condition: Condition, values: NDArray[np.float64]) -> _Binned:
    if condition.edges:
        bin_of = condition.bins_of(values)
        edges = list(zip(condition.edges[:-1], condition.edges[1:], strict=True))
        labels = list(condition.bin_labels)
    else:
        present, bin_of = _few_values(values)
        edges = [(value, value) for value in present.tolist()]
        labels = [f"{value:.15g}" for value in present.tolist()]
    counts = np.bincount(bin_of, minlength=len(edges))
    filled = np.flatnonzero(counts)
    renumbered = np.full(len(edges), -1, np.int64)
    renumbered[filled] = np.arange(len(filled))
    return _Binned(
        condition=condition,
        labels=tuple(labels[i] for i in filled),
        edges=tuple(edges[i] for i in filled),
        bin_of=renumbered[bin_of],
        n_events=tuple(counts[filled].tolist()),
    )


def _few_values(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the different values, rising, and the place of each event's among them.

    They are few: those that a first look misses are looked for again, and nothing large is sorted.
    """
    present = np.unique(values[:: max(1, len(values) // 1000)])
    while True:
        places = np.minimum(np.searchsorted(present, values), len(present) - 1)
        missed = values[present[places] != values]
        if not len(missed):
            return present, places
        present = np.unique(np.concatenate([present, missed]))


def _is_transferred(binned: _Binned) -> bool:
    return not binned.condition.edges and 2 <= len(binned.labels) <= MAX_TRANSFERRED


def _apart(binned: _Binned, background: Sample) -> list[RankedScores]:
    """Put the scores of each bin in order by themselves."""
    n_bins = len(binned.labels)
    return rank_samples([background.scores[binned.bin_of == i] for i in range(n_bins)])


def _rates(
    binned: _Binned, passing: NDArray[np.int64], fpr: float, apart: list[RankedScores] | None
) -> RatesByCondition:
    n_passing = np.bincount(binned.bin_of[passing], minlength=len(binned.labels)).tolist()
    places = zip(binned.labels, binned.edges, binned.n_events, n_passing, strict=True)
    n_all = sum(binned.n_events)
    return RatesByCondition(
        name=binned.condition.name,
        title=binned.condition.title,
        unit=binned.condition.unit,
        is_binned=bool(binned.condition.edges),
        bins=tuple(
            RateInBin(
                label=label,
                lower=lower,
                upper=upper,
                n_events=n_events,
                n_passing=n,
                rate=n / n_events,
                interval=rate_interval(n, n_events),
                drift=drift_in_bin(n, n_events, len(passing), n_all),
            )
            for label, (lower, upper), n_events, n in places
        ),
        transfers=() if apart is None else tuple(_transfers(binned.labels, apart, fpr)),
    )


def rate_interval(n_passing: int, n_events: int) -> Interval:
    """Return an interval of the true rate at a threshold, whether set on these events or not.

    Clopper-Pearson. For a threshold set on other events it is exact. For one set on the same
    events at the k-th highest score the true rate is Beta(k, n + 1 - k): the lower end is then
    exactly its 2.5 % quantile, the upper end lies above its 97.5 % quantile.
    """
    return clopper_pearson(n_passing, n_events)


def drift_in_bin(
    n_passing: int, n_events: int, n_passing_all: int, n_all: int
) -> Drift | NotMeasured:
    """Compare the rate in a bin with that of all events at the same threshold.

    Of the events above a threshold that was set on all of them, each is in the bin with one
    probability, whatever the threshold: the count is binomial with `n_passing_all` trials, and the
    luck of the threshold cancels.

    Examples
    --------
    >>> found = drift_in_bin(60, 1000, 100, 2000)
    >>> round(found.value, 3), round(found.interval.lower, 3), round(found.interval.upper, 3)
    (0.2, -0.006, 0.393)
    """
    if n_passing_all == 0:
        return NotMeasured(not_measured="no event passes")
    scale = n_all / n_events
    share = clopper_pearson(n_passing, n_passing_all)
    return Drift(
        value=n_passing / n_passing_all * scale - 1.0,
        interval=Interval(
            lower=share.lower * scale - 1.0,
            upper=share.upper * scale - 1.0,
            level=share.level,
            method="Clopper-Pearson of the events that pass, threshold included",
        ),
    )


def drift_of_transfer(
    n_set: int, n_events_set: int, n_passing: int, n_events: int
) -> Drift | NotMeasured:
    """Compare the rate where a threshold is applied with that where it was set.

    The threshold is the `n_set`-th highest score of the first events. Going down from the top
    through the events of both, the number of the second met before the `n_set`-th of the first
    is negative binomial, with a probability that the ratio of the two rates gives. Its exact
    interval therefore holds the uncertainty of the threshold.

    References
    ----------
    W. Nelson, "Statistical methods for the ratio of two Poisson means", IEEE Trans. Reliab. 19
    (1970) 42; the negative binomial in place of the binomial as one count is fixed.

    Examples
    --------
    >>> found = drift_of_transfer(100, 10_000, 130, 10_000)
    >>> round(found.value, 3), round(found.interval.lower, 3), round(found.interval.upper, 3)
    (0.3, 0.003, 0.704)
    """
    if n_set == 0:
        return NotMeasured(not_measured="no event passes where the threshold was set")
    tail = (1.0 - CONFIDENCE_LEVEL) / 2.0
    low = float(betaincinv(n_passing, n_set, tail)) if n_passing else 0.0
    high = float(betaincinv(n_passing + 1, n_set, 1.0 - tail))
    scale = n_events_set / n_events
    return Drift(
        value=n_passing / n_set * scale - 1.0,
        interval=Interval(
            lower=low / (1.0 - low) * scale - 1.0,
            upper=high / (1.0 - high) * scale - 1.0,
            level=CONFIDENCE_LEVEL,
            method="negative binomial, threshold included",
        ),
    )


def _transfers(labels: Sequence[str], apart: Sequence[RankedScores], fpr: float) -> list[Transfer]:
    """Set the threshold of `fpr` in each bin and apply it to each other one."""
    found = []
    for one, other in permutations(range(len(labels)), 2):
        own, applied = apart[one], apart[other]
        n_allowed = count_allowed(fpr, own.n_events)
        if n_allowed < 1:
            continue
        cut = set_cut(own, n_allowed)
        n_set, n_passing = cut.n_passing(own), cut.n_passing(applied)
        found.append(
            Transfer(
                set_on=labels[one],
                applied_to=labels[other],
                n_allowed=n_allowed,
                n_set=n_set,
                n_events=applied.n_events,
                n_passing=n_passing,
                rate=n_passing / applied.n_events,
                interval=rate_interval(n_passing, applied.n_events),
                drift=drift_of_transfer(n_set, own.n_events, n_passing, applied.n_events),
                is_low_statistics=n_allowed < LOW_STATISTICS,
            )
        )
    return found
