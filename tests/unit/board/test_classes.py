"""Resource classes and the Pareto front."""

from __future__ import annotations

import pytest

from harness.board.classes import pareto_front, resource_class
from harness.challenge import RankingRules
from tests.boards import board
from tests.cards import SIGNALS, make_card, make_firmware


@pytest.mark.parametrize(
    ("lut", "name"),
    [(0, "lut<=1000"), (1_000, "lut<=1000"), (1_001, "lut<=10000"), (100_001, "budget")],
)
def test_an_entry_is_in_the_smallest_class_that_holds_it(lut, name):
    assert resource_class(lut, RankingRules()) == name


def test_ranks_within_classes_count_the_classes_own_entries():
    luts = {"a": 500, "b": 50_000, "c": 700, "d": 60_000}
    cards = [
        make_card(
            team,
            seed=i,
            rates=dict.fromkeys(SIGNALS, 10.0 ** (-(2 + 0.5 * i))),
            firmware=make_firmware(lut=lut),
        )
        for i, (team, lut) in enumerate(luts.items())
    ]

    ranked = board(cards).ranked

    found = {item.entry.card.submission.team: (item.rank, item.class_rank) for item in ranked}
    assert found == {"a": (1, 1), "b": (2, 1), "c": (3, 2), "d": (4, 2)}


def test_the_front_keeps_what_nothing_dominates():
    points = [
        (0.3, 100.0, 900.0),  # best merit
        (0.2, 100.0, 900.0),  # dominated by the first
        (0.2, 50.0, 900.0),  # faster
        (0.1, 100.0, 100.0),  # smaller
        (0.1, 100.0, 100.0),  # its equal: neither dominates
        (0.1, 60.0, 900.0),  # dominated by the third
    ]
    assert pareto_front(points) == [True, False, True, True, True, False]
    assert pareto_front([]) == []
