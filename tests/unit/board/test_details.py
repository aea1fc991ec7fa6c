"""What a talk needs: authors, times, decisions in force, and a table of LaTeX."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from harness.board.contest import Rulebook
from harness.board.decisions import Decisions, make_decision
from harness.board.entry import Entry
from harness.board.formats import to_json
from harness.board.latex import latex_interval, to_latex
from harness.board.order import Ranking, rank
from harness.board.rows import EVENT_NOTE, OTHER_SYNTHETIC_NOTE, MeritCell, board_of
from harness.board.values import to_csv
from harness.card.records import ScoreCard
from tests.cards import make_card, make_challenge, make_physics

DAY = "2026-03-01T12:00:00Z"


def decide(kind: str, **subject: str):
    return make_decision(kind, reason=f"because of {kind}", decided=DAY, **subject)


DECISIONS = Decisions(
    decisions=(
        decide("freeze", deadline="2026-02-01T00:00:00Z"),
        decide("retract", card="ant/card-0"),
        decide("freeze", deadline="2027-02-01T00:00:00Z"),
        decide("disqualify", team="bee"),
        decide("withdraw", team="ant"),
        decide("reinstate", card="ant/card-0"),
        decide("readmit", team="ant"),
        decide("retract", card="ant/card-1"),
        decide("rename", team="ant", to="wasp"),
    )
)


def card(team: str, **said: object) -> ScoreCard:
    made = make_card(team)
    return made.model_copy(update={"submission": made.submission.model_copy(update=said)})


@pytest.fixture(scope="module")
def made() -> Ranking:
    cards = (
        card("ant", authors=("A. Émile & Co_", "=B"), received="2026-01-05T09:00:00Z"),
        card("bee", title="100 % of #1 $x$ \\ {~^}"),
    )
    entries = [
        Entry(key=f"{one.submission.team}/card-{i}", card=one) for i, one in enumerate(cards)
    ]
    return rank(entries, Rulebook(decisions=DECISIONS).contest_of(entries))


def test_decisions_in_force_are_those_that_nothing_took_back():
    kept = [(one.kind, one.card or one.team or one.deadline) for one in DECISIONS.in_force]
    assert kept == [
        ("freeze", "2027-02-01T00:00:00Z"),
        ("disqualify", "bee"),
        ("retract", "ant/card-1"),
        ("rename", "ant"),
    ]
    thawed = Decisions(decisions=(*DECISIONS.decisions, decide("thaw")))
    assert "freeze" not in [one.kind for one in thawed.in_force]


def test_details_say_who_when_and_what_was_decided(made: Ranking):
    details = board_of(made, has_details=True).details
    assert details.deadline == "2027-02-01T00:00:00Z"
    found = {one.team: one for one in details.entries}
    assert found["wasp"].authors == ("A. Émile & Co_", "=B")
    assert found["wasp"].received == "2026-01-05T09:00:00Z"
    assert found["wasp"].decisions == (f"rename ant to wasp ({DAY}): because of rename",)
    assert found["bee"].decisions == (f"disqualify bee ({DAY}): because of disqualify",)
    assert found["bee"].received is None


def test_without_details_a_document_keeps_its_bytes(made: Ranking):
    plain, detailed = board_of(made), board_of(made, has_details=True)
    assert '"details"' not in to_json(plain)
    assert to_json(detailed).startswith(to_json(plain).removesuffix("}"))
    first, more = (list(csv.reader(io.StringIO(to_csv(one)))) for one in (plain, detailed))
    width = len(first[0])
    assert [row[:width] for row in more] == first
    assert more[0][width:][:2] == ["authors", "description"]
    rows = {line[1]: dict(zip(more[0], line, strict=True)) for line in more[1:]}
    assert rows["wasp"]["authors"] == "A. Émile & Co_; =B"
    assert rows["wasp"]["received"] == "2026-01-05T09:00:00Z"
    assert rows["bee"]["scorer_version"] == str(detailed.scorer_version)
    assert rows["bee"]["decisions"].startswith("disqualify bee")
    assert json.loads(to_json(detailed))["details"]["decisions"][0]["kind"] == "freeze"


def test_a_table_of_latex_has_every_cell_escaped(made: Ranking):
    text = to_latex(board_of(made))
    assert text.startswith("% ")
    assert text.count("\\toprule") == text.count("\\bottomrule") == 1
    body = text[text.index("\\begin{tabular}") :]
    lines = [line for line in body.splitlines() if line.endswith("\\\\")]
    assert len(lines) == 1 + len(made.listed)
    for line in lines:
        assert line.count(" & ") == lines[0].count(" & ")
        assert "%" not in line.replace("\\%", "")
    assert "LuaLaTeX" not in text
    board = board_of(made)
    foreign = board.model_copy(update={"signals": dict.fromkeys(board.signals, "שלום")})
    assert "LuaLaTeX" in to_latex(foreign)


def test_a_table_of_latex_has_intervals_and_needs_no_letters_beyond_ascii():
    board = board_of(ranking_of(make_card("ant", seed=1), make_card("bee", seed=2)))
    text = to_latex(board)
    assert text.isascii()
    row = next(line for line in text.splitlines() if "& ant &" in line)
    (merit,) = [one.merit for one in board.rows if one.team == "ant"]
    assert isinstance(merit, MeritCell)
    edges = (100 * edge for edge in (merit.value, merit.lower, merit.upper))
    assert f"& {latex_interval(*edges)} &" in row
    # The merit and each signal.
    assert row.count("^{+") == 1 + len(board.signals)
    assert text.count("[\\%]") == 1 + len(board.signals)


def test_the_files_hold_the_interval_of_the_merit_what_was_declared_and_low_statistics():
    few = make_physics(np.random.default_rng(1), n_background=500_000)
    board = board_of(
        ranking_of(make_card("ant", seed=1), make_card("bee", seed=2, firmware_physics=few))
    )
    header, *lines = csv.reader(io.StringIO(to_csv(board)))
    rows = {line[1]: dict(zip(header, line, strict=True)) for line in lines}
    assert [rows[team]["low_statistics"] for team in ("ant", "bee")] == ["False", "True"]
    assert rows["ant"]["signals_seen"] == ""
    ant = rows["ant"]
    assert float(ant["merit_lower"]) < float(ant["merit"]) < float(ant["merit_upper"])


def ranking_of(*cards: ScoreCard) -> Ranking:
    entries = [Entry(key=f"{card.submission.team}/card", card=card) for card in cards]
    return rank(entries, Rulebook().contest_of(entries))


def test_a_board_of_other_events_speaks_of_no_preselection():
    challenge = make_challenge().model_copy(
        update={"collision_rate_hz": None, "preselection": None}
    )
    entries = [Entry(key="ant/card-0", card=make_card("ant", challenge=challenge))]
    board = board_of(rank(entries, Rulebook().contest_of(entries)))
    assert OTHER_SYNTHETIC_NOTE in board.notes
    assert EVENT_NOTE in board.notes
    assert not board.is_of_collisions
