"""A process that must end can clear up first, and nothing that it started stays alive."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil

from harness.sandbox.ending import interrupt, kill_tree

# Starts a child in a session of its own, says so, and waits. What a shell runs in its background
# ignores Ctrl-C, and so would its children, if they did not say what they do with it.
PARENT = """
import signal, subprocess, sys, time
is_deaf = sys.argv[1] == "deaf"
signal.signal(signal.SIGINT, signal.SIG_IGN if is_deaf else signal.default_int_handler)
child = subprocess.Popen(["sleep", "1000"], start_new_session=is_deaf)
try:
    print(child.pid, flush=True)
    time.sleep(1000)
except KeyboardInterrupt:
    open(sys.argv[2], "w").write("cleared up")
"""


def start(kind: str, note: Path) -> tuple[subprocess.Popen[bytes], int]:
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT, kind, str(note)],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with process.stdout:
        return process, int(process.stdout.readline())


def is_gone(pid: int) -> bool:
    try:
        psutil.Process(pid).wait(timeout=30)
    except psutil.NoSuchProcess:
        return True
    return not psutil.pid_exists(pid)


def test_an_interrupted_process_clears_up_and_the_rest_of_its_group_ends(tmp_path):
    process, child = start("polite", tmp_path / "note")
    interrupt(process, grace_s=30)

    assert (tmp_path / "note").read_text() == "cleared up"
    assert is_gone(child)


def test_a_process_that_ignores_the_interrupt_is_killed_with_all_that_it_started(tmp_path):
    process, child = start("deaf", tmp_path / "note")
    interrupt(process, grace_s=0.2)

    assert process.returncode == -9
    assert is_gone(child)


def test_a_tree_that_is_gone_is_no_error(tmp_path):
    process, child = start("polite", tmp_path / "note")
    kill_tree(process.pid)
    process.wait()
    kill_tree(process.pid)

    assert is_gone(child)
