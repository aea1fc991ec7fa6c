"""Honest machines that differ from the usual one: a guard that holds must be seen to hold there."""

from __future__ import annotations

import errno
import os
import sys

from harness.sandbox.bubblewrap import find_bwrap

HERE = (str(find_bwrap()), "--dev-bind", "/", "/")
SMALL_BYTES = 65_536
TEMPORARY = "/var/tmp"


def surroundings() -> dict[str, list[str]]:
    """Return the words before a command that make it run in each of them."""
    small = ("--size", str(SMALL_BYTES), "--perms", "1777", "--tmpfs", TEMPORARY)
    return {
        # A container starts the harness as the first process, whose number a step has as well.
        "the first process": [*HERE, "--unshare-pid", "--proc", "/proc", "--as-pid-1", "--"],
        "a small temporary folder": [*HERE, *small, "--setenv", "TMPDIR", TEMPORARY, "--"],
        "no network": [*HERE, "--unshare-net", "--"],
        "another filter": [sys.executable, "-m", "tests.surroundings"],
        "closed input and errors": ["sh", "-c", 'exec "$@" <&- 2>&-', "closed"],
        "low limits": ["sh", "-c", 'ulimit -c 0 -n 256 -v 16000000; exec "$@"', "low"],
        "another locale": ["env", "LC_ALL=en_US.ISO-8859-1"],
    }


def with_another_filter(command: list[str]) -> None:
    """Become `command` under a filter such as that of a service or a container.

    Three calls end the process that makes them; no memory can be written and executed.
    """
    import pyseccomp

    rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    for name in ("add_key", "kexec_load", "bpf"):
        rules.add_rule(pyseccomp.KILL_PROCESS, name)
    writable_code = pyseccomp.Arg(2, pyseccomp.MASKED_EQ, 6, 6)
    rules.add_rule(pyseccomp.ERRNO(errno.EPERM), "mmap", writable_code)
    rules.load()
    os.execv(command[0], command)


if __name__ == "__main__":
    with_another_filter(sys.argv[1:])
