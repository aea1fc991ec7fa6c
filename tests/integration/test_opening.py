"""An opened challenge, whatever its name: its final board takes the place of the public one."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from harness.board.public import public_part
from harness.card.files import write_card
from harness.errors import ExitCode
from tests.cards import make_card, make_challenge
from tests.outputs import check, harness, printed, refused, site_ranks, table_ranks

pytestmark = pytest.mark.whole

# The hidden signal turns the order round.
RATES = {"first": (2e-2, 1e-5), "second": (1e-2, 5e-2)}
PUBLIC = {"first": 1, "second": 2}
FINAL = {"second": 1, "first": 2}


@pytest.fixture(params=["final", "finals-2027"])
def challenge(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def organiser(tmp_path: Path, challenge: str) -> Path:
    """Two teams with a hidden signal, and a public challenge with a newer card."""
    scored = make_challenge(name=challenge, hidden=("h0",))
    for day, (team, (known, hidden)) in enumerate(RATES.items(), start=1):
        rates = {**dict.fromkeys(("ato4l", "lq", "hplus"), known), "h0": hidden}
        created = f"2026-03-0{day}T12:00:00Z"
        card = make_card(team, challenge=scored, rates=rates, created=created)
        write_card(card, tmp_path / "private")
        write_card(public_part(card), tmp_path / "board" / "results")
    write_card(make_card("newest", created="2026-04-01T12:00:00Z"), tmp_path / "board" / "results")
    return tmp_path


def opening(place: Path, challenge: str) -> str:
    return harness(
        *("ci", "open", "--challenge", challenge, "--board", place / "board"),
        *("--private-results", place / "private", "--json"),
    )


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_final_board_replaces_the_public_one_on_every_output(organiser, challenge):
    board = organiser / "board"
    check(printed(board / "results", challenge), PUBLIC)
    opening(organiser, challenge)
    check(printed(board / "results", challenge), FINAL)
    check(site_ranks(board / "docs", challenge), FINAL)

    made = json.loads(text(board / "docs" / challenge / "board.json"))
    assert made["is_final"]
    assert made["title"].startswith("Final: ")
    assert "h0" in made["signals"]
    assert "<h1>Final: Embedded sample" in text(board / "docs" / challenge / "index.html")
    # Only one page of it is left, and no file of another board of that name.
    assert not (board / "docs" / challenge / challenge).exists()
    assert sorted(path.name for path in (board / "docs").iterdir() if path.is_dir()) == sorted(
        ["assets", challenge, "sample"]
    )


def test_the_final_board_is_the_front_page_and_what_the_leaderboard_prints(organiser, challenge):
    results, docs = organiser / "board" / "results", organiser / "board" / "docs"
    asked = ("leaderboard", "--results", results)
    assert "Final: " not in harness(*asked)
    opening(organiser, challenge)
    assert "Final: Embedded sample" in harness(*asked)
    assert json.loads(harness(*asked, "--json"))["challenge"] == challenge
    assert json.loads(harness(*asked, "--json", "--challenge", "sample"))["challenge"] == "sample"

    front = text(docs / "index.html")
    assert "<h1>Final: Embedded sample" in front
    (model,) = re.findall(r'src="([^"]+model\.js)"', front)
    assert model == f"{challenge}/model.js"
    assert table_ranks(text(docs / model)) == FINAL
    assert ">Final: Embedded sample" in text(docs / "sample" / "index.html")


def test_a_private_challenge_without_hidden_signals_is_opened_as_well(tmp_path):
    for team, (known, _) in RATES.items():
        scored = make_challenge(name="final")
        rates = dict.fromkeys(("ato4l", "lq", "h0", "hplus"), known)
        card = make_card(team, challenge=scored, rates=rates)
        write_card(card, tmp_path / "private")
        write_card(public_part(card), tmp_path / "board" / "results")
    opening(tmp_path, "final")
    check(printed(tmp_path / "board" / "results", "final"), PUBLIC)
    assert "<h1>Final: " in text(tmp_path / "board" / "docs" / "index.html")


def test_opening_twice_changes_nothing(organiser, challenge):
    first = opening(organiser, challenge)
    before = contents(organiser)
    assert opening(organiser, challenge) == first
    assert contents(organiser) == before


def test_pages_of_an_earlier_version_do_not_stay_beside_the_final_board(organiser, challenge):
    old = organiser / "board" / "docs" / "final" / "final" / "index.html"
    old.parent.mkdir(parents=True)
    old.write_text("out of date")
    opening(organiser, challenge)
    assert not old.exists()


def test_a_card_is_taken_back_by_the_name_that_the_final_board_shows(organiser, challenge):
    board = organiser / "board"
    made = json.loads(opening(organiser, challenge))
    card = next(row["card"] for row in made["rows"] if row["team"] == "second")
    why = ("--challenge", challenge, "--board", board, "--reason", "a bug")
    harness("ci", "retract", f"second/{card}", *why)
    check(site_ranks(board / "docs", challenge), {"second": None, "first": 1})
    error = refused("ci", "retract", "second/20260302T120000Z-00000000", *why)
    assert error.exit_code == ExitCode.USAGE
