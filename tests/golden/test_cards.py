"""Score cards that earlier versions wrote load for ever, and nothing in them is lost."""

import hashlib
import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from harness.board.contest import Rulebook
from harness.board.entry import Entry
from harness.board.order import rank
from harness.card.files import read_card, write_card
from harness.card.view import card_view

FOLDER = Path(__file__).parent
CARDS = sorted(FOLDER.glob("*.json"))
# A golden card that is written again is none.
DIGESTS = {
    "v1_first": "1d5d710b6c0045766e1b1ad9c44faa933b23413d408e8275d98bc497c8bf5e95",
    "v1_open": "5288cf7c622aed072c5a6b4d6019dd633efa87d61b70e9d78df549f1feb59794",
    "v1_tried": "a6545b3018d03b8ce3b005e4959df3b5b1b0c9308c129d0947171e16be3e5320",
    "v1_trigger": "e1b1251964c13f7ddd65f5866c58f2c02a3d22aeb71ec3e3488828b74ad27a89",
}

every_card = pytest.mark.parametrize("path", CARDS, ids=lambda path: path.stem)


def holds(found, stated):
    """Whether `found` says all that `stated` says; it may say more."""
    if isinstance(stated, dict):
        return all(key in found and holds(found[key], value) for key, value in stated.items())
    if isinstance(stated, list):
        return len(found) == len(stated) and all(map(holds, found, stated))
    return found == stated and type(found) is type(stated)


def test_the_golden_cards_are_here():
    assert {path.stem for path in CARDS} == set(DIGESTS)


@every_card
def test_a_golden_card_is_never_written_again(path):
    assert hashlib.sha256(path.read_bytes()).hexdigest() == DIGESTS[path.stem]


@every_card
def test_it_loads_and_nothing_is_lost(path):
    card = read_card(path)
    assert holds(json.loads(card.model_dump_json()), json.loads(path.read_text(encoding="utf-8")))


@every_card
def test_it_survives_being_written(path, tmp_path):
    card = read_card(path)
    assert read_card(write_card(card, tmp_path)) == card


@every_card
def test_it_is_printed(path):
    console = Console(file=StringIO(), width=120)
    console.print(card_view(read_card(path)))
    text = console.file.getvalue()
    assert "Embedded sample" in text


def test_they_are_listed_on_a_board():
    entries = [Entry(key=f"x/{path.stem}", card=read_card(path)) for path in CARDS]
    ranking = rank(entries, Rulebook().contest_of(entries))
    told = {item.entry.key for item in (*ranking.ranked, *ranking.unranked)}
    assert told | {entry.key for entry in ranking.superseded} == {entry.key for entry in entries}
