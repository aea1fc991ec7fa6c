"""How processes without a namespace are ended: all that one process started, found by its parent.

The kernel ends a sandboxed step together with its namespace. This is for the rest: a step that runs
without isolation, and a scorer, which may have a sandbox of its own to clear away.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess

from harness.sandbox.usage import process_tree


def kill_tree(leader: int) -> None:
    """Kill the leader of a process group, its living descendants and the rest of the group."""
    for pid in [*process_tree(leader)][::-1]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    _signal_group(leader, signal.SIGKILL)


def interrupt(process: subprocess.Popen[bytes], grace_s: float) -> None:
    """Interrupt the leader of a process group and its group; kill what is left after `grace_s`.

    The interrupt is that of Ctrl-C: the process can clear up before it ends.
    """
    _signal_group(process.pid, signal.SIGINT)
    try:
        process.wait(timeout=grace_s)
    except subprocess.TimeoutExpired:
        kill_tree(process.pid)
        process.wait()
    else:
        # It has been waited for, so only the rest of its group is signalled.
        _signal_group(process.pid, signal.SIGKILL)


def _signal_group(leader: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, number)
