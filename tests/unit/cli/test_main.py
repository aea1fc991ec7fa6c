"""How the command line ends: whose fault it was, in one message and an exit code."""

from __future__ import annotations

import re
import signal
import tempfile

import click
import pytest

from harness.challenge import Value
from harness.cli import cli, main
from harness.cli.output import print_error
from harness.errors import LimitError, harness_fault


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Run a command that raises; return its exit code and what it says."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)

    def run(callback):
        command = click.Command("fail", callback=callback)
        monkeypatch.setitem(cli.commands, "fail", command)
        monkeypatch.setattr("sys.argv", ["harness", "fail"])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, re.sub(r"\s+", " ", capsys.readouterr().err)

    before = signal.getsignal(signal.SIGINT)
    yield run
    signal.signal(signal.SIGINT, before)


def test_an_unexpected_exception_is_a_fault_of_the_harness(run, tmp_path):
    def fail():
        Value.model_validate({"no": "such field"})

    code, message = run(fail)

    assert code == 7
    assert "a fault of harness itself: ValidationError: 1 validation error for Value" in message
    assert "please report it with the command, the output of `harness --version`" in message
    assert "Traceback" not in message
    (kept,) = tmp_path.glob("harness-fault-*.txt")
    assert str(kept) in message
    assert "Traceback" in kept.read_text(encoding="utf-8")


def test_a_fault_that_a_step_reports_keeps_its_words_and_the_traceback(run, tmp_path):
    def fail():
        raise harness_fault("KeyError: 153", where="step firmware-synthesis") from ValueError("why")

    code, message = run(fail)

    assert code == 7
    assert "step firmware-synthesis: a fault of harness itself: KeyError: 153" in message
    (kept,) = tmp_path.glob("harness-fault-*.txt")
    assert f"and the file {kept}" in message
    assert "ValueError: why" in kept.read_text(encoding="utf-8")


def test_the_message_names_the_line_of_the_harness(run):
    code, message = run(lambda: print_error(None, None))

    assert code == 7
    assert re.search(r"error: harness/cli/output.py, line \d+: a fault of harness", message)


def test_a_full_disk_hides_no_fault(run, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", full)
    code, message = run(lambda: {}["missing"])

    assert code == 7
    assert "KeyError: 'missing'" in message
    assert "Traceback" not in message


@pytest.mark.parametrize(
    ("error", "code", "shown"),
    [
        (LimitError("too slow"), 4, "too slow"),
        (OSError(28, "No space left on device"), 5, "make room on the disk"),
        (MemoryError("Unable to allocate 1 TiB"), 5, "memory of this machine is not enough"),
        (MemoryError(), 5, "memory of this machine is not enough"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_a_known_failure_keeps_its_code(run, error, code, shown):
    def fail():
        raise error

    ended, message = run(fail)

    assert ended == code
    assert shown in message
    assert "a fault of harness" not in message
