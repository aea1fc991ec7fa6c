"""Toy experiments with a known TPR: how often the intervals hold it.

A toy draws what a scoring sees near the threshold and nothing else: the upper order statistics
of N background scores (sums of exponentials, exactly as N uniform numbers would give) and the
signal events above the lowest of them. So a toy of 20 million background events takes
milliseconds, and runs through the same functions as a scoring.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.card import figures
from harness.metrics.intervals import (
    bootstrap_interval,
    clopper_pearson,
    conservative_interval,
    is_bootstrap_sound,
)
from harness.metrics.replicates import (
    BackgroundTail,
    DealtSignal,
    bucket_weights,
    replicate_rates,
    tail_cuts,
    tail_length,
    weigh,
)
from harness.metrics.scores import RankedScores
from harness.metrics.working_point import set_cut

# Fewer buckets than a scoring has, for speed: 3 % more noise in the variance of replicates.
_N_TOY_BUCKETS = 2**11


@dataclass(frozen=True, kw_only=True, slots=True)
class ToySetting:
    """What a toy experiment is like.

    Attributes
    ----------
    n_allowed : int
        k, the background events allowed above the cut.
    n_expected : float
        Expected signal events above the true threshold.
    slope : float
        d ln TPR / d ln FPR at the working point: how strongly the threshold's uncertainty moves
        the TPR. 1 for a signal that falls as steeply as the background.
    remainder : float
        fpr (N + 1) - k, what rounding k down loses: 0 <= remainder < 1.
    """

    n_allowed: int
    n_expected: float
    slope: float = 1.0
    remainder: float = 0.0
    fpr: float = 1e-5
    n_signal: int = 200_000

    def __str__(self) -> str:
        """Name the setting in one word."""
        return f"k{self.n_allowed}+{self.remainder:g}-n{self.n_expected:g}-slope{self.slope:g}"

    @property
    def n_background(self) -> int:
        """N, so that fpr (N + 1) is k and the remainder."""
        return round((self.n_allowed + self.remainder) / self.fpr) - 1

    @property
    def tpr(self) -> float:
        """The TPR at a true FPR of `fpr`: what the intervals should hold."""
        return self.n_expected / self.n_signal


# Where coverage is measured: few to many events allowed and expected; a signal as steep as the
# background and a flatter one; k rounded down from almost k + 1, the worst that rounding does.
FULL_GRID = tuple(
    ToySetting(n_allowed=n_allowed, n_expected=n_expected, slope=slope, remainder=remainder)
    for slope, remainder in ((1.0, 0.0), (1.0, 0.95), (0.4, 0.0))
    for n_allowed in (10, 20, 50, 200)
    for n_expected in (0.5, 2.0, 5.0, 10.0, 20.0, 100.0, 500.0, 2000.0)
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """The share of toys whose interval holds the true TPR.

    Attributes
    ----------
    chosen : float
        With the interval that a scoring would quote.
    bootstrap_share : float
        Share of toys in which that is the bootstrap.
    clopper_pearson : float
        With an interval that takes the threshold for known, for comparison.
    """

    setting: ToySetting
    n_toys: int
    chosen: float
    conservative: float
    bootstrap: float
    clopper_pearson: float
    bootstrap_share: float


def measure_coverage(setting: ToySetting, *, n_toys: int, seed: int) -> Coverage:
    """Run `n_toys` toys and count the intervals that hold the true TPR."""
    generator = np.random.default_rng(seed)
    weights = bucket_weights(seed)[:, :_N_TOY_BUCKETS]
    toys = [_run(setting, weights, generator) for _ in range(n_toys)]
    held = np.array([[_holds(interval, setting.tpr) for interval in toy[:4]] for toy in toys])
    chosen, conservative, bootstrap, binomial = held.mean(axis=0).tolist()
    return Coverage(
        setting=setting,
        n_toys=n_toys,
        chosen=chosen,
        conservative=conservative,
        bootstrap=bootstrap,
        clopper_pearson=binomial,
        bootstrap_share=sum(toy[0] is toy[2] for toy in toys) / n_toys,
    )


def _holds(interval: figures.Interval, tpr: float) -> bool:
    return interval.lower <= tpr <= interval.upper


def _run(
    setting: ToySetting, weights: NDArray[np.uint8], generator: np.random.Generator
) -> tuple[figures.Interval, figures.Interval, figures.Interval, figures.Interval]:
    """Return the chosen, conservative, bootstrap and Clopper-Pearson intervals of one toy."""
    background = draw_background(setting, generator)
    signal = draw_signal(setting, background, generator)
    n_passing = set_cut(background, setting.n_allowed).n_passing(signal)
    conservative = conservative_interval(background, signal, fpr=setting.fpr, n_passing=n_passing)
    replicates = _replicate(setting, background, signal, weights, generator)
    bootstrap = bootstrap_interval(replicates, tpr=n_passing / setting.n_signal)
    is_sound = is_bootstrap_sound(n_allowed=setting.n_allowed, n_passing=n_passing)
    binomial = clopper_pearson(n_passing, setting.n_signal)
    return (bootstrap if is_sound else conservative), conservative, bootstrap, binomial


def draw_background(setting: ToySetting, generator: np.random.Generator) -> RankedScores:
    """Draw the tail of the background; the score is minus the true FPR above it."""
    n_tail = min(tail_length(setting.n_allowed), setting.n_background)
    steps = np.cumsum(generator.exponential(size=n_tail))
    total = steps[-1] + generator.gamma(setting.n_background + 1 - n_tail)
    return RankedScores(ascending=(-steps / total)[::-1], n_events=setting.n_background)


def draw_signal(
    setting: ToySetting, background: RankedScores, generator: np.random.Generator
) -> RankedScores:
    """Draw the signal above the lowest background score: TPR = tpr (FPR / fpr)^slope."""
    largest_fpr = -float(background.ascending[0])
    largest_tpr = min(setting.tpr * math.pow(largest_fpr / setting.fpr, setting.slope), 1.0)
    n_tail = generator.binomial(setting.n_signal, largest_tpr)
    rates = largest_fpr * generator.random(n_tail) ** (1.0 / setting.slope)
    return RankedScores(ascending=np.sort(-rates), n_events=setting.n_signal)


def _replicate(
    setting: ToySetting,
    background: RankedScores,
    signal: RankedScores,
    weights: NDArray[np.uint8],
    generator: np.random.Generator,
) -> NDArray[np.float64]:
    tail = BackgroundTail(
        descending=np.asarray(background.ascending[::-1], dtype=np.float64),
        hashes=generator.integers(2**64, size=len(background.ascending), dtype=np.uint64),
        is_whole=False,
    )
    cuts = tail_cuts(tail, n_allowed=setting.n_allowed, seed=0)
    if cuts is None:
        raise RuntimeError("the tail of a toy is too short")
    n_buckets = weights.shape[1]
    buckets = generator.integers(n_buckets, size=len(signal.ascending), dtype=np.uint16)
    sizes = generator.multinomial(
        signal.n_events - len(buckets), np.full(n_buckets, 1.0 / n_buckets)
    ) + np.bincount(buckets, minlength=n_buckets)
    dealt = DealtSignal(
        scores=signal.ascending,
        buckets=buckets,
        n_events=signal.n_events,
        total_weights=weigh(weights, sizes),
    )
    return replicate_rates(dealt, cuts, weights)
