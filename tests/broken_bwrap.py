"""A bubblewrap that does other things than it is asked to: the sandbox of a broken machine."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

from harness.sandbox.bubblewrap import find_bwrap

# The options of bubblewrap that the harness uses, with the number of their arguments.
ARGUMENTS = {
    **dict.fromkeys(("--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net"), 0),
    **dict.fromkeys(("--unshare-uts", "--unshare-cgroup-try"), 0),
    **dict.fromkeys(("--die-with-parent", "--new-session"), 0),
    **dict.fromkeys(("--hostname", "--uid", "--gid", "--cap-drop", "--cap-add", "--chdir"), 1),
    **dict.fromkeys(("--perms", "--size", "--tmpfs", "--dir", "--remount-ro"), 1),
    **dict.fromkeys(("--seccomp", "--info-fd"), 1),
    **dict.fromkeys(("--bind", "--ro-bind", "--dev-bind", "--ro-bind-data", "--symlink"), 2),
}
SCRIPT = """\
#!{python} -IS
import os, sys
ARGUMENTS = {arguments!r}
words = sys.argv[1:]

def options():
    place = 0
    while words[place] != "--":
        length = 1 + ARGUMENTS[words[place]]
        yield place, words[place:place + length]
        place += length

def find(option, last=None):
    for place, found in options():
        if found[0] == option and last in (None, found[-1]):
            return slice(place, place + len(found))
    return slice(0, 0)

def drop(option, last=None):
    del words[find(option, last)]

{change}
os.execv({real!r}, [{real!r}, *words])
"""


def options(words: list[str]) -> list[tuple[str, ...]]:
    """Return the options of a command of bubblewrap, each with its arguments."""
    found, place = [], 1
    while words[place] != "--":
        length = 1 + ARGUMENTS[words[place]]
        found.append(tuple(words[place : place + length]))
        place += length
    return found


def write_bwrap(folder: Path, change: str) -> Path:
    """Write a bubblewrap that first runs `change` on the list ``words``, its arguments.

    ``drop(option, last)`` drops the first such option whose last argument is `last`.
    """
    place = folder / "bwrap"
    place.write_text(
        SCRIPT.format(
            python=sys.executable,
            arguments=ARGUMENTS,
            change=textwrap.dedent(change),
            real=str(find_bwrap()),
        )
    )
    place.chmod(0o755)
    return place
