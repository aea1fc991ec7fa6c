"""A shared folder: when a submission was received does not hang on when it is scored."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harness.ci.git import Repository
from harness.ci.history import commit_board, open_board
from harness.errors import ExitCode, IntegrityError
from tests.main_branch import MainBranch
from tests.outputs import check, harness, printed, refused, site_ranks
from tests.repositories import GitRepository, declaration, submission

NOON, EVENING = "2026-03-01T12:00:00Z", "2026-03-01T18:00:00Z"


class Inbox:
    """A shared folder and its board; scoring takes no time and cards say now."""

    def __init__(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.board = place / "submissions", place / "board"
        MainBranch(place, monkeypatch, teams=("unused",))

    def put(self, team: str, note: str = "") -> None:
        files = {**submission(team), f"submissions/{team}/note.txt": note.encode()}
        for name, content in files.items():
            path = self.folder.parent / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def command(self, name: str, *more: str) -> tuple[str | Path, ...]:
        where = ("--submissions", self.folder, "--results", self.board / "results")
        return ("ci", name, *where, *more)

    def receive(self, *more: str) -> dict[str, str | None]:
        return json.loads(harness(*self.command("receive", "--json", *more)))

    def score(self, *more: str) -> None:
        harness(*self.command("score", "--all", *more))

    def freeze(self, deadline: str) -> None:
        why = ("--reason", "it is over", "--deadline", deadline)
        harness("ci", "freeze", "--board", self.board, *why)


@pytest.fixture
def inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Inbox:
    return Inbox(tmp_path, monkeypatch)


def test_what_was_received_in_time_is_in_time_whenever_it_is_scored(inbox):
    inbox.put("early")
    assert inbox.receive("--received", NOON) == {"early": NOON}
    inbox.put("late")
    assert inbox.receive("--received", EVENING) == {"early": NOON, "late": EVENING}
    # Days later, as the first that is scored of both.
    inbox.score()
    inbox.freeze("2026-03-01T17:59:59Z")
    ranks = {"early": 1, "late": None}
    check(site_ranks(inbox.board / "docs", "sample"), ranks)
    check(printed(inbox.board / "results", "sample"), ranks)


def test_other_files_are_received_when_they_come_and_the_same_ones_once(inbox):
    later = "2026-03-01T19:00:00Z"
    inbox.put("team")
    inbox.receive("--received", NOON)
    inbox.put("team", "log /dev/null")
    assert inbox.receive("--received", EVENING) == {"team": EVENING}
    inbox.put("team")
    # The team has come back to its first files.
    assert inbox.receive("--received", later) == {"team": later}
    assert inbox.receive() == {"team": later}
    assert len((inbox.board / "results" / "inbox.jsonl").read_text().splitlines()) == 3


def test_scoring_alone_writes_it_down_before_it_scores(inbox, monkeypatch):
    inbox.put("team")
    before = datetime.now(UTC).replace(microsecond=0)
    inbox.score()
    (path,) = (inbox.board / "results" / "sample" / "team").glob("*.json")
    received = json.loads(path.read_text())["submission"]["received"]
    assert before <= datetime.fromisoformat(received) <= before + timedelta(minutes=5)
    inbox.score("--force")
    cards = (inbox.board / "results" / "sample" / "team").glob("*.json")
    assert {json.loads(one.read_text())["submission"]["received"] for one in cards} == {received}


def test_what_is_not_valid_is_not_received_before_it_is_corrected(inbox):
    inbox.put("team")
    (inbox.folder / "team" / "submission.yaml").write_bytes(declaration("another"))
    assert inbox.receive("--received", NOON) == {"team": None}
    inbox.put("team")
    assert inbox.receive("--received", EVENING) == {"team": EVENING}


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        ("2026-03-01T18:00:00", "with its zone"),
        ("2026-02-31T18:00:00Z", "a time that exists"),
        ("2999-01-01T00:00:00Z", "has not come yet"),
    ],
)
def test_a_time_that_makes_no_sense_is_refused_before_anything_is_scored(inbox, moment, told):
    inbox.put("team")
    for command in (("score", "--all"), ("receive",)):
        error = refused(*inbox.command(*command, "--received", moment))
        assert error.exit_code == ExitCode.USAGE
        assert told in str(error)
    assert not list(inbox.board.rglob("*.json*"))


def test_the_ledger_on_a_board_only_grows(inbox, tmp_path):
    clone = tmp_path / "clone"
    GitRepository(clone).git("remote", "add", "origin", str(clone))
    board = open_board(Repository(clone, has_own_settings=True), inbox.board)
    inbox.put("team")
    inbox.receive("--received", NOON)
    assert commit_board(board, "one") is not None
    inbox.put("other")
    inbox.receive("--received", EVENING)
    assert commit_board(board, "two") is not None
    path = board.results / "inbox.jsonl"
    path.write_text(path.read_text().replace(NOON, "2026-03-01T11:00:00Z"))
    with pytest.raises(IntegrityError, match="was changed or removed"):
        commit_board(board, "three")
