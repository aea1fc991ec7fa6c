"""What an entry does inside a trigger, in a terminal."""

from __future__ import annotations

import re

import pytest
from rich.console import Group

from harness.card.records import ScoreCard
from harness.card.trigger_view import menu_view, trigger_view
from harness.card.view import card_view
from tests.cards import make_card
from tests.terminal import draw
from tests.trigger_cards import MERIT, trigger_card, trigger_physics, trigger_summary


def test_eighty_columns_hold_all_of_it() -> None:
    text = draw(card_view(trigger_card()), 80)
    assert max(map(len, text.splitlines())) <= 80
    assert "added to the menu at 10 kHz (FPR 1e-2)" in text
    assert "0.1 kHz (FPR 1e-4): not measured" in text
    for heading in ("by Run", "by Pile-up", "set under one condition and applied to another"):
        assert heading in text
    assert "left out for want of width: passing, events" not in text


def test_rates_are_in_khz_and_drifts_in_per_cent() -> None:
    physics = trigger_physics(slope=0.05)
    text = draw(Group(*trigger_view(physics, 1e-2, MERIT)), 100)
    (run, _) = physics.stability.at(1e-2).conditions
    high = run.bins[1]
    assert f"{high.rate * 1000:.3g}" in text
    assert f"{100 * high.drift.value:+.3g} %" in text
    assert high.drift.interval.lower > 0
    without = draw(Group(*trigger_view(physics, 1e-2, None)), 100)
    assert "kHz" not in without
    assert "FPR 1e-2" in without


def test_a_point_that_was_not_reached_and_a_card_without_a_menu_draw_nothing() -> None:
    assert trigger_view(trigger_physics(), 1e-4, MERIT) == []
    assert trigger_view(trigger_physics(), None, MERIT) == []
    assert trigger_view(make_card().float_physics, 1e-5, None) == []


def test_the_menu_stands_with_each_algorithm_at_its_own_rate() -> None:
    text = draw(menu_view(trigger_summary().menu, {"signal00": "H → 00"}), 80)
    assert max(map(len, text.splitlines())) <= 80
    assert re.search(r"menu +│ +110 ", text)
    assert re.search(r"L1_Single30 +│ +30 ", text)
    assert "H → 00" in text
    assert "background in kHz" in text


@pytest.mark.parametrize("n_signals", [1, 20])
def test_cards_come_back_from_their_json(n_signals: int) -> None:
    card = trigger_card(n_signals=n_signals)
    assert ScoreCard.model_validate_json(card.model_dump_json()) == card
