"""AUC and ROC points against hand-worked numbers, slow twins and scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.metrics import roc_auc_score, roc_curve

from harness.metrics.roc import ROC_GRID, measure_auc, place, roc_cuts, roc_points
from harness.metrics.scores import RankedScores
from harness.metrics.working_point import count_allowed


def ranked(scores) -> RankedScores:
    ascending = np.sort(np.asarray(scores, dtype=float))
    return RankedScores(ascending=ascending, n_events=len(ascending))


def area(background, signal) -> float:
    return measure_auc(place(ranked(background), ranked(signal))).value


def slow_kernel(background, signal) -> np.ndarray:
    """1 where signal beats background, 1/2 where they tie; shape (n_signal, n_background)."""
    difference = np.subtract.outer(np.asarray(signal), np.asarray(background))
    return (np.sign(difference) + 1.0) / 2.0


def slow_delong(background, signal) -> float:
    """DeLong's variance as it is written in the paper."""
    kernel = slow_kernel(background, signal)
    by_signal, by_background = kernel.mean(axis=1), kernel.mean(axis=0)
    return by_signal.var(ddof=1) / len(by_signal) + by_background.var(ddof=1) / len(by_background)


def sample(seed: int, *, levels: int | None):
    generator = np.random.default_rng(seed)
    background, signal = generator.normal(size=200), generator.normal(0.7, 1.3, size=70)
    if levels is not None:
        return np.round(background * levels) / levels, np.round(signal * levels) / levels
    return background, signal


def test_auc_of_a_sample_worked_by_hand():
    # Pairs won: 4 beats 1, 2, 3; 3 beats 1, 2 and ties with 3; 0 beats none: 5.5 of 9.
    assert area([1, 2, 3], [4, 3, 0]) == 5.5 / 9


def test_delong_variance_of_a_sample_worked_by_hand():
    # By signal 1, 5/6, 0 (variance 103/324), by background 2/3, 2/3, 1/2 (variance 1/108).
    auc = measure_auc(place(ranked([1, 2, 3]), ranked([4, 3, 0])))
    a = 5.5 / 9
    error = math.sqrt((31 / 108 + 1 / 108) / 3) / (a * (1 - a))

    variance = np.var([1, 5 / 6, 0], ddof=1)
    assert variance == pytest.approx(31 / 108)
    assert auc.interval.lower == pytest.approx(expit(logit(a) - 1.959963984540054 * error))
    assert auc.interval.upper == pytest.approx(expit(logit(a) + 1.959963984540054 * error))


def test_constant_scores_have_an_auc_of_one_half_and_an_honest_interval():
    auc = measure_auc(place(ranked(np.ones(1000)), ranked(np.ones(100))))

    assert auc.value == 0.5
    # Hoeffding for 100 pairs: sqrt(ln 40 / 200).
    assert auc.interval.lower == pytest.approx(0.5 - math.sqrt(math.log(40) / 200))
    assert auc.interval.upper == pytest.approx(0.5 + math.sqrt(math.log(40) / 200))
    assert "Hoeffding" in auc.interval.method


@pytest.mark.parametrize(("signal", "expected"), [([5, 6, 7], 1.0), ([-1, -2, -3], 0.0)])
def test_perfect_separation_is_not_quoted_without_error(signal, expected):
    auc = measure_auc(place(ranked([1, 2, 3, 4]), ranked(signal)))

    assert auc.value == expected
    assert auc.interval.upper - auc.interval.lower > 0.5
    assert 0.0 <= auc.interval.lower <= expected <= auc.interval.upper <= 1.0


@pytest.mark.parametrize(
    ("background", "signal"), [([1.0], [0.5, 2.0]), ([1, 2], [1.5]), ([1], [2])]
)
def test_a_single_event_gives_an_auc_with_the_widest_interval(background, signal):
    auc = measure_auc(place(ranked(background), ranked(signal)))

    assert (auc.interval.lower, auc.interval.upper) == (0.0, 1.0)


@pytest.mark.parametrize("levels", [None, 100, 8, 2, 1])
def test_auc_and_variance_are_those_of_all_pairs(levels):
    for seed in range(5):
        background, signal = sample(seed, levels=levels)
        auc = measure_auc(place(ranked(background), ranked(signal)))
        a = slow_kernel(background, signal).mean()
        error = math.sqrt(slow_delong(background, signal)) / (a * (1 - a))

        assert auc.value == pytest.approx(a, rel=1e-14)
        assert logit(auc.interval.upper) - logit(a) == pytest.approx(1.959963984540054 * error)
        assert logit(a) - logit(auc.interval.lower) == pytest.approx(1.959963984540054 * error)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("levels", [None, 50, 3])
def test_auc_is_that_of_scikit_learn(levels, dtype):
    for seed in range(5):
        background, signal = (scores.astype(dtype) for scores in sample(seed, levels=levels))
        labels = np.repeat([0, 1], [len(background), len(signal)])
        expected = roc_auc_score(labels, np.concatenate([background, signal]))

        assert area(background, signal) == pytest.approx(expected, abs=1e-12)


def test_auc_interval_covers_the_true_area():
    # Two normal distributions a distance d apart: AUC = Phi(d / sqrt 2).
    generator = np.random.default_rng(11)
    n_toys, true_area = 1000, 0.8556
    shift = 1.5
    held = 0
    for _ in range(n_toys):
        interval = measure_auc(
            place(ranked(generator.normal(size=400)), ranked(generator.normal(shift, size=60)))
        ).interval
        held += interval.lower <= true_area <= interval.upper

    # Binomial error at 95 %: 0.7 %; three of them.
    assert held / n_toys > 0.95 - 3 * 0.007


def test_roc_grid_holds_the_powers_of_ten_exactly():
    assert {1.0, 0.1, 0.01, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8} <= set(ROC_GRID)
    assert list(ROC_GRID) == sorted(set(ROC_GRID), reverse=True)


def test_roc_points_are_those_of_scikit_learn_where_nothing_is_tied():
    generator = np.random.default_rng(4)
    background, signal = generator.normal(size=5000), generator.normal(1.0, size=800)
    labels = np.repeat([0, 1], [len(background), len(signal)])
    fpr, tpr, thresholds = roc_curve(
        labels, np.concatenate([background, signal]), drop_intermediate=False
    )
    points = roc_points(ranked(signal), roc_cuts(ranked(background)))

    for rate, efficiency in zip(points.fpr[:-1], points.tpr[:-1], strict=True):
        # The k-th largest background score is itself the threshold.
        at = np.sort(background)[-count_allowed(rate, len(background))]
        assert efficiency == tpr[np.flatnonzero(thresholds == at)[0]]
        assert fpr[np.flatnonzero(thresholds == at)[0]] <= rate * (1 + 1 / len(background))


def test_roc_points_rise_from_the_smallest_rate_that_the_background_decides_to_one():
    points = roc_points(ranked([0.5, 3.5]), roc_cuts(ranked(np.arange(99.0))))

    # 1/(N + 1) = 0.01 is the smallest rate with an event allowed.
    assert points.fpr[0] == 0.01
    assert (points.fpr[-1], points.tpr[-1]) == (1.0, 1.0)
    assert list(points.fpr) == sorted(points.fpr)
    assert list(points.tpr) == sorted(points.tpr)


def test_no_roc_point_is_interpolated_between_two_tied_scores():
    # Four in five share the top score, in background and signal: no cut keeps a rate of 0.5.
    background, signal = np.repeat([0.0, 1.0], [200, 800]), np.repeat([0.0, 1.0], [20, 80])
    points = roc_points(ranked(signal), roc_cuts(ranked(background)))
    tpr = dict(zip(points.fpr, points.tpr, strict=True))

    assert max(rate for fpr, rate in tpr.items() if fpr < 0.8) == 0.0
    assert min(rate for fpr, rate in tpr.items() if fpr > 0.8) == 0.8
    labels = np.repeat([0, 1], [1000, 100])
    interpolated = np.interp(0.5, *roc_curve(labels, np.concatenate([background, signal]))[:2])
    assert interpolated == pytest.approx(0.5)
