"""AUC with its interval, and points of the ROC curve, from one sort of the background."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtri

from harness.card import figures, physics
from harness.metrics.scores import RankedScores
from harness.metrics.working_point import Cut, count_allowed, set_cut

CONFIDENCE_LEVEL = 0.95
# Twenty points to the decade from 1 to 1e-8; every twentieth is a power of ten exactly.
ROC_GRID = tuple(float(f"{10 ** (-i / 20):.6g}") for i in range(161))


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """Where the scores of a signal lie among those of the background.

    Attributes
    ----------
    n_below, n_not_above : ndarray of int64, shape (n_signal,)
        For each signal score in rising order, the background scores that are less, and those
        that are less or equal.
    n_background : int
        N.
    """

    n_below: NDArray[np.int64]
    n_not_above: NDArray[np.int64]
    n_background: int

    @property
    def n_signal(self) -> int:
        """Number of signal scores."""
        return len(self.n_below)


def place(background: RankedScores, signal: RankedScores) -> Placement:
    """Find where each signal score lies among the background scores."""
    ordered, scores = background.ascending, signal.ascending
    below = np.searchsorted(ordered, scores, "left")
    # Only a score that the background shares needs the second search.
    is_tied = ordered[np.minimum(below, len(ordered) - 1)] == scores
    not_above = below
    if is_tied.any():
        not_above = below.copy()
        not_above[is_tied] = np.searchsorted(ordered, scores[is_tied], "right")
    return Placement(n_below=below, n_not_above=not_above, n_background=len(ordered))


def area_under_curve(placement: Placement) -> float:
    """Return the area under the ROC curve.

    It is the share of (signal, background) pairs in which the signal scores higher; a tied pair
    counts half (average ranks). As a ratio of integers it is rounded once.
    """
    twice_the_pairs_won = int(placement.n_below.sum()) + int(placement.n_not_above.sum())
    return twice_the_pairs_won / (2 * placement.n_background * placement.n_signal)


def measure_auc(placement: Placement, *, level: float = CONFIDENCE_LEVEL) -> physics.Auc:
    """Return the area under the ROC curve with its confidence interval.

    The interval is DeLong's, made on the logit so that it stays within [0, 1]. Where DeLong's
    variance is zero or undefined (perfect separation, all tied, a single event) it is Hoeffding's
    bound for a mean of min(n_signal, n_background) independent pairs.

    References
    ----------
    E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson, Biometrics 44 (1988) 837, doi:10.2307/2531595.
    G. Qin, L. Hotilovac, Stat. Methods Med. Res. 17 (2008) 207, doi:10.1177/0962280207087173
    (DeLong's variance with and without the logit, compared).
    W. Hoeffding, J. Am. Stat. Assoc. 58 (1963) 13, doi:10.1080/01621459.1963.10500830 (section 5).
    """
    area = area_under_curve(placement)
    variance = _delong_variance(placement, area)
    if variance > 0.0 and 0.0 < area < 1.0:
        interval = _logit_interval(area, variance, level)
    else:
        interval = _hoeffding_interval(area, placement, level)
    return physics.Auc(value=area, interval=interval)


def _delong_variance(placement: Placement, area: float) -> float:
    """Return DeLong's variance of the area, or 0 where a sample has a single event."""
    n_signal, n_background = placement.n_signal, placement.n_background
    if min(n_signal, n_background) < 2:
        return 0.0
    of_signal = (placement.n_below + placement.n_not_above) / (2 * n_background)
    signal_part = float(np.square(of_signal - area).sum()) / (n_signal - 1) / n_signal
    spread = _background_spread(placement, area)
    return signal_part + spread / (n_background - 1) / n_background


def _background_spread(placement: Placement, area: float) -> float:
    """Return the sum over background events of (share of signal above it - area)^2.

    The share falls by 1/2 of a signal event at each of its two positions among the background
    and is constant between them, so the sum has as many terms as there are positions, not as
    there are background events.
    """
    steps = placement.n_below
    if placement.n_not_above is not placement.n_below:
        steps = np.sort(np.concatenate([placement.n_below, placement.n_not_above]), kind="stable")
    lengths = np.diff(steps, prepend=0, append=placement.n_background)
    shares = np.arange(len(steps), -1, -1) / len(steps)
    return float(np.dot(lengths, np.square(shares - area)))


def _logit_interval(area: float, variance: float, level: float) -> figures.Interval:
    half = float(ndtri((1.0 + level) / 2.0)) * math.sqrt(variance) / (area * (1.0 - area))
    centre = float(logit(area))
    return figures.Interval(
        lower=float(expit(centre - half)),
        upper=float(expit(centre + half)),
        level=level,
        method="DeLong, logit",
    )


def _hoeffding_interval(area: float, placement: Placement, level: float) -> figures.Interval:
    n_pairs = min(placement.n_signal, placement.n_background)
    half = math.sqrt(math.log(2.0 / (1.0 - level)) / (2.0 * n_pairs))
    return figures.Interval(
        lower=max(area - half, 0.0),
        upper=min(area + half, 1.0),
        level=level,
        method="Hoeffding (DeLong's variance is zero)",
    )


def roc_cuts(background: RankedScores) -> dict[float, Cut | None]:
    """Return the cut of each rate of `ROC_GRID` that the background can decide, rates rising.

    The cut of rate 1 is None: everything passes.
    """
    cuts: dict[float, Cut | None] = {}
    for fpr in reversed(ROC_GRID[1:]):
        allowed = count_allowed(fpr, background.n_events)
        if allowed >= 1:
            cuts[fpr] = set_cut(background, allowed)
    return {**cuts, 1.0: None}


def roc_points(signal: RankedScores, cuts: dict[float, Cut | None]) -> physics.RocPoints:
    """Return the TPR of `signal` at each of `cuts`, made by `roc_cuts`.

    Every point is a cut that exists: no TPR is interpolated between two tied scores.
    """
    passing = [signal.n_events if cut is None else cut.n_passing(signal) for cut in cuts.values()]
    return physics.RocPoints(
        fpr=tuple(cuts), tpr=tuple(count / signal.n_events for count in passing)
    )
