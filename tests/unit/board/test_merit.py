"""The figure of merit, on hand-worked numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.board.comparison import Span, rate_replicates
from harness.board.merit import merit_at, merit_of, merit_replicates, merit_span
from harness.challenge import RankingRules
from tests.boards import contest, entry
from tests.cards import N_SIGNAL, SIGNALS, make_card, make_rulebook


def test_merit_is_the_geometric_mean_floored_at_the_false_positive_rate():
    # sqrt(4e-4 x 1e-4) = 2e-4; a TPR of 0 or under 1e-5 counts as 1e-5.
    assert merit_of({"a": 4e-4, "b": 1e-4}, contest()) == pytest.approx(2e-4)
    assert merit_of({"a": 1e-3, "b": 0.0}, contest()) == pytest.approx(1e-4)
    assert merit_of({"a": 1e-3, "b": 9e-6}, contest()) == pytest.approx(1e-4)


def test_a_useless_score_earns_the_false_positive_rate():
    assert merit_of({"a": 0.0, "b": 0.0}, contest()) == pytest.approx(1e-5)


def test_weights_weigh_and_pick_signals():
    # (1e-4)^(3/4) (1e-2)^(1/4) = 10^(-3 - 0.5) = 10^-3.5.
    rules = RankingRules(signal_weights={"a": 3.0, "b": 1.0})
    assert merit_of({"a": 1e-4, "b": 1e-2}, contest(rules=rules)) == pytest.approx(10**-3.5)

    cards = [make_card("x", seed=1)]
    only = make_rulebook(signal_weights={"h0": 1.0}).contest_of([entry(cards[0])])
    assert only.signals == ("h0",)


@pytest.mark.parametrize(
    ("metric", "expected"), [("mean_tpr", (4e-4 + 1e-5) / 2), ("lowest_tpr", 1e-5)]
)
def test_other_metrics_are_a_matter_of_the_rules(metric, expected):
    rules = RankingRules(metric=metric)
    assert merit_of({"a": 4e-4, "b": 0.0}, contest(rules=rules)) == pytest.approx(expected)


@pytest.mark.parametrize("metric", ["geometric_mean_tpr", "mean_tpr", "lowest_tpr"])
def test_replicates_of_the_merit_follow_the_same_formula(metric):
    card = make_card(seed=3)
    rulebook = make_rulebook(metric=metric, signal_weights={"ato4l": 1.0, "h0": 2.0})
    chosen = rulebook.contest_of([entry(card)])
    fast = merit_replicates(card.firmware_physics, chosen)

    slow = [
        math.log(
            merit_of(
                {
                    name: rate_replicates(card.firmware_physics, name, 1e-5)[i]
                    for name in chosen.signals
                },
                chosen,
            )
        )
        for i in range(len(fast))
    ]

    np.testing.assert_allclose(fast, slow, rtol=1e-12)


def test_a_board_has_the_same_digits_with_every_mathematical_library(monkeypatch):
    """Another processor's logarithm and exponential differ by a unit in the last place."""
    card = make_card(seed=3)
    chosen = make_rulebook().contest_of([entry(card)])
    physics = card.firmware_physics

    def printed() -> tuple[float, Span | None]:
        merit = merit_at(physics, chosen)
        return merit, merit_span(card, merit, chosen)

    before = printed()
    for library in (math, np):
        for name, towards in (("exp", math.inf), ("log", -math.inf)):
            exact = getattr(library, name)
            monkeypatch.setattr(
                library,
                name,
                lambda value, exact=exact, towards=towards: np.nextafter(exact(value), towards),
            )

    assert math.exp(1.0) != np.e
    assert printed() == before


def test_a_replicated_count_of_zero_still_has_an_upper_limit():
    # Gamma(1/2): its 95 % quantile is 1.92 events.
    card = make_card(seed=4, rates=dict.fromkeys(SIGNALS, 0.0))
    rates = rate_replicates(card.firmware_physics, "lq", 1e-5)
    assert np.quantile(rates, 0.95) * N_SIGNAL == pytest.approx(1.92, abs=0.5)
