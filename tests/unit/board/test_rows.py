"""Rows say what the cards say, and every form of the table says the same."""

from __future__ import annotations

import csv
import io
import json

import jsonschema
import pytest
from rich.console import Console

from harness.board import formats, values
from harness.board.contest import Rulebook
from harness.board.entry import Entry
from harness.board.order import rank
from harness.board.rows import (
    SYNTHETIC_NOTE,
    AmountCell,
    Board,
    MeritCell,
    RateCell,
    board_of,
    describe_lead,
    weakest_evidence,
    working_points,
)
from harness.card.figures import NotMeasured
from harness.card.hardware import Figure
from harness.card.records import ScoreCard
from tests import cards as made_up
from tests.cards import N_SIGNAL, SIGNALS, make_card, make_challenge, make_firmware


def entries(*cards: ScoreCard) -> list[Entry]:
    return [
        Entry(key=f"{card.submission.team}/card-{i}", card=card) for i, card in enumerate(cards)
    ]


def make_board(entries: list[Entry], *, shown_point: float | None = None) -> Board:
    made = rank(entries, Rulebook().contest_of(entries))
    return board_of(made, shown_point=shown_point)


@pytest.fixture(scope="module")
def board():
    return make_board(entries(*made_up.make_board(14)))


def test_a_row_repeats_its_card():
    card = make_card("team_a", firmware=make_firmware(cycles=6, lut=3_200))

    (row,) = make_board(entries(card)).rows

    rate = card.firmware_physics.at(1e-5).rates["lq"]
    assert (row.team, row.card, row.rank) == ("team_a", "card-0", 1)
    assert row.arithmetic == "firmware"
    assert row.rates["lq"] == RateCell(
        tpr=rate.tpr,
        lower=rate.interval.lower,
        upper=rate.interval.upper,
        n_passing=rate.n_passing,
        n_events=N_SIGNAL,
    )
    assert row.latency_ns == AmountCell(value=30.0, share=None, evidence="estimate")
    assert row.lut == AmountCell(value=3_200.0, share=3_200 / 1_182_240, evidence="rtl")
    assert row.flops == card.cost.flops
    assert row.mean_auc == pytest.approx((0.75 + 0.79 + 0.83 + 0.87) / 4)


def test_ranked_rows_come_first_and_the_others_say_why(board):
    ranks = [row.rank for row in board.rows]
    n = board.n_ranked
    assert None not in ranks[:n]
    assert set(ranks[n:]) == {None}
    assert all(row.reasons for row in board.rows[n:])
    assert not any(row.reasons for row in board.rows[:n])


def test_an_open_entry_shows_its_float_physics():
    trigger, shown = make_card("a"), make_card("b", division="open")

    row = make_board(entries(trigger, shown)).rows[1]

    assert row.arithmetic == "float"
    assert isinstance(row.merit, MeritCell)
    assert isinstance(row.lut, NotMeasured)
    assert row.evidence is None


def test_another_working_point_changes_the_rates_and_not_the_ranks():
    everything = entries(*made_up.make_board(8))
    made = rank(everything, Rulebook().contest_of(everything))

    at_home, elsewhere = board_of(made), board_of(made, shown_point=1e-3)

    assert [row.rank for row in at_home.rows] == [row.rank for row in elsewhere.rows]
    assert elsewhere.shown_point == 1e-3
    for one, other in zip(at_home.rows, elsewhere.rows, strict=True):
        assert other.rates["h0"].tpr > one.rates["h0"].tpr
        assert (other.merit.lower, other.merit.upper) == (None, None)


def test_a_missing_working_point_is_told_in_the_cell():
    (row,) = make_board(entries(make_card()), shown_point=1e-2).rows
    assert row.rates["lq"] == NotMeasured(not_measured="no working point at FPR 1e-2")


def test_all_working_points_of_the_cards_can_be_chosen():
    assert working_points(entries(make_card())) == (1e-6, 1e-5, 1e-4, 1e-3)


def test_evidence_is_the_weakest_of_what_is_judged():
    firmware = make_firmware(evidence="post_route")
    assert weakest_evidence(firmware) == "post_route"
    mixed = firmware.model_copy(
        update={"lut": Figure(value=1.0, evidence="csynth", source="report")}
    )
    assert weakest_evidence(mixed) == "csynth"
    # Cycles of a netlist, in nanoseconds of a clock that is estimated.
    assert weakest_evidence(make_firmware(evidence="rtl")) == "estimate"
    assert weakest_evidence(NotMeasured(not_measured="none")) is None


def test_a_synthetic_challenge_says_that_it_is_no_prediction(board):
    assert SYNTHETIC_NOTE in board.notes
    real = make_challenge(name="adc2021", synthetic=False)
    assert SYNTHETIC_NOTE not in make_board(entries(make_card(challenge=real))).notes


def test_the_lead_is_told_as_the_intervals_allow():
    alone = make_board(entries(make_card("a")))
    assert describe_lead(alone) == "a is the only ranked entry."
    apart = make_board(
        entries(
            make_card("a", rates=dict.fromkeys(SIGNALS, 0.1)),
            make_card("b", rates=dict.fromkeys(SIGNALS, 1e-4)),
        )
    )
    assert describe_lead(apart) == "a leads, and the lead is resolved at 95 %."
    close = make_board(entries(make_card("a", seed=1), make_card("b", seed=2)))
    assert "leaves the first place open among 2 of 2 entries" in describe_lead(close)
    none = make_board(entries(make_card("a", division="open")))
    assert describe_lead(none) == "No entry is ranked yet."


# Forms.


def test_csv_holds_every_row_with_its_figures(board):
    rows = list(csv.DictReader(io.StringIO(values.to_csv(board), newline="")))

    assert len(rows) == len(board.rows)
    for told, row in zip(rows, board.rows, strict=True):
        assert told["team"] == row.team
        assert told["rank"] == ("" if row.rank is None else str(row.rank))
        if isinstance(row.merit, MeritCell):
            assert float(told["merit"]) == row.merit.value
        if isinstance(row.rates["lq"], RateCell):
            assert float(told["tpr_lq"]) == row.rates["lq"].tpr
            assert float(told["tpr_lq_upper"]) == row.rates["lq"].upper
        assert told["lut"] == ("" if isinstance(row.lut, NotMeasured) else str(row.lut.value))


def test_json_keeps_its_published_schema(board):
    document = json.loads(formats.to_json(board))
    jsonschema.validate(document, formats.json_schema())
    assert formats.Board.model_validate(document) == board


def test_markdown_is_one_table_of_equal_rows(board):
    lines = formats.to_markdown(board).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == len(board.rows) + 2
    assert len({line.count("|") for line in table}) == 1
    assert sum(line.startswith("- ") for line in lines) == len(board.rows) - board.n_ranked


def test_the_terminal_shows_ranks_reasons_and_what_they_promise(board):
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(formats.terminal_view(board))
    text = console.export_text()
    for row in board.rows:
        assert row.team in text
    assert "is not ranked: latency" in text
    assert "every true rank of this board" in text


def test_a_terminal_of_120_columns_breaks_no_name_and_no_figure():
    board = make_board(
        entries(
            make_card("a_team_of_24_characters_", firmware=make_firmware(lut=123_456, dsp=1_234)),
            make_card("team_b", seed=2),
        )
    )
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(formats.terminal_view(board))
    text = console.export_text()
    for row in board.rows:
        line = next(line for line in text.splitlines() if row.team in line.split())
        for column in formats.columns(board):
            if column.name.startswith(("tpr_", "merit", "lut", "dsp", "rank")):
                assert column.text(row).removesuffix(" %") in line, column.name


def test_hostile_text_is_text_in_every_form():
    title = '=cmd|" /C calc"!A0 <script>alert(1)</script> \x1b[31m\u202e | [x](y) **b**'
    hostile = make_board(entries(make_card("team_a", title=title)))

    told = next(csv.DictReader(io.StringIO(values.to_csv(hostile), newline="")))["title"]
    markdown = formats.to_markdown(hostile)
    console = Console(width=300, record=True, file=io.StringIO())
    console.print(formats.terminal_view(hostile))

    assert told.startswith("'=")
    assert "\x1b" not in told
    assert "<script" not in markdown
    assert "](y)" not in markdown
    assert "\x1b" not in console.export_text()
    assert "\u202e" not in values.to_csv(hostile) + markdown + console.export_text()


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0 %"), (1e-5, "0.001 %"), (0.00012345, "0.0123 %"), (1.0, "100 %")]
)
def test_rates_are_written_in_per_cent(value, text):
    assert formats.percent(value) == text
