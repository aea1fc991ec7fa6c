"""A table in a narrow terminal: columns go, figures stay whole."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from harness.board.boards import Boards
from harness.board.formats import terminal_view
from harness.board.rows import board_of
from harness.card.files import write_card
from harness.card.physics import Physics
from harness.card.terminal import FittingTable, Heading
from harness.card.view import card_view, physics_table
from tests.cards import make_card


def printed(view, width: int) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(view)
    return out.getvalue()


TABLE = FittingTable(
    title="t",
    headings=[
        Heading(title="name", is_text=True),
        Heading(title="first", rank=1),
        Heading(title="second", rank=2),
        Heading(title="kept"),
    ],
    rows=[("some words that may be folded", "1.2345678", "2.3456789", "3.4567891")],
)


def test_all_columns_are_there_where_there_is_room():
    assert all(figure in printed(TABLE, 100) for figure in ("1.2345678", "2.3456789", "3.4567891"))
    assert "left out" not in printed(TABLE, 100)


@pytest.mark.parametrize(("width", "gone"), [(48, ["second"]), (36, ["first", "second"])])
def test_the_least_important_columns_go_first_and_are_named(width, gone):
    shown = printed(TABLE, width)

    assert "3.4567891" in shown
    assert ("1.2345678" in shown) == ("first" not in gone)
    assert "2.3456789" not in shown
    assert f"left out for want of width: {', '.join(gone)}" in " ".join(shown.split())


def test_cards_and_boards_fit_eighty_columns_with_whole_figures(tmp_path):
    card = make_card("a_team_with_a_long_name", title="words " * 20)
    write_card(card, tmp_path)
    boards = Boards(tmp_path)
    snapshot = boards.refresh()
    board = board_of(boards.ranking(snapshot, card.challenge.name))
    shown = printed(terminal_view(board), 80) + printed(card_view(card), 80)

    assert max(map(len, shown.splitlines())) <= 80
    physics = card.firmware_physics
    assert isinstance(physics, Physics)
    for auc in physics.auc.values():
        assert f"{auc.value:.4f}" in shown
    point = card.challenge.working_point
    assert "1e-5*" in printed(physics_table(physics, "x", point), 80)
