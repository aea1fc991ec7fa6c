"""Do two runs give the same events the same scores: the same, noise, or a leak.

A score may depend on its own event only. Two runs over the same events in other batches, another
order or a fresh process may differ by the rounding of 32-bit arithmetic, whose sums a library adds
up in an order that depends on the size of a batch; anything more shows that the score of an event
depends on something else: its batch, its position, a state, a random number, the clock.

A constant that is added to every score changes nothing here, or it would hide a leak.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.card import checks, physics
from harness.errors import InvalidSubmissionError
from harness.metrics.accepted import passing
from harness.metrics.scores import as_float32, check_scores

# Rounding of a sum of n float32 terms is at most n 2^-24 of their size (N. J. Higham, "Accuracy
# and Stability of Numerical Algorithms", 2nd ed., SIAM 2002, section 4.2), here with n = 1024
# terms in each of two runs; tests/unit/metrics/test_consistency.py measures far less.
FLOAT32_TOLERANCE = 2.0**-13
# A difference this small that goes with the company an event keeps is no rounding: one false
# alarm in a million checks.
_LEAK_P_VALUE = 1e-6
# Compared events that may cross a cut by their rounding: the event that sets it, and this share.
_CROSSING_SHARE = 0.01
# With fewer batches one odd batch, such as the last and shorter one, can look like a trend.
_MIN_BATCHES = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Batches:
    """Which events were scored together.

    Attributes
    ----------
    reference, other : ndarray of int, shape (n,)
        Number of the batch (0, 1, ...) that each event was in, in either run. The events must
        be in random order, as the mixed events of a scoring are.
    """

    reference: NDArray[np.int64]
    other: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """In what differences of scores are measured.

    Attributes
    ----------
    scale : float
        The largest score, by which the others are divided first: neither differences nor squares
        of the largest floats overflow.
    centre : float
        Median of the scores, divided by `scale`.
    spread : float
        Half the width of their central 68 %, likewise; see `spread_of`.
    """

    scale: float
    centre: float
    spread: float

    @classmethod
    def of(cls, scores: NDArray[np.float64], scale: float = 0.0) -> Unit:
        """Measure the unit of all scores of a run, once for all comparisons with it."""
        scale = scale or float(np.abs(scores).max()) or 1.0
        scaled = scores / scale
        return cls(scale=scale, centre=float(np.median(scaled)), spread=spread_of(scaled))


def compare_scores(
    name: str,
    reference: ArrayLike,
    other: ArrayLike,
    *,
    unit: Unit | None = None,
    batches: Batches | None = None,
    points: Sequence[physics.WorkingPoint] = (),
    events: NDArray[np.int64] | None = None,
) -> checks.Check:
    """Say whether two runs scored the same events alike.

    Parameters
    ----------
    name : str
        Name of the check, such as ``another_order``.
    reference, other : array_like, shape (n,)
        Scores of the same events, in the same order of events.
    unit : Unit, optional
        Of all scores of the run; by default that of `reference`.
    batches : Batches, optional
        Who was scored with whom; with it, a leak smaller than the tolerance is found as well.
    points : sequence of WorkingPoint, optional
        Cuts that the same events must pass in both runs, whatever the spread of all scores.
    events : ndarray of int, shape (n,), optional
        Which event each score is of, where some were scored more than once: an event that crosses
        a cut several times counts once. By default all are different.

    Returns
    -------
    checks.Check
        ``same`` if all scores are equal. ``noise`` if no event's scores differ by more than
        `FLOAT32_TOLERANCE` of the spread of the scores, or of its distance from their median
        where that is larger, the differences do not go with the composition of the batches, and
        no more than one event and 1 % of those that pass a cut cross it. Else ``leak``.

    Raises
    ------
    InvalidSubmissionError
        Scores are NaN or infinite, or the two runs returned different numbers of them.
    """
    change = _change(name, reference, other, unit)
    n_events = len(change)
    largest = float(np.abs(change).max())
    if largest == 0.0:
        return checks.Check(name=name, outcome="same", n_events=n_events, max_difference=0.0)
    goes_with_batch = batches is not None and _follows_company(
        change, np.asarray(reference, dtype=np.float64), batches
    )
    n_beyond = int((np.abs(change) > FLOAT32_TOLERANCE).sum())
    events = np.arange(n_events) if events is None else events
    crossing = next(_crossings(np.asarray(reference), np.asarray(other), points, events), "")
    return checks.Check(
        name=name,
        outcome="leak" if n_beyond or goes_with_batch or crossing else "noise",
        n_events=n_events,
        max_difference=largest,
        detail=_explain(change, n_beyond, crossing, goes_with_batch=goes_with_batch),
    )


def check_resolution(scores: NDArray[np.float64]) -> None:
    """Refuse scores whose constant part has swallowed the differences between events.

    Raises
    ------
    InvalidSubmissionError
        A step of the scores' number type, at the size of most scores, is more than the
        `FLOAT32_TOLERANCE` of their spread within which scores are compared.

    Examples
    --------
    >>> check_resolution(np.random.default_rng(1).normal(size=1000))
    >>> check_resolution(np.random.default_rng(1).normal(size=1000) + 1e13)
    Traceback (most recent call last):
    ...
    harness.errors.InvalidSubmissionError: scores: most are about 1e+13, ...
    """
    usual = float(np.abs(np.quantile(scores, [0.16, 0.84])).max())
    spread = spread_of(scores)
    is_narrow = as_float32(scores) is not None
    step = float(np.spacing(np.float32(usual) if is_narrow else np.float64(usual)))
    if step > FLOAT32_TOLERANCE * spread:
        raise InvalidSubmissionError(
            f"most are about {usual:.3g}, where a float{32 if is_narrow else 64} has steps of "
            f"{step:.2g}, and they spread over {spread:.2g} only",
            where="scores",
            expected=f"steps below {FLOAT32_TOLERANCE:.2g} of the spread of the scores",
            fix="subtract the constant",
        )


def _crossings(
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    points: Sequence[physics.WorkingPoint],
    events: NDArray[np.int64],
) -> Iterator[str]:
    """Name the cuts that too many different events cross from one run to the other."""
    for point in points:
        passed, passes = passing(before, point), passing(after, point)
        n_crossing = len(np.unique(events[passed != passes]))
        n_passed = len(np.unique(events[passed]))
        if n_crossing > 1 + _CROSSING_SHARE * n_passed:
            yield (
                f"{n_crossing:,} events cross the cut at FPR {point.fpr:g}, which {n_passed:,} "
                "pass: the scores near it hang on other events or on rounding; if on rounding, "
                "round the scores"
            )


def describe_change(name: str, reference: ArrayLike, other: ArrayLike) -> checks.Check:
    """Report how much the scores change where events were changed; no verdict is drawn.

    For events that physics calls equivalent, such as an event turned in phi.
    """
    change = _change(name, reference, other)
    largest = float(np.abs(change).max())
    return checks.Check(
        name=name,
        outcome="diagnostic",
        n_events=len(change),
        max_difference=largest,
        detail=f"rank correlation {_rank_correlation(reference, other):.4f}; median change "
        f"{float(np.median(np.abs(change))):.2g} and largest {largest:.2g} of the scores' spread",
    )


def _change(
    name: str, reference: ArrayLike, other: ArrayLike, unit: Unit | None = None
) -> NDArray[np.float64]:
    """Return other - reference in units of the spread, or of the distance from the median."""
    before = check_scores(reference, name=f"{name} (first run)")
    after = check_scores(other, name=f"{name} (second run)")
    if len(before) != len(after):
        raise InvalidSubmissionError(
            f"{len(before)} scores in one run, {len(after)} in the other",
            where=name,
            expected="one score per event in either",
            fix="return one value for every event of the batch",
        )
    # Scaled first, so that the difference of the largest floats does not overflow.
    largest = max(float(np.abs(before).max()), float(np.abs(after).max()))
    if largest == 0.0:
        return np.zeros(len(before))
    unit = unit or Unit.of(before, largest)
    before, after, ratio = before / largest, after / largest, unit.scale / largest
    distance = np.abs(before - unit.centre * ratio)
    return (after - before) / np.maximum(unit.spread * ratio, distance)


def spread_of(scores: NDArray[np.float64]) -> float:
    """Return half the width of the central 68 % of scores: the unit of their differences.

    Where that is zero it is the standard deviation; where all scores are equal it is 1.

    Examples
    --------
    >>> round(spread_of(np.arange(101.0)), 1), spread_of(np.zeros(3))
    (34.0, 1.0)
    """
    # Scaled first, so that neither differences nor squares of the largest floats overflow.
    largest = float(np.abs(scores).max()) or 1.0
    low, high = np.quantile(scores / largest, [0.16, 0.84]).tolist()
    return largest * ((high - low) / 2.0 or float(np.std(scores / largest))) or 1.0


def _follows_company(
    change: NDArray[np.float64], reference: NDArray[np.float64], batches: Batches
) -> bool:
    """Say whether the changes go with the change of company, batch by batch.

    Company is the mean rank of the reference scores of the other events of a batch. Changes and
    company are averaged over the batches of either run before they are compared, so that a
    batch counts once, however many of its events share one rounding.
    """
    ranks = _ranks(reference) / len(change)
    company = _company(ranks, batches.other) - _company(ranks, batches.reference)
    return any(
        _p_value(_batch_means(change, grouping), _batch_means(company, grouping)) < _LEAK_P_VALUE
        for grouping in (batches.reference, batches.other)
    )


def _company(ranks: NDArray[np.float64], batch: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the mean rank of the other events of each event's batch; alone, that of all."""
    n_others = np.bincount(batch)[batch] - 1
    of_others = np.bincount(batch, weights=ranks)[batch] - ranks
    return np.where(n_others > 0, of_others / np.maximum(n_others, 1), ranks.mean())


def _batch_means(values: NDArray[np.float64], batch: NDArray[np.int64]) -> NDArray[np.float64]:
    sizes = np.bincount(batch)
    sums = np.bincount(batch, weights=values)
    means: NDArray[np.float64] = sums[sizes > 0] / sizes[sizes > 0]
    return means


def _p_value(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    if len(first) < _MIN_BATCHES or np.ptp(first) == 0.0 or np.ptp(second) == 0.0:
        return 1.0
    # Half a second, which only scores that differ have to take.
    from scipy.stats import spearmanr

    return float(spearmanr(first, second).pvalue)


def _rank_correlation(first: ArrayLike, second: ArrayLike) -> float:
    before = np.asarray(first, dtype=np.float64)
    after = np.asarray(second, dtype=np.float64)
    if before.min() == before.max() or after.min() == after.max():
        return 0.0
    return float(np.corrcoef(_ranks(before), _ranks(after))[0, 1])


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rank of each value, from 1; equal ones share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    means: NDArray[np.float64] = (last - (counts - 1) / 2)[place]
    return means


def _explain(
    change: NDArray[np.float64], n_beyond: int, crossing: str, *, goes_with_batch: bool
) -> str:
    n_different = int(np.count_nonzero(change))
    size = f"{n_different:,} of {len(change):,} events differ"
    if goes_with_batch:
        return f"{size}, and the differences go with the other events of the batch"
    if n_beyond:
        return (
            f"{size}, {n_beyond:,} of them by more than {FLOAT32_TOLERANCE:.2g} of the spread, "
            "which 32-bit rounding does not explain: a state, a random number, the position or "
            "the batch; or a step of the network that lies on a rounding edge"
        )
    if crossing:
        return f"{size}, and {crossing}"
    return f"{size}, within the rounding of 32-bit arithmetic ({FLOAT32_TOLERANCE:.2g})"
