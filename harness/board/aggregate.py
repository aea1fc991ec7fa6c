"""How the figures of merit of several signals become one: measured ones, and replicates."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.challenge import Aggregate, without_last_digits


def aggregate(
    kind: Aggregate, values: Sequence[float], weights: Sequence[float], *, smaller_is_better: bool
) -> float:
    """Combine the figures of merit of several signals to one.

    Parameters
    ----------
    values : sequence of float
        None below 0.
    weights : sequence of float
        Of the two means alone.
    smaller_is_better : bool
        Says which end is the worst.

    Notes
    -----
    The worst quarter is the conditional value at risk at 1/4: the mean of the worst quarter of the
    values, the last of which may count in part. R. T. Rockafellar, S. Uryasev, J. Risk 2 (2000) 21,
    doi:10.21314/JOR.2000.038. Its rounding is that of the sum, whatever the order of the signals.

    Examples
    --------
    >>> values, weights = [0.4, 0.1, 0.3, 0.2, 0.5], [1.0] * 5
    >>> round(aggregate("worst_quarter", values, weights, smaller_is_better=False), 3)
    0.12
    >>> aggregate("median", values, weights, smaller_is_better=False)
    0.3
    """
    # fsum: the order of the signals must not break a tie.
    total = math.fsum(weights)
    match kind:
        case "geometric_mean" if min(values) == 0:
            return 0.0
        case "geometric_mean":
            logs = (w * math.log(value) for w, value in zip(weights, values, strict=True))
            return without_last_digits(math.exp(math.fsum(logs) / total))
        case "mean" | "single":
            return math.fsum(w * value for w, value in zip(weights, values, strict=True)) / total
        case "median":
            ordered, half = sorted(values), len(values) // 2
            return (ordered[half] + ordered[-half - 1]) / 2
        case "worst_quarter":
            ordered = sorted(values, reverse=smaller_is_better)
            shares = quarter(len(ordered))
            return math.fsum(s * value for s, value in zip(shares, ordered, strict=True))
        case "worst":
            return max(values) if smaller_is_better else min(values)


def quarter(n: int) -> list[float]:
    """Return the share of each of n values, the worst first, in the mean of the worst quarter.

    Examples
    --------
    >>> quarter(4), quarter(6)[:2]
    ([1.0, 0.0, 0.0, 0.0], [0.6666666666666666, 0.3333333333333333])
    """
    counted = [min(max(n / 4 - i, 0.0), 1.0) for i in range(n)]
    total = math.fsum(counted)
    return [share / total for share in counted]


def aggregate_logs(
    kind: Aggregate,
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    *,
    smaller_is_better: bool,
) -> NDArray[np.float64]:
    """Return the logarithm of `aggregate` for each column, shape (n_replicates,).

    Parameters
    ----------
    values : float64 array, shape (n_signals, n_replicates)
        All above 0.
    weights : float64 array, shape (n_signals,)
    """
    shares = weights / weights.sum()
    worst_first = np.sort(values, axis=0)[:: -1 if smaller_is_better else 1]
    match kind:
        case "geometric_mean":
            logs = shares @ np.log(values)
        case "mean" | "single":
            logs = np.log(shares @ values)
        case "median":
            logs = np.log(np.median(values, axis=0))
        case "worst_quarter":
            logs = np.log(np.array(quarter(len(values))) @ worst_first)
        case "worst":
            logs = np.log(worst_first[0])
    return np.asarray(logs, dtype=np.float64)
