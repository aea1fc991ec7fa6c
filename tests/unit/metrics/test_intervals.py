"""Intervals against hand-worked numbers, scipy and their own promises."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from harness.metrics.intervals import (
    bootstrap_interval,
    clopper_pearson,
    conservative_interval,
    is_bootstrap_sound,
    threshold_ranks,
)
from harness.metrics.scores import RankedScores


def ranked(scores) -> RankedScores:
    ascending = np.sort(np.asarray(scores, dtype=float))
    return RankedScores(ascending=ascending, n_events=len(ascending))


def test_clopper_pearson_without_a_passing_event_is_the_rule_of_three():
    # 1 - 0.025^(1/n), worked by hand; and exactly 0 below.
    interval = clopper_pearson(0, 1000)

    assert interval.lower == 0.0
    assert interval.upper == pytest.approx(1 - 0.025 ** (1 / 1000))


def test_clopper_pearson_with_every_event_passing_ends_at_one():
    interval = clopper_pearson(20, 20)

    assert interval.lower == pytest.approx(0.025 ** (1 / 20))
    assert interval.upper == 1.0


@pytest.mark.parametrize("n_events", [1, 7, 460_000])
@pytest.mark.parametrize("share", [0.0, 1e-5, 0.01, 0.5, 1.0])
def test_clopper_pearson_is_that_of_scipy(n_events, share):
    n_passing = round(share * n_events)
    expected = binomtest(n_passing, n_events).proportion_ci(0.9, method="exact")
    interval = clopper_pearson(n_passing, n_events, level=0.9)

    assert interval.lower == pytest.approx(expected.low, rel=1e-6)
    assert interval.upper == pytest.approx(expected.high, rel=1e-6)
    assert interval.level == 0.9


@pytest.mark.parametrize("level", [0.68, 0.95, 0.975])
@pytest.mark.parametrize(("fpr", "n"), [(1e-5, 999_999), (1e-5, 5_380_765), (0.01, 300), (0.4, 9)])
def test_threshold_ranks_are_the_closest_that_keep_their_promise(fpr, n, level):
    tail = (1 - level) / 2
    ranks = threshold_ranks(fpr, n, level=level)

    # P(X < l) <= tail, but not for l + 1; P(X >= u) <= tail, but not for u - 1.
    assert binom.cdf(ranks.tight - 1, n, fpr) <= tail < binom.cdf(ranks.tight, n, fpr)
    assert binom.sf(ranks.loose - 1, n, fpr) <= tail < binom.sf(ranks.loose - 2, n, fpr)


def test_threshold_ranks_at_ten_allowed_events():
    # Poisson(10): P(X < 4) = 1.03 % <= 1.25 % < P(X < 5); P(X >= 19) = 0.72 % <= 1.25 % < 1.43 %.
    ranks = threshold_ranks(1e-5, 999_999, level=0.975)

    assert (ranks.tight, ranks.loose) == (4, 19)


def test_conservative_interval_worked_by_hand():
    # 0 ... 999, fpr 0.01, k = 10: binomial(1000, 0.01) has l = 4, u = 19 at 97.5 %, whose scores
    # are 996 and 981; above them lie 3 and 18 of 1000 signal events with the same scores.
    background = signal = ranked(np.arange(1000.0))
    ranks = threshold_ranks(0.01, 1000, level=0.975)
    interval = conservative_interval(background, signal, fpr=0.01, n_passing=10)

    assert (ranks.tight, ranks.loose) == (4, 19)
    assert interval.lower == clopper_pearson(3, 1000, level=0.975).lower
    assert interval.upper == clopper_pearson(18, 1000, level=0.975).upper
    assert interval.level == 0.95


def test_conservative_interval_reaches_down_to_zero_with_one_allowed_event():
    background, signal = ranked(np.arange(100.0)), ranked(np.arange(90.0, 110.0))

    assert conservative_interval(background, signal, fpr=0.01, n_passing=11).lower == 0.0


def test_conservative_interval_reaches_up_to_one_if_no_background_score_bounds_it():
    background, signal = ranked([1.0, 2.0, 3.0]), ranked([0.0, 5.0])

    assert conservative_interval(background, signal, fpr=0.5, n_passing=1).upper == 1.0


def test_conservative_interval_of_a_constant_score_says_that_nothing_passes():
    background, signal = ranked(np.ones(10_000)), ranked(np.ones(1000))
    interval = conservative_interval(background, signal, fpr=0.01, n_passing=0)

    assert interval.lower == 0.0
    assert interval.upper == clopper_pearson(0, 1000, level=0.975).upper


def test_conservative_interval_covers_where_scores_are_tied():
    # Background uniform on {1, ..., 100}, fpr 0.035: the loosest cut with a true rate of at most
    # that is score >= 98 (0.03). Signal: P(score >= 98) = 0.3.
    generator = np.random.default_rng(2)
    held = 0
    for _ in range(300):
        background = ranked(generator.integers(1, 101, size=2000))
        signal = ranked(np.where(generator.random(300) < 0.3, generator.integers(98, 101, 300), 1))
        interval = conservative_interval(background, signal, fpr=0.035, n_passing=0)
        held += interval.lower <= 0.3 <= interval.upper

    assert held / 300 >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 300)


def test_bootstrap_interval_is_the_percentiles_of_the_replicates():
    # Positions (n + 1) q of 1, ..., 199: the 5th and the 195th.
    replicates = np.random.default_rng(0).permutation(np.arange(1.0, 200.0)) / 1000
    interval = bootstrap_interval(replicates, tpr=0.1)

    assert (interval.lower, interval.upper) == pytest.approx((0.005, 0.195))


def test_bootstrap_interval_holds_the_estimate_always():
    interval = bootstrap_interval(np.full(500, 0.2), tpr=0.3)

    assert (interval.lower, interval.upper) == pytest.approx((0.2, 0.3))


@pytest.mark.parametrize(
    ("n_allowed", "n_passing", "expected"),
    [(19, 10**6, False), (20, 9, False), (20, 10, True), (10**4, 9, False)],
)
def test_bootstrap_is_used_from_twenty_allowed_and_ten_passing_events(
    n_allowed, n_passing, expected
):
    assert is_bootstrap_sound(n_allowed=n_allowed, n_passing=n_passing) is expected
