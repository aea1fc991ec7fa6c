"""The interval of a counted number of events, for the errors of a histogram."""

from __future__ import annotations

# The central part of a normal distribution within one standard deviation: what error bars of a
# histogram show by custom.
ONE_SIGMA = 0.682689


def count_interval(n: int, *, level: float = ONE_SIGMA) -> tuple[float, float]:
    """Return the central interval of the mean of a Poisson number of events, `n` of which came.

    Its lower end is 0 where no event came.

    References
    ----------
    F. Garwood, Biometrika 28 (1936) 437, doi:10.1093/biomet/28.3-4.437.

    Examples
    --------
    >>> low, high = count_interval(10)
    >>> round(low, 2), round(high, 2)
    (6.89, 14.27)
    >>> round(count_interval(0)[1], 2)
    1.84
    """
    from scipy.special import gammaincinv

    tail = (1 - level) / 2
    low = float(gammaincinv(n, tail)) if n else 0.0
    return low, float(gammaincinv(n + 1, 1 - tail))
