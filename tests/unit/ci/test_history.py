"""The board's branch only grows; decisions are kept with their reasons and hold everywhere."""

from __future__ import annotations

import pytest

from harness.board.contest import Rulebook
from harness.board.decisions import Decision, Decisions, add_decision, read_decisions
from harness.board.entry import Entry
from harness.card.files import write_card
from harness.challenge import RankingRules
from harness.ci.git import Repository
from harness.ci.history import (
    commit_board,
    credentials_of,
    follow_branch,
    open_board,
    own_repository,
    push_board,
)
from harness.errors import DataError, IntegrityError
from tests.cards import make_card, make_challenge
from tests.repositories import GitRepository

NOW = "2026-03-01T12:00:00Z"


def decision(kind: str, **fields: object) -> Decision:
    return Decision.model_validate({"kind": kind, "decided": NOW, "reason": "why", **fields})


@pytest.fixture
def clone(tmp_path):
    upstream = GitRepository.init(tmp_path / "upstream", {"README.md": b"x"})
    upstream.git("clone", "--quiet", str(upstream.folder), str(tmp_path / "clone"))
    return Repository(tmp_path / "clone", has_own_settings=True)


@pytest.fixture
def board(clone, tmp_path):
    """A board with one pushed card."""
    board = open_board(clone, tmp_path / "board")
    write_card(make_card("team_a"), board.results, scores=b"raw")
    assert commit_board(board, "one")
    push_board(board, clone)
    return board


def card_of(board):
    (path,) = (board.results / "sample" / "team_a").glob("*.json")
    return path


def test_a_new_board_begins_and_is_found_again(board, clone, tmp_path):
    again = open_board(clone, tmp_path / "elsewhere")
    assert card_of(again).read_bytes() == card_of(board).read_bytes()
    assert not list(again.results.rglob("*.zst"))
    assert commit_board(again, "nothing new") is None


def test_what_others_pushed_is_brought_before_anything_is_added(board, clone, tmp_path):
    other = open_board(clone, tmp_path / "other")
    write_card(make_card("team_b"), other.results)
    commit_board(other, "two")
    push_board(other, clone)
    open_board(clone, board.folder)
    assert (board.results / "sample" / "team_b").is_dir()


def test_a_card_that_was_changed_is_not_committed(board):
    path = card_of(board)
    path.write_text(path.read_text().replace("team_a", "team_b"), encoding="utf-8")
    with pytest.raises(IntegrityError, match="only grows"):
        commit_board(board, "forged")


def test_a_card_that_was_removed_is_not_committed(board):
    card_of(board).unlink()
    with pytest.raises(IntegrityError, match="only grows"):
        commit_board(board, "forgotten")


def test_pages_may_change_and_lists_may_grow_but_not_shrink(board):
    board.site.mkdir()
    (board.site / "index.html").write_text("one")
    attempts = board.results / "sample" / "attempts.jsonl"
    attempts.write_text("{}\n")
    add_decision(board.results, "sample", decision("freeze", deadline=NOW))
    assert commit_board(board, "first")
    (board.site / "index.html").write_text("two")
    attempts.write_text("{}\n{}\n")
    add_decision(board.results, "sample", decision("thaw"))
    assert commit_board(board, "grown")

    attempts.write_text("{}\n")
    with pytest.raises(IntegrityError, match=r"attempts\.jsonl"):
        commit_board(board, "shrunk")


def test_a_push_never_overwrites_what_others_pushed(board, clone, tmp_path):
    other = open_board(clone, tmp_path / "other")
    write_card(make_card("team_b"), other.results)
    commit_board(other, "two")
    push_board(other, clone)
    write_card(make_card("team_c"), board.results)
    commit_board(board, "three")
    assert not push_board(board, clone)
    follow_branch(own_repository(board.folder, clone))
    assert commit_board(board, "three") is not None
    assert push_board(board, clone)
    found = open_board(clone, tmp_path / "third").results.glob("*/*/*.json")
    assert {path.parent.name for path in found} >= {"team_b", "team_c"}


def test_a_token_is_shown_to_its_server_alone_and_is_in_no_argument():
    made = credentials_of("secret", "https://github.com")
    assert list(made) == ["http.https://github.com/.extraheader"]
    assert "secret" not in str(made)
    assert credentials_of(None, "https://github.com") == {}


def ruled(rules: RankingRules, made: Decisions) -> RankingRules:
    """Rules of a contest whose cards bring `rules`."""
    entry = Entry(key="a/b", card=make_card("a", challenge=make_challenge(rules=rules)))
    return Rulebook(decisions=made).contest_of([entry]).rules


def test_decisions_apply_in_their_order(tmp_path):
    for one in (
        decision("freeze", deadline="2026-02-01T00:00:00Z"),
        decision("retract", card="a/20260101T000000Z-00000000"),
        decision("retract", card="b/20260101T000000Z-00000000"),
        decision("reinstate", card="a/20260101T000000Z-00000000"),
    ):
        add_decision(tmp_path, "sample", one)
    rules = ruled(RankingRules(), read_decisions(tmp_path, "sample"))

    assert rules.deadline == "2026-02-01T00:00:00Z"
    assert rules.retracted == {"b/20260101T000000Z-00000000": "why"}


def test_a_thaw_gives_the_manifests_deadline_back():
    made = Decisions(decisions=(decision("freeze", deadline=NOW), decision("thaw")))
    own = RankingRules(deadline="2027-01-01T00:00:00Z")
    assert ruled(own, made) == own


def test_a_broken_list_of_decisions_is_told_and_not_passed_over(tmp_path):
    (tmp_path / "sample").mkdir()
    (tmp_path / "sample" / "decisions.json").write_text("{}x")
    with pytest.raises(DataError, match="correct or restore"):
        read_decisions(tmp_path, "sample")
