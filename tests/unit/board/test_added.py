"""What entries add to the menu, on a board: combined as the merit, in every format."""

from __future__ import annotations

import csv
import io
import json
import re

import jsonschema
import numpy as np
import pytest

from harness.board import formats
from harness.board.added import AddedFigures, added_at
from harness.board.boards import Boards
from harness.board.contest import Rulebook
from harness.board.entry import Entry
from harness.board.public import public_part
from harness.board.rows import Board, board_of
from harness.board.values import to_csv
from harness.card.figures import NotMeasured
from tests.cards import make_board, make_card, write_board
from tests.terminal import draw
from tests.trigger_cards import NAME, SIGNALS, trigger_card


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Board:
    results = tmp_path_factory.mktemp("results")
    cards = [trigger_card("strong", 1.0), trigger_card("weak", 0.5, seed=2)]
    write_board(cards, results)
    boards = Boards(results)
    return board_of(boards.ranking(boards.refresh(), NAME))


def contest_of(card):
    return Rulebook().contest_of([Entry(key="a/b", card=card)])


def test_signals_are_combined_as_the_merit_and_count_for_no_less_than_the_rate() -> None:
    card = trigger_card()
    physics, contest = card.float_physics, contest_of(card)
    found = added_at(physics, contest, 1e-2)
    assert isinstance(found, AddedFigures)
    rates = physics.menu.at(1e-2, "total").signals
    values = np.maximum([rates[name].value for name in SIGNALS], 1e-2)
    assert found.total == pytest.approx(np.exp(np.log(values).mean()))
    assert found.lower < found.total < found.upper
    pure = physics.menu.at(1e-2, "added").signals
    values = np.maximum([pure[name].value for name in SIGNALS], 1e-2)
    assert found.added == pytest.approx(np.exp(np.log(values).mean()))
    assert found.added_lower < found.added < found.added_upper
    # A menu takes events away: what is added is less than what is accepted.
    accepted = physics.at(1e-2).rates
    assert all(rates[name].value <= accepted[name].tpr for name in SIGNALS)


def test_the_interval_is_there_where_replicates_are() -> None:
    card = trigger_card()
    found = added_at(card.float_physics, contest_of(card), 5e-2)
    assert (found.lower, found.upper) == (None, None)
    assert (found.added_lower, found.added_upper) == (None, None)
    unreached = added_at(card.float_physics, contest_of(card), 1e-4)
    assert isinstance(unreached, NotMeasured)
    assert "not one of them may pass" in unreached.not_measured


def test_a_card_of_an_older_scorer_has_no_interval_at_the_fixed_added_rate() -> None:
    card = trigger_card()
    physics = card.float_physics
    menu = physics.menu.model_copy(update={"pure_replicates": {}})
    assert "pure_replicates" not in menu.model_dump(mode="json")
    found = added_at(physics.model_copy(update={"menu": menu}), contest_of(card), 1e-2)
    assert (found.added_lower, found.added_upper) == (None, None)
    assert found.lower < found.total < found.upper


def test_a_board_shows_it_beside_the_merit_in_every_format(board: Board) -> None:
    shown = {row.team: row for row in board.rows}
    assert shown["strong"].added.total > shown["weak"].added.total
    assert (board.shown_rate_khz, board.shown_point) == (10.0, 1e-2)
    document = json.loads(formats.to_json(board))
    jsonschema.validate(document, formats.json_schema())
    assert Board.model_validate(document) == board
    rows = {row["team"]: row for row in csv.DictReader(io.StringIO(to_csv(board), newline=""))}
    row, added = rows["strong"], shown["strong"].added
    assert float(row["added"]) == added.total
    assert float(row["added_pure"]) == added.added
    assert float(row["added_pure_lower"]) == added.added_lower
    assert float(row["added_signal03_upper"]) == added.signals["signal03"].upper
    assert (row["rate_khz"], row["fpr"]) == ("10.0", "0.01")
    names = [column.title for column in formats.columns(board)]
    assert names.index("Added") == names.index("Geometric mean Efficiency") + 1
    assert any("menu or entry" in note for note in board.notes)


def test_twenty_signals_break_no_figure_of_a_narrow_terminal(board: Board) -> None:
    text = draw(formats.terminal_view(board), 80)
    assert max(map(len, text.splitlines())) <= 80
    assert "at 10 kHz (FPR 1e-2)" in text
    (row,) = (line for line in text.splitlines() if re.search(r"\(1–\d\) +strong", line))
    written = formats.percent(next(r for r in board.rows if r.team == "strong").added.total)
    assert written.removesuffix(" %") in row
    assert "left out for want of width" in text


def test_boards_without_a_menu_say_nothing_of_it(tmp_path) -> None:
    write_board(make_board(3), tmp_path)
    boards = Boards(tmp_path)
    plain = board_of(boards.ranking(boards.refresh(), "sample"))
    text = formats.to_json(plain) + to_csv(plain)
    assert '"added"' not in text
    assert ",added" not in text
    assert "rate_khz" not in text
    assert make_card().float_physics.menu is None


def test_hidden_signals_are_in_nothing_that_the_public_sees() -> None:
    card = trigger_card(hidden=("signal03",))
    public = public_part(card)
    assert "signal03" in card.model_dump_json()
    assert "signal03" not in public.model_dump_json()
    menu = public.float_physics.menu
    assert set(menu.replicates) == set(menu.pure_replicates) == set(SIGNALS) - {"signal03"}
    found = added_at(public.float_physics, contest_of(public), 1e-2)
    assert set(found.signals) == set(SIGNALS) - {"signal03"}
