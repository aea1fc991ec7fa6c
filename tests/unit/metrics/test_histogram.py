"""Every score lands in one of the common bins, however far it lies."""

from __future__ import annotations

import numpy as np
import pytest

from harness.metrics.histogram import N_BINS, score_histogram
from harness.metrics.scores import RankedScores, rank_samples


def ranked(scores) -> RankedScores:
    ascending = np.sort(np.asarray(scores, dtype=float))
    return RankedScores(ascending=ascending, n_events=len(ascending))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_counts_are_those_of_numpy(dtype):
    generator = np.random.default_rng(0)
    samples = {
        "background": generator.normal(size=5000).astype(dtype).astype(float),
        "s": generator.normal(3, size=700).astype(dtype).astype(float),
    }
    ordered = rank_samples(list(samples.values()))
    assert ordered[0].ascending.dtype == dtype
    histogram = score_histogram(dict(zip(samples, ordered, strict=True)))

    assert len(histogram.edges) == N_BINS + 1
    for name, scores in samples.items():
        assert list(histogram.counts[name]) == np.histogram(scores, histogram.edges)[0].tolist()


def test_a_few_far_scores_do_not_squeeze_the_rest_into_one_bin():
    generator = np.random.default_rng(0)
    background = np.append(generator.normal(size=10_000), [1e6, 1e9])
    counts = score_histogram({"background": ranked(background)}).counts["background"]

    assert max(counts) < 0.25 * 10_000
    assert counts[-1] == 1


def test_scores_that_mostly_tie_still_have_bins():
    histogram = score_histogram({"background": ranked([0.0] * 990 + [1.0] * 10)})

    assert histogram.counts["background"][0] == 990
    assert histogram.counts["background"][-1] == 10


@pytest.mark.parametrize("tied", [0.0, 40.0])
def test_many_tied_scores_do_not_set_the_scale_of_the_others(tied):
    generator = np.random.default_rng(0)
    others = generator.normal(loc=40.0, scale=10.0, size=8_000)
    scores = np.append(others, [tied] * 92_000)
    histogram = score_histogram({"background": ranked(scores)})

    counts = np.asarray(histogram.counts["background"])
    assert counts.sum() == 100_000
    # The others fill most bins, and the bins have widths of the others' size.
    assert np.count_nonzero(counts) > 0.6 * len(counts)
    assert np.diff(histogram.edges).min() > 0.05


@pytest.mark.parametrize("value", [0.0, -3.5, 1e15, 1e308, np.finfo(float).max, 5e-324])
def test_a_constant_score_lies_within_one_bin(value):
    histogram = score_histogram({"background": ranked([value] * 7)})

    assert histogram.counts["background"] == (7,)
    assert histogram.edges[0] <= value <= histogram.edges[1]
    assert histogram.edges[0] < histogram.edges[1]
