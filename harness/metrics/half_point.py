"""The number at which half of the trials succeed, from trials at several numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, log_ndtr

from harness.metrics.roc import CONFIDENCE_LEVEL

# From which to which share of a factor e the rise may be wide: from a step to none at all.
_WIDTHS = np.geomspace(0.03, 3.0, 31)
# The half point is looked for within this factor of the numbers that were tried.
_BEYOND = 8.0
_N_STEPS = 1201


@dataclass(frozen=True, kw_only=True, slots=True)
class HalfPoint:
    """Where the share of trials that succeed is a half.

    Attributes
    ----------
    value : float
    lower : float or None
        End of the interval; None: the trials do not bound it.
    upper : float or None
    """

    value: float
    lower: float | None
    upper: float | None


def half_point(
    numbers: Sequence[float],
    n_found: Sequence[int],
    n_trials: Sequence[int],
    *,
    level: float = CONFIDENCE_LEVEL,
) -> HalfPoint:
    """Fit a probit in the logarithm of a number; the interval is that of the profile likelihood.

    The share that succeeds at a number n is ``Phi(ln(n / half) / width)``. Where trials fail below
    and succeed above a gap, the middle of the gap is the value.

    Parameters
    ----------
    numbers : sequence of float
        Positive; numbers may repeat.
    n_found, n_trials : sequences of int
        Of each number.

    References
    ----------
    C. I. Bliss, Science 79 (1934) 38, doi:10.1126/science.79.2037.38 (probit);
    S. S. Wilks, Ann. Math. Stat. 9 (1938) 60, doi:10.1214/aoms/1177732360 (profile likelihood).

    Examples
    --------
    >>> found = half_point([100.0, 200.0, 400.0], [2, 10, 18], [20, 20, 20])
    >>> round(found.value), found.lower < 200 < found.upper
    (200, True)
    """
    logs = np.log(np.asarray(numbers, np.float64))
    middles = np.linspace(logs.min() - math.log(_BEYOND), logs.max() + math.log(_BEYOND), _N_STEPS)
    likelihood = _profile(middles, logs, np.asarray(n_found), np.asarray(n_trials))
    is_best = np.flatnonzero(likelihood >= likelihood.max() - 1e-9)
    best = float(middles[is_best].mean())
    bound = likelihood.max() - chdtri(1.0, 1.0 - level) / 2
    is_inside = np.flatnonzero(likelihood >= bound)
    first, last = int(is_inside[0]), int(is_inside[-1])
    return HalfPoint(
        value=math.exp(best),
        lower=None if first == 0 else math.exp(_crossing(middles, likelihood, first - 1, bound)),
        upper=None
        if last == _N_STEPS - 1
        else math.exp(_crossing(middles, likelihood, last, bound)),
    )


def _profile(
    middles: NDArray[np.float64],
    logs: NDArray[np.float64],
    n_found: NDArray[np.int64],
    n_trials: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the largest log-likelihood at each middle, over all widths."""
    best = np.full(len(middles), -np.inf)
    for width in _WIDTHS:
        at = (logs - middles[:, None]) / width
        each = n_found * log_ndtr(at) + (n_trials - n_found) * log_ndtr(-at)
        best = np.maximum(best, each.sum(axis=1))
    return best


def _crossing(
    middles: NDArray[np.float64], likelihood: NDArray[np.float64], at: int, bound: float
) -> float:
    """Return where the likelihood crosses a bound between a step and the next."""
    before, after = likelihood[at], likelihood[at + 1]
    share = (bound - before) / (after - before)
    return float(middles[at] + share * (middles[at + 1] - middles[at]))
