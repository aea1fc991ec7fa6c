"""Confidence intervals of the TPR at a true FPR: conservative, bootstrap, and which one when.

What is estimated is the TPR at a true FPR of alpha. Neither the threshold that gives alpha nor
the TPR above it is known, so an interval must hold both uncertainties.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, bdtrc, betaincinv, ndtri

from harness.card import figures
from harness.metrics.roc import CONFIDENCE_LEVEL
from harness.metrics.scores import RankedScores

# The bootstrap is used from here on; below, its intervals cover too little (docs/statistics.md).
BOOTSTRAP_MIN_ALLOWED = 20
BOOTSTRAP_MIN_PASSING = 10


def clopper_pearson(
    n_passing: int, n_events: int, *, level: float = CONFIDENCE_LEVEL
) -> figures.Interval:
    """Return the exact central interval of a binomial proportion.

    Parameters
    ----------
    n_passing, n_events : int
        0 <= n_passing <= n_events, n_events >= 1.

    References
    ----------
    C. J. Clopper, E. S. Pearson, Biometrika 26 (1934) 404, doi:10.1093/biomet/26.4.404.

    Examples
    --------
    >>> interval = clopper_pearson(0, 10)
    >>> round(interval.lower, 4), round(interval.upper, 4)
    (0.0, 0.3085)
    """
    tail = (1.0 - level) / 2.0
    n_failing = n_events - n_passing
    lower = betaincinv(n_passing, n_failing + 1, tail) if n_passing > 0 else 0.0
    upper = betaincinv(n_passing + 1, n_failing, 1.0 - tail) if n_failing > 0 else 1.0
    return figures.Interval(
        lower=float(lower), upper=float(upper), level=level, method="Clopper-Pearson"
    )


def paired_difference(
    n_lost: int, n_gained: int, n_pairs: int, *, level: float = CONFIDENCE_LEVEL
) -> figures.Interval:
    """Return an interval of the change of a proportion, measured twice on the same events.

    Parameters
    ----------
    n_lost, n_gained : int
        Events that pass before alone, and after alone.
    n_pairs : int
        All events.

    References
    ----------
    A. Agresti, Y. Min, "Simple improved confidence intervals for comparing matched proportions",
    Stat. Med. 24 (2005) 729, doi:10.1002/sim.1781: Wald's interval with half an event added to
    each of the four cells.

    Examples
    --------
    >>> interval = paired_difference(40, 10, 100)
    >>> round(interval.lower, 3), round(interval.upper, 3)
    (-0.419, -0.169)
    """
    n = n_pairs + 2
    difference = (n_gained - n_lost) / n
    variance = ((n_lost + n_gained + 1) / n - difference**2) / n
    half = float(ndtri(0.5 + level / 2.0)) * variance**0.5
    return figures.Interval(
        lower=max(-1.0, difference - half),
        upper=min(1.0, difference + half),
        level=level,
        method="Agresti-Min, paired",
    )


def difference_of_shares(
    n_passing: int,
    n_events: int,
    n_passing_after: int,
    n_after: int,
    *,
    level: float = CONFIDENCE_LEVEL,
) -> figures.Interval:
    """Return an interval of the change of a proportion between two independent samples.

    References
    ----------
    R. G. Newcombe, "Interval estimation for the difference between independent proportions", Stat.
    Med. 17 (1998) 873, method 10: of two Wilson intervals.

    Examples
    --------
    >>> interval = difference_of_shares(56, 70, 48, 80)
    >>> round(interval.lower, 4), round(interval.upper, 4)
    (-0.3339, -0.0524)
    """
    from scipy.stats import binomtest

    shares, ends = [], []
    for passing, events in ((n_passing, n_events), (n_passing_after, n_after)):
        shares.append(passing / events)
        found = binomtest(passing, events).proportion_ci(level, method="wilson")
        ends.append((float(found.low), float(found.high)))
    difference = shares[1] - shares[0]
    down = math.hypot(shares[1] - ends[1][0], ends[0][1] - shares[0])
    up = math.hypot(ends[1][1] - shares[1], shares[0] - ends[0][0])
    return figures.Interval(
        lower=max(-1.0, difference - down),
        upper=min(1.0, difference + up),
        level=level,
        method="Newcombe, independent",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ThresholdRanks:
    """Ranks of two background scores, from the top, between which the true threshold lies.

    Attributes
    ----------
    tight : int
        Rank of the higher score; 0 if no background score is high enough.
    loose : int
        Rank of the lower score; more than there are events if none is low enough.
    """

    tight: int
    loose: int


@lru_cache
def threshold_ranks(fpr: float, n_background: int, *, level: float) -> ThresholdRanks:
    """Return the order-statistics interval of the threshold whose true FPR is `fpr`.

    The number X of background events above the true threshold is binomial with N events and
    probability `fpr`. `tight` is the largest rank l with P(X < l) <= (1 - level) / 2, `loose` the
    smallest rank u with P(X >= u) <= (1 - level) / 2.

    References
    ----------
    H. A. David, H. N. Nagaraja, "Order Statistics", 3rd ed., Wiley 2003, section 7.1.
    """
    tail = (1.0 - level) / 2.0
    counts = range(n_background + 1)
    # The probabilities of X <= k and of X > k. Importing scipy.stats for them takes half a second.
    tight = bisect_left(counts, tail, key=lambda k: float(bdtr(k, n_background, fpr)))
    last = bisect_left(counts, -tail, key=lambda k: -float(bdtrc(k, n_background, fpr)))
    return ThresholdRanks(tight=tight, loose=last + 1)


def conservative_interval(
    background: RankedScores,
    signal: RankedScores,
    *,
    fpr: float,
    n_passing: int,
    level: float = CONFIDENCE_LEVEL,
) -> figures.Interval:
    """Return an interval of the TPR at true FPR `fpr` that covers at least `level` always.

    Half of the allowed error goes to the threshold (order statistics of the background), half to
    the signal counts above its two ends (Clopper-Pearson). Both ends count ``score > end``: then
    the bound holds for scores with ties as well, where the target is the TPR of the loosest cut
    whose true FPR is at most `fpr`.

    Parameters
    ----------
    background, signal : RankedScores
        Test background and signal, or their upper tails.
    n_passing : int
        Signal events that pass the cut itself; the interval always holds their share.
    """
    part_level = (1.0 + level) / 2.0
    ranks = threshold_ranks(fpr, background.n_events, level=part_level)
    n_tight = signal.n_above(background.from_top(ranks.tight)) if ranks.tight > 0 else 0
    is_bounded = ranks.loose <= background.n_events
    n_loose = signal.n_above(background.from_top(ranks.loose)) if is_bounded else signal.n_events
    lower = clopper_pearson(min(n_tight, n_passing), signal.n_events, level=part_level).lower
    upper = clopper_pearson(max(n_loose, n_passing), signal.n_events, level=part_level).upper
    return figures.Interval(
        lower=lower, upper=upper, level=level, method="order statistics x Clopper-Pearson"
    )


def bootstrap_interval(
    replicates: NDArray[np.float64], *, tpr: float, level: float = CONFIDENCE_LEVEL
) -> figures.Interval:
    """Return the central interval of bootstrap replicates (percentile method).

    Parameters
    ----------
    replicates : ndarray of float64, shape (n_replicates,)
        TPR with background and signal both resampled.
    tpr : float
        The estimate; the interval always holds it.

    References
    ----------
    B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap", Chapman & Hall 1993, ch. 13.
    """
    tail = (1.0 - level) / 2.0
    # Positions (n + 1) q, so that the q quantile of n replicates is exceeded with probability q.
    lower, upper = np.quantile(replicates, [tail, 1.0 - tail], method="weibull").tolist()
    return figures.Interval(
        lower=min(lower, tpr), upper=max(upper, tpr), level=level, method="Poisson bootstrap"
    )


def is_bootstrap_sound(*, n_allowed: int, n_passing: int) -> bool:
    """Whether background and signal near the threshold are many enough for the bootstrap."""
    return n_allowed >= BOOTSTRAP_MIN_ALLOWED and n_passing >= BOOTSTRAP_MIN_PASSING
