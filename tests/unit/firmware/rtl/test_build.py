"""Tools at work side by side: what is not done is said, what fails ends the others."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from harness.firmware.rtl.build import finish


def test_jobs_that_are_not_done_are_named_until_they_are():
    slow: Future = Future()
    fast: Future = Future()
    fast.set_result(None)
    lines = []

    def tell(line):
        lines.append(line)
        if len(lines) == 2:
            slow.set_result(None)

    finish({"synthesis": slow, "C simulation": fast}, tell, every_s=0.001, now=lambda: 7.0)

    assert lines == ["0 s; not done yet: synthesis"] * 2


def test_a_job_that_failed_is_named_at_once_and_those_that_run_are_waited_for():
    failed: Future = Future()
    failed.set_exception(ValueError("no netlist\n  to do: nothing"))
    running: Future = Future()
    running.set_running_or_notify_cancel()
    lines = []

    def tell(line):
        lines.append(line)
        if len(lines) == 3:
            running.set_result(None)

    with pytest.raises(ValueError, match="no netlist"):
        finish({"a": running, "b": failed}, tell, every_s=0.001, now=lambda: 7.0)

    assert lines == ["failed: b: no netlist", *["0 s; not done yet: a"] * 2]


def test_a_job_that_failed_ends_the_wait_and_starts_no_other():
    failed: Future = Future()
    failed.set_exception(ValueError("no netlist"))
    waiting: Future = Future()

    with pytest.raises(ValueError, match="no netlist"):
        finish({"waiting": waiting, "failed": failed}, lambda _: None)
    assert waiting.cancelled()
