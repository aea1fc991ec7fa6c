"""Manifest, decisions and hidden signals: what holds of them, and that one place combines them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.board.boards import Boards
from harness.board.contest import Rulebook
from harness.board.decisions import Decision, Decisions, add_decision
from harness.board.entry import Entry
from harness.challenge import RankingRules
from harness.errors import DataError
from tests.cards import TARGET, make_card, make_challenge, make_rulebook, write_board

ROOT = Path(__file__).parents[3]
NOW = "2026-04-01T12:00:00Z"
WEIGHTS = {"ato4l": 1.0, "h0": 2.0}


def decisions(**fields: object) -> Decisions:
    return Decisions(decisions=(Decision(decided=NOW, reason="why", **fields),))


def entries(**rules: object) -> list[Entry]:
    ranking = RankingRules.model_validate(rules)
    return [Entry(key="a/card", card=make_card("a", challenge=make_challenge(rules=ranking)))]


def hiding(rulebook: Rulebook, signal: str, **changes: object) -> Rulebook:
    """The same rulebook of a challenge that hides a signal."""
    challenge = rulebook.challenge
    files = tuple(
        file.model_copy(update={"role": "hidden"}) if file.process == signal else file
        for file in challenge.files
    )
    return Rulebook(challenge=challenge.model_copy(update={"files": files}), **changes)


def test_the_manifests_rules_take_the_place_of_the_cards_and_decisions_of_both():
    own = entries(deadline="2020-01-01T00:00:00Z")
    assert Rulebook().contest_of(own).rules.deadline == "2020-01-01T00:00:00Z"
    stated = make_rulebook(deadline="2021-01-01T00:00:00Z")
    assert stated.contest_of(own).rules.deadline == "2021-01-01T00:00:00Z"
    assert stated.contest_of(own).target == TARGET
    frozen = decisions(kind="freeze", deadline=NOW)
    for rulebook in (Rulebook(), stated):
        made = Rulebook(challenge=rulebook.challenge, decisions=frozen).contest_of(own)
        assert made.rules.deadline == NOW


def test_a_hidden_signal_counts_for_the_organiser_and_for_all_once_it_is_revealed():
    stated = make_rulebook(signal_weights=WEIGHTS)
    public = hiding(stated, "h0").contest_of(entries())
    private = hiding(stated, "h0", is_private=True).contest_of(entries())
    shown = decisions(kind="reveal", signal="h0")
    revealed = hiding(stated, "h0", decisions=shown).contest_of(entries())
    assert (public.signals, public.rules.signal_weights) == (("ato4l",), {"ato4l": 1.0})
    assert private.signals == revealed.signals == ("ato4l", "h0")
    assert private.rules.signal_weights == revealed.rules.signal_weights == WEIGHTS


def test_a_board_whose_decisions_are_broken_is_not_ranked_and_others_are(tmp_path):
    other = make_challenge(name="other")
    write_board([make_card("a"), make_card("a", challenge=other)], tmp_path)
    (tmp_path / "sample" / "decisions.json").write_text("{}x")
    boards = Boards(tmp_path)
    snapshot = boards.refresh()
    assert [file.name for file in snapshot.unreadable] == ["sample/decisions.json"]
    with pytest.raises(DataError, match="correct or restore"):
        boards.ranking(snapshot, "sample")
    assert len(boards.ranking(snapshot, "other").ranked) == 1


def test_a_board_without_cards_has_the_decisions_made_before_the_first(tmp_path):
    add_decision(tmp_path, "sample", decisions(kind="freeze", deadline=NOW).decisions[0])
    boards = Boards(tmp_path)
    rulebook = boards.rulebook(boards.refresh(), "sample")
    assert rulebook.contest_of(entries()).rules.deadline == NOW


CONTEST = "harness/board/contest.py"


@pytest.mark.parametrize(
    ("use", "others"),
    [
        # A contest is made in one place: whoever makes one by hand forgets one of its sources.
        (r"(?<!\.\. )(?<!>>> contest = )\bContest\(\n? *\w+=", set()),
        # Rules are read to combine them, to make a card, or to check the manifest itself.
        (
            r"\bchallenge\.ranking\b",
            {
                "harness/board/public.py",
                "harness/scoring/assembly.py",
                "harness/scoring/readiness.py",
                "harness/scoring/rules_page.py",
            },
        ),
        (r"\bpublic_rules\(", {"harness/board/public.py"}),
    ],
)
def test_one_place_combines_the_rules_of_a_contest(use, others):
    found = {
        path.relative_to(ROOT).as_posix()
        for folder in ("harness", "leaderboard_app", "tools")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(use, path.read_text(encoding="utf-8"))
    }
    assert found == {CONTEST, *others}
