"""Distances of two samples: worked examples, no bias, and intervals that hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm

from harness.card.figures import NotMeasured
from harness.metrics.two_samples import (
    frechet_gaussian,
    frechet_physics_distance,
    kernel_physics_distance,
    squared_discrepancy,
    wasserstein,
)


def with_moments(mean, covariance, n_events, generator):
    """Draw events whose mean and covariance are these exactly."""
    drawn = generator.normal(size=(n_events, len(mean)))
    drawn -= drawn.mean(axis=0)
    drawn @= np.linalg.inv(np.linalg.cholesky(np.cov(drawn.T)).T)
    return drawn @ np.linalg.cholesky(covariance).T + mean


def test_the_frechet_distance_of_two_gaussians_is_the_known_one():
    generator = np.random.default_rng(1)
    first = np.array([[2.0, 0.3], [0.3, 1.0]])
    second = np.array([[1.0, -0.4], [-0.4, 3.0]])
    samples = [
        with_moments(mean, covariance, 500, generator)
        for mean, covariance in (([0.0, 1.0], first), ([2.0, 2.0], second))
    ]
    known = 5.0 + np.trace(first + second - 2 * np.real(sqrtm(first @ second)))
    assert frechet_gaussian(*samples) == pytest.approx(known, rel=1e-9)


def test_the_discrepancy_is_the_sum_over_pairs():
    generator = np.random.default_rng(2)
    x, y = generator.normal(size=(7, 3)), generator.normal(size=(5, 3))

    def kernel(one, other):
        return (one @ other / 3 + 1) ** 4

    within = [
        np.mean([kernel(z[i], z[j]) for i in range(len(z)) for j in range(len(z)) if i != j])
        for z in (x, y)
    ]
    between = np.mean([kernel(one, other) for one in x for other in y])
    assert squared_discrepancy(x, y) == pytest.approx(sum(within) - 2 * between)


def uniform(n_events, generator, *, shift=0.0):
    """Draw events of four features whose largest magnitude is 1 (but for `shift`)."""
    drawn = generator.uniform(-1.0, 1.0, (n_events, 4))
    drawn[0] = 1.0
    return drawn + shift


def test_the_frechet_physics_distance_has_no_bias_where_the_plain_one_has():
    generator = np.random.default_rng(3)
    pairs = [(uniform(1200, generator), uniform(1200, generator)) for _ in range(6)]
    plain = np.mean([frechet_gaussian(*pair) for pair in pairs])
    found = [frechet_physics_distance(*pair) for pair in pairs]
    assert abs(np.mean([one.value for one in found])) < 0.4 * plain
    assert sum(one.interval.lower <= 0 <= one.interval.upper for one in found) >= 5


def test_the_frechet_physics_distance_of_shifted_events_is_the_square_of_the_shift():
    generator = np.random.default_rng(14)
    found = frechet_physics_distance(uniform(3000, generator), uniform(3000, generator, shift=0.3))
    assert found.value == pytest.approx(4 * 0.09, rel=0.15)
    assert found.interval.lower <= 4 * 0.09 <= found.interval.upper
    assert found.interval.lower > 0.2


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.0, 0.1, 0.3])
def test_the_interval_of_the_frechet_physics_distance_covers(shift):
    generator = np.random.default_rng(5)
    held = []
    for _ in range(200):
        other = uniform(1200, generator, shift=shift)
        found = frechet_physics_distance(uniform(1200, generator), other)
        held.append(found.interval.lower <= 4 * shift**2 <= found.interval.upper)
    assert np.mean(held) > 0.9


def test_the_kernel_physics_distance_is_about_zero_for_one_distribution_alone():
    generator = np.random.default_rng(6)
    same = kernel_physics_distance(uniform(1000, generator), uniform(1000, generator), generator)
    other = kernel_physics_distance(
        uniform(1000, generator), uniform(1000, generator, shift=0.5), generator
    )
    assert same.interval.lower <= 0 <= same.interval.upper
    assert other.interval.lower > 0
    assert other.interval.level == pytest.approx(0.9785, abs=1e-4)


def test_the_wasserstein_distance_of_shifted_samples_is_the_shift():
    generator = np.random.default_rng(17)
    first, second = generator.normal(size=800), generator.normal(size=800)
    same, moved = wasserstein(first, second, generator), wasserstein(first, second + 3, generator)
    assert same.interval.lower == 0.0
    assert same.value < same.by_chance.upper * 1.5
    assert moved.interval.lower <= 3.0 <= moved.interval.upper
    assert moved.value > 10 * moved.by_chance.upper


def test_few_events_are_not_measured():
    generator = np.random.default_rng(8)
    few = uniform(100, generator)
    assert isinstance(frechet_physics_distance(few, few), NotMeasured)
    assert isinstance(kernel_physics_distance(few, few, generator), NotMeasured)
    assert isinstance(wasserstein(few[:5, 0], few[:, 0], generator), NotMeasured)


def test_a_feature_that_is_always_zero_does_no_harm():
    generator = np.random.default_rng(9)
    first, second = (np.hstack([uniform(1500, generator), np.zeros((1500, 1))]) for _ in range(2))
    found = frechet_physics_distance(first, second)
    assert np.isfinite([found.value, found.interval.lower]).all()
