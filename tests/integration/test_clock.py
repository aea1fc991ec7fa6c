"""A clock that jumps changes no order, and a date that somebody chose counts for nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness.card.files import newest_card, number_card, read_card, write_card
from harness.card.records import ScoreCard
from harness.challenge import instant
from harness.cli import cli
from tests.cards import make_card
from tests.main_branch import MainBranch

NOW = instant("2026-06-01T00:00:00Z")


@pytest.fixture
def main(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MainBranch:
    return MainBranch(tmp_path, monkeypatch, teams=("ant",))


def publish(main: MainBranch) -> Result:
    done = CliRunner().invoke(cli, list(map(str, main.command("publish", "--challenge", "sample"))))
    assert done.exit_code == 0, done.output
    return done


def hand_in(main: MainBranch, note: bytes) -> None:
    main.repository.commit("main", {"submissions/ant/note.txt": note})


def cards_of(main: MainBranch, team: str = "ant") -> list[ScoreCard]:
    paths = (main.board / "results" / "sample" / team).glob("*.json")
    return sorted(map(read_card, paths), key=lambda card: card.order)


def board(main: MainBranch) -> dict:
    return json.loads((main.board / "docs" / "sample" / "board.json").read_text(encoding="utf-8"))


def test_the_card_that_was_written_later_counts_whatever_its_clock_said(main):
    main.dates = iter(("2026-03-05", "2026-03-01"))
    publish(main)
    hand_in(main, b"another")
    done = publish(main)

    first, second = cards_of(main)
    assert [first.sequence, second.sequence] == [1, 2]
    assert second.created_at < first.created_at
    (row,) = board(main)["rows"]
    assert row["created"] == second.created
    told = "a clock was wrong: this card is dated 2026-03-01T12:00:00Z, before the team's card of"
    assert told in done.stderr
    assert [warning for warning in second.warnings if told in warning]
    assert [note for note in board(main)["notes"] if told in note and note.startswith("ant: ")]
    assert not first.warnings


def test_a_date_of_the_future_is_reported_and_the_next_card_still_counts(main):
    main.dates = iter(("2099-01-01", "2026-03-01"))
    done = publish(main)
    assert "this card is dated 2099-01-01T12:00:00Z, in the future" in done.stderr
    assert any("in the future" in note for note in board(main)["notes"])

    hand_in(main, b"another")
    publish(main)
    (row,) = board(main)["rows"]
    assert row["created"] == "2026-03-01T12:00:00Z"


def freeze(main: MainBranch, deadline: str) -> None:
    done = CliRunner().invoke(
        cli,
        [
            *("ci", "freeze", "--board", str(main.board), "--challenge", "sample"),
            *("--reason", "over", "--deadline", deadline),
        ],
    )
    assert done.exit_code == 0, done.output


def test_a_card_that_claims_an_early_date_or_receipt_is_as_late_as_its_commit(main):
    main.dates = iter(("2020-01-01",))
    main.received = "2020-01-01T00:00:00Z"
    publish(main)
    freeze(main, "2021-01-01T00:00:00Z")

    (row,) = board(main)["rows"]
    assert row["rank"] is None
    assert any("after the deadline" in reason for reason in row["reasons"])


@pytest.mark.parametrize("claimed", ["2005-01-01T00:00:00Z", "2099-01-01T00:00:00Z"])
def test_a_commit_that_claims_another_date_is_received_when_the_branch_had_it(
    main, monkeypatch, claimed
):
    before = int(main.repository.git("log", "-1", "--format=%ct", "main"))
    monkeypatch.setattr("tests.repositories._IDENTITY", {"GIT_COMMITTER_DATE": claimed, **IDENTITY})
    main.repository.commit("main", main.files("late"))
    assert main.repository.git("log", "-1", "--format=%cs", "main") == claimed[:10]
    publish(main)

    (card,) = cards_of(main, "late")
    assert before <= card.received_at.timestamp() < before + 600


IDENTITY = {
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@localhost",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@localhost",
}


def test_the_counter_goes_through_all_teams_so_that_a_renamed_team_has_one_order(tmp_path):
    for number, team in enumerate(("old", "other", "new"), start=1):
        card = number_card(make_card(team, created=f"2026-03-0{9 - number}T12:00:00Z"), tmp_path)
        write_card(card, tmp_path)
        assert card.sequence == number
        # Only a team's own cards say that its clock jumped.
        assert not card.warnings


def test_cards_of_earlier_harnesses_come_first_and_broken_ones_are_passed_over(tmp_path):
    old = write_card(make_card("ant", created="2026-03-01T12:00:00Z"), tmp_path)
    assert read_card(old).sequence is None
    old.with_name("torn.json").write_text('{"created": ')
    old.with_name("pipe.json").mkdir()
    new = number_card(make_card("ant", created="2026-03-02T12:00:00Z"), tmp_path, now=NOW)
    assert new.sequence == 1
    assert new.order > read_card(old).order


def test_the_newest_card_of_the_same_files_is_the_one_that_was_written_last(tmp_path):
    paths = []
    for day in ("05", "01"):
        card = number_card(make_card("ant", created=f"2026-03-{day}T12:00:00Z"), tmp_path, now=NOW)
        paths.append(write_card(card, tmp_path))
    (paths[0].parent / "torn.json").write_text("{")
    digest = read_card(paths[0]).submission.digest
    assert newest_card(paths[0].parent, digest) == paths[1]
    assert newest_card(paths[0].parent, "sha256:" + 64 * "0") is None


def test_clocks_of_machines_may_differ_by_minutes(tmp_path):
    write_card(make_card("ant", created="2026-03-01T12:04:00Z"), tmp_path)
    card = number_card(make_card("ant", created="2026-03-01T12:00:00Z"), tmp_path, now=NOW)
    assert not card.warnings
