"""The accuracy of a tagger: worked by hand, its interval against toys, and where it is asked."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from harness.challenge import AreaUnderCurve, RejectionAtTpr
from harness.metrics.accuracy import measure_accuracies, measure_accuracy
from harness.metrics.rates import BACKGROUND
from harness.metrics.scores import Sample, rank_samples


def sample(scores, seed: int) -> Sample:
    values = np.asarray(scores, dtype=np.float64)
    hashes = np.random.default_rng(seed).integers(0, 2**63, len(values)).astype(np.uint64)
    return Sample(scores=values, hashes=hashes, ranked=rank_samples([values])[0])


def test_scores_that_part_the_samples_are_all_right() -> None:
    found = measure_accuracy(sample(np.arange(40), 1), sample(100 + np.arange(30), 2), seed=3)
    assert found is not None
    assert found.value == 1.0
    assert found.interval.upper == 1.0
    assert found.interval.lower > 0.9
    assert (found.n_background, found.n_signal) == (40, 30)


def test_two_values_are_counted_by_hand() -> None:
    # 30 of 40 background events have the value 0, 24 of 30 signal events the value 1.
    found = measure_accuracy(sample([0] * 30 + [1] * 10, 1), sample([0] * 6 + [1] * 24, 2), seed=3)
    assert found is not None
    assert found.value == pytest.approx((30 / 40 + 24 / 30) / 2)


def test_one_kind_of_event_that_is_rarer_weighs_as_much() -> None:
    rng = np.random.default_rng(5)
    background, signal = rng.normal(size=4000), rng.normal(1.0, size=400)
    found = measure_accuracy(sample(background, 1), sample(signal, 2), seed=3)
    assert found is not None
    # The best cut of two normal distributions of one width lies in the middle.
    assert found.value == pytest.approx(norm.cdf(0.5), abs=0.03)


def test_the_interval_holds_the_accuracy_of_the_best_cut() -> None:
    rng = np.random.default_rng(7)
    n_toys, held = 200, 0
    for toy in range(n_toys):
        found = measure_accuracy(
            sample(rng.normal(size=500), toy),
            sample(rng.normal(1.5, size=300), toy + n_toys),
            seed=toy,
        )
        assert found is not None
        held += found.interval.lower <= norm.cdf(0.75) <= found.interval.upper
    # At a true coverage of 95 %, fewer than 180 of 200 come once in 500 such tests.
    assert held >= 180


def test_what_scores_at_random_is_right_in_half_of_the_cases() -> None:
    rng = np.random.default_rng(9)
    values = [
        measure_accuracy(sample(rng.random(400), i), sample(rng.random(400), -i + 99), seed=i)
        for i in range(40)
    ]
    assert np.mean([one.value for one in values if one]) == pytest.approx(0.5, abs=0.01)


def test_it_is_measured_where_the_rejection_is_ranked_alone() -> None:
    samples = {BACKGROUND: sample(np.arange(40), 1), "top": sample(30 + np.arange(30), 2)}
    asked = measure_accuracies(RejectionAtTpr(tpr=0.3), samples, seed=1)
    assert asked is not None
    assert set(asked) == {"top"}
    assert measure_accuracies(AreaUnderCurve(), samples, seed=1) is None
    assert measure_accuracies(None, samples, seed=1) is None


def test_a_single_event_of_a_kind_has_no_accuracy() -> None:
    assert measure_accuracy(sample([1.0], 1), sample(np.arange(30), 2), seed=1) is None
