"""A step can start before its request is known: guarded like any other, it leaves nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psutil
import pytest
from pydantic import BaseModel, JsonValue

from harness.errors import (
    EnvironmentFaultError,
    InvalidSubmissionError,
    SubmissionError,
    UsageError,
)
from harness.sandbox import EarlyStep, Sandbox, Workspace
from harness.sandbox.step import Limits
from harness.sandbox.workspace import StoppedError

EXECUTE = "harness.sandbox.trial:execute"
# A function of the harness without arguments whose effect can be seen from the step.
WARM_UP = "harness.sandbox.lean_imports:import_whole_keras"
IS_WARM = "import sys; found = not any('Lean' in type(one).__name__ for one in sys.meta_path)"
LONG_S = 60.0


class Found(BaseModel):
    found: JsonValue


@pytest.fixture
def workspace(sandbox: Sandbox, tmp_path: Path) -> Workspace:
    return Workspace(run_step=sandbox.run, start_step=sandbox.start, folder=tmp_path / "steps")


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., AbstractContextManager[EarlyStep]]:
    """Return a function that starts a step early, which executes `code` when it is asked to."""

    def start(workspace: Workspace, code: str, **more: object) -> AbstractContextManager[EarlyStep]:
        place = tmp_path / "code.py"
        place.write_text(code)
        given: dict[str, object] = {"warm_up": "", "inputs": {"code": place}, **more}
        return workspace.start("early", EXECUTE, **given)  # type: ignore[arg-type]

    return start


def wait_until(is_so: Callable[[], bool]) -> None:
    end_s = time.monotonic() + LONG_S
    while not is_so():
        assert time.monotonic() < end_s
        time.sleep(0.01)


def test_a_later_input_is_empty_until_the_step_has_its_request(workspace, start, tmp_path):
    (tmp_path / "made").write_text("a network")
    code = "found = [inputs['graph'].read_text(), inputs['other'].read_text(), request['n']]"

    with start(workspace, code, later=("graph", "other")) as early:
        wait_until(lambda: early.is_warm)
        done = workspace.finish(
            early, Found, request={"n": 3}, contents={"graph": tmp_path / "made"}
        )

    assert done.report.found == ["a network", "", 3]
    assert workspace.usages == [done.usage]


def test_a_step_without_an_early_start_gives_the_same(sandbox, start, tmp_path):
    (tmp_path / "made").write_text("a network")
    workspace = Workspace(run_step=sandbox.run, folder=tmp_path / "steps")

    with start(workspace, "found = inputs['graph'].read_text()", later=("graph",)) as early:
        assert early.is_warm
        done = workspace.finish(early, Found, contents={"graph": tmp_path / "made"})

    assert done.report.found == "a network"


@pytest.mark.parametrize(("warm_up", "is_warm"), [(WARM_UP, True), ("", False)])
def test_what_it_imports_is_imported_before_its_request(workspace, start, warm_up, is_warm):
    with start(workspace, IS_WARM, warm_up=warm_up) as early:
        assert workspace.finish(early, Found).report.found == is_warm


def test_waiting_does_not_count_as_its_time(workspace, start):
    with start(workspace, "found = 1", limits=Limits(wall_s=1.0)) as early:
        wait_until(lambda: early.is_warm)
        time.sleep(1.2)
        done = workspace.finish(early, Found)

    assert done.usage.wall_s < 1.0


def test_its_limits_are_in_force_when_its_request_comes(workspace, start):
    code = "import resource; found = list(resource.getrlimit(resource.RLIMIT_NOFILE))"
    with start(workspace, code, limits=Limits(n_open_files=77)) as early:
        assert workspace.finish(early, Found).report.found == [77, 77]


def test_a_warm_up_that_fails_is_the_failure_of_the_step(workspace, start):
    warm_up = "harness.sandbox.trial:allocate"
    with (
        start(workspace, "found = 1", warm_up=warm_up) as early,
        pytest.raises(SubmissionError, match="missing 3 required positional arguments"),
    ):
        workspace.finish(early, Found)


@pytest.mark.parametrize("warm_up", ["os:getpid", "harness.sandbox", "harness.sandbox:a b"])
def test_only_the_harness_s_own_functions_warm_up(workspace, start, warm_up):
    with (
        pytest.raises(UsageError, match="is no entry of a step"),
        start(workspace, "", warm_up=warm_up),
    ):
        pass


def test_an_input_that_was_not_announced_is_refused(workspace, start, tmp_path):
    (tmp_path / "made").write_text("a network")
    with (
        start(workspace, "", later=("graph",)) as early,
        pytest.raises(UsageError, match="started without these inputs") as caught,
    ):
        workspace.finish(early, Found, contents={"weights": tmp_path / "made"})
    assert "weights" in str(caught.value)


def test_a_later_input_that_is_missing_is_the_submission_s_fault(workspace, start, tmp_path):
    with (
        start(workspace, "", later=("graph",)) as early,
        pytest.raises(InvalidSubmissionError, match="the input graph is no file"),
    ):
        workspace.finish(early, Found, contents={"graph": tmp_path / "none"})


# --- nothing is left -----------------------------------------------------------------------------


def children() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


@contextmanager
def none_is_left() -> Iterator[None]:
    before = children()
    yield
    wait_until(lambda: not children() - before)


@pytest.mark.parametrize("waits", [True, False])
def test_a_step_that_is_never_asked_is_ended(workspace, start, waits):
    with none_is_left():
        before = children()
        with start(workspace, "found = 1") as early:
            if waits:
                wait_until(lambda: early.is_warm)
                assert children() - before


@pytest.mark.parametrize("error", [KeyboardInterrupt, InvalidSubmissionError("broken")])
def test_a_step_is_ended_where_what_it_waits_for_fails(workspace, start, error):
    def fail_meanwhile() -> None:
        with start(workspace, "found = 1") as early:
            wait_until(lambda: early.is_warm)
            raise error

    with none_is_left(), pytest.raises((KeyboardInterrupt, InvalidSubmissionError)):
        fail_meanwhile()


def test_a_step_that_is_ended_while_it_waits_is_no_fault_of_the_submission(workspace, start):
    before = children()
    with start(workspace, "found = 1") as early:
        wait_until(lambda: early.is_warm)
        assert not early.has_ended
        for process in children() - before:
            process.kill()
        wait_until(lambda: early.has_ended)

        with pytest.raises(EnvironmentFaultError, match="ended while it waited for its turn"):
            workspace.finish(early, Found)


def test_a_sandbox_that_failed_before_its_turn_says_why(workspace, start, monkeypatch):
    def fail(*_: object, **__: object) -> list[str]:
        return ["/bin/sh", "-c", "echo no namespaces >&2; exit 1"]

    monkeypatch.setattr("harness.sandbox.bubblewrap.command", fail)
    monkeypatch.setattr("harness.sandbox.start._worker_command", fail)
    with start(workspace, "found = 1") as early:
        wait_until(lambda: early.is_warm)
        with pytest.raises(EnvironmentFaultError, match=r"did not start.*no namespaces"):
            workspace.finish(early, Found)


def test_a_step_that_cannot_be_started_leaves_no_descriptor(workspace, start, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    before = len([*Path("/proc/self/fd").iterdir()])
    with pytest.raises(EnvironmentFaultError, match="Cannot allocate"), start(workspace, ""):
        pass

    assert len([*Path("/proc/self/fd").iterdir()]) == before


PARENT = """
import sys, time
from pathlib import Path
from harness.sandbox import open_sandbox
from harness.sandbox.step import Step
folder = Path(sys.argv[1])
step = Step(name="early", entry="harness.sandbox.trial:nothing")
with open_sandbox("bwrap").start(step, folder) as started:
    while not started.is_warm():
        time.sleep(0.01)
    print("waits", flush=True)
    time.sleep(600)
"""


def test_a_step_that_waits_dies_with_the_harness(tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"waits\n"
        waiting = psutil.Process(parent.pid).children(recursive=True)
        assert len(waiting) >= 2
        parent.kill()

    assert psutil.wait_procs(waiting, timeout=LONG_S)[1] == []


def test_a_stop_ends_a_step_that_another_thread_runs(sandbox, start, tmp_path):
    stop = threading.Event()
    workspace = Workspace(
        run_step=sandbox.run, start_step=sandbox.start, folder=tmp_path / "steps", stop=stop
    )
    caught: list[BaseException] = []

    def run() -> None:
        with start(workspace, "import time; time.sleep(600)") as early:
            try:
                workspace.finish(early, Found)
            except StoppedError as error:
                caught.append(error)

    with none_is_left():
        thread = threading.Thread(target=run)
        thread.start()
        wait_until(lambda: bool(children()))
        stop.set()
        thread.join(LONG_S)

    assert len(caught) == 1
