"""Whoever is killed, and whenever: nothing of a step is left."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
import yaml

from harness.card.files import read_card
from harness.card.records import ScoreCard
from harness.errors import SubmissionError
from harness.sandbox import Sandbox
from harness.sandbox.bubblewrap import find_bwrap
from harness.sandbox.scratch import PREFIX, remove_abandoned, scratch_folder
from harness.sandbox.step import Step
from tests.events import make_challenge, make_events, toy_file, write_hdf5
from tests.hostile.as_user import can_become_user
from tests.hostile.attack import PREAMBLE

ROOT = Path(__file__).resolve().parents[2]
MARKER = "hxfault"
# A step that does all that could be left behind: processes, a file in /dev/shm, outputs.
BUSY = PREAMBLE + textwrap.dedent(f"""
    rename_process({MARKER!r})
    for n in range(2):
        if os.fork() == 0:
            os.setsid()
            time.sleep(120)
    open('/dev/shm/{MARKER}', 'w').write('x' * 100_000)
    with open(outputs['scores'], 'wb') as file:
        for n in range(20):
            file.write(bytes(1000))
            time.sleep(0.005)
""")
SCORER = textwrap.dedent("""
    import signal
    import sys
    from pathlib import Path
    from harness.errors import HarnessError
    from harness.sandbox import open_sandbox, scratch_folder
    from harness.sandbox.step import Step
    from tests.hostile.attack import LIMITS

    # A shell starts what runs in its background with Ctrl-C ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sandbox = open_sandbox("bwrap")
    code = Path(sys.argv[1])
    print("ready", flush=True)
    while True:
        with scratch_folder() as folder:
            try:
                sandbox.run(
                    Step(name="busy", entry="harness.sandbox.trial:execute", limits=LIMITS,
                         inputs={"code": code}, outputs={"scores": 20_000}), folder)
            except HarnessError as error:
                print("told", type(error).__name__, flush=True)
""")


class Scorer:
    """A scorer that runs one busy step after another, in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.temporary = folder / "tmp"
        self.temporary.mkdir(exist_ok=True)
        code = folder / "busy.py"
        code.write_text(BUSY)
        program = folder / "scorer.py"
        program.write_text(SCORER)
        self.place = str(folder)
        self.process = subprocess.Popen(
            [sys.executable, program, code],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(self.temporary), "PYTHONPATH": str(ROOT)},
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def workers(self) -> list[int]:
        """Return the processes within the running step."""
        return [pid for pid in _pids() if _comm(pid) == MARKER and not _is_zombie(pid)]

    def others(self) -> list[int]:
        """Return the processes of bubblewrap and the worker, by a path in their arguments."""
        return [pid for pid in _pids() if pid != os.getpid() and self._is_ours(pid)]

    def _is_ours(self, pid: int) -> bool:
        with contextlib.suppress(OSError):
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes()
            return self.place.encode() in arguments and not _is_zombie(pid)
        return False

    def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to the scorer alone and wait for its end."""
        self.process.send_signal(number)
        self.process.wait(30)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def assert_nothing_is_left(self) -> None:
        """Check processes, mounts, shared memory and, after the next run, temporary files.

        A bubblewrap that was cut off before its step began is ended by the next run as well.
        """
        _wait_until(lambda: not self.workers())
        _wait_until(self._is_swept)
        assert self.place not in Path("/proc/self/mountinfo").read_text()
        assert not Path(f"/dev/shm/{MARKER}").exists()

    def _is_swept(self) -> bool:
        """Sweep as the next run does, and tell whether nothing is left."""
        remove_abandoned(self.temporary)
        return not self.others() and not any(self.temporary.iterdir())


def _wait_until(is_true: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 30
    while not is_true():
        assert time.monotonic() < end_s, "a process is left"
        time.sleep(0.01)


def _pids() -> list[int]:
    return [int(place.name) for place in Path("/proc").iterdir() if place.name.isdigit()]


def _comm(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def _is_zombie(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    return True


def _kill_at_random_moments(folder: Path, n_moments: int, seed: int) -> None:
    rng = random.Random(seed)
    for moment in range(n_moments):
        scorer = Scorer(folder)
        victims = ("scorer", "worker", "bwrap", "both")[moment % 4]
        time.sleep(rng.uniform(0.0, 0.4))
        if victims == "bwrap":
            targets = [pid for pid in scorer.others() if _comm(pid) == "bwrap"]
        else:
            targets = scorer.workers() if victims in ("worker", "both") else []
        for pid in rng.sample(targets, min(len(targets), 2)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if victims in ("worker", "bwrap"):
            time.sleep(0.2)
            assert scorer.process.poll() is None, "the death of a worker took the scorer along"
        scorer.end()
        scorer.assert_nothing_is_left()


def test_nothing_is_left_after_a_kill_at_20_random_moments(tmp_path: Path) -> None:
    _kill_at_random_moments(tmp_path, 20, seed=1)


@pytest.mark.slow
def test_nothing_is_left_after_a_kill_at_100_random_moments(tmp_path: Path) -> None:
    _kill_at_random_moments(tmp_path, 100, seed=2)


def test_a_bubblewrap_cut_off_before_its_step_is_ended_by_the_next_run(tmp_path: Path) -> None:
    """The child of one that dies before it says that the user namespace is ready waits for ever."""
    folder = tmp_path / f"{PREFIX}dead"
    folder.mkdir()
    info, info_end = os.pipe()
    never, never_end = os.pipe()
    options = ["--unshare-user", "--unshare-pid", "--die-with-parent"]
    options += ["--info-fd", str(info_end), "--userns-block-fd", str(never)]
    options += ["--ro-bind", "/", "/", "--bind", str(folder), "/mnt"]
    cut_off = subprocess.Popen(
        [str(find_bwrap()), *options, "true"], pass_fds=(info_end, never), stderr=subprocess.DEVNULL
    )
    told = b""
    while b"}" not in told:
        # bubblewrap writes it piece by piece.
        told += os.read(info, 1000)
    child = psutil.Process(json.loads(told)["child-pid"])
    cut_off.kill()
    cut_off.wait()
    for descriptor in (info, info_end, never, never_end):
        os.close(descriptor)
    time.sleep(0.2)
    assert child.is_running(), "bubblewrap has mended it: the sweep can go"

    assert remove_abandoned(tmp_path) == [folder]

    _wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_ctrl_c_ends_the_step_and_leaves_no_folder(tmp_path: Path) -> None:
    scorer = Scorer(tmp_path)
    while not scorer.workers():
        time.sleep(0.005)

    scorer.end(signal.SIGINT)

    assert scorer.process.returncode != 0
    assert list(scorer.temporary.iterdir()) == []
    scorer.assert_nothing_is_left()


def test_a_killed_worker_is_told_as_the_submission_s_end(sandbox: Sandbox, tmp_path: Path) -> None:
    code = tmp_path / "code.py"
    code.write_text("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    (tmp_path / "out").mkdir()

    with pytest.raises(SubmissionError, match="signal SIGKILL"):
        sandbox.run(
            Step(name="x", entry="harness.sandbox.trial:execute", inputs={"code": code}),
            tmp_path / "out",
        )


def test_folders_of_living_runs_are_kept(tmp_path: Path) -> None:
    with scratch_folder(tmp_path) as living:
        abandoned = tmp_path / f"{PREFIX}abandoned"
        abandoned.mkdir()
        foreign = tmp_path / "somebody-elses"
        foreign.mkdir()
        link = tmp_path / f"{PREFIX}link"
        link.symlink_to(foreign)

        removed = remove_abandoned(tmp_path)

        assert removed == [abandoned]
        assert living.is_dir()
        assert foreign.is_dir()
    assert not living.exists()


def test_a_ctrl_c_that_falls_into_the_removal_of_a_folder_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove, n_calls = shutil.rmtree, []

    def interrupted(folder: Path, **options: object) -> None:
        n_calls.append(folder)
        if len(n_calls) == 1:
            raise KeyboardInterrupt
        remove(folder, **options)

    monkeypatch.setattr(shutil, "rmtree", interrupted)
    with pytest.raises(KeyboardInterrupt), scratch_folder(tmp_path) as folder:
        (folder / "events").touch()

    assert list(tmp_path.iterdir()) == []


def test_folders_made_at_once_do_not_take_each_other_for_abandoned(tmp_path: Path) -> None:
    def make(number: int) -> bool:
        with scratch_folder(tmp_path) as folder:
            (folder / "mine").write_text(str(number))
            return (folder / "mine").read_text() == str(number)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(make, range(400)))
    assert list(tmp_path.iterdir()) == []


def test_eight_steps_at_once_give_what_one_gives(sandbox: Sandbox, tmp_path: Path) -> None:
    code = tmp_path / "code.py"
    code.write_text("outputs['o'].write_bytes(b'7' * 1000)\nfound = sum(range(100_000))")

    def run(number: int) -> tuple[object, bytes]:
        folder = tmp_path / str(number)
        folder.mkdir()
        step = Step(
            name=str(number),
            entry="harness.sandbox.trial:execute",
            inputs={"code": code},
            outputs={"o": 1000},
        )
        result = sandbox.run(step, folder)
        return result.report["found"], result.outputs["o"].read_bytes()

    n_threads = threading.active_count()
    alone = run(0)
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(run, range(1, 9)))

    assert together == [alone] * 8
    assert threading.active_count() == n_threads


# --- A whole scoring ---

OPEN_MODEL = """
def score(events):
    return events[:, :, 0].sum(axis=1)
"""
DECLARATION = """\
team: {team}
title: Sum
authors: [A. Tester]
division: open
description: A sum.
training_data: none
is_supervised: false
licence: Apache-2.0
"""


class Scorings:
    """Scores one entry of the open division on a toy challenge, by the command line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.results = folder / "results"
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.submission = folder / "team_a"
        self.submission.mkdir()
        (self.submission / "model.py").write_text(OPEN_MODEL)
        (self.submission / "submission.yaml").write_text(DECLARATION.format(team="team_a"))
        files = folder / "files"
        files.mkdir()
        write_hdf5(files / "background.h5", make_events(6000, seed=1))
        write_hdf5(files / "signal.h5", make_events(500, seed=2) * np.float32([3, 1, 1]))
        challenge = make_challenge(
            [
                toy_file("background.h5", n_events=6000),
                toy_file("signal.h5", role="signal", process="signal"),
            ]
        )
        manifest = {"schema": 1, "challenges": [challenge.model_dump(mode="json")]}
        (folder / "private.yaml").write_text(yaml.safe_dump(manifest))
        fetch = ("fetch", "toy", "--manifest", folder / "private.yaml", "--trust-first-use")
        assert self.start(*fetch, "--from", files).wait(120) == 0

    def start(self, *arguments: str | Path) -> subprocess.Popen[bytes]:
        """Start the command line."""
        return subprocess.Popen(
            [sys.executable, "-m", "harness.cli", *map(str, arguments)],
            cwd=self.folder,
            env={
                **os.environ,
                "HARNESS_CACHE": str(self.folder / "cache"),
                "TMPDIR": str(self.temporary),
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def score(self) -> subprocess.Popen[bytes]:
        """Start a scoring."""
        toy = ("--challenge", "toy", "--manifest", self.folder / "private.yaml")
        return self.start("score", self.submission, *toy, "--results", self.results)

    def cards(self) -> list[ScoreCard]:
        """Read all cards; a torn one raises."""
        return [read_card(path) for path in sorted(self.results.rglob("*.json"))]

    def processes(self) -> list[int]:
        """Return the processes that have this folder in their arguments."""
        return [pid for pid in _pids() if pid != os.getpid() and self._is_ours(pid)]

    def _is_ours(self, pid: int) -> bool:
        with contextlib.suppress(OSError):
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes()
            return str(self.folder).encode() in arguments and not _is_zombie(pid)
        return False


@pytest.fixture(scope="module")
def scorings(tmp_path_factory: pytest.TempPathFactory) -> Scorings:
    return Scorings(tmp_path_factory.mktemp("scorings"))


def _kill_scorings(scorings: Scorings, n_moments: int, seed: int) -> None:
    rng = random.Random(seed)
    started_s = time.monotonic()
    assert scorings.score().wait(120) == 0
    takes_s = time.monotonic() - started_s
    n_cards = len(scorings.cards())
    for _ in range(n_moments):
        process = scorings.score()
        # Late moments, when the card is written, as often as all others.
        moment_s = takes_s * rng.choice([rng.uniform(0.0, 1.0), rng.uniform(0.85, 1.1)])
        time.sleep(moment_s)
        process.kill()
        process.wait(30)
        end_s = time.monotonic() + 10
        while scorings.processes() and time.monotonic() < end_s:
            time.sleep(0.01)
        assert scorings.processes() == []
        assert len(scorings.cards()) >= n_cards
        n_cards = len(scorings.cards())
    assert scorings.score().wait(120) == 0
    assert len(scorings.cards()) == n_cards + 1
    assert list(scorings.temporary.iterdir()) == []


def test_no_card_is_torn_by_a_kill_at_5_random_moments(scorings: Scorings) -> None:
    _kill_scorings(scorings, 5, seed=3)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_card_is_torn_by_a_kill_at_100_random_moments(scorings: Scorings) -> None:
    _kill_scorings(scorings, 100, seed=4)


@pytest.mark.slow
def test_eight_scorings_at_once_give_the_same_figures(scorings: Scorings) -> None:
    assert scorings.score().wait(120) == 0
    alone = scorings.cards()[-1]

    for process in [scorings.score() for _ in range(8)]:
        assert process.wait(240) == 0

    for card in scorings.cards():
        assert card.float_physics == alone.float_physics


FULL_DISK = textwrap.dedent("""
    import sys
    from pathlib import Path
    from harness.errors import HarnessError
    from harness.sandbox import open_sandbox
    from harness.sandbox.step import Step

    try:
        open_sandbox("bwrap").run(
            Step(name="x", entry="harness.sandbox.trial:execute",
                 inputs={"code": Path(sys.argv[1])}, outputs={"scores": 10**7}), Path(sys.argv[2]))
    except HarnessError as error:
        print(type(error).__name__, error)
""")


@pytest.mark.slow
@pytest.mark.skipif(not can_become_user(), reason="only root can mount a small disk")
@pytest.mark.parametrize("place", ["temporary", "results"])
@pytest.mark.parametrize("n_kib", [16, 300, 800, 1600, 3200])
def test_a_disk_that_fills_up_at_any_stage_writes_no_torn_card(
    scorings: Scorings, tmp_path: Path, place: str, n_kib: int
) -> None:
    from harness.sandbox.bubblewrap import find_bwrap

    disk = tmp_path / "disk"
    disk.mkdir()
    small_disk = ["--dev-bind", "/", "/", "--size", str(n_kib * 1024), "--tmpfs", str(disk)]
    paths = {"TMPDIR": scorings.temporary, "HARNESS_CACHE": scorings.folder / "cache"}
    if place == "temporary":
        paths["TMPDIR"] = disk
    results = disk if place == "results" else tmp_path / "results"
    toy = ("--challenge", "toy", "--manifest", scorings.folder / "private.yaml")
    command = [sys.executable, "-m", "harness.cli", "score", scorings.submission, *toy]
    listing = f'"$@"; code=$?; find {disk} -name "*.json" | wc -l; exit $code'

    done = subprocess.run(
        [find_bwrap(), *small_disk, "sh", "-c", listing, "sh", *command, "--results", results],
        capture_output=True,
        text=True,
        check=False,
        cwd=scorings.folder,
        env={**os.environ, **{name: str(path) for name, path in paths.items()}},
    )

    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 5), done.stderr
    if done.returncode == 5:
        assert not (tmp_path / "results").exists()
        assert done.stdout.splitlines()[-1] == "0"


@pytest.mark.skipif(not can_become_user(), reason="only root can mount a small disk")
def test_a_full_disk_is_a_fault_of_the_environment(tmp_path: Path) -> None:
    from harness.sandbox.bubblewrap import find_bwrap

    code, program, disk = tmp_path / "code.py", tmp_path / "program.py", tmp_path / "disk"
    code.write_text("outputs['scores'].write_bytes(bytes(5_000_000))")
    program.write_text(FULL_DISK)
    disk.mkdir()
    small_disk = ["--dev-bind", "/", "/", "--size", "1000000", "--tmpfs", str(disk)]

    done = subprocess.run(
        [find_bwrap(), *small_disk, sys.executable, program, code, disk],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )

    assert done.stdout.startswith("EnvironmentFaultError")
    assert "the disk is full" in done.stdout
