"""Distances between two samples of events by their features: one simulation and another.

The Frechet and the kernel physics distance are those that the field agreed on for generators.

References
----------
R. Kansal, A. Li, J. Duarte, N. Chernyavskaya, M. Pierini, B. Orzari, T. Tomei, "Evaluating
generative models in high energy physics", Phys. Rev. D 107 (2023) 076017, arXiv:2211.10295.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from harness.card.figures import Interval, NotMeasured
from harness.metrics.roc import CONFIDENCE_LEVEL

Floats = NDArray[np.float64]
# Blocks of events whose moments are summed: samples of N, N/2, N/3, N/4, N/5 and N/6 events are
# made of them, and each is left out once for the interval.
_N_BLOCKS = 60
_DIVISORS = (1, 2, 3, 4, 5, 6)
_N_JACKKNIFE = 20
# Of the kernel distance, as published: batches, and the most events of one.
_N_BATCHES, _BATCH_EVENTS = 10, 5_000
_DEGREE = 4
_KERNEL_ROWS = 500
# Wasserstein distances are resampled with at most so many events of each sample.
_MOST_EVENTS, _N_DRAWS = 20_000, 100


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleDistance:
    """A distance of two samples.

    Attributes
    ----------
    value : float
        Zero, but for chance, if both come from one distribution; it may then be negative.
    by_chance : Interval or None
        Where 95 % of values lie for two such samples out of one; None where chance adds nothing.
    """

    value: float
    interval: Interval
    by_chance: Interval | None = None


def frechet_gaussian(first: Floats, second: Floats) -> float:
    """Return the Frechet distance of the Gaussians with the means and covariances of two samples.

    ``|mu1 - mu2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))``, the squared Wasserstein-2 distance.

    Parameters
    ----------
    first, second : float64 array, shape (n, n_features)

    References
    ----------
    D. C. Dowson, B. V. Landau, J. Multivar. Anal. 12 (1982) 450, doi:10.1016/0047-259X(82)90077-X.

    Examples
    --------
    >>> frechet_gaussian(np.array([[-1.0], [1.0]]), np.array([[2.0], [6.0]])).__round__(9)
    18.0
    """
    moments = [_moments(one) for one in (first, second)]
    return _frechet(moments[0], moments[1])


@dataclass(frozen=True, kw_only=True, slots=True)
class _Moments:
    """Number, sum and sum of products of some events; of features around a common centre."""

    n: float
    total: Floats
    products: Floats

    def __add__(self, other: _Moments) -> _Moments:
        return _Moments(
            n=self.n + other.n,
            total=self.total + other.total,
            products=self.products + other.products,
        )

    def __sub__(self, other: _Moments) -> _Moments:
        return self + _Moments(n=-other.n, total=-other.total, products=-other.products)

    @property
    def mean(self) -> Floats:
        return self.total / self.n

    @property
    def covariance(self) -> Floats:
        centred = self.products - self.n * np.outer(self.mean, self.mean)
        return np.asarray(centred / (self.n - 1), np.float64)


def _moments(sample: Floats) -> _Moments:
    return _Moments(n=len(sample), total=sample.sum(axis=0), products=sample.T @ sample)


def _frechet(first: _Moments, second: _Moments) -> float:
    shift = first.mean - second.mean
    one, other = first.covariance, second.covariance
    values, vectors = np.linalg.eigh(one)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    # The eigenvalues of S1 S2 are those of the symmetric S1^(1/2) S2 S1^(1/2).
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ other @ root), 0.0)).sum()
    return float(shift @ shift + np.trace(one) + np.trace(other) - 2.0 * cross)


def frechet_physics_distance(first: Floats, second: Floats) -> SampleDistance | NotMeasured:
    """Return the Frechet physics distance (FPD) of two samples.

    The Frechet distance of Gaussians, extrapolated to samples of any size by a straight line in
    1/N: it is biased by a term in 1/N. Here the samples of N, N/2 to N/6 events of that line are
    drawn without replacement from all events, the published ones (20,000 to 50,000 events) with
    it: so the bias of the events themselves is taken off too. Features are first divided by the
    largest magnitude that they have in the first sample. The interval is a jackknife's.

    Parameters
    ----------
    first, second : float64 array, shape (n, n_features)

    References
    ----------
    arXiv:2211.10295, section III; M. J. Chong, D. Forsyth, arXiv:1911.07023 (the extrapolation);
    B. Efron, C. Stein, Ann. Stat. 9 (1981) 586, doi:10.1214/aos/1176345462 (the jackknife).
    """
    n_least = min(len(first), len(second))
    n_needed = 6 * 10 * first.shape[1]
    if n_least < max(n_needed, 10 * _N_BLOCKS):
        needed = max(n_needed, 10 * _N_BLOCKS)
        return NotMeasured(not_measured=f"{n_least:,} events, {needed:,} are needed")
    pair = _normalised(first, second)
    centre = pair[0].mean(axis=0)
    blocks = [
        [_moments(part - centre) for part in np.array_split(sample, _N_BLOCKS)] for sample in pair
    ]
    value = _extrapolated(blocks)
    step = _N_BLOCKS // _N_JACKKNIFE
    again = []
    for start in range(0, _N_BLOCKS, step):
        left = [own[:start] + own[start + step :] for own in blocks]
        again.append(_extrapolated(left))
    spread = np.std(again) * math.sqrt(_N_JACKKNIFE - 1)
    half = float(stdtrit(_N_JACKKNIFE - 1, (1.0 + CONFIDENCE_LEVEL) / 2.0) * spread)
    method = f"jackknife of {_N_JACKKNIFE} groups of events"
    return SampleDistance(
        value=value, interval=Interval(lower=value - half, upper=value + half, method=method)
    )


def _extrapolated(blocks: list[list[_Moments]]) -> float:
    """Return the value at 1/N = 0 of the line through the mean distances of smaller samples."""
    n_blocks = len(blocks[0])
    inverse, values, weights = [], [], []
    for divisor in _DIVISORS:
        size = n_blocks // divisor
        found, sizes = [], []
        for part in range(divisor):
            one, other = (_sum(own[part * size : (part + 1) * size]) for own in blocks)
            found.append(_frechet(one, other))
            sizes.append(1.0 / one.n + 1.0 / other.n)
        inverse.append(float(np.mean(sizes)))
        values.append(float(np.mean(found)))
        weights.append(1.0 / divisor)
    slope, intercept = np.polyfit(inverse, values, 1, w=weights)
    del slope
    return float(intercept)


def _sum(parts: list[_Moments]) -> _Moments:
    total = parts[0]
    for one in parts[1:]:
        total += one
    return total


def _normalised(first: Floats, second: Floats) -> tuple[Floats, Floats]:
    """Divide features by the largest magnitude that they have in the first sample."""
    largest = np.abs(first).max(axis=0)
    scale = np.where(largest > 0, largest, 1.0)
    return first / scale, second / scale


def squared_discrepancy(first: Floats, second: Floats) -> float:
    """Return the unbiased squared maximum mean discrepancy of two samples.

    The kernel is ``(x.y / n_features + 1)^4``, the published one of the kernel physics distance.

    Parameters
    ----------
    first, second : float64 array, shape (n, n_features)

    References
    ----------
    A. Gretton et al., J. Mach. Learn. Res. 13 (2012) 723, eq. 3; arXiv:2211.10295, section III.

    Examples
    --------
    >>> x, y = np.array([[0.0], [1.0]]), np.array([[0.0], [2.0]])
    >>> squared_discrepancy(x, y)
    -40.0
    """
    within = [
        (_kernel_sum(one, one) - float((_kernel_of((one * one).sum(axis=1), one.shape[1])).sum()))
        / (len(one) * (len(one) - 1))
        for one in (first, second)
    ]
    between = _kernel_sum(first, second) / (len(first) * len(second))
    return within[0] + within[1] - 2.0 * between


def _kernel_of(products: Floats, n_features: int) -> Floats:
    return np.asarray((products / n_features + 1.0) ** _DEGREE, np.float64)


def _kernel_sum(first: Floats, second: Floats) -> float:
    rows = range(0, len(first), _KERNEL_ROWS)
    n_features = first.shape[1]
    return sum(
        float(_kernel_of(first[i : i + _KERNEL_ROWS] @ second.T, n_features).sum()) for i in rows
    )


def kernel_physics_distance(
    first: Floats, second: Floats, generator: np.random.Generator
) -> SampleDistance | NotMeasured:
    """Return the kernel physics distance (KPD) of two samples.

    The median of the squared maximum mean discrepancy over ten batches of at most 5,000 events, as
    published. Here no event is in two batches: so they are independent, and the interval is that
    of a median by its order statistics, the second and the ninth of ten (97.9 %). It has no bias.

    Parameters
    ----------
    first, second : float64 array, shape (n, n_features)
    generator : numpy.random.Generator
        Shares the events out.

    References
    ----------
    arXiv:2211.10295, section III; H. A. David, H. N. Nagaraja, "Order Statistics", Wiley 2003,
    section 7.1.
    """
    n_least = min(len(first), len(second))
    size = min(_BATCH_EVENTS, n_least // _N_BATCHES)
    if size < 20:
        return NotMeasured(
            not_measured=f"{n_least:,} events, {20 * _N_BATCHES} are needed: ten batches of 20"
        )
    pair = _normalised(first, second)
    chosen = [
        one[generator.permutation(len(one))[: size * _N_BATCHES]].reshape(_N_BATCHES, size, -1)
        for one in pair
    ]
    found = sorted(squared_discrepancy(one, other) for one, other in zip(*chosen, strict=True))
    return SampleDistance(
        value=float(np.median(found)),
        interval=Interval(
            lower=found[1], upper=found[-2], level=1 - 22 / 1024, method="order statistics"
        ),
    )


def wasserstein(
    first: Floats, second: Floats, generator: np.random.Generator
) -> SampleDistance | NotMeasured:
    """Return the Wasserstein-1 distance of one feature, in its unit.

    It is above zero even for two samples out of one distribution; how far, is drawn: both samples
    are mixed and shared out at random. The interval comes from a bootstrap, of which what it adds
    on average is taken off.

    Parameters
    ----------
    first, second : float64 array, shape (n,)
        At most 20,000 events of each are looked at.
    generator : numpy.random.Generator
        Draws.

    References
    ----------
    A. Ramdas, N. Garcia Trillos, M. Cuturi, Entropy 19 (2017) 47, arXiv:1509.02237 (in one
    dimension: the area between the distribution functions).
    """
    from scipy.stats import wasserstein_distance

    if min(len(first), len(second)) < 20:
        return NotMeasured(not_measured=f"{min(len(first), len(second))} events, 20 are needed")
    pair = [
        one if len(one) <= _MOST_EVENTS else generator.choice(one, _MOST_EVENTS, replace=False)
        for one in (first, second)
    ]
    value = float(wasserstein_distance(*pair))
    mixed = np.concatenate(pair)
    chance, again = [], []
    for _ in range(_N_DRAWS):
        drawn = generator.permutation(mixed)
        chance.append(wasserstein_distance(drawn[: len(pair[0])], drawn[len(pair[0]) :]))
        again.append(wasserstein_distance(*(generator.choice(one, len(one)) for one in pair)))
    tail = (1.0 - CONFIDENCE_LEVEL) / 2.0
    added = float(np.mean(again)) - value
    low, high = np.quantile(np.array(again) - np.mean(again), (tail, 1.0 - tail)).tolist()
    least, most = np.quantile(chance, (tail, 1.0 - tail)).tolist()
    ends = (max(0.0, min(value - added - high, value)), max(value - added - low, 0.0))
    return SampleDistance(
        value=value,
        interval=Interval(
            lower=ends[0], upper=ends[1], method="bootstrap, without what chance adds"
        ),
        by_chance=Interval(lower=least, upper=most, method="both samples mixed"),
    )
