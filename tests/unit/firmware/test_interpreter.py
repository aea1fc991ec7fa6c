"""The step of the interpreter starts fast; where an early one was lost, it is run at its turn."""

from __future__ import annotations

import errno
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest

from harness.errors import EnvironmentFaultError
from harness.firmware.backend import FirmwareSettings
from harness.firmware.interpret import started_interpreter
from harness.sandbox.workspace import Workspace
from tests.firmware_bench import direct_step

START = """
import sys
from harness.firmware.interpreter import warm_up
warm_up()
print(sorted({"pydantic", "scipy", "harness.challenge", "harness.card"} & set(sys.modules)))
"""


def test_the_step_imports_no_records():
    done = subprocess.run(
        [sys.executable, "-c", START], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == "[]"


class Lost:
    """A step that the machine ended while it waited."""

    def has_ended(self) -> bool:
        return True


@contextmanager
def start_lost(_step, _folder):
    yield Lost()


@contextmanager
def start_without_room(_step, _folder):
    raise EnvironmentFaultError("cannot start bwrap: out of processes")
    yield


@contextmanager
def start_without_memory(_step, _folder):
    raise OSError(errno.ENOMEM, "Cannot allocate memory")
    yield


@pytest.mark.parametrize("start", [start_lost, start_without_room, start_without_memory])
def test_a_step_that_could_not_start_or_wait_is_run_at_its_turn(tiny_program, tmp_path, start):
    workspace = Workspace(run_step=direct_step, start_step=start, folder=tmp_path / "steps")
    program, events = tmp_path / "program.json", tmp_path / "events.npy"
    tiny_program.save(program)
    events.touch()
    found = np.array([[1.0, 2.0], [3.0, 1.0]], np.float32)

    with started_interpreter(
        workspace, FirmwareSettings(), program, events, len(found), name="trigger"
    ) as finish:
        np.save(events, found)
        done = finish()

    scores = np.fromfile(done.outputs["scores"], "<f8")
    np.testing.assert_array_equal(scores, 2 * found[:, 0] + found[:, 1])
