"""The number at which half of the trials succeed: found, and covered by its interval."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from harness.metrics.half_point import half_point

NUMBERS = (250.0, 350.0, 500.0, 700.0, 1000.0)


def fitted(generator: np.random.Generator, *, half: float, width: float, n_trials: int = 20):
    shares = norm.cdf(np.log(np.asarray(NUMBERS) / half) / width)
    counts = [n_trials] * len(NUMBERS)
    return half_point(NUMBERS, generator.binomial(counts, shares).tolist(), counts)


@pytest.mark.parametrize("width", [0.1, 0.3, 0.8])
def test_the_interval_holds_the_true_number_as_often_as_it_says(width):
    generator = np.random.default_rng(5)

    found = [fitted(generator, half=480.0, width=width) for _ in range(60)]

    covers = [(one.lower or 0.0) <= 480.0 <= (one.upper or np.inf) for one in found]
    # 95 %: under 51 of 60 would come once in 3,000 times.
    assert sum(covers) >= 51
    assert np.median([one.value for one in found]) == pytest.approx(480.0, rel=0.1)


def test_a_step_lies_in_the_middle_of_its_gap():
    found = half_point([100.0, 400.0], [0, 30], [30, 30])

    assert found.value == pytest.approx(200.0, rel=0.02)
    assert found.lower is not None
    assert found.upper is not None
    assert 100.0 < found.lower < 200.0 < found.upper < 400.0


def test_trials_that_all_fail_bound_it_from_below_alone():
    found = half_point([100.0, 400.0], [0, 0], [30, 30])

    assert found.upper is None
    assert found.lower is not None
    assert found.lower > 300.0


def test_more_trials_make_a_shorter_interval():
    few = half_point([300.0, 500.0, 800.0], [3, 10, 17], [20, 20, 20])
    many = half_point([300.0, 500.0, 800.0], [30, 100, 170], [200, 200, 200])

    assert many.upper - many.lower < (few.upper - few.lower) / 2
    assert many.value == pytest.approx(few.value, rel=0.02)
