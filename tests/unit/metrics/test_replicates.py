"""Keyed replicates: the published generator, the true moments, slow twins, pairing."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

from harness.challenge import mix64
from harness.metrics import replicates as module
from harness.metrics.replicates import (
    N_BUCKETS,
    N_REPLICATES,
    POISSON_COUNTS,
    BackgroundTail,
    ReplicateCuts,
    background_cuts,
    bucket_weights,
    deal,
    deal_events,
    deal_signal,
    poisson_weights,
    replicate_rates,
    tail_cuts,
)
from harness.metrics.scores import RankedScores
from harness.metrics.working_point import Cut, set_cut


def ranked(scores) -> RankedScores:
    ascending = np.sort(np.asarray(scores, dtype=float))
    return RankedScores(ascending=ascending, n_events=len(ascending))


def draw_hashes(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(2**64, size=n, dtype=np.uint64)


def slow_cut(scores: np.ndarray, weights: np.ndarray, k: int) -> Cut:
    """The cut on a sample that holds every event as often as its weight says."""
    present = np.repeat(scores, weights)
    if len(present) == 0:
        return Cut(threshold=float(scores.max()), is_strict=True)
    if k >= len(present):
        return Cut(threshold=float(present.min()))
    return set_cut(ranked(present), k)


def slow_weights(hashes: np.ndarray, seed: int) -> np.ndarray:
    return poisson_weights(hashes, range(N_REPLICATES), seed=seed, stream=module._BACKGROUND)


# --- the weights -------------------------------------------------------------------------------


def test_mix_is_the_finaliser_of_splitmix64():
    # The first outputs of SplitMix64 with the seed 1234567, as published with its reference code
    # (https://prng.di.unimi.it/splitmix64.c; Rosetta Code).
    counters = [(1234567 + (i + 1) * 0x9E3779B97F4A7C15) % 2**64 for i in range(5)]

    assert mix64(np.array(counters, dtype=np.uint64)).tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_the_table_of_weights_is_poisson_with_mean_and_variance_of_exactly_one():
    assert sum(POISSON_COUNTS) == 2**16
    assert sum(i * n for i, n in enumerate(POISSON_COUNTS)) == 2**16
    assert sum(i * i * n for i, n in enumerate(POISSON_COUNTS)) == 2 * 2**16
    for value, count in enumerate(POISSON_COUNTS):
        assert count / 2**16 == pytest.approx(math.exp(-1) / math.factorial(value), abs=2e-5)


def test_weights_have_the_moments_of_independent_poisson_numbers():
    weights = slow_weights(draw_hashes(4000, 1), seed=5).astype(float)
    n = weights.size

    # Means over 2 million numbers: error of the mean 1/sqrt(n), of the variance sqrt(3/n).
    assert weights.mean() == pytest.approx(1.0, abs=4 / math.sqrt(n))
    assert weights.var() == pytest.approx(1.0, abs=4 * math.sqrt(3 / n))
    # Correlation between any two replicates, also those cut from one word: error 1/sqrt(4000).
    between = np.corrcoef(weights)[np.triu_indices(N_REPLICATES, 1)]
    assert np.std(between) == pytest.approx(1 / math.sqrt(4000), rel=0.05)
    assert np.abs(between).max() < 6 / math.sqrt(4000)


def test_weights_of_hashes_in_a_row_are_as_independent_as_others():
    weights = slow_weights(np.arange(1000, dtype=np.uint64), seed=0).astype(float)
    between = np.corrcoef(weights.T)[np.triu_indices(1000, 1)]

    assert np.std(between) == pytest.approx(1 / math.sqrt(N_REPLICATES), rel=0.05)


def test_a_weight_depends_on_seed_hash_and_replicate_alone():
    hashes = draw_hashes(300, 2)
    weights = slow_weights(hashes, seed=9)

    assert np.array_equal(slow_weights(hashes[::-1], seed=9)[:, ::-1], weights)
    assert np.array_equal(slow_weights(hashes[7:8], seed=9)[:, 0], weights[:, 7])
    some = poisson_weights(hashes, range(8, 21), seed=9, stream=module._BACKGROUND)
    assert np.array_equal(some, weights[8:21])
    assert not np.array_equal(slow_weights(hashes, seed=10), weights)
    assert not np.array_equal(
        poisson_weights(hashes, range(N_REPLICATES), seed=9, stream=module._BUCKETS), weights
    )


def test_weights_never_change():
    # Cards of years apart are compared by them: another value here needs a new scorer version.
    hashes = np.array([0, 1, 2**63, 2**64 - 1], dtype=np.uint64)
    weights = slow_weights(hashes, seed=2021)

    assert weights[:6].tolist() == GOLDEN_WEIGHTS
    assert bucket_weights(2021)[-1, -8:].tolist() == GOLDEN_BUCKET_WEIGHTS
    assert deal(hashes, 2021).tolist() == GOLDEN_BUCKETS


GOLDEN_WEIGHTS = [
    [1, 0, 1, 0],
    [1, 1, 1, 1],
    [2, 0, 2, 2],
    [0, 2, 2, 0],
    [0, 0, 2, 1],
    [0, 1, 2, 5],
]
GOLDEN_BUCKET_WEIGHTS = [0, 1, 3, 3, 2, 2, 2, 1]
GOLDEN_BUCKETS = [3294, 8424, 5456, 6023]


# --- the cuts ----------------------------------------------------------------------------------


@pytest.mark.parametrize("levels", [None, 30, 4, 1])
@pytest.mark.parametrize("k", [1, 2, 10, 45])
def test_cuts_are_those_of_the_repeated_sample(k, levels):
    generator = np.random.default_rng(k)
    scores = generator.normal(size=300)
    if levels is not None:
        scores = np.floor(scores * levels / 4)
    hashes = draw_hashes(300, k)

    cuts = background_cuts(scores, hashes, ranked(scores), n_allowed=k, seed=3)

    weights = slow_weights(hashes, seed=3)
    for replicate in range(N_REPLICATES):
        expected = slow_cut(scores, weights[replicate], k)
        assert cuts.thresholds[replicate] == expected.threshold
        assert cuts.is_strict[replicate] == expected.is_strict


@pytest.mark.parametrize("n", [1, 2, 5])
def test_cuts_exist_on_a_handful_of_events(n):
    scores, hashes = np.arange(float(n)), draw_hashes(n, n)
    weights = slow_weights(hashes, seed=3)

    cuts = background_cuts(scores, hashes, ranked(scores), n_allowed=1, seed=3)

    for replicate in range(N_REPLICATES):
        expected = slow_cut(scores, weights[replicate], 1)
        assert cuts.thresholds[replicate] == expected.threshold
        assert cuts.is_strict[replicate] == expected.is_strict


def test_a_tail_that_is_too_short_is_lengthened(monkeypatch):
    generator = np.random.default_rng(1)
    scores, hashes = generator.normal(size=2000), draw_hashes(2000, 1)
    expected = background_cuts(scores, hashes, ranked(scores), n_allowed=50, seed=3)
    monkeypatch.setattr(module, "tail_length", lambda n_allowed: 10)

    cuts = background_cuts(scores, hashes, ranked(scores), n_allowed=50, seed=3)

    assert np.array_equal(cuts.thresholds, expected.thresholds)


def test_a_tail_that_cannot_decide_says_so():
    tail = BackgroundTail(
        descending=np.arange(50.0)[::-1], hashes=draw_hashes(50, 0), is_whole=False
    )

    assert tail_cuts(tail, n_allowed=50, seed=0) is None


def test_small_chunks_of_replicates_give_the_same_cuts(monkeypatch):
    scores, hashes = np.random.default_rng(1).normal(size=500), draw_hashes(500, 1)
    expected = background_cuts(scores, hashes, ranked(scores), n_allowed=30, seed=3)
    monkeypatch.setattr(module, "_MAX_WEIGHTS", 1)

    cuts = background_cuts(scores, hashes, ranked(scores), n_allowed=30, seed=3)

    assert np.array_equal(cuts.thresholds, expected.thresholds)


# --- the rates ---------------------------------------------------------------------------------


@functools.cache
def cached_bucket_weights(seed: int, n_buckets: int) -> np.ndarray:
    return bucket_weights(seed)


def rates_of(scores, hashes, cuts, seed=3):
    weights = cached_bucket_weights(seed, module.N_BUCKETS)
    lowest = float(cuts.thresholds.min())
    dealt = deal_signal(scores, deal_events(hashes, weights, seed=seed), lowest=lowest)
    return replicate_rates(dealt, cuts, weights)


@pytest.mark.parametrize("levels", [None, 5, 1])
def test_rates_are_those_of_every_event_weighed_by_its_bucket(levels):
    generator = np.random.default_rng(8)
    background, signal = generator.normal(size=4000), generator.normal(1.0, size=700)
    if levels is not None:
        background, signal = np.round(background * levels), np.round(signal * levels)
    hashes = draw_hashes(700, 4)
    cuts = background_cuts(
        background, draw_hashes(4000, 5), ranked(background), n_allowed=20, seed=3
    )

    rates = rates_of(signal, hashes, cuts)

    weights = bucket_weights(3)[:, deal(hashes, 3)].astype(float)
    thresholds = cuts.thresholds[:, None]
    passes = np.where(cuts.is_strict[:, None], signal > thresholds, signal >= thresholds)
    assert rates == pytest.approx((weights * passes).sum(axis=1) / weights.sum(axis=1), rel=1e-14)


def fixed_cuts(threshold: float) -> ReplicateCuts:
    return ReplicateCuts(
        thresholds=np.full(N_REPLICATES, threshold), is_strict=np.zeros(N_REPLICATES, dtype=bool)
    )


@pytest.mark.parametrize("tpr", [0.0005, 0.02, 0.5, 0.98])
def test_at_a_fixed_cut_the_replicates_have_the_binomial_variance(tpr):
    # The promise of the buckets: p (1 - p) / M, within the 3.2 % on the width that 500
    # replicates leave and the 0.55 % of the buckets. 60 signals with the same seed, averaged.
    generator = np.random.default_rng(12)
    n_events = 30_000
    variances = []
    for seed in range(60):
        scores = generator.random(n_events)
        rates = rates_of(scores, draw_hashes(n_events, seed), fixed_cuts(1.0 - tpr))
        p = float(np.mean(scores >= 1.0 - tpr))
        variances.append(rates.var() / (p * (1 - p) / n_events))

    # One variance has a relative error of sqrt(2/500 + 2/16384) = 6.4 %.
    assert np.mean(variances) == pytest.approx(1.0, abs=4 * 0.064 / math.sqrt(60))
    assert np.std(variances) == pytest.approx(0.064, rel=0.5)


def test_every_event_passing_gives_one_and_none_gives_zero():
    scores, hashes = np.arange(1000.0), draw_hashes(1000, 0)

    assert np.all(rates_of(scores, hashes, fixed_cuts(-1.0)) == 1.0)
    assert np.all(rates_of(scores, hashes, fixed_cuts(1e6)) == 0.0)


def test_a_signal_of_one_event_gives_its_own_rate_in_every_replicate():
    rates = rates_of(np.array([2.0]), draw_hashes(1, 0), fixed_cuts(1.0))

    assert np.all(rates == 1.0)


def test_buckets_are_filled_evenly_whatever_the_hashes():
    # Hashes of test events lie in a range of their own: the split is made by the same hash.
    for hashes in (np.arange(10**6, dtype=np.uint64), draw_hashes(10**6, 0) >> np.uint64(20)):
        sizes = np.bincount(deal(hashes, 1), minlength=N_BUCKETS)
        mean = 10**6 / N_BUCKETS
        chi_square = ((sizes - mean) ** 2 / mean).sum()
        assert len(sizes) == N_BUCKETS
        assert chi_square == pytest.approx(N_BUCKETS, abs=5 * math.sqrt(2 * N_BUCKETS))


# --- pairing -----------------------------------------------------------------------------------


def test_the_order_of_the_events_changes_nothing():
    generator = np.random.default_rng(4)
    background, signal = np.round(generator.normal(size=3000), 2), generator.normal(1, size=500)
    hashes, signal_hashes = draw_hashes(3000, 1), draw_hashes(500, 2)
    order, signal_order = generator.permutation(3000), generator.permutation(500)

    def rates(order, signal_order):
        cuts = background_cuts(
            background[order], hashes[order], ranked(background), n_allowed=20, seed=3
        )
        return rates_of(signal[signal_order], signal_hashes[signal_order], cuts)

    assert np.array_equal(rates(np.arange(3000), np.arange(500)), rates(order, signal_order))


def two_entries(generator, *, likeness: float, n_background=5000, n_signal=2000, shift=1.5):
    """Scores of two entries with the same true TPR and a correlation of `likeness`."""
    common = [generator.normal(size=n) for n in (n_background, n_signal)]
    entries = []
    for _ in range(2):
        own = [generator.normal(size=n) for n in (n_background, n_signal)]
        background, signal = (
            math.sqrt(likeness) * c + math.sqrt(1 - likeness) * o
            for c, o in zip(common, own, strict=True)
        )
        entries.append((background, signal + shift))
    return entries


def entry_rates(entry, hashes, signal_hashes, *, k=50):
    background, signal = entry
    cuts = background_cuts(background, hashes, ranked(background), n_allowed=k, seed=3)
    return rates_of(signal, signal_hashes, cuts)


@pytest.mark.parametrize(("likeness", "at_least", "at_most"), [(1.0, 1.0, 1.0), (0.9, 0.35, 0.9)])
def test_entries_that_select_the_same_events_have_correlated_replicates(
    likeness, at_least, at_most
):
    first, second = two_entries(np.random.default_rng(6), likeness=likeness)
    hashes, signal_hashes = draw_hashes(5000, 1), draw_hashes(2000, 2)
    rates = [entry_rates(entry, hashes, signal_hashes) for entry in (first, second)]

    correlation = np.corrcoef(*rates)[0, 1]
    assert at_least <= correlation + 1e-12
    assert correlation <= at_most + 1e-12


def test_entries_on_different_events_have_uncorrelated_replicates():
    entries = two_entries(np.random.default_rng(6), likeness=0.5)
    rates = [
        entry_rates(entry, draw_hashes(5000, 10 + i), draw_hashes(2000, 20 + i))
        for i, entry in enumerate(entries)
    ]

    assert abs(np.corrcoef(*rates)[0, 1]) < 4 / math.sqrt(N_REPLICATES)


@pytest.mark.parametrize("likeness", [0.9, 0.5])
def test_the_paired_interval_of_a_difference_covers(likeness, monkeypatch):
    # An eighth of the buckets, for speed.
    monkeypatch.setattr(module, "N_BUCKETS", 2**11)
    # Both entries have the same true TPR, so the true difference is 0.
    generator = np.random.default_rng(7)
    n_toys, held, paired, unpaired = 600, 0, [], []
    for _ in range(n_toys):
        hashes = generator.integers(2**64, size=7000, dtype=np.uint64)
        first, second = (
            entry_rates(entry, hashes[:5000], hashes[5000:])
            for entry in two_entries(generator, likeness=likeness)
        )
        lower, upper = np.quantile(first - second, [0.025, 0.975])
        held += lower <= 0.0 <= upper
        paired.append(np.var(first - second))
        unpaired.append(np.var(first) + np.var(second))

    assert held / n_toys >= 0.93 - 3 * math.sqrt(0.93 * 0.07 / n_toys)
    # Pairing is what makes the difference resolvable.
    assert np.mean(paired) < (0.75 if likeness == 0.9 else 0.95) * np.mean(unpaired)
