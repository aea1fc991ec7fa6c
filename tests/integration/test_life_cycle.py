"""From a fork to the leaderboard, by the very steps of the workflows, on real repositories.

A forge on loopback stands in for GitHub. What is scored is an entry of the open division on a toy
challenge of a few thousand made-up events: everything else is what runs in earnest.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

from harness.card.files import read_card
from harness.ci.comment import readable
from tests.events import make_challenge, make_events, toy_file, write_hdf5
from tests.forge import (
    PROJECT,
    REPOSITORY,
    ForgeStand,
    PullRequestRecord,
    Runner,
    WorkflowRun,
    stand_in,
)
from tests.integration.conftest import CommandLine
from tests.integration.test_firmware_tiny import MODEL as TINY
from tests.repositories import GitRepository, declaration, submission

pytestmark = [pytest.mark.timeout(900), pytest.mark.whole]

# What `make setup` looks at.
_KEPT = ("Makefile", "pyproject.toml", "requirements.lock", "tools/setup.sh", ".gitignore")
BROKEN = b"def score(events):\n    raise RuntimeError('<img src=x> @everybody $(id)')\n"


class World:
    """A repository with its forge, and forks that open pull requests."""

    def __init__(self, folder: Path, stand: ForgeStand, harness: CommandLine) -> None:
        self.stand = stand
        files = {name: (PROJECT / name).read_bytes() for name in _KEPT}
        self.upstream = GitRepository.init(
            folder / "upstream", {**files, **submission("team_a", owners=["ada"])}
        )
        self.upstream.git("config", "receive.denyCurrentBranch", "ignore")
        self.private = self._private(folder / "private")
        self.runner = Runner(
            upstream=self.upstream.folder,
            folder=folder,
            stand=stand,
            variables={"HARNESS_CHALLENGE": "toy"},
            secrets={
                "HARNESS_PRIVATE_MANIFEST": str(self.private / "private.yaml"),
                "HARNESS_PRIVATE_RESULTS": f"file://{self.private / 'results'}",
            },
            environment={
                "HARNESS_CACHE": str(harness.folder / "cache"),
                "HARNESS_MANIFEST": str(harness.manifest),
            },
        )

    def _private(self, folder: Path) -> Path:
        """Data that nobody sees: other background, one open signal and a hidden one."""
        folder.mkdir()
        write_hdf5(folder / "background.h5", make_events(6000, seed=101))
        write_hdf5(folder / "heavy.h5", make_events(500, seed=102) * np.float32([3, 1, 1]))
        write_hdf5(folder / "secret.h5", make_events(500, seed=103) * np.float32([5, 1, 1]))
        challenge = make_challenge(
            [
                toy_file("background.h5", n_events=6000),
                toy_file("heavy.h5", role="signal", process="heavy"),
                toy_file("secret.h5", role="hidden", process="zprime"),
            ],
            name="final",
            key="final-1",
        )
        manifest = {"schema": 1, "challenges": [challenge.model_dump(mode="json")]}
        (folder / "private.yaml").write_text(yaml.safe_dump(manifest), encoding="utf-8")
        return folder

    def open(
        self, number: int, files: dict[str, bytes | None], *, author: str, branch: str = "entry"
    ) -> WorkflowRun:
        """Push a branch to a fork, open or update its pull request, and score it."""
        self.push(number, files, author=author, branch=branch)
        return self.score(number)

    def push(
        self, number: int, files: dict[str, bytes | None], *, author: str, branch: str = "entry"
    ) -> None:
        """Push a branch to a fork, and open or update its pull request."""
        head = self.upstream.commit(f"fork-{number}", files)
        self.upstream.git("update-ref", f"refs/pull/{number}/head", head)
        self.stand.pulls[number] = PullRequestRecord(
            number=number,
            author=author,
            head_repository=f"{author}/benchmark",
            head_branch=branch,
            head_sha=head,
            base_sha="",
            files=list(files),
        )

    def score(self, number: int) -> WorkflowRun:
        """Score a pull request as it is, against the main branch as it is."""
        pull = self.stand.pulls[number]
        pull.base_sha = self.upstream.git("rev-parse", "main")
        event = {
            "pull_request": {
                "number": number,
                "user": {"login": pull.author},
                "base": {"sha": pull.base_sha},
                "head": {"sha": pull.head_sha},
            }
        }
        return self.runner.run("score-pr.yml", event)

    def finished(self, number: int, run: int, **changes: object) -> dict[str, object]:
        """The event of a finished run."""
        pull = self.stand.pulls[number]
        told = {
            "id": run,
            "event": "pull_request",
            "conclusion": "success",
            "head_sha": pull.head_sha,
            "head_branch": pull.head_branch,
            "head_repository": {"full_name": pull.head_repository},
            # GitHub tells none for a fork.
            "pull_requests": [],
        }
        return {
            "workflow_run": told | changes,
            "repository": {"default_branch": "main", "full_name": REPOSITORY},
        }

    def comment(self, number: int, run: int, **changes: object) -> WorkflowRun:
        return self.runner.run("comment.yml", self.finished(number, run, **changes))

    def merge(self, number: int) -> None:
        head = self.stand.pulls[number].head_sha
        made = self.upstream.reader.merge(self.upstream.git("rev-parse", "main"), head)
        assert not made.conflicts
        merged = self.upstream.git(
            "commit-tree", made.tree, "-p", "main", "-p", head, "-m", f"Merge #{number}"
        )
        self.upstream.git("update-ref", "refs/heads/main", merged)
        self.stand.pulls[number].state = "closed"

    def publish(self) -> WorkflowRun:
        return self.runner.run("publish.yml", {})

    def board(self, *arguments: str) -> str:
        return self.upstream.git(*arguments)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, harness: CommandLine) -> Iterator[World]:
    with stand_in() as stand:
        yield World(tmp_path_factory.mktemp("life"), stand, harness)


@pytest.fixture(scope="module")
def scored(world: World) -> WorkflowRun:
    """Pull request 7: a new team, and a commit message and branch that a shell would obey."""
    run = world.open(
        7,
        submission("team_new", owners=["dora"], title="Sum <b>of</b> pT | @all"),
        author="dora",
        branch="x\";touch${IFS}pwned;$(touch pwned)`touch pwned`'",
    )
    assert run.is_good, [(step.name, step.output[-2000:]) for step in run.steps if step.code]
    return run


@pytest.fixture(scope="module")
def commented(world: World, scored: WorkflowRun) -> str:
    run = world.comment(7, world.runner.number)
    assert run.is_good, run.steps[-1].output
    return world.stand.comment_of(7)


@pytest.fixture(scope="module")
def published(world: World, commented: str) -> WorkflowRun:
    world.merge(7)
    run = world.publish()
    assert run.is_good, run.steps[-1].output
    return run


def test_a_pull_request_is_planned_and_scored_in_the_sandbox(world, scored):
    summary = json.loads((scored.workspace / "build/artefact/summary.json").read_text())
    card = read_card(scored.workspace / "build/artefact/cards/team_new.json")

    assert summary["plan"]["author"] == "dora"
    assert [one["status"] for one in summary["scorings"]] == ["scored"]
    assert card.isolation.kind == "bwrap"
    assert (
        "kernel.apparmor_restrict_unprivileged_userns=0"
        in (world.runner.folder / "sudo.log").read_text()
    )


def test_the_workspace_is_the_main_branch_and_never_the_forks(world, scored):
    assert not (scored.workspace / "submissions" / "team_new").exists()
    assert not list(world.runner.folder.rglob("pwned"))


def test_the_comment_shows_the_card_escaped_and_unofficial(world, commented):
    assert commented.startswith("<!-- harness: score card -->")
    assert "Unofficial" in commented
    assert "| heavy |" in commented
    assert "<b>" not in commented
    assert "@all" not in commented
    assert world.stand.faults == []


def test_the_comment_is_found_by_the_event_and_the_forge_alone(world, commented):
    assert ("GET", f"/repos/{REPOSITORY}/pulls") in world.stand.calls
    assert ("POST", f"/repos/{REPOSITORY}/issues/7/comments") in world.stand.calls


def test_publishing_scores_again_on_main_and_keeps_the_history_by_git(world, published):
    names = world.board("ls-tree", "-r", "--name-only", "board").splitlines()

    assert any(name.startswith("results/toy/team_new/") for name in names)
    assert any(name.startswith("results/toy/team_a/") for name in names)
    assert {"docs/index.html", "docs/toy/index.html", "results/toy/attempts.jsonl"} <= set(names)
    assert not any(name.endswith(".scores.zst") for name in names)


def test_a_card_tells_when_the_main_branch_received_its_submission(world, published):
    merged = world.upstream.git(
        "log", "-1", "--format=%cd", "--date=format-local:%Y-%m-%dT%H:%M:%SZ"
    )
    (path,) = (published.workspace / "board/results/toy/team_new").glob("*.json")
    received = read_card(path).submission.received

    assert received is not None
    assert received <= read_card(path).created
    assert received[:13] == merged[:13]


def test_private_figures_go_to_the_organiser_and_the_public_part_to_the_board(world, published):
    (whole,) = (world.private / "results/final/team_new").glob("*.json")
    (public,) = (published.workspace / "board/results/final/team_new").glob("*.json")

    assert set(read_card(whole).float_physics.auc) == {"heavy", "zprime"}
    assert set(read_card(public).float_physics.auc) == {"heavy"}
    for name in world.board("ls-tree", "-r", "--name-only", "board").splitlines():
        assert b"zprime" not in world.upstream.reader.blob(f"board:{name}", 2**26)


def test_nothing_is_scored_twice_and_the_board_does_not_move(world, published):
    before = world.board("rev-parse", "board:results")
    again = world.publish()

    assert again.is_good, again.steps[-1].output
    assert "scored already" in again.step("Publish").output
    assert world.board("rev-parse", "board:results") == before


def test_rescoring_all_from_the_kept_scores_gives_the_same_digits(
    world, published, harness, tmp_path
):
    board = published.workspace / "board"
    shutil.copytree(board / "results", tmp_path / "results")
    done = harness.here(
        *("ci", "rescore-all", "--repository", world.upstream.folder, "--challenge", "toy"),
        *("--manifest", harness.manifest, "--board", tmp_path, "--json"),
    )

    assert done.returncode == 0, done.stderr
    redone = json.loads(done.stdout)
    assert {one["card"].partition("/")[0] for one in redone} == {"team_a", "team_new"}
    assert {one["outcome"] for one in redone} == {"unchanged"}


def test_the_final_ranking_opens_with_one_command(world, published, harness, tmp_path):
    shutil.copytree(published.workspace / "board", tmp_path / "board")
    done = harness.here(
        *("ci", "open", "--challenge", "final", "--board", tmp_path / "board"),
        *("--private-results", world.private / "results", "--manifest", harness.manifest),
    )

    assert done.returncode == 0, done.stderr
    assert "zprime" in done.stdout
    assert (tmp_path / "board/docs/final/index.html").is_file()


def test_a_failing_submission_is_told_why_and_stops_no_other(world, published):
    run = world.open(
        8,
        {**submission("wreck", model=BROKEN), **submission("good", owners=["eve"])}
        | {"submissions/wreck/submission.yaml": declaration("wreck", owners=["eve"])},
        author="eve",
    )
    assert run.step("Score").code == 1
    assert world.comment(8, world.runner.number).is_good
    comment = world.stand.comment_of(8)

    assert "`wreck`: not scored" in comment
    assert "`good`" in comment
    assert "| heavy |" in comment
    assert "RuntimeError" in comment
    assert "<img" not in comment
    assert "@everybody" not in comment


def test_pushing_again_updates_the_one_comment(world, published):
    mended = submission("wreck", owners=["eve"])
    assert world.open(8, mended, author="eve").is_good
    assert world.comment(8, world.runner.number).is_good

    assert "not scored" not in world.stand.comment_of(8)


def test_a_push_while_it_was_scored_makes_the_old_run_say_nothing(world, published):
    old = world.runner.number
    stale = world.finished(8, old, head_sha="0" * 40)
    before = world.stand.comment_of(8)
    run = world.runner.run("comment.yml", stale)

    assert run.is_good
    assert "nothing to do" in run.step("Comment").output
    assert world.stand.comment_of(8) == before


def test_of_two_pull_requests_of_one_team_the_second_conflicts_once_the_first_is_merged(
    world, published
):
    first = submission("twice", owners=["flo"], title="First")
    second = submission("twice", owners=["flo"], title="Second")
    world.push(9, first, author="flo", branch="one")
    assert world.open(10, second, author="flo", branch="two").is_good
    world.merge(9)

    again = world.score(10)
    assert again.step("Score").code == 3
    assert world.comment(10, world.runner.number).is_good
    assert "conflicts with the main branch" in readable(world.stand.comment_of(10))


@pytest.mark.slow
def test_a_network_is_expected_to_rank_by_its_own_firmware(world):
    files = submission("tiny", owners=["gus"], division="trigger", model=TINY.encode())
    assert world.open(20, files, author="gus").is_good
    assert world.comment(20, world.runner.number).is_good
    comment = readable(world.stand.comment_of(20))

    assert "Expected rank 1 (1–1) of 1" in comment
    assert "Firmware: within the budget." in comment
    assert "Scores of the firmware" in comment


def test_the_pages_of_the_leaderboard_say_that_these_events_are_synthetic(published):
    page = (published.workspace / "board/docs/toy/index.html").read_text(encoding="utf-8")
    assert "synthetic" in page
    board = (published.workspace / "board/docs/toy/board.json").read_text(encoding="utf-8")
    assert json.loads(board)["synthetic"]
