"""Two publishers at once on one bare remote, killed at any moment: nothing is lost."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.ci.process import ScoringOutcome, ScoringRequest
from harness.ci.turns import taking_turns
from tests import ci_stand_in
from tests.main_branch import MainBranch
from tests.outputs import check as check_ranks
from tests.outputs import harness, printed, site_ranks
from tests.repositories import GitRepository

pytestmark = pytest.mark.whole

TEAMS = ("anna", "bert")


class Remote:
    """A bare remote, and a clone with a board's folder for each publisher."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.git = GitRepository(place / "remote").git
        first = GitRepository.init(place / "first", {"README.md": b"x"})
        first.git("clone", "--quiet", "--bare", ".", str(place / "remote"))
        for team in TEAMS:
            first.git("clone", "--quiet", str(place / "remote"), str(place / team))

    def start(self, team: str, n_rounds: int, *, board: str | None = None) -> subprocess.Popen[str]:
        where = [str(self.place / team), str(self.place / (board or f"board-{team}"))]
        return subprocess.Popen(
            [sys.executable, "-m", "tests.publisher", *where, team, str(n_rounds)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def files(self, commit: str = "board") -> dict[str, str]:
        """Paths and objects of a commit of the branch."""
        lines = self.git("ls-tree", "-r", commit).splitlines()
        return {path: head.split()[2] for head, path in (line.split("\t") for line in lines)}

    def cards(self, commit: str = "board") -> set[str]:
        ways = (path.split("/") for path in self.files(commit))
        cards = (way for way in ways if way[:2] == ["results", "sample"] and len(way) == 4)
        return {f"{team}/{name.removesuffix('.json')}" for *_, team, name in cards}

    def written(self) -> set[str]:
        """Cards that lie in the folders of the publishers."""
        found = self.place.glob("board-*/results/sample/*/*.json")
        return {f"{path.parent.name}/{path.stem}" for path in found}

    def text(self, name: str) -> str:
        return self.git("show", f"board:results/sample/{name}")


def end(process: subprocess.Popen[str]) -> set[str]:
    """Wait for the end; return the cards that were said to be pushed."""
    said, errors = process.communicate(timeout=120)
    assert process.returncode in {0, -9}, errors
    assert "Traceback" not in errors, errors
    return {line.removeprefix("pushed ") for line in said.splitlines()}


def check(remote: Remote, pushed: set[str]) -> None:
    cards = remote.cards()
    assert pushed <= cards
    assert remote.written() == cards
    decided = json.loads(remote.text("decisions.json"))["decisions"]
    assert pushed <= {one["reason"] for one in decided}
    tried = [json.loads(line)["card"] for line in remote.text("attempts.jsonl").splitlines()]
    assert pushed <= set(tried)
    assert len(tried) == len(set(tried))
    # The history only grows, commit by commit.
    before: dict[str, str] = {}
    for commit in remote.git("rev-list", "--reverse", "board").split():
        now = remote.files(commit)
        for path, name in before.items():
            assert path in now
            assert now[path] == name or path.count("/") < 3
        before = {path: name for path, name in now.items() if path.startswith("results/")}


def play(remote: Remote, n_kills: int, seed: int) -> None:
    """Kill the one or the other publisher at random moments, then let both come to their end."""
    generator = random.Random(seed)
    pushed: set[str] = set()
    running = {team: remote.start(team, 1000) for team in TEAMS}
    for _ in range(n_kills):
        team = generator.choice(TEAMS)
        time.sleep(generator.uniform(0.3, 2.0))
        running[team].kill()
        pushed |= end(running[team])
        running[team] = remote.start(team, 1000)
    for team in TEAMS:
        running[team].kill()
        pushed |= end(running[team])
    last = [remote.start(team, 2) for team in TEAMS]
    for process in last:
        pushed |= end(process)
        assert process.returncode == 0
    # Who ended last has seen all; the other one brings the rest at its next turn.
    for team in TEAMS:
        pushed |= end(remote.start(team, 1))
    end(remote.start(TEAMS[0], 0))
    check(remote, pushed)


def test_two_publishers_that_are_killed_lose_nothing_and_are_never_stuck(tmp_path):
    play(Remote(tmp_path), 4, seed=random.randrange(10**6))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_fifty_kills_lose_nothing(tmp_path):
    play(Remote(tmp_path), 50, seed=random.randrange(10**6))


def test_who_waits_says_for_whom(tmp_path):
    told: list[str] = []
    script = (
        "import sys, time; from pathlib import Path; from harness.ci.turns import taking_turns\n"
        "with taking_turns(Path(sys.argv[1]), 'the board', print):\n"
        "    print('held', flush=True); time.sleep(1.0)"
    )
    path = tmp_path / "harness.lock"
    command = [sys.executable, "-c", script, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with taking_turns(path, "the board", told.append):
            assert other.wait(timeout=10) == 0
    (line,) = told
    assert f"process {other.pid}" in line
    assert line.endswith("which works on the board")


def test_a_decision_that_is_pushed_while_another_process_publishes_loses_no_card(
    tmp_path, monkeypatch
):
    main = MainBranch(tmp_path, monkeypatch, teams=("anna", "bert", "late"))
    git = main.repository.git
    git("init", "--quiet", "--bare", str(tmp_path / "remote"))
    git("remote", "add", "origin", str(tmp_path / "remote"))
    clone = ("--repository", main.repository.folder)
    harness(*main.command("publish", "--push", "--challenge", "sample"))
    decided: list[str] = []

    def freeze_first(request: ScoringRequest) -> ScoringOutcome:
        if not decided:
            decided.append("freeze")
            of = ("--board", tmp_path / "other", "--push", "--reason", "it is over")
            harness("ci", "freeze", *clone, *of, "--deadline", "2020-01-01T00:00:00Z")
        return ci_stand_in.score(request)

    main.score = freeze_first
    main.repository.commit("main", main.files("carl"))
    told = harness(*main.command("publish", "--push", "--challenge", "sample"))
    assert decided
    assert "carl" in told
    ranks = dict.fromkeys(("anna", "bert", "late", "carl"))
    check_ranks(site_ranks(main.board / "docs", "sample"), ranks)
    harness("ci", "fetch-board", *clone, "--board", tmp_path / "third")
    check_ranks(site_ranks(tmp_path / "third" / "docs", "sample"), ranks)
    check_ranks(printed(tmp_path / "third" / "results", "sample"), ranks)


def test_a_clone_with_commits_that_were_never_pushed_is_not_stuck(tmp_path, monkeypatch):
    main = MainBranch(tmp_path, monkeypatch, teams=("anna",))
    git = main.repository.git
    git("init", "--quiet", "--bare", str(tmp_path / "remote"))
    git("remote", "add", "origin", str(tmp_path / "remote"))
    push = ("publish", "--push", "--challenge", "sample")
    harness(*main.command(*push))
    # A run without --push leaves a commit, and somebody else pushes meanwhile.
    main.repository.commit("main", main.files("bert"))
    harness(*main.command("publish", "--challenge", "sample"))
    of = ("--repository", main.repository.folder, "--push", "--reason", "they asked")
    harness("ci", "withdraw", "anna", *of, "--board", tmp_path / "other")
    (main.board / ".git" / "index.lock").touch()
    harness(*main.command(*push))
    harness("ci", "fetch-board", *of[:2], "--board", tmp_path / "third")
    check_ranks(printed(tmp_path / "third" / "results", "sample"), {"anna": None, "bert": 1})
