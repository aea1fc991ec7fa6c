"""Which events an answer names, and what it declares."""

from __future__ import annotations

import numpy as np
import pytest

from harness.blackbox.answer import choose, declare
from harness.blackbox.reading import ATTRIBUTES
from harness.card.figures import NotMeasured
from tests.cards import make_card


def test_the_highest_scores_are_chosen():
    scores = np.array([0.1, 9.0, 3.0, 7.0, 5.0])

    chosen, n_tied = choose(scores, 3)

    assert np.flatnonzero(chosen).tolist() == [1, 3, 4]
    assert n_tied == 0


def test_a_group_of_ties_that_does_not_fit_is_left_out_whole():
    scores = np.array([9.0, 5.0, 5.0, 5.0, 1.0])

    chosen, n_tied = choose(scores, 3)

    assert np.flatnonzero(chosen).tolist() == [0]
    assert n_tied == 3


def test_a_constant_score_chooses_nothing():
    chosen, n_tied = choose(np.ones(100), 3)

    assert not chosen.any()
    assert n_tied == 100


def test_no_more_than_there_are():
    assert choose(np.array([1.0, 2.0]), 5)[0].all()


@pytest.mark.parametrize("seed", range(5))
def test_at_most_the_allowed_number_and_none_of_them_below_one_left_out(seed):
    generator = np.random.default_rng(seed)
    scores = generator.integers(0, 40, 500).astype(float)

    chosen, _ = choose(scores, 30)

    assert chosen.sum() <= 30
    assert not chosen.any() or scores[chosen].min() > scores[~chosen].max()


def test_figures_of_the_card_become_the_challenge_s_attributes():
    """6 cycles of 5 ns; 3,200 of 1,182,240 LUTs; no DSP and no BRAM."""
    stated = declare(make_card())

    assert tuple(stated) == ATTRIBUTES
    assert stated["Latency"] == pytest.approx(0.030)
    assert stated["Device"] == "xcvu9p-flga2104-2-e"
    assert stated["LUT"] == pytest.approx(100 * 3_200 / 1_182_240)
    assert stated["FF"] == pytest.approx(100 * 2_100 / 2_364_480)
    assert stated["DSP"] == stated["BRAM"] == 0
    assert stated["FLOPs"] == 4_837


def test_what_was_not_measured_is_never_a_number():
    nothing = NotMeasured(not_measured="left out")
    assert set(declare(None).values()) == {"not measured"}
    assert set(declare(make_card(cost=nothing, firmware=nothing)).values()) == {"not measured"}
