"""The public part of a card holds nothing of a hidden signal."""

from __future__ import annotations

import hashlib
import json

from harness.board.index import CardIndex
from harness.board.public import hidden_signals, public_part
from harness.card.figures import NotMeasured
from harness.card.records import ScoreCard
from harness.challenge import RankingRules
from tests.cards import make_card, make_challenge, write_board


def card_with_hidden() -> ScoreCard:
    challenge = make_challenge(
        hidden=("h0",), rules=RankingRules(signal_weights={"h0": 2.0, "lq": 1.0})
    )
    card = make_card(challenge=challenge, warnings=("h0 overflows often", "an ordinary one"))
    overflow = {"background": 1e-4, "h0": 0.5}
    return card.model_copy(
        update={"firmware": card.firmware.model_copy(update={"overflow": overflow})}
    )


def test_no_word_of_a_hidden_signal_is_left():
    card = card_with_hidden()
    assert '"h0"' in card.model_dump_json()

    public = public_part(card).model_dump_json()

    assert "h0" not in public
    assert "h⁰" not in public
    assert json.loads(public)["warnings"][1] == "an ordinary one"


def test_a_reason_for_a_missing_figure_does_not_name_a_hidden_signal():
    reason = NotMeasured(not_measured="h0.h5 could not be read")
    card = card_with_hidden().model_copy(update={"firmware_physics": reason})
    public = public_part(card)
    assert "h0" not in public.model_dump_json()
    assert "withheld" in public.firmware_physics.not_measured


def test_every_other_figure_stays():
    card = card_with_hidden()

    public = public_part(card)

    assert set(public.firmware_physics.auc) == {"ato4l", "lq", "hplus"}
    assert public.firmware_physics.auc["lq"] == card.firmware_physics.auc["lq"]
    assert public.firmware_physics.at(1e-5).threshold == card.firmware_physics.at(1e-5).threshold
    assert public.cost == card.cost
    assert ScoreCard.model_validate_json(public.model_dump_json()) == public


def test_a_card_without_hidden_signals_is_untouched():
    old = make_card()
    card = public_part(old)
    assert hidden_signals(card.challenge) == frozenset()
    assert public_part(card) is card
    # Cards once held the key of the split.
    assert old.challenge.split_key == "sample-1"
    key = f"sha256:{hashlib.sha256(b'sample-1').hexdigest()}"
    assert card.challenge == old.challenge.model_copy(update={"split_key": key})


def test_only_a_private_index_holds_hidden_figures(tmp_path):
    write_board([card_with_hidden()], tmp_path)

    public = CardIndex(tmp_path).refresh().entries["sample"][0].card
    private = CardIndex(tmp_path, is_private=True).refresh().entries["sample"][0].card

    assert "h0" not in public.model_dump_json()
    assert "h0" in private.firmware_physics.auc


def test_a_downloaded_card_is_public_unless_the_board_is_private(tmp_path):
    write_board([card_with_hidden()], tmp_path)
    for is_private in (False, True):
        index = CardIndex(tmp_path, is_private=is_private)
        (entry,) = index.refresh().entries["sample"]
        whole = index.whole("sample", entry).card.model_dump_json()
        assert ('"h0"' in whole) is is_private
