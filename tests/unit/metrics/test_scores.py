"""Scores are taken as they are, or refused with the reason."""

from __future__ import annotations

import numpy as np
import pytest

from harness.errors import DataError, InvalidSubmissionError
from harness.metrics.scores import RankedScores, check_scores, rank_samples


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (np.array([1.0, np.nan, np.inf, np.nan]), "2 NaN and 1 infinite among 4 scores"),
        (np.array([-np.inf, 0.0]), "0 NaN and 1 infinite among 2 scores"),
        (np.zeros((3, 1)), r"shape \(3, 1\)"),
        (np.float64(3.0), r"shape \(\)"),
        (np.array([1 + 2j]), "complex128"),
        (np.array(["a"]), "<U1"),
        (np.array([True, False]), "bool"),
        (np.array([None]), "object"),
    ],
)
def test_what_is_no_finite_number_per_event_is_refused(scores, message):
    with pytest.raises(InvalidSubmissionError, match=message) as caught:
        check_scores(scores, name="ato4l")

    assert "scores of ato4l" in str(caught.value)
    assert caught.value.problems[0].fix


def test_a_sample_without_events_is_a_fault_of_the_data():
    with pytest.raises(DataError, match="no event"):
        check_scores(np.array([]), name="background")


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int32, np.uint8])
def test_narrower_numbers_are_taken_exactly(dtype):
    scores = check_scores(np.array([3, 1, 2], dtype=dtype), name="x")

    assert scores.dtype == np.float64
    assert scores.tolist() == [3.0, 1.0, 2.0]


def test_scores_that_are_float32_are_sorted_as_float32_and_unchanged():
    generator = np.random.default_rng(1)
    samples = [generator.normal(size=n).astype(np.float32).astype(np.float64) for n in (500, 90)]

    ranked = rank_samples(samples)

    assert [sample.ascending.dtype for sample in ranked] == [np.float32, np.float32]
    for sample, scores in zip(ranked, samples, strict=True):
        assert np.array_equal(sample.ascending.astype(np.float64), np.sort(scores))


@pytest.mark.parametrize("odd", [0.1, 1e300, -1e300, 1e-320])
@pytest.mark.parametrize("where", [0, 200])
def test_one_score_that_is_no_float32_keeps_all_samples_in_float64(odd, where):
    first, second = np.ones(300), np.ones(300)
    second[where] = odd

    ranked = rank_samples([first, second])

    assert [sample.ascending.dtype for sample in ranked] == [np.float64, np.float64]
    assert odd in ranked[1].ascending


def test_sorting_leaves_the_scores_of_the_caller_as_they_were():
    scores = np.array([3.0, 0.1, 2.0])

    rank_samples([scores])

    assert scores.tolist() == [3.0, 0.1, 2.0]


@pytest.mark.parametrize("threshold", [0.1, -0.1, 1.0, 0.5, 1e300, -1e300, 1e-46, -1e-46])
def test_counts_of_float32_scores_are_exact_at_any_threshold(threshold):
    around = np.float32(np.clip(threshold, -3e38, 3e38))
    near = [np.nextafter(around, np.float32(-np.inf)), around, np.nextafter(around, np.float32(1))]
    scores = np.sort(np.array([*near, around, -2.0, 0.0, 0.5, 2.0], dtype=np.float32))
    ranked = RankedScores(ascending=scores, n_events=len(scores))

    assert ranked.n_at_least(threshold) == np.sum(scores.astype(float) >= threshold)
    assert ranked.n_above(threshold) == np.sum(scores.astype(float) > threshold)
