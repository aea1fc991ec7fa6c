"""A whole hackathon on this machine: ``make hackathon``.

Nine teams hand in by pull requests that are merged, by branches that are pushed to a bare remote,
and in a shared folder. One of two scorers is killed. There are a disqualification, a rename, a late
entry, a tie, a change of the working point, another version of the scorer, and a private final.
After each step every output must give the ranking that `tests.own_ranking` computes from the cards.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import yaml

from harness.challenge import utc
from tests.integration.test_working_point import manifest
from tests.outputs import check, harness, json_ranks, printed, site_ranks
from tests.own_ranking import own_ranking
from tests.quick_harness import (
    NO_PAGES_VARIABLE,
    VERSION_VARIABLE,
    become_quick,
    version,
    write_shim,
)
from tests.repositories import GitRepository, submission

CONTEST, FINAL = "mycup", "final"
ALL = ("ato4l", "lq", "h0", "hplus")
SHOWN = ("ato4l", "lq", "hplus")
# True rates of the known signals, and of the one that the final hides: it turns the order round.
PULLED = {"anna": (6e-2, 1e-3), "bert": (5e-2, 2e-3), "carl": (4e-2, 4e-3)}
PUSHED = {"dora": (3e-2, 8e-3), "emil": (2e-2, 2e-2), "fred": (1e-2, 4e-2)}
COPIED = {"gerd": (2e-2, 2e-2), "hugo": (5e-3, 2e-1), "ines": (2e-3, 6e-1)}
# These two hand in one network.
SEEDS = {"emil": 77, "gerd": 77}


def files_of(team: str, rates: tuple[float, float], **more: object) -> dict[str, bytes]:
    """The files of a submission that `tests.quick_harness` scores."""
    known, hidden = rates
    figures = {
        "seed": SEEDS.get(team, sum(team.encode())),
        "rates": {**dict.fromkeys(SHOWN, known), "h0": hidden},
        **more,
    }
    found = submission(team, owners=["organiser"])
    return {**found, f"submissions/{team}/figures.json": json.dumps(figures).encode()}


def no_word(_: str) -> None:
    """Say nothing."""


class Hackathon:
    """The folder of the organiser; its remote, shared folder, board and private data."""

    def __init__(self, place: Path) -> None:
        self.place, self.folder = place, place / CONTEST
        self.working_point = 1e-5
        shim = write_shim(place)
        given = manifest(place, 1e-5, name=CONTEST, ranking={"tie_break": "received"})
        harness("new-hackathon", self.folder, "--from", given, "--package", "harness==0")
        self.private = place / "private.yaml"
        self._write_private(1e-5)
        os.chdir(self.folder)
        self.git = GitRepository(self.folder).git
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("add", ".")
        self.git("commit", "--quiet", "-m", "the contest")
        self.remote = GitRepository(place / "remote.git")
        self.run("sh", "scripts/make-remote.sh", str(self.remote.folder))
        self.remote.git("config", "harness.command", str(shim))

    def _write_private(self, working_point: float) -> None:
        path = manifest(self.place, working_point, name=FINAL, ranking={"tie_break": "received"})
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        (hidden,) = (one for one in document["challenges"][0]["files"] if one["process"] == "h0")
        hidden["role"] = "hidden"
        self.private.write_text(yaml.safe_dump(document), encoding="utf-8")

    @property
    def board(self) -> Path:
        return self.folder / "board"

    def environment(self) -> dict[str, str]:
        path = (
            f"{self.place}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        )
        return {**os.environ, "PATH": path, "HARNESS_AUTHOR": "organiser"}

    def run(self, *command: str) -> str:
        """Run a command of the organiser or of a team; its exit code must be 0."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    # Three ways of handing in.

    def merge(self, files: Mapping[str, bytes | None], what: str) -> None:
        """Merge a pull request, as a forge does."""
        remote = self.remote
        base = remote.git("rev-parse", "main")
        head = remote.commit("fork", files, parent=base)
        tree = remote.git("rev-parse", f"{head}^{{tree}}")
        made = remote.git("commit-tree", tree, "-p", base, "-p", head, "-m", what)
        remote.git("update-ref", "refs/heads/main", made)

    def push(self, teams: Mapping[str, tuple[float, float]]) -> str:
        """Push a branch for each team from a clone of its own; return what the hook said."""
        clone = GitRepository(self.place / "team")
        if not clone.folder.exists():
            self.run("git", "clone", "--quiet", str(self.remote.folder), str(clone.folder))
        clone.git("fetch", "--quiet", "origin", "main")
        for team, rates in teams.items():
            clone.commit(team, files_of(team, rates), parent="FETCH_HEAD")
        return self.run("git", "-C", str(clone.folder), "push", "--force", "origin", *teams)

    def copy(self, team: str, rates: tuple[float, float], received: str) -> None:
        """Copy a folder into the shared one, where it is seen at a time."""
        for name, content in files_of(team, rates).items():
            path = self.folder / "inbox" / Path(name).relative_to("submissions")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        where = ("--submissions", "inbox", "--results", "board/results")
        harness("ci", "receive", *where, "--received", received)

    # What the organiser does.

    def secrets(self) -> tuple[str | Path, ...]:
        return "--private-manifest", self.private, "--private-results", self.place / "results"

    def score(self) -> None:
        """Score what is new on the main branch and in the shared folder."""
        self.follow_main()
        harness("ci", "publish", "--push", *self.secrets())
        with_pages("ci", "publish", "--push", "--inbox", "inbox", *self.secrets())

    def follow_main(self) -> None:
        self.git("fetch", "--quiet", "origin", "main")
        self.git("merge", "--quiet", "--ff-only", "FETCH_HEAD")

    def rescore(self) -> None:
        with_pages("ci", "rescore-all", "--push", "--inbox", "inbox", *self.secrets())

    def open(self) -> dict[str, int | None]:
        """Open the private final; return its ranking."""
        where = ("--private-results", self.place / "results", "--manifest", self.private)
        return json_ranks(
            with_pages("ci", "open", "--push", "--challenge", FINAL, *where, "--json")
        )

    def decide(self, *command: str) -> None:
        """Make a decision on the public challenge and on the private one."""
        for challenge in (CONTEST, FINAL):
            harness("ci", *command, "--push", "--challenge", challenge, "--reason", "decided")

    def set_working_point(self, value: float) -> None:
        self.working_point = value
        path = self.folder / "data_manifest.yaml"
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        document["challenges"][0]["working_point"] = value
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        self._write_private(value)
        self.git("commit", "--quiet", "-a", "-m", "another working point")
        self.git("push", "--quiet", "origin", "HEAD:main")

    def start_scorer(self) -> subprocess.Popen[str]:
        command = [str(self.place / "harness"), "ci", "publish", "--push"]
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environment(), stderr=subprocess.PIPE, text=True
        )

    # What must hold.

    def expected(self, challenge: str, *, is_open: bool = False) -> dict[str, int | None]:
        results = self.board / ("opened" if is_open else "results")
        signals = ALL if is_open or challenge == CONTEST else SHOWN
        point = self.working_point
        return own_ranking(results, challenge, working_point=point, signals=signals)

    def check(self) -> dict[str, int | None]:
        """Compare every output with a ranking of our own; return that of the public challenge."""
        for challenge in (CONTEST, FINAL):
            is_open = challenge == FINAL and (self.board / "opened").exists()
            ranks = self.expected(challenge, is_open=is_open)
            check(site_ranks(self.board / "docs", challenge), ranks)
            more = ("--manifest", self.private) if challenge == FINAL and not is_open else ()
            check(printed(self.board / "results", challenge, *more), ranks)
        other = self.place / "other"
        harness("ci", "fetch-board", "--board", other)
        ranks = self.expected(CONTEST)
        check(site_ranks(other / "docs", CONTEST), ranks)
        return ranks


def play(
    place: Path, *, n_kills: int = 1, is_whole: bool = False, say: Callable[[str], None] = no_word
) -> None:
    """Play the event; raise where an output differs from what it must be.

    The reduced form leaves out the other version of the scorer.
    """
    event = Hackathon(place)
    early = datetime.now(UTC) - timedelta(hours=1)
    for team, rates in PULLED.items():
        event.merge(files_of(team, rates), f"Merge {team}")
    said = event.push(PUSHED)
    assert all(f"accepted: {team}" in said for team in PUSHED), said
    for minute, (team, rates) in enumerate(COPIED.items()):
        event.copy(team, rates, utc(early + timedelta(minutes=minute)))
    say("nine teams have handed in")

    kill_scorers(event, n_kills)
    event.score()
    ranks = event.check()
    assert {team for team, rank in ranks.items() if rank} == {*PULLED, *PUSHED, *COPIED}
    # Of two equal networks the one that was received first is first.
    assert ranks["gerd"] == (ranks["emil"] or 0) - 1
    shown = ("leaderboard", "--results", "board/results")
    assert "emil and gerd handed in the same network" in harness(*shown)
    say("a scorer was killed, the other one has scored all; equal networks are named")

    gone = dict.fromkeys(files_of("carl", PULLED["carl"]))
    event.merge({**gone, **files_of("carla", PULLED["carl"])}, "carl is called carla")
    event.score()
    event.decide("disqualify", "bert")
    deadline = utc(datetime.now(UTC))
    event.decide("freeze", "--deadline", deadline)
    wait_after(deadline)
    event.push({"late": (9e-1, 9e-1)})
    event.score()
    ranks = event.check()
    assert {team for team, rank in ranks.items() if rank is None} == {"bert", "late"}
    assert "carl" not in ranks
    say("a rename, a disqualification and a late entry")

    event.set_working_point(1e-4)
    event.rescore()
    ranks = event.check()
    assert {team for team, rank in ranks.items() if rank is None} == {"bert", "late"}
    say("another working point, all scored again")

    if is_whole:
        os.environ[VERSION_VARIABLE] = str(version() + 1)
        become_quick()
        event.rescore()
        assert event.check() == ranks
        say("another version of the scorer, all scored again")

    hidden = event.expected(FINAL)
    opened = event.open()
    assert opened == event.expected(FINAL, is_open=True)
    assert opened != hidden
    event.check()
    assert json_ranks(harness(*shown, "--json")) == opened
    say("the private final is open and exported")


def kill_scorers(event: Hackathon, n_kills: int) -> None:
    """Kill a scorer at an entry that takes long; another one waits for it, then scores it."""
    gate = event.place / "gate"
    event.merge(files_of("bert", PULLED["bert"], until=str(gate)), "bert takes long")
    event.follow_main()
    begun = "bert: is scored now"
    for number in range(n_kills):
        first = event.start_scorer()
        read_until(first, begun)
        second = event.start_scorer()
        said = read_until(second, "bert: waiting for")
        assert f"process {first.pid} " in said, said
        first.kill()
        first.communicate()
        read_until(second, begun)
        if number < n_kills - 1:
            second.kill()
            second.communicate()
    gate.touch()
    said = second.communicate(timeout=120)[1]
    assert second.returncode == 0, said


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """Read what a process says up to a line with these words; return that line."""
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return line
    raise AssertionError(f"it ended without {words!r}")


def with_pages(*arguments: str | Path) -> str:
    """Run a command that writes pages; the others leave them to the next one that does."""
    del os.environ[NO_PAGES_VARIABLE]
    try:
        return harness(*arguments)
    finally:
        os.environ[NO_PAGES_VARIABLE] = "1"


def wait_after(moment: str) -> None:
    """Wait until the clock shows another second."""
    while utc(datetime.now(UTC)) <= moment:
        time.sleep(0.05)


def main() -> None:
    """Play the event in a new folder, with many kills."""
    become_quick()
    os.environ[NO_PAGES_VARIABLE] = "1"
    with tempfile.TemporaryDirectory(prefix="hackathon-") as place:
        play(Path(place), n_kills=8, is_whole=True, say=click.echo)


if __name__ == "__main__":
    main()
