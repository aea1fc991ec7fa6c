"""A scoring that is killed, or has no room: a whole card or none, and nothing left behind."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from harness.board.queued import SUFFIX
from harness.card.files import SCORES_SUFFIX, read_card, read_scores
from harness.sandbox.bubblewrap import find_bwrap
from tests.events import make_events, write_hdf5
from tests.integration.conftest import OPEN_MODEL, CommandLine, write_submission

pytestmark = pytest.mark.whole

# How long after a stage was announced, at most, the signal comes.
LATEST_S = 0.4


class Killed:
    """A scoring in a process of its own, with its own temporary files and results."""

    def __init__(self, harness: CommandLine, submission: Path, folder: Path) -> None:
        self.temporary = folder / "tmp"
        self.results = folder / "results"
        self.temporary.mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "harness.cli", *self.arguments(harness, submission)],
            cwd=harness.folder,
            env={
                **os.environ,
                "HARNESS_CACHE": str(harness.folder / "cache"),
                "TMPDIR": str(self.temporary),
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            # A shell's background job ignores Ctrl-C, and so would its children.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )
        self.seen: set[psutil.Process] = set()

    def arguments(self, harness: CommandLine, submission: Path) -> list[str]:
        toy = ["--challenge", "toy", "--manifest", str(harness.manifest)]
        return ["score", str(submission), *toy, "--results", str(self.results)]

    def wait_for(self, announcement: str) -> None:
        """Read the progress up to a line."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if line.startswith(announcement):
                return
        raise AssertionError(f"the run ended before it announced {announcement}")

    def end(self, number: signal.Signals) -> str:
        """Send the parent a signal, wait for its end, and return what it said."""
        with contextlib.suppress(psutil.NoSuchProcess):
            self.seen.update(psutil.Process(self.process.pid).children(recursive=True))
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=60)
        return said

    def finish(self) -> None:
        """Let the run come to its end."""
        _, said = self.process.communicate(timeout=120)
        assert self.process.returncode == 0, said

    def cards(self) -> list[Path]:
        """Return the cards, each of which is whole and has its scores."""
        folder = self.results / "toy" / "team_killed"
        cards = sorted(folder.glob("*.json"))
        for card in cards:
            assert read_card(card).submission.team == "team_killed"
            assert set(read_scores(card).float_scores) == {"background", "heavy", "alike"}
        return cards

    def strays(self) -> list[str]:
        """Return what lies in the results besides cards with their scores, locks and states."""
        cards = self.cards()
        own = {path.name for card in cards for path in (card, card.with_suffix(SCORES_SUFFIX))}
        found = self.results.rglob("*")
        return [
            path.name
            for path in found
            if path.is_file() and path.name not in own | {".lock"} and path.suffix != SUFFIX
        ]

    def assert_no_process_is_left(self, *, is_swept: bool = False) -> None:
        """Look for the children seen before the end, and for any with our paths as arguments.

        A bubblewrap whose parent is killed before its namespaces are ready waits for ever, and
        nothing of the step has begun in it: the next run ends it (`remove_abandoned`). It may be
        left unless `is_swept`.
        """
        end_s = time.monotonic() + 60
        while (alive := [*self._alive(is_swept)]) and time.monotonic() < end_s:
            time.sleep(0.02)
        assert alive == []

    def _alive(self, is_swept: bool) -> Iterator[str]:
        named = [
            process
            for process in psutil.process_iter(["cmdline"])
            if any(str(self.temporary) in word for word in process.info["cmdline"] or ())
        ]
        for process in {*self.seen, *named}:
            with contextlib.suppress(psutil.Error):
                is_alive = process.is_running() and process.status() != psutil.STATUS_ZOMBIE
                if is_alive and (is_swept or not _never_began(process)):
                    yield str(process)


def _never_began(process: psutil.Process) -> bool:
    """Whether it is an orphaned bubblewrap in which no step has begun."""
    return process.name() == "bwrap" and process.ppid() == 1 and not process.children()


@pytest.fixture(scope="module")
def submission(harness: CommandLine) -> Path:
    return write_submission(
        harness.folder / "subs" / "team_killed", model=OPEN_MODEL, division="open"
    )


@pytest.mark.timeout(900)
def test_a_killed_scoring_leaves_a_whole_card_or_none_and_the_next_run_sweeps_up(
    harness, submission, tmp_path
):
    n_cards = 0
    for number, moments in (
        # Ctrl-C sweeps up itself; after the others the next run does.
        (signal.SIGINT, ("score:", "checks: done")),
        (signal.SIGTERM, ("score:", "checks: done")),
        (signal.SIGKILL, ("data:", "score:", "checks:", "checks: done")),
    ):
        rng = random.Random(number)
        for moment in moments:
            run = Killed(harness, submission, tmp_path)
            run.wait_for(moment)
            time.sleep(rng.uniform(0, LATEST_S))
            said = run.end(number)

            run.assert_no_process_is_left()
            assert n_cards <= len(run.cards()) <= n_cards + 1
            n_cards = len(run.cards())
            if number == signal.SIGINT and run.process.returncode != 0:
                assert run.process.returncode == 130
                assert "interrupted" in said
                assert list(run.temporary.iterdir()) == []
                assert run.strays() == []

    last = Killed(harness, submission, tmp_path)
    last.finish()

    last.assert_no_process_is_left(is_swept=True)
    assert len(last.cards()) == n_cards + 1
    assert last.strays() == []
    assert list(last.temporary.iterdir()) == []


@pytest.fixture(scope="module")
def network(harness: CommandLine) -> Path:
    """A submission whose scoring has steps that wait for its network."""
    return write_submission(harness.folder / "subs" / "of_network" / "team_killed")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_step_is_left_that_waits_for_a_network(harness, network, tmp_path, number):
    run = Killed(harness, network, tmp_path)
    run.wait_for("export:")
    # By now the export and the first step that waits for it are there, seldom the second.
    end_s = time.monotonic() + 60
    while len(_sandboxes(run.process.pid)) < 2 and time.monotonic() < end_s:
        time.sleep(0.01)
    assert len(_sandboxes(run.process.pid)) >= 2

    run.end(number)

    run.assert_no_process_is_left()
    assert run.cards() == []
    if number == signal.SIGINT:
        assert list(run.temporary.iterdir()) == []


def _sandboxes(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return [one for one in psutil.Process(pid).children() if one.name() == "bwrap"]
    return []


class KilledQueue(Killed):
    """A queue, whose scoring is a process of its own."""

    def arguments(self, harness: CommandLine, submission: Path) -> list[str]:
        _, _, *rest = super().arguments(harness, submission)
        return ["ci", "score", "--all", "--submissions", str(submission.parent), *rest]


@pytest.fixture(scope="module")
def alone(harness: CommandLine) -> Path:
    """A submission in a folder of its own."""
    return write_submission(
        harness.folder / "queue" / "team_killed", model=OPEN_MODEL, division="open"
    )


def test_a_killed_queue_ends_its_scoring_too_and_the_next_run_sweeps_up(harness, alone, tmp_path):
    rng = random.Random(1)
    for latest_s in (0.0, 2.0, 5.0):
        run = KilledQueue(harness, alone, tmp_path)
        run.wait_for("team_killed: is scored now")
        time.sleep(rng.uniform(latest_s / 2, latest_s))
        run.end(signal.SIGKILL)
        run.assert_no_process_is_left()
        # On a fast machine it may have ended before; what is scored is not scored once more.
        shutil.rmtree(run.results, ignore_errors=True)

    # A run that lives has its folders beside them, and keeps them.
    other = tmp_path / "other"
    other.mkdir()
    (other / "tmp").symlink_to(run.temporary)
    first = KilledQueue(harness, alone, tmp_path)
    first.wait_for("team_killed: is scored now")
    second = KilledQueue(harness, alone, other)
    second.finish()
    first.finish()

    first.assert_no_process_is_left(is_swept=True)
    assert len(first.cards()) >= 1
    assert len(second.cards()) == 1
    assert list(first.temporary.iterdir()) == []
    assert second.strays() == [".inbox.lock", "inbox.jsonl"]


WRITER = """
import sys
from pathlib import Path
from harness.card.files import describe_bytes, write_card
from tests.cards import make_card

card, scores = make_card(), bytes(3_000_000)
card = card.model_copy(update={"scores": describe_bytes("scores.zst", scores)})
print("ready", flush=True)
for n in range(10_000):
    created = f"2026-01-01T{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}Z"
    write_card(card.model_copy(update={"created": created}), Path(sys.argv[1]), scores=scores)
"""


def test_a_writer_killed_between_any_two_bytes_leaves_whole_cards_with_their_scores(tmp_path):
    rng = random.Random(1)
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    for _ in range(5):
        writer = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root)
        with writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            while not list(tmp_path.rglob("*.json")):
                assert writer.poll() is None
                time.sleep(0.01)
            time.sleep(rng.uniform(0.0, 0.2))
            writer.kill()

        cards = list(tmp_path.rglob("*.json"))
        assert cards
        for card in cards:
            read_card(card)
            assert card.with_suffix(SCORES_SUFFIX).stat().st_size == 3_000_000


# --- no room ------------------------------------------------------------------------------------


def _on_small_disk(
    harness: CommandLine, disk: Path, n_bytes: int, *arguments: str | Path, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run the command line with a disk of `n_bytes` mounted at `disk`, for it alone."""
    disk.mkdir(exist_ok=True)
    mount = ["--dev-bind", "/", "/", "--size", str(n_bytes), "--tmpfs", str(disk)]
    return _run(harness, [str(find_bwrap()), *mount], *arguments, **env)


def _run(
    harness: CommandLine,
    before: list[str],
    *arguments: str | Path,
    limit: Callable[[], None] | None = None,
    **env: str,
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*before, sys.executable, "-m", "harness.cli", *map(str, arguments)],
        cwd=harness.folder,
        env={**os.environ, "HARNESS_CACHE": str(harness.folder / "cache"), **env},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=120,
        preexec_fn=limit,
    )


def _assert_told(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 5, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr


def _score(harness: CommandLine, submission: Path, *more: str | Path) -> list[str | Path]:
    return ["score", submission, "--challenge", "toy", "--manifest", harness.manifest, *more]


def test_no_room_for_a_card_is_told_before_anything_is_scored(harness, submission, tmp_path):
    disk = tmp_path / "results"
    arguments = _score(harness, submission, "--results", disk)
    done = _on_small_disk(harness, disk, 1_000_000, *arguments)

    _assert_told(done, "too little for a score card", str(disk), "--results")
    assert "score:" not in done.stderr


def test_no_room_for_the_events_that_are_scored_is_told(harness, submission, tmp_path):
    disk = tmp_path / "tmp"
    arguments = _score(harness, submission, "--results", tmp_path / "results")
    done = _on_small_disk(harness, disk, 1_000_000, *arguments, TMPDIR=str(disk))

    _assert_told(done, "GB are free", str(disk), "TMPDIR")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_cache_on_a_full_disk_is_told(harness, tmp_path):
    disk = tmp_path / "cache"
    fetch = ("fetch", "toy", "--manifest", harness.manifest, "--from", harness.folder / "files")
    done = _on_small_disk(
        harness, disk, 200_000, *fetch, "--trust-first-use", HARNESS_CACHE=str(disk)
    )

    _assert_told(done, "GB are free", str(disk), "HARNESS_CACHE")


def test_a_limit_on_the_size_of_files_is_told_and_leaves_no_part_of_one(harness, tmp_path):
    files, cache = tmp_path / "files", tmp_path / "cache"
    files.mkdir()
    for name, n_events in (("background.h5", 6000), ("heavy.h5", 100), ("alike.h5", 100)):
        write_hdf5(files / name, make_events(n_events))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))

    fetch = ("fetch", "toy", "--manifest", harness.manifest, "--from", files)
    done = _run(harness, [], *fetch, "--trust-first-use", limit=limit, HARNESS_CACHE=str(cache))

    _assert_told(done, "File too large", str(cache))
    assert list(cache.rglob("*.part")) == []
    assert not (cache / "toy" / "background" / "about.json").exists()
