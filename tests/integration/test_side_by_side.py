"""Two scorers at once, each a process of its own: each submission is scored by one of them."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.ci.claims import PREFIX
from harness.ci.queue import SAVED_AFTER
from tests.integration.test_working_point import manifest
from tests.quick_harness import NO_PAGES_VARIABLE
from tests.repositories import GitRepository, submission

pytestmark = pytest.mark.whole

TEAMS = ("anna", "bert", "carl")
BEGUN = "anna: is scored now"


@contextmanager
def scorer(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """Start a command of `tests.quick_harness`; kill it in the end."""
    command = [sys.executable, "-m", "tests.quick_harness", *map(str, arguments)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, NO_PAGES_VARIABLE: "1"},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def line_with(process: subprocess.Popen[str], words: str) -> str:
    """Read what a process says up to a line with these words."""
    assert process.stderr is not None
    found = next((line for line in process.stderr if words in line), None)
    assert found is not None, f"it ended without {words!r}"
    return found


def end(process: subprocess.Popen[str]) -> str:
    """Wait for the end of a process; return what it printed and said."""
    said, told = process.communicate(timeout=120)
    assert process.returncode == 0, told
    return said + told


class Place:
    """A main branch with some teams, of which anna's scoring waits for a gate."""

    def __init__(self, folder: Path, teams: Sequence[str] = TEAMS) -> None:
        self.folder, self.gate = folder, folder / "gate"
        files: dict[str, bytes] = {}
        for seed, team in enumerate(teams):
            slow = {"until": str(self.gate)} if team == "anna" else {}
            said = json.dumps({"seed": seed, **slow}).encode()
            files |= {**submission(team), f"submissions/{team}/figures.json": said}
        first = GitRepository.init(folder / "first", {"README.md": b"x"})
        first.commit("main", files)
        first.git("reset", "--quiet", "--hard", "main")
        first.git("clone", "--quiet", "--bare", ".", str(folder / "remote"))
        self.challenge = (
            "--challenge",
            "mycup",
            "--manifest",
            manifest(folder, 1e-5, name="mycup"),
        )
        self.first, self.remote = first, GitRepository(folder / "remote")

    def add(self, team: str) -> None:
        """Merge another team's entry into the main branch of the remote."""
        said = json.dumps({"seed": sum(team.encode())}).encode()
        files = {**submission(team), f"submissions/{team}/figures.json": said}
        base = self.remote.git("rev-parse", "main")
        self.remote.git(
            "update-ref", "refs/heads/main", self.remote.commit("x", files, parent=base)
        )

    def follow(self, clone: str) -> None:
        """Bring a clone what was merged."""
        git = GitRepository(self.folder / clone).git
        git("fetch", "--quiet", "origin", "main")
        git("reset", "--quiet", "--hard", "FETCH_HEAD")

    def publish(self, clone: str) -> tuple[str | Path, ...]:
        """Return the command of a publisher with a clone and a board of its own."""
        folder = self.folder / clone
        if not folder.exists():
            self.remote.git("clone", "--quiet", ".", str(folder))
        board = self.folder / f"board-{clone}"
        where = ("--repository", folder, "--board", board, "--push")
        return ("ci", "publish", *where, *self.challenge)

    def cards(self) -> Counter[str]:
        """Count the cards of each team on the board's branch."""
        names = self.remote.git("ls-tree", "-r", "--name-only", "board", "results/mycup")
        ways = [name.split("/") for name in names.splitlines()]
        return Counter(way[2] for way in ways if len(way) == 4 and way[3].endswith(".json"))

    def claims(self) -> str:
        return self.remote.git("for-each-ref", PREFIX)


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(tmp_path)


def test_two_publishers_in_two_clones_share_the_submissions(place):
    with scorer(*place.publish("one")) as one:
        line_with(one, BEGUN)
        with scorer(*place.publish("two")) as two:
            assert f"process {one.pid} " in line_with(two, "anna: left to")
            said = end(two)
            assert "bert: scored in" in said
            assert "carl: scored in" in said
        place.gate.touch()
        said = end(one)
    assert "bert: scored already" in said
    assert "carl: scored already" in said
    assert place.cards() == Counter(TEAMS)
    assert place.claims() == ""


def test_what_a_killed_publisher_has_claimed_is_scored_by_the_other_one(place):
    with scorer(*place.publish("one")) as one:
        line_with(one, BEGUN)
        one.kill()
        one.communicate()
        assert place.claims() != ""
        place.gate.touch()
        with scorer(*place.publish("two")) as two:
            end(two)
        assert place.cards() == Counter(TEAMS)
    with scorer(*place.publish("one")) as again:
        assert "anna: scored already" in end(again)
    assert place.cards() == Counter(TEAMS)
    assert place.claims() == ""


def test_a_publisher_whose_claim_was_taken_over_keeps_no_card(place):
    with scorer(*place.publish("one")) as one:
        line_with(one, BEGUN)
        (claim,) = (line.split()[2] for line in place.claims().splitlines())
        place.remote.git("update-ref", claim, "main")
        place.gate.touch()
        assert "has taken it over" in " ".join(end(one).split()) or place.cards()["anna"] == 0
    assert place.cards() == Counter(("bert", "carl"))


def test_cards_are_pushed_while_others_are_scored(tmp_path):
    more = [f"t{number}" for number in range(SAVED_AFTER)]
    place = Place(tmp_path, ("anna", *more))
    with scorer(*place.publish("one"), "--jobs", "2") as one:
        line_with(one, BEGUN)
        end_s = time.monotonic() + 60
        while "board" not in place.remote.git("branch", "--list", "board"):
            assert time.monotonic() < end_s
            time.sleep(0.1)
        # Its machine is lost, and anna's scoring with it.
        one.kill()
        assert place.cards() == Counter(more)


def play(place: Place, n_kills: int) -> None:
    """Kill one of two publishers at random moments, while entries come; then let both end."""
    generator = random.Random(n_kills)
    clones, teams = ("one", "two"), {"anna", "bert", "carl"}
    place.gate.touch()
    commands = {clone: place.publish(clone) for clone in clones}
    for number in range(n_kills):
        teams |= {f"t{number}", f"u{number}"}
        place.add(f"t{number}")
        place.add(f"u{number}")
        for clone in clones:
            place.follow(clone)
        victim = generator.choice(clones)
        with scorer(*commands["one"]) as one, scorer(*commands["two"]) as two:
            processes = {"one": one, "two": two}
            time.sleep(generator.uniform(0.5, 6.0))
            processes.pop(victim).kill()
            (other,) = processes.values()
            end(other)
    for clone in clones:
        place.follow(clone)
        with scorer(*commands[clone]) as last:
            end(last)
    assert place.cards() == Counter(teams)
    assert place.claims() == ""


def test_of_two_publishers_that_are_killed_no_card_is_lost_or_doubled(place):
    play(place, 2)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_of_two_publishers_that_are_killed_fifty_times_no_card_is_lost_or_doubled(place):
    play(place, 50)


def test_a_card_of_files_that_somebody_else_has_published_meanwhile_is_dropped(place):
    place.gate.touch()
    alone = [one for one in place.publish("one") if one != "--push"]
    with scorer(*alone) as one:
        end(one)
    kept = place.folder / "board-one" / "results" / "mycup"
    assert len(list(kept.glob("*/*.json"))) == len(TEAMS)
    with scorer(*place.publish("two")) as two:
        end(two)
    with scorer(*place.publish("one")) as one:
        assert "anna: scored already" in end(one)
    assert place.cards() == Counter(TEAMS)
    assert Counter(path.parent.name for path in kept.glob("*/*.json")) == Counter(TEAMS)


@pytest.mark.parametrize("has_plan", [True, False])
def test_two_scorings_into_one_folder_work_side_by_side(place, has_plan):
    main, out = place.first, place.folder / "plan.json"
    what: tuple[str | Path, ...] = ("--all", "--submissions", main.folder / "submissions")
    if has_plan:
        refs = ("--base", "main~1", "--head", "main", "--out", out)
        with scorer("ci", "plan", "--repository", main.folder, *refs) as planner:
            end(planner)
        what = ("--plan", out, "--repository", main.folder)
    results = place.folder / "results"
    command = ("ci", "score", *what, "--results", results, *place.challenge)
    with scorer(*command) as one:
        line_with(one, BEGUN)
        with scorer(*command) as two:
            # It scores the others meanwhile.
            line_with(two, "carl: scored in")
            assert f"process {one.pid} " in line_with(two, "anna: waiting for")
            place.gate.touch()
            said = end(two)
        told = end(one)
    assert "anna: scored already" in said
    assert "anna: scored in" in told
    cards = Counter(path.parent.name for path in results.glob("mycup/*/*.json"))
    assert cards == Counter(TEAMS)
    assert list(results.glob(".*.lock")) in ([], [results / ".inbox.lock"])
