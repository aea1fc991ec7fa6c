"""Compare entries over paired bootstrap replicates: two of them, or all of a board at once.

Replicate b of two cards of one challenge weighs every event alike, so the difference of two figures
is paired: events that both entries accept cancel.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.card.figures import UnreachedWorkingPoint
from harness.card.physics import Physics

# Confidence of every interval made here, and the quantiles of its ends.
LEVEL = 0.95
TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
# Standard normal quantiles of the 2.5 % tail and of the most extreme of 500 draws: they turn
# distances from the median into widths.
_TAIL_SIGMA = 1.96
_EXTREME_SIGMA = 3.04
# Events added to a replicate's count: Gamma(1/2), so that a Poisson-bootstrapped count x becomes
# about Gamma(x + 1/2), the Jeffreys posterior of a Poisson mean. A bootstrap of no passing event
# would claim to know the rate exactly. In toys of two equal entries (k = 10, 20, 50; 0.2 to 200
# expected passing events) it calls 0-5 % of pairs different, the plain bootstrap up to 7 %.
_JEFFREYS = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A confidence interval of `LEVEL`."""

    lower: float
    upper: float


@dataclass(frozen=True, kw_only=True, slots=True)
class PairedComparison:
    """Two quantities compared over paired replicates.

    Attributes
    ----------
    first, second : float
        As they were measured.
    difference, ratio : float
        First minus second, first over second (infinite where the second is 0).
    difference_span, ratio_span : Span
        Each for this one comparison at 95 %.
    is_resolved : bool
        The interval of the difference leaves 0 out.
    """

    first: float
    second: float
    difference: float
    difference_span: Span
    ratio: float
    ratio_span: Span
    is_resolved: bool


def rate_replicates(physics: Physics, signal: str, working_point: float) -> NDArray[np.float64]:
    """TPR of `signal` in each bootstrap replicate, widened for the smallness of its count.

    The widening (see `_JEFFREYS`) is drawn from a generator seeded by the replicates themselves:
    equal cards stay equal, and every reader of a card gets the same.

    Returns
    -------
    float64 array of shape (n_replicates,)
    """
    replicates = np.array(physics.replicates[signal], dtype=np.float64)
    point = physics.at(working_point)
    if isinstance(point, UnreachedWorkingPoint):
        return replicates
    seed = hashlib.sha256(signal.encode() + replicates.tobytes()).digest()
    extra = np.random.default_rng(list(seed)).gamma(_JEFFREYS, size=replicates.size)
    return np.minimum(replicates + extra / max(point.rates[signal].n_events, 1), 1.0)


def compare_rate(
    first: Physics, second: Physics, signal: str, working_point: float
) -> PairedComparison:
    """Compare the TPRs of two entries for one signal, this one pair at 95 %."""
    return compare(
        tpr_of(first, signal, working_point),
        tpr_of(second, signal, working_point),
        rate_replicates(first, signal, working_point),
        rate_replicates(second, signal, working_point),
    )


def tpr_of(physics: Physics, signal: str, working_point: float) -> float:
    """Return the measured TPR of `signal`.

    Raises
    ------
    KeyError
        It was not measured at this working point.
    """
    point = physics.at(working_point)
    if isinstance(point, UnreachedWorkingPoint):
        raise KeyError(working_point)
    return point.rates[signal].tpr


def compare(
    first: float, second: float, left: NDArray[np.float64], right: NDArray[np.float64]
) -> PairedComparison:
    """Compare two measured values over their replicates, `left` and `right`, at 95 %."""
    lower, upper = (float(edge) for edge in np.quantile(left - right, TAILS))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where((left == 0) & (right == 0), 1.0, left / right)
    low_ratio, high_ratio = (float(edge) for edge in np.quantile(ratios, TAILS, method="nearest"))
    difference = first - second
    ratio = 1.0 if first == second else (first / second if second else math.inf)
    return PairedComparison(
        first=first,
        second=second,
        difference=difference,
        difference_span=Span(lower=min(lower, difference), upper=max(upper, difference)),
        ratio=ratio,
        ratio_span=Span(lower=min(low_ratio, ratio), upper=max(high_ratio, ratio)),
        is_resolved=(lower > 0 and difference > 0) or (upper < 0 and difference < 0),
    )


def resolved_better(
    log_merits: NDArray[np.float64], point: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Find which entries are better than which, at 95 % for all pairs together.

    Each pair's difference gets a band around its median over the replicates: `c` times a width to
    the left and one to the right (replicates of small counts are skewed). `c` is one for all
    pairs: the smallest for which 95 % of the replicates lie inside every pair's band at once. A
    pair is resolved if its band leaves out 0 and the measured figures agree on the sign.

    Parameters
    ----------
    log_merits : float64 array of shape (n, n_replicates)
        Logarithms of the figures of merit; column b was made with the same weights in every row.
    point : float64 array of shape (n,)
        Logarithms of the measured figures of merit.

    Returns
    -------
    bool array of shape (n, n)
        Element (i, j): i is resolved to be better than j.
    """
    n, n_replicates = log_merits.shape
    # float32 resolves 1e-6 of a TPR's relative difference and sorts six times as fast.
    rows = log_merits.astype(np.float32)
    worst = np.zeros(n_replicates, dtype=np.float32)
    median, left, right = (np.zeros((n, n), dtype=np.float32) for _ in range(3))
    for i in range(n - 1):
        differences = rows[i] - rows[i + 1 :]
        centre, lower, upper = _widths(differences)
        median[i, i + 1 :], left[i, i + 1 :], right[i, i + 1 :] = centre, lower, upper
        deviation = differences - centre[:, np.newaxis]
        width = np.where(deviation < 0, lower[:, np.newaxis], upper[:, np.newaxis])
        # A width of 0 goes with no deviation: both widths hold the most extreme replicate.
        scaled = np.divide(np.abs(deviation), width, out=np.zeros_like(deviation), where=width > 0)
        np.maximum(worst, scaled.max(axis=0), out=worst)
    critical = float(np.quantile(worst, LEVEL, method="higher")) if n > 1 else 0.0
    better = median - critical * left > 0
    worse = median + critical * right < 0
    agree = np.sign(point[:, np.newaxis] - point[np.newaxis, :])
    return (better & (agree > 0)) | (worse & (agree < 0)).T


def _widths(
    differences: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Median and the widths to its left and right, in standard deviations of a normal, by row."""
    ordered = np.sort(differences, axis=1)
    n = ordered.shape[1]
    at_lower, at_upper = int(np.floor(0.025 * (n - 1))), int(np.ceil(0.975 * (n - 1)))
    centre = (ordered[:, (n - 1) // 2] + ordered[:, n // 2]) * np.float32(0.5)
    left: NDArray[np.float32] = np.maximum(
        (centre - ordered[:, at_lower]) / _TAIL_SIGMA, (centre - ordered[:, 0]) / _EXTREME_SIGMA
    )
    right: NDArray[np.float32] = np.maximum(
        (ordered[:, at_upper] - centre) / _TAIL_SIGMA, (ordered[:, -1] - centre) / _EXTREME_SIGMA
    )
    return centre, left, right
