"""What the terminal shows of a card."""

from __future__ import annotations

import pytest

from harness.card.costs import Compression
from harness.card.figures import NotMeasured
from harness.card.hardware import FixedWidths
from harness.card.view import card_view, synthesis_view
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


def test_how_far_the_weights_are_compressed_is_shown_and_an_older_card_says_that_it_is_not():
    card = make_card()
    found = Compression(n_weights=2_384, n_zero=1_788, zero_share=0.75, bits_per_weight=4.25)
    pruned = card.cost.model_copy(update={"compression": found})
    shown = draw(card_view(card.model_copy(update={"cost": pruned})))

    assert "│ zero weights    │ 75 % of 2,384 " in shown
    assert "│ bits per weight │ 4.25 (mean of those that are not zero)" in shown
    assert draw(card_view(card)).count("not measured: not recorded by this scoring") == 2
    assert "compression" not in card.model_dump_json()


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


WIDTHS = FixedWidths(
    is_chosen=True,
    input=("ufixed<15,12>", "fixed<13,6>"),
    weights="fixed<10,2>",
    activations="fixed<16,8>",
    layers={"hidden": {"weights": "fixed<9,1>", "activations": "fixed<13,7>"}},
)


def test_what_rounding_costs_is_shown_beside_the_words():
    card = make_card().model_copy(update={"precision": WIDTHS})
    shown = draw(card_view(card), 120)

    assert "fixed-point words, chosen by the ranges of training events" in shown
    assert "ufixed<15,12>, fixed<13,6>" in shown
    (layer,) = (line for line in shown.splitlines() if "│ hidden" in line)
    assert "fixed<9,1>" in layer
    before, after = card.float_physics.auc["h0"].value, card.firmware_physics.auc["h0"].value
    assert "the rounded one (its firmware)" in shown
    cost = shown[shown.index("what rounding costs") :]
    assert f"{before:.4f}" in cost
    assert f"{after:.4f}" in cost
    assert "TPR at FPR 1e-05 float" in cost


def test_a_rounded_network_without_firmware_is_said_to_be_one():
    card = make_card()
    missing = NotMeasured(not_measured="left out on request")
    changes = {"precision": WIDTHS, "rounded_physics": card.firmware_physics}
    card = card.model_copy(update={**changes, "firmware_physics": missing})

    assert "the rounded one (in Keras)" in draw(card_view(card), 120)


def test_what_a_network_was_before_its_rounding_stands_beside_it():
    card = make_card()
    before = card.float_physics.model_copy(deep=True)
    auc = before.auc["h0"].model_copy(update={"value": 0.4321})
    before = before.model_copy(update={"auc": {**before.auc, "h0": auc}})

    shown = draw(card_view(card.model_copy(update={"unrounded_physics": before})), 120)

    cost = shown[shown.index("what rounding costs") :]
    assert "the rounded one (its firmware)" in cost
    assert "0.4321" in cost
    assert f"{card.firmware_physics.auc['h0'].value:.4f}" in cost
    assert "fixed-point words" not in shown


def test_a_network_of_hgq2_layers_has_no_words_to_show():
    assert "what rounding costs" not in draw(card_view(make_card()), 120)


def test_firmware_without_a_card_shows_auc_and_the_tpr_at_a_thousandth():
    card = make_card()
    shown = draw(synthesis_view(card.firmware, card.firmware_physics), 120)

    said = " ".join(shown.split())
    assert "firmware, a part of the events: 1,090,000 test background events" in said
    assert f"{card.firmware_physics.auc['lq'].value:.4f}" in shown
    assert "FPR 1e-05" not in shown
    alone = draw(synthesis_view(card.firmware, NotMeasured(not_measured="no event")), 120)
    assert "AUC" not in alone
    assert "latency" in alone
