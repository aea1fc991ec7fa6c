"""What the organiser decides in one command, and what a participant plays through alone."""

from __future__ import annotations

import json

import pytest

from harness.card.files import write_card
from tests.cards import make_card
from tests.integration.conftest import CommandLine
from tests.repositories import GitRepository, submission


@pytest.fixture
def board(tmp_path):
    folder = tmp_path / "board"
    for number, team in enumerate(("first", "second", "third")):
        card = make_card(team, seed=number, created=f"2026-03-0{number + 1}T12:00:00Z")
        write_card(card, folder / "results")
    return folder


def ranks(harness: CommandLine, board) -> dict[str, int | None]:
    done = harness.here("leaderboard", "--results", board / "results", "--json")
    assert done.returncode == 0, done.stderr
    return {row["team"]: row["rank"] for row in json.loads(done.stdout)["rows"]}


def key_of(board, team: str) -> str:
    (path,) = (board / "results" / "sample" / team).glob("*.json")
    return f"{team}/{path.stem}"


def test_a_frozen_board_leaves_out_what_came_later_until_it_thaws(harness, board):
    frozen = harness.here(
        *("ci", "freeze", "--board", board, "--reason", "the hackathon is over"),
        *("--deadline", "2026-03-02T23:59:59Z"),
    )
    assert frozen.returncode == 0, frozen.stderr
    assert ranks(harness, board)["third"] is None
    assert "third" in (board / "docs" / "sample" / "board.json").read_text(encoding="utf-8")

    thawed = harness.here("ci", "thaw", "--board", board, "--reason", "extended")
    assert thawed.returncode == 0, thawed.stderr
    assert ranks(harness, board)["third"] is not None


def test_a_retracted_card_is_listed_with_its_reason_until_it_is_reinstated(harness, board):
    card = key_of(board, "second")
    reason = "trained on the test events"
    done = harness.here("ci", "retract", card, "--board", board, "--reason", reason)
    assert done.returncode == 0, done.stderr
    assert ranks(harness, board)["second"] is None
    assert reason in (board / "docs" / "sample" / "board.json").read_text(encoding="utf-8")

    again = harness.here(
        "ci", "retract", card, "--undo", "--board", board, "--reason", "it was not"
    )
    assert again.returncode == 0, again.stderr
    assert ranks(harness, board)["second"] is not None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("retract", "nobody/20260301T120000Z-00000000", "--reason", "x"), "there is no card"),
        (("retract", "../../etc/passwd", "--reason", "x"), "card"),
        (("freeze", "--deadline", "tomorrow", "--reason", "x"), "deadline"),
        (("freeze", "--deadline", "2026-11-31T23:59:59Z", "--reason", "x"), "a time that exists"),
        (("freeze", "--deadline", "2026-11-30T25:61:61Z", "--reason", "x"), "a time that exists"),
        (("freeze", "--deadline", "2026-11-30", "--reason", "x"), "with its zone"),
        (("freeze", "--deadline", "2026-11-30T12:00:00", "--reason", "x"), "with its zone"),
        (("freeze", "--deadline", "", "--reason", "x"), "deadline"),
        (("freeze", "--reason", ""), "reason"),
    ],
)
def test_a_decision_that_makes_no_sense_is_told(harness, board, arguments, words):
    command, *rest = arguments
    done = harness.here("ci", command, *rest, "--board", board)
    assert done.returncode == 2
    assert words in done.stderr
    assert not (board / "results" / "sample" / "decisions.json").exists()


def test_a_plan_that_is_refused_is_json_and_an_exit_code(harness, tmp_path):
    repository = GitRepository.init(tmp_path / "r", submission("team_a", owners=["ada"]))
    repository.commit("pr", {"submissions/team_a/model.py": b"x"})
    done = harness.here(
        *("ci", "plan", "--repository", repository.folder, "--base", "main", "--head", "pr"),
        *("--author", "mallory", "--out", tmp_path / "plan.json"),
    )
    assert done.returncode == 3
    assert json.loads(done.stdout) == json.loads((tmp_path / "plan.json").read_text())
    summary = harness.here(
        *("ci", "score", "--plan", tmp_path / "plan.json", "--out", tmp_path / "artefact")
    )
    assert summary.returncode == 3
    comment = harness.here("ci", "comment", "--artefact", tmp_path / "artefact")
    assert "is no owner" in comment.stdout


@pytest.mark.timeout(600)
def test_a_participant_plays_it_all_through_on_a_clone_and_nothing_of_it_changes(harness, tmp_path):
    repository = GitRepository.init(
        tmp_path / "clone", {"README.md": b"x", **submission("team_a", owners=["ada"])}
    )
    for path, content in submission("mine", owners=["dora"]).items():
        target = repository.folder / path
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content)

    def state() -> str:
        return repository.git("status", "--short") + repository.git("for-each-ref")

    before = state()
    done = harness(
        *("ci", "local", repository.folder, "--author", "dora", "--challenge", "toy"),
        *("--manifest", harness.manifest, "--out", tmp_path / "out"),
        *("--results", tmp_path / "results"),
    )

    assert done.returncode == 0, done.stderr
    assert state() == before
    assert "mine: Sum of pT by mine" in done.stdout.replace("`", "")
    assert (tmp_path / "out" / "comment.md").read_text().startswith("<!-- harness")
    assert (tmp_path / "out" / "board" / "docs" / "index.html").is_file()
    assert len(list((tmp_path / "results" / "toy" / "mine").glob("*.json"))) == 1


def test_every_submission_of_a_folder_is_scored_at_once_and_links_are_not_followed(
    harness, tmp_path
):
    folder = tmp_path / "submissions"
    for team in ("one", "two"):
        for path, content in submission(team).items():
            target = tmp_path / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    (folder / "two" / "weights.h5").symlink_to("/etc/passwd")
    (folder / "three").symlink_to(folder / "one")
    done = harness(
        *("ci", "score", "--all", "--submissions", folder, "--jobs", "2", "--json"),
        *("--challenge", "toy", "--manifest", harness.manifest, "--results", tmp_path / "r"),
    )

    assert done.returncode == 3, done.stderr
    made = {one["team"]: one for one in json.loads(done.stdout)["scorings"]}
    assert {team: one["status"] for team, one in made.items()} == {"one": "scored", "two": "failed"}
    assert "symbolic link" in made["two"]["message"]


def test_outside_a_repository_it_says_what_to_do(harness, tmp_path):
    done = harness.here("ci", "local", tmp_path, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "git clone it" in done.stderr
