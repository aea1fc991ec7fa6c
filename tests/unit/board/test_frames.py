"""Boards and cards as tables of pandas, and what notebooks show of a card."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.board.boards import Boards
from harness.board.frames import board_frame, cards_frame
from harness.board.rows import board_of
from harness.board.values import to_csv
from harness.card.files import write_card
from harness.card.run import ScoredFile
from harness.errors import UsageError
from tests.cards import make_card, make_challenge


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("frames") / "results"
    evil = "=cmd\u202e<script>alert(1)</script>"
    for card in (
        make_card("team_a", seed=1, created="2026-03-01T12:00:00Z"),
        make_card("team_a", seed=2, created="2026-03-02T12:00:00Z"),
        make_card("team_b", seed=3, division="open", title=evil),
    ):
        write_card(card, folder)
    return folder


def test_the_table_of_a_board_has_the_figures_of_its_csv(results):
    boards = Boards(results)
    name = make_challenge().name
    frame = board_frame(boards, name)
    csv = to_csv(board_of(boards.ranking(boards.refresh(), name)))

    header = csv.splitlines()[0].split(",")
    assert list(frame.columns) == header
    assert list(frame["team"]) == ["team_a", "team_b"]
    assert frame.loc[0, "merit_lower"] <= frame.loc[0, "merit"] <= frame.loc[0, "merit_upper"]


def test_every_card_is_a_row_and_says_whether_it_counts(results):
    frame = cards_frame(Boards(results))

    counts = {team: list(rows["counts"]) for team, rows in frame.groupby("team")}
    assert counts == {"team_a": [False, True], "team_b": [True]}
    assert all(Path(path).is_file() for path in frame["path"])


def test_foreign_text_is_harmless_in_tables_and_notebooks(results):
    frame = cards_frame(Boards(results))
    card = make_card("team_b", title="<script>alert(1)</script>\u202e")

    for html in (frame._repr_html_(), card._repr_html_()):
        assert "<script>" not in html
        assert "\u202e" not in html
    assert "TPR at FPR 1e-5" in card._repr_html_()


def test_hidden_signals_are_in_no_column(tmp_path):
    known = make_challenge()
    files = tuple(
        ScoredFile(**{**dict(one), "role": "hidden" if one.process == "lq" else one.role})
        for one in known.files
    )
    card = make_card("team_a", challenge=known.model_copy(update={"files": files}))
    write_card(card, tmp_path)

    shown = cards_frame(Boards(tmp_path))
    whole = cards_frame(Boards(tmp_path, is_private=True))
    assert not [name for name in shown.columns if "lq" in name]
    assert "auc_lq" in whole.columns


def test_a_folder_without_cards_is_an_empty_table(tmp_path):
    assert cards_frame(Boards(tmp_path)).empty
    with pytest.raises(UsageError, match="no card of sample"):
        board_frame(Boards(tmp_path), "sample")
