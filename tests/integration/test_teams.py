"""A team that is renamed or withdrawn is one entry on every output, and its history is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.board.public import public_part
from harness.card.files import write_card
from harness.card.run import ScoredChallenge
from harness.challenge import Challenge
from harness.ci.process import ScoringOutcome, ScoringRequest
from harness.data.manifest import load_manifest
from harness.errors import ExitCode
from tests.cards import make_card, make_challenge
from tests.main_branch import MainBranch
from tests.outputs import check, harness, json_ranks, printed, refused, site_ranks

pytestmark = pytest.mark.whole

CHALLENGE = "finals"
TEAMS = {"first": 2e-2, "second": 1e-3, "third": 1e-4}


def of_manifest(rules: Challenge) -> ScoredChallenge:
    """What a card says that fits the challenge of a manifest."""
    made = make_challenge(name=rules.name, version=rules.version)
    checksums = {file.process: file.checksum for file in rules.files}
    files = tuple(
        file.model_copy(update={"checksum": checksums[file.process] or file.checksum})
        for file in made.files
    )
    split = {"split_key": rules.split.key_digest, "seed": rules.seed, "files": files}
    return made.model_copy(update=split)


RULED = of_manifest(load_manifest().challenge("sample"))


def card_of(team: str, rate: float, day: int, **changes: object):
    challenge = make_challenge(name=CHALLENGE, hidden=("h0",))
    rates = dict.fromkeys(("ato4l", "lq", "h0", "hplus"), rate)
    created = f"2026-03-{day:02}T12:00:00Z"
    return make_card(team, challenge=challenge, rates=rates, created=created, **changes)


@pytest.fixture
def organiser(tmp_path: Path) -> Path:
    """Three teams, whole cards and their public parts; the first has an older card too."""
    for day, (team, rate) in enumerate(TEAMS.items(), start=2):
        write_both(tmp_path, card_of(team, rate, day))
    write_both(tmp_path, card_of("first", 1e-2, 1, seed=7))
    return tmp_path


def write_both(place: Path, card) -> None:
    write_card(card, place / "private")
    write_card(public_part(card), place / "board" / "results")


@pytest.fixture
def board(organiser: Path) -> Path:
    return organiser / "board"


def command(board: Path, *arguments: str) -> tuple[str | Path, ...]:
    return (
        *("ci", *arguments, "--challenge", CHALLENGE),
        *("--board", board, "--reason", "they asked"),
    )


def decide(board: Path, *arguments: str) -> None:
    harness(*command(board, *arguments))


def page(board: Path, team: str, *, of: str = "docs") -> str:
    return (board / of / CHALLENGE / "entries" / f"{team}.html").read_text(encoding="utf-8")


def decisions(board: Path, challenge: str = CHALLENGE) -> list[dict[str, str]]:
    path = board / "results" / challenge / "decisions.json"
    return json.loads(path.read_text(encoding="utf-8"))["decisions"] if path.exists() else []


def test_a_renamed_team_is_one_entry_on_every_output_with_its_history(board):
    decide(board, "rename", "first", "newest")
    ranks = {"newest": 1, "second": 2, "third": 3}
    check(site_ranks(board / "docs", CHALLENGE), ranks)
    check(printed(board / "results", CHALLENGE), ranks)

    assert "History of the team" in page(board, "newest")
    assert "scored as first" in page(board, "newest")
    assert "first is called newest now" in page(board, "first")
    assert 'href="../../finals/entries/newest.html"' in page(board, "first")
    assert "Rank 1 of" not in page(board, "first")

    # The team hands in under its new name: there is still one entry.
    write_both(board.parent, card_of("newest", 5e-5, 9))
    check(printed(board / "results", CHALLENGE), {"newest": 3, "second": 1, "third": 2})


def test_names_follow_each_other_and_a_card_is_named_as_the_pages_show_it(board):
    decide(board, "rename", "first", "b")
    decide(board, "rename", "b", "c")
    check(site_ranks(board / "docs", CHALLENGE), {"c": 1, "second": 2, "third": 3})
    assert "first is called c now" in page(board, "first")

    (row, *_) = json.loads((board / "docs" / CHALLENGE / "board.json").read_text())["rows"]
    decide(board, "retract", f"c/{row['card']}")
    assert decisions(board)[-1]["card"] == f"first/{row['card']}"


def test_a_name_that_is_used_again_is_another_team(board):
    decide(board, "rename", "first", "newest")
    later = {"received": "2100-01-01T00:00:00Z"}
    card = card_of("first", 3e-1, 20, seed=5)
    said = card.submission.model_copy(update=later)
    write_both(board.parent, card.model_copy(update={"submission": said}))
    ranks = {"first": 1, "newest": 2, "second": 3, "third": 4}
    check(printed(board / "results", CHALLENGE), ranks)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("rename", "nobody", "x"), "no team nobody has a card of finals"),
        (("rename", "secnd", "x"), "did you mean second?"),
        (("rename", "second", "third"), "there is a team third, with cards of its own"),
        (("rename", "second", "second"), "second is its name already"),
        (("rename", "second", "Bad Name"), "'Bad Name' is not accepted"),
        (("rename", "first", "c"), "first is called b now"),
        (("rename", "b", "first"), "b was called first before"),
        (("rename", "second", "x", "--undo"), "second was not renamed to x"),
        (("withdraw", "nobody"), "no team nobody has a card of finals"),
        (("withdraw", "second", "--undo"), "second is not withdrawn"),
        (("withdraw", "first"), "first is called b now"),
        (("disqualify", "secnd"), "did you mean second?"),
        (("disqualify", "second", "--undo"), "second is not disqualified"),
        (("disqualify", "first"), "first is called b now"),
    ],
)
def test_a_decision_on_a_team_that_makes_no_sense_is_refused(board, arguments, told):
    decide(board, "rename", "first", "b")
    error = refused(*command(board, *arguments))
    assert error.exit_code == ExitCode.USAGE
    assert len(error.problems) == 1
    assert told in str(error)
    assert len(decisions(board)) == 1


def test_a_rename_is_taken_back(board):
    decide(board, "rename", "first", "b")
    decide(board, "rename", "first", "b", "--undo")
    check(printed(board / "results", CHALLENGE), {"first": 1, "second": 2, "third": 3})
    decide(board, "rename", "first", "c")
    check(printed(board / "results", CHALLENGE), {"c": 1, "second": 2, "third": 3})


def test_two_names_of_one_team_become_one_entry(board):
    decide(board, "rename", "first", "third", "--same-team")
    check(printed(board / "results", CHALLENGE), {"second": 1, "third": 2})
    assert "History of the team" in page(board, "third")


def test_a_withdrawn_team_is_listed_without_a_rank_until_it_is_back(board):
    decide(board, "withdraw", "first")
    without = {"first": None, "second": 1, "third": 2}
    check(site_ranks(board / "docs", CHALLENGE), without)
    check(printed(board / "results", CHALLENGE), without)
    assert "the team was withdrawn: they asked" in page(board, "first")

    decide(board, "withdraw", "first", "--undo")
    check(site_ranks(board / "docs", CHALLENGE), {"first": 1, "second": 2, "third": 3})


def test_a_disqualified_team_is_unranked_whatever_it_hands_in_under_whatever_name(board):
    decide(board, "disqualify", "first")
    without = {"first": None, "second": 1, "third": 2}
    check(site_ranks(board / "docs", CHALLENGE), without)
    check(printed(board / "results", CHALLENGE), without)
    assert "the team was disqualified: they asked" in page(board, "first")

    # A new title makes other files of it, and so no retraction would hold for them.
    write_both(board.parent, card_of("first", 3e-1, 9, seed=9, title="Another title"))
    check(printed(board / "results", CHALLENGE), without)
    decide(board, "rename", "first", "fresh")
    write_both(board.parent, card_of("fresh", 4e-1, 10, seed=8))
    later = card_of("first", 5e-1, 20, seed=5)
    said = later.submission.model_copy(update={"received": "2100-01-01T00:00:00Z"})
    write_both(board.parent, later.model_copy(update={"submission": said}))
    both = {"first": None, "fresh": None, "second": 1, "third": 2}
    check(printed(board / "results", CHALLENGE), both)

    decide(board, "disqualify", "fresh", "--undo")
    back = {"first": 1, "fresh": 2, "second": 3, "third": 4}
    check(site_ranks(board / "docs", CHALLENGE), back)
    check(printed(board / "results", CHALLENGE), back)


def test_a_rename_that_is_taken_back_ends_no_disqualification(organiser, board):
    decide(board, "rename", "first", "fresh")
    decide(board, "disqualify", "fresh")
    decide(board, "rename", "first", "fresh", "--undo")
    ranks = {"first": None, "second": 1, "third": 2}
    check(printed(board / "results", CHALLENGE), ranks)
    opening = ("ci", "open", "--challenge", CHALLENGE, "--board", board)
    harness(*opening, "--private-results", organiser / "private")
    check(site_ranks(board / "docs", CHALLENGE), ranks)


def test_the_opened_board_has_the_teams_of_the_public_one(organiser, board):
    decide(board, "rename", "first", "newest")
    decide(board, "withdraw", "second")
    ranks = {"newest": 1, "second": None, "third": 2}
    opening = ("ci", "open", "--challenge", CHALLENGE, "--board", board)
    opening += ("--private-results", organiser / "private", "--json")
    check({"json": json_ranks(harness(*opening))}, ranks)
    check(site_ranks(board / "docs", CHALLENGE), ranks)

    decide(board, "withdraw", "newest")
    check(site_ranks(board / "docs", CHALLENGE), ranks | {"newest": None, "third": 1})


# --- What the main branch does --------------------------------------------------------------------


@pytest.fixture
def main(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MainBranch:
    return MainBranch(tmp_path, monkeypatch, teams=("old",))


def test_a_folder_that_is_renamed_takes_its_cards_along(main):
    main.repository.commit("main", main.files("other"))
    assert set(main.publish()) == {"old", "other"}
    main.rename("old", "fresh")
    assert set(main.publish()) == {"fresh", "other"}
    assert "old is called fresh now" in (
        main.board / "docs" / "sample" / "entries" / "old.html"
    ).read_text(encoding="utf-8")
    assert [(one["kind"], one["team"]) for one in decisions(main.board, "sample")] == [
        ("rename", "old")
    ]

    # Away and back between two runs, and then once more: still one entry.
    main.rename("fresh", "another")
    main.rename("another", "old")
    assert set(main.publish()) == {"old", "other"}
    assert set(main.publish()) == {"old", "other"}
    assert len(decisions(main.board, "sample")) == 3


def test_a_folder_that_was_renamed_before_is_one_entry_from_the_next_run_on(main):
    main.publish()
    main.rename("old", "fresh")
    # As earlier versions left it: both teams have cards, and nobody wrote the rename down.
    write_card(make_card("fresh", created="2026-03-20T12:00:00Z"), main.board / "results")
    assert set(main.publish()) == {"fresh"}


def test_a_folder_that_is_deleted_is_withdrawn_until_it_is_there_again(main):
    main.repository.commit("main", main.files("other"))
    assert set(main.publish().values()) == {1, 2}
    main.repository.commit("main", dict.fromkeys(main.files("old")))
    assert main.publish() == {"other": 1, "old": None}
    assert main.publish() == {"other": 1, "old": None}
    assert len(decisions(main.board, "sample")) == 1

    main.repository.commit("main", main.files("old"))
    assert set(main.publish().values()) == {1, 2}


def test_what_the_organiser_takes_back_is_not_decided_again(main):
    main.publish()
    main.repository.commit(
        "main", {**dict.fromkeys(main.files("old")), **main.files("other", b"log /dev/null")}
    )
    main.publish()
    why = ("--board", main.board, "--reason", "by mistake")
    last = decisions(main.board, "sample")[-1]
    undo = ("rename", "old", "other") if last["kind"] == "rename" else ("withdraw", "old")
    harness("ci", *undo, "--undo", *why)
    assert set(main.publish()) == {"old", "other"}
    assert len(decisions(main.board, "sample")) == 2


def test_the_comment_on_a_pull_request_says_that_its_team_is_disqualified(main, tmp_path):
    main.publish()
    why = ("--board", main.board, "--reason", "trained on @test events")
    harness("ci", "disqualify", "old", *why)
    gone = dict.fromkeys(main.files("old"))
    changes = {"same": main.files("old", b"new"), "fresh": {**gone, **main.files("fresh")}}
    for team, files in changes.items():
        head = main.repository.commit(f"pr-{team}", files)
        plan = tmp_path / f"{team}.json"
        where = ("--repository", main.repository.folder)
        harness("ci", "plan", *where, "--base", "main", "--head", head, "--out", plan)
        out = ("--out", tmp_path / team, "--results", tmp_path / "results")
        harness("ci", "score", "--plan", plan, *where, *out)
        board = ("--results", main.board / "results")
        told = harness("ci", "comment", "--artefact", tmp_path / team, *board)
        name = "old" if team == "same" else team
        assert f"**`{name}` is disqualified: trained on &#64;" in told
        assert "Expected rank" not in told

    main.rename("old", "fresh")
    assert main.publish() == {"fresh": None}


def test_a_team_that_comes_back_to_earlier_files_is_ranked_by_them(main, monkeypatch):
    rates = {b"": 1e-2, b"worse": 1e-4}

    def score(request: ScoringRequest) -> ScoringOutcome:
        every = dict.fromkeys(("ato4l", "lq", "h0", "hplus"), rates[request.files["note.txt"]])
        card = make_card(request.team, rates=every)
        said = {"digest": request.digest, "received": request.received}
        card = card.model_copy(update={"submission": card.submission.model_copy(update=said)})
        made = card.model_dump_json().encode()
        return ScoringOutcome(exit_code=0, message="", wall_s=0.1, card=made)

    def merit() -> float:
        main.publish()
        made = json.loads((main.board / "docs" / "sample" / "board.json").read_text())
        (row,) = (row for row in made["rows"] if row["team"] == "team")
        return row["merit"]["value"]

    main.score, main.challenge = score, RULED
    # Nothing is received before the commit below it.
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2026-03-01T08:00:00Z")
    main.repository.git("commit", "--quiet", "--amend", "--no-edit")
    for hour, (note, expected) in enumerate([(b"", 1e-2), (b"worse", 1e-4), (b"", 1e-2)], start=9):
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"2026-03-01T{hour:02}:00:00Z")
        main.repository.commit("main", main.files("team", note))
        for _ in range(2):
            assert merit() == pytest.approx(expected, rel=0.5)
    assert len(list((main.board / "results" / "sample" / "team").glob("*.json"))) == 3
    # What came back after the deadline is late; the one before it counts.
    freeze = ("freeze", "--deadline", "2026-03-01T10:30:00Z", "--reason", "it is over")
    harness("ci", *freeze, "--board", main.board)
    assert merit() == pytest.approx(1e-4, rel=0.5)


def test_cards_of_teams_that_never_had_a_folder_stay_as_they_are(main):
    write_card(make_card("baseline"), main.board / "results")
    assert set(main.publish().values()) == {1, 2}
    assert decisions(main.board, "sample") == []
