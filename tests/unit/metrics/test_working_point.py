"""The cut keeps the rate it promises, whatever the ties."""

from __future__ import annotations

import numpy as np
import pytest

from harness.card.physics import WorkingPoint
from harness.errors import DataError
from harness.metrics.scores import RankedScores
from harness.metrics.working_point import Cut, count_allowed, set_cut, tie_warnings


def ranked(*scores: float) -> RankedScores:
    return RankedScores(ascending=np.sort(np.array(scores, dtype=float)), n_events=len(scores))


def slow_cut(background: np.ndarray, k: int) -> Cut:
    """The definition, tried on every background score."""
    for threshold in sorted(set(background.tolist())):
        if np.sum(background >= threshold) <= k:
            return Cut(threshold=threshold)
    return Cut(threshold=float(background.max()), is_strict=True)


@pytest.mark.parametrize(
    ("fpr", "n_background", "expected"),
    [
        (1e-5, 999_999, 10),
        (1e-5, 999_998, 9),
        (1e-5, 1_009_999, 10),
        (1e-5, 99_998, 0),
        (1e-5, 99_999, 1),
        # In binary 0.29 * 100 is 28.999999999999996.
        (0.29, 99, 29),
        (1e-6, 5_380_765, 5),
    ],
)
def test_allowed_background_is_the_floor_of_the_decimal_product(fpr, n_background, expected):
    assert count_allowed(fpr, n_background) == expected


@pytest.mark.parametrize("fpr", [0.0, 1.0, -1e-5, 2.0, float("nan"), float("inf")])
def test_a_rate_that_is_no_rate_is_refused(fpr):
    with pytest.raises(DataError, match="between 0 and 1"):
        count_allowed(fpr, 100)


def test_untied_threshold_is_the_kth_largest_score_and_passes_exactly_k():
    background = ranked(1, 2, 3, 4, 5, 6, 7, 8, 9)

    cut = set_cut(background, 3)

    assert cut == Cut(threshold=7.0)
    assert cut.n_passing(background) == 3


def test_a_tie_across_the_kth_score_is_left_out_whole():
    background = ranked(1, 2, 5, 5, 5, 9)

    assert set_cut(background, 1) == Cut(threshold=9.0)
    assert set_cut(background, 2) == Cut(threshold=9.0)
    assert set_cut(background, 3) == Cut(threshold=9.0)
    assert set_cut(background, 4) == Cut(threshold=5.0)


def test_a_signal_between_two_background_scores_passes_only_the_lower_threshold():
    background, signal = ranked(1, 2, 5, 5, 5, 9), ranked(4.9, 5.0, 6.0, 9.0)

    assert set_cut(background, 3).n_passing(signal) == 1
    assert set_cut(background, 4).n_passing(signal) == 3


def test_a_largest_score_shared_by_more_than_k_passes_nothing_of_the_background():
    background, signal = ranked(1, 7, 7, 7), ranked(6, 7, 7, 8)

    cut = set_cut(background, 2)

    assert cut == Cut(threshold=7.0, is_strict=True)
    assert cut.n_passing(background) == 0
    assert cut.n_passing(signal) == 1


def test_all_of_the_background_may_pass():
    background = ranked(1, 2, 3)

    assert set_cut(background, 3) == Cut(threshold=1.0)


@pytest.mark.parametrize("levels", [2, 3, 10, 100])
def test_the_cut_is_that_of_the_definition_on_tied_scores(levels):
    generator = np.random.default_rng(levels)
    for _ in range(50):
        scores = generator.integers(levels, size=generator.integers(1, 60)).astype(float)
        for k in range(1, len(scores) + 1):
            assert set_cut(ranked(*scores), k) == slow_cut(scores, k)


def test_the_upper_tail_is_enough_to_set_the_cut():
    scores = np.sort(np.random.default_rng(3).integers(40, size=1000).astype(float))

    for k in (1, 5, 20, 60):
        tail = RankedScores(ascending=scores[-k - 1 :], n_events=len(scores))
        assert set_cut(tail, k) == slow_cut(scores, k)


def test_the_true_rate_above_the_cut_is_at_most_the_nominal_one_on_average():
    # Uniform scores, so the true FPR above a threshold t is 1 - t; Beta(k, N + 1 - k).
    generator = np.random.default_rng(5)
    n, fpr = 1999, 0.01
    k = count_allowed(fpr, n)
    rates = [
        1.0 - set_cut(RankedScores(ascending=np.sort(generator.random(n)), n_events=n), k).threshold
        for _ in range(4000)
    ]

    assert k == 20
    # The mean is k / (N + 1) = 0.01 with a standard deviation of 0.0022 / sqrt(4000).
    assert np.mean(rates) == pytest.approx(fpr, abs=4 * 0.0022 / np.sqrt(4000))


def test_a_rank_outside_the_scores_is_refused():
    with pytest.raises(IndexError, match="rank 4 of 3"):
        ranked(1, 2, 3).from_top(4)
    with pytest.raises(IndexError, match="rank 0 of 3"):
        ranked(1, 2, 3).from_top(0)


def point(n_passing: int) -> WorkingPoint:
    return WorkingPoint(
        fpr=1e-5,
        threshold=1.0,
        is_strict=False,
        n_allowed=10,
        n_passing=n_passing,
        fpr_realised=n_passing * 1e-6,
        is_low_statistics=False,
        rates={},
    )


def test_ties_that_take_allowed_events_away_are_told():
    scores = np.arange(1_000.0)

    assert list(tie_warnings(scores, point(n_passing=10))) == []
    (told,) = tie_warnings(scores, point(n_passing=3))
    assert "only 3 of the 10" in told


def test_a_score_that_most_of_the_background_has_is_told():
    scores = np.concatenate([np.zeros(600), np.arange(1.0, 401.0)])

    (told,) = tie_warnings(scores, point(n_passing=10))

    assert told.startswith("60 % of the background have the score 0:")
