"""What the terminal shows of a card."""

from __future__ import annotations

import pytest

from harness.card.records import NotMeasured
from harness.card.view import card_view
from tests.cards import make_card
from tests.terminal import draw


@pytest.mark.parametrize("width", [80, 120])
def test_a_card_fits_the_terminal_and_names_every_signal(width):
    shown = draw(card_view(make_card()), width)

    assert max(map(len, shown.splitlines())) <= width
    for signal in ("ato4l", "lq", "h0", "hplus"):
        assert f"│ {signal}" in shown


@pytest.mark.parametrize(("count", "said"), [(1, "1 cycle "), (12, "12 cycles ")])
def test_a_single_cycle_is_no_plural(count, said):
    card = make_card()
    latency = card.firmware.latency_cycles.model_copy(update={"value": count})
    firmware = card.firmware.model_copy(update={"latency_cycles": latency})

    shown = draw(card_view(card.model_copy(update={"firmware": firmware})))
    (line,) = (line for line in shown.splitlines() if "│ latency" in line and "cycle" in line)
    assert said in line


def test_text_of_a_submission_is_shown_as_it_is_and_styles_nothing():
    card = make_card()
    submission = card.submission.model_copy(update={"title": "[red]best[/red] [link=x]"})

    assert "[red]best[/red] [link=x]" in draw(
        card_view(card.model_copy(update={"submission": submission}))
    )


def test_scores_of_the_open_division_are_not_called_a_network_s():
    why = NotMeasured(not_measured="it is Python")
    card = make_card()
    submission = card.submission.model_copy(update={"division": "open"})
    card = card.model_copy(
        update={"submission": submission, "firmware": why, "firmware_physics": why, "cost": why}
    )
    shown = draw(card_view(card))

    assert "network:" not in shown
    assert "scores: 1,090,000 test background events" in shown


def test_the_same_figures_are_shown_once():
    card = make_card()
    same = card.firmware_physics.model_copy(update={"arithmetic": "float"})
    shown = draw(card_view(card.model_copy(update={"float_physics": same})))

    assert shown.count("test background events") == 1
    assert "the same figures as the firmware's" in shown


def test_text_of_others_moves_no_cursor_and_ends_no_line():
    evil = "a\x1b[2Jb\u202e[bold]c"
    card = make_card()
    submission = card.submission.model_copy(update={"title": evil})
    firmware = card.firmware.model_copy(update={"notes": (evil,)})
    changed = {"submission": submission, "firmware": firmware, "warnings": (evil,)}

    shown = draw(card_view(card.model_copy(update=changed)))
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert shown.count("ab[bold]c") == 3
