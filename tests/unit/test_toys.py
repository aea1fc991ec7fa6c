"""Coverage of the intervals by toys with a known TPR; docs/statistics.md holds the full table."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tools import added_toys, merit_toys, stability_toys
from tools.toys import (
    FULL_GRID,
    Coverage,
    ToySetting,
    draw_background,
    draw_signal,
    measure_coverage,
)

# What docs/statistics.md promises; a grid point may miss it by its own binomial error only.
BOOTSTRAP_COVERAGE = 0.93
CONSERVATIVE_COVERAGE = 0.95


def missing(promised: float, n_toys: int) -> float:
    """Three binomial errors of a coverage measured with `n_toys` toys."""
    return 3.0 * math.sqrt(promised * (1.0 - promised) / n_toys)


def hold_to_promise(coverage: Coverage) -> None:
    n_toys = coverage.n_toys
    assert coverage.conservative >= CONSERVATIVE_COVERAGE - missing(CONSERVATIVE_COVERAGE, n_toys)
    is_conservative = coverage.bootstrap_share == 0.0
    promised = CONSERVATIVE_COVERAGE if is_conservative else BOOTSTRAP_COVERAGE
    assert coverage.chosen >= promised - missing(promised, n_toys)


@pytest.mark.parametrize("n_expected", [0.5, 10.0, 200.0])
@pytest.mark.parametrize("n_allowed", [10, 20, 50])
def test_intervals_cover(n_allowed, n_expected):
    setting = ToySetting(n_allowed=n_allowed, n_expected=n_expected)

    hold_to_promise(measure_coverage(setting, n_toys=250, seed=n_allowed))


@pytest.mark.slow
@pytest.mark.parametrize("setting", FULL_GRID, ids=str)
def test_intervals_cover_everywhere(setting):
    hold_to_promise(measure_coverage(setting, n_toys=500, seed=1))


def test_intervals_that_take_the_threshold_for_known_do_not_cover():
    # The reason for all of this: with k = 10 Clopper-Pearson alone covers a fifth, not 95 %.
    coverage = measure_coverage(ToySetting(n_allowed=10, n_expected=2000.0), n_toys=200, seed=1)

    assert coverage.clopper_pearson < 0.4


def test_the_bootstrap_alone_fails_where_it_is_not_used():
    coverage = measure_coverage(ToySetting(n_allowed=50, n_expected=0.5), n_toys=200, seed=1)

    assert coverage.bootstrap < 0.7
    assert coverage.bootstrap_share == 0.0


def test_toy_background_is_the_tail_of_uniform_scores():
    # The true FPR above the k-th largest of N is Beta(k, N + 1 - k).
    setting = ToySetting(n_allowed=20, n_expected=1.0)
    generator = np.random.default_rng(3)
    rates = np.array([-draw_background(setting, generator).from_top(20) for _ in range(3000)])

    n = setting.n_background
    assert n == 1_999_999
    assert rates.mean() == pytest.approx(20 / (n + 1), rel=4 / math.sqrt(20 * 3000))
    assert rates.std() == pytest.approx(math.sqrt(20) / (n + 1), rel=4 / math.sqrt(2 * 3000))


def test_toy_signal_passes_the_true_threshold_as_often_as_expected():
    setting = ToySetting(n_allowed=20, n_expected=30.0, slope=0.5)
    generator = np.random.default_rng(3)
    counts = []
    for _ in range(2000):
        background = draw_background(setting, generator)
        counts.append(draw_signal(setting, background, generator).n_at_least(-setting.fpr))

    assert np.mean(counts) == pytest.approx(30.0, abs=4 * math.sqrt(30 / 2000))
    assert np.var(counts) == pytest.approx(30.0, rel=4 * math.sqrt(2 / 2000))


@pytest.mark.parametrize("setting", merit_toys.GRID[:5:2], ids=str)
def test_intervals_of_other_merits_cover(setting):
    found = merit_toys.measure_coverage(setting, n_toys=60, seed=1)
    assert found.covered >= BOOTSTRAP_COVERAGE - missing(BOOTSTRAP_COVERAGE, found.n_toys)


@pytest.mark.slow
@pytest.mark.parametrize("setting", merit_toys.GRID, ids=str)
def test_intervals_of_other_merits_cover_everywhere(setting):
    found = merit_toys.measure_coverage(setting, n_toys=300, seed=1)
    assert found.covered >= BOOTSTRAP_COVERAGE - missing(BOOTSTRAP_COVERAGE, found.n_toys)
    # The figures themselves are not off by more than their intervals say.
    assert found.mean == pytest.approx(setting.truth, rel=0.3)


@pytest.mark.slow
@pytest.mark.parametrize("setting", added_toys.GRID, ids=str)
def test_intervals_of_what_is_added_over_the_signals_cover(setting):
    found = added_toys.measure_coverage(setting, n_toys=300, seed=1)
    assert found.covered >= BOOTSTRAP_COVERAGE - missing(BOOTSTRAP_COVERAGE, found.n_toys)
    assert found.mean == pytest.approx(setting.truth, rel=0.1)


def hold_in_bins(setting: stability_toys.StabilitySetting, n_toys: int) -> None:
    found = stability_toys.measure_coverage(setting, n_toys=n_toys, seed=1)
    least = BOOTSTRAP_COVERAGE - missing(BOOTSTRAP_COVERAGE, n_toys)
    assert set(found.covered) == set(stability_toys.FIGURES)
    assert min(found.covered.values()) >= least, found.covered


@pytest.mark.parametrize("setting", stability_toys.GRID[1:9:5], ids=str)
def test_intervals_of_rates_under_conditions_cover(setting):
    hold_in_bins(setting, n_toys=100)


@pytest.mark.slow
@pytest.mark.parametrize("setting", stability_toys.GRID, ids=str)
def test_intervals_of_rates_under_conditions_cover_everywhere(setting):
    hold_in_bins(setting, n_toys=600)
