"""True signals are counted by the key, with intervals and significance worked by hand."""

from __future__ import annotations

import math
from math import comb

import numpy as np
import pytest

from harness.blackbox.result import ResultFile
from harness.blackbox.score import log_chance, score_result, to_significance
from harness.errors import InvalidSubmissionError
from harness.metrics.intervals import clopper_pearson


def result(ids):
    return ResultFile(team="team_x", ids=np.asarray(ids, np.int64), declared={}, remarks=())


def background_ids(key):
    signal = np.concatenate([one.ids for one in key.signals])
    return np.setdiff1d(np.arange(key.n_events), signal)


def test_the_counts_are_those_of_the_key(key):
    """9 of 900 may be named: 3 of the 50 of x, 1 of the 30 of y, 2 background."""
    x, y = key.signals
    named = [*x.ids[:3], y.ids[7], *background_ids(key)[:2]]

    score = score_result(result(named), key)

    assert key.n_allowed == 9
    assert [one.n_found for one in score.signals] == [3, 1]
    assert score.together.n_found == 4
    assert score.n_background == 2
    assert score.signals[0].efficiency == 3 / 50
    assert score.signals[0].interval == clopper_pearson(3, 50)
    assert score.purity == 4 / 6
    assert score.fpr == 2 / 820
    # efficiency / sqrt(rate), the rate being 6 of 900.
    assert score.signals[0].significance_improvement == pytest.approx(0.06 / math.sqrt(6 / 900))


def test_the_p_value_is_that_of_counting_all_choices():
    """3 or more of 4 signal events among 5 drawn of 12."""
    ways = comb(4, 3) * comb(8, 2) + comb(4, 4) * comb(8, 1)
    expected = ways / comb(12, 5)

    assert log_chance(3, n_named=5, n_signal=4, n_events=12) == pytest.approx(math.log(expected))


def test_the_p_value_agrees_with_fisher_s_test_of_scipy():
    from scipy.stats import fisher_exact

    expected = fisher_exact([[6, 36], [494, 4_209_956]], alternative="greater").pvalue

    found = log_chance(6, n_named=42, n_signal=500, n_events=4_210_492)
    assert found == pytest.approx(math.log(expected), rel=1e-6)


def test_nothing_found_is_no_significance(key):
    score = score_result(result(background_ids(key)[:5]), key)

    assert score.together.n_found == 0
    assert score.together.p_value == 1.0
    assert score.together.significance == 0.0
    assert score.together.interval.lower == 0.0


def test_five_sigma_is_five_sigma():
    assert to_significance(math.log(2.866516e-7)) == pytest.approx(5.0, abs=1e-5)


def test_a_tiny_p_value_has_a_finite_significance():
    log_p = log_chance(42, n_named=42, n_signal=500, n_events=4_210_492)

    assert 15 < to_significance(log_p) < 40
    # Beyond the smallest float too: -log p ~ z^2 / 2.
    assert to_significance(-5000.0) == pytest.approx(math.sqrt(10_000), rel=0.01)


def test_a_result_of_any_fault_is_not_counted(key):
    with pytest.raises(InvalidSubmissionError, match="names 20 events") as caught:
        score_result(result([*range(18), 3, 900]), key)
    assert "named more than once" in str(caught.value)
    assert "of no event of box.h5: 900" in str(caught.value)


def test_a_random_choice_has_a_uniform_significance():
    """Of 4,000 random choices the share with p <= 5 % is at most 5 % (a discrete test)."""
    generator = np.random.default_rng(3)
    found = generator.hypergeometric(80, 820, 9, size=4000)
    p_values = np.exp([log_chance(int(n), n_named=9, n_signal=80, n_events=900) for n in found])

    assert np.mean(p_values <= 0.05) < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 4000)
    assert np.mean(p_values <= 0.6) > 0.3
