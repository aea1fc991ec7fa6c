"""What the parent sees of a running step: its namespaces, its mounts, and whether it dies too."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from harness.errors import HarnessError
from harness.sandbox import bubblewrap
from harness.sandbox.bindings import Place
from harness.sandbox.child import wait_for
from harness.sandbox.inside_calls import Untried
from harness.sandbox.start import start_sandboxed
from harness.sandbox.step import Step
from harness.sandbox.usage import PROC, Watch

NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "uts")
# Held by the first process of a step of root's, which has to become another user.
CAPABILITIES_OF_ROOT = 1 << 6 | 1 << 7 | 1 << 8  # CAP_SETGID, CAP_SETUID, CAP_SETPCAP
# A process between the harness and bubblewrap, which can be ended in the harness's place.
PARENT = ("/bin/sh", "-c", '"$@" & wait', "parent")
# How long a process may go on when its parent is dead: where nothing is seen to end it, and where
# the kernel is to end it, however busy the machine is.
SHORT_GRACE_S, LONG_GRACE_S = 3.0, 120.0
SIGKILL_BIT = 1 << (signal.SIGKILL - 1)


def look(root: int, command: Sequence[str], places: Sequence[Place]) -> dict[str, list[str]]:
    """Return what a step shares with the harness and should not, and how it was made otherwise.

    Parameters
    ----------
    root : int
        Its first process.
    command : sequence of str
        What should have made it.
    places : sequence of Place
        What should be mounted.

    Raises
    ------
    OSError
        It has ended, or cannot be looked at.
    """
    folder = PROC / str(root)
    return {
        "command": [*_other_words(root, command)],
        "namespaces": [*_shared_namespaces(root), *_capabilities(root)],
        "mounts": [*_strange_mounts(os.fsdecode((folder / "mountinfo").read_bytes()), places)],
    }


def _other_words(root: int, command: Sequence[str]) -> Iterator[str]:
    """Yield the words that bubblewrap, the parent of `root`, should have received or did."""
    words = os.fsdecode((PROC / str(_parent(root)) / "cmdline").read_bytes()).split("\0")[1:-1]
    asked = [*command[1:]]
    lacking, added = Counter(asked) - Counter(words), Counter(words) - Counter(asked)
    if lacking:
        yield f"it lacks {' '.join(lacking)}"
    if added:
        yield f"it has {' '.join(added)} besides"
    if words != asked and not (lacking or added):
        yield "its words are in another order"


def _parent(pid: int) -> int:
    status = (PROC / str(pid) / "status").read_text()
    return int(status.partition("PPid:")[2].split(maxsplit=1)[0])


def _shared_namespaces(root: int) -> Iterator[str]:
    names = NAMESPACES if os.geteuid() == 0 else (*NAMESPACES, "user")
    for name in names:
        own, its = (PROC / process / "ns" / name for process in ("self", str(root)))
        if not own.exists():
            yield Untried(f"{name}: this kernel has no such namespace")
        elif own.readlink() == its.readlink():
            yield f"the {name} namespace is the harness's"


def _capabilities(root: int) -> Iterator[str]:
    """Yield the sets of capabilities in which its first process has more than it needs."""
    needed = CAPABILITIES_OF_ROOT if os.geteuid() == 0 else 0
    status = (PROC / str(root) / "status").read_text()
    for name, value in re.findall(r"^Cap(Inh|Prm|Eff|Amb):\s*(\w+)$", status, re.MULTILINE):
        if int(value, 16) & ~needed:
            yield f"its first process has capabilities {value} ({name})"


def _strange_mounts(mountinfo: str, places: Sequence[Place]) -> Iterator[str]:
    """Yield what is mounted and not on the list, otherwise than listed, or not at all."""
    kinds: dict[str, str] = {
        place.path: place.kind for place in places if place.kind not in ("folder", "link")
    }
    kinds["/"] = "hidden"
    mounted: Counter[str] = Counter()
    for line in filter(None, mountinfo.split("\n")):
        path, options = line.split(" ")[4:6]
        path = re.sub(r"\\(\d{3})", lambda code: chr(int(code[1], 8)), path)
        mounted[path] += 1
        kind = kinds.get(path) or _kind_around(path, kinds)
        is_writable = "ro" not in options.split(",")
        if kind is None or (path in kinds and mounted[path] > 1):
            yield f"{path} is mounted, but not on the list"
        elif kind != "device" and is_writable != (kind in ("scratch", "writable")):
            yield f"{path} is mounted {'writable' if is_writable else 'read-only'}"
    yield from (f"{path} is not mounted" for path in kinds if path not in mounted)


def _kind_around(path: str, kinds: dict[str, str]) -> str | None:
    """Return the kind of a bound folder that brings a mount of the host's with it."""
    above = (kinds.get(str(parent)) for parent in PurePosixPath(path).parents)
    return "read-only" if "read-only" in above else None


def dies_with_its_parent(step: Step, request: bytes) -> bool:
    """Start `step`, which must not end by itself, kill what started it, and return whether it ends.

    Raises
    ------
    HarnessError
        It never began.
    """
    child = start_sandboxed(step, {}, [], bubblewrap.unprivileged_uid(), before=PARENT)
    watch = Watch(step.name, step.limits, time.monotonic())
    with contextlib.ExitStack() as stack:
        stack.callback(child.pipes.close)
        stack.callback(child.kill)
        line: list[int] = []

        def kill_parent() -> None:
            if child.root is not None and child.is_ready and not line:
                line.extend((_parent(child.root), child.root))
                child.process.kill()

        try:
            child.follow(request, watch, kill_parent)
        except HarnessError:
            # It ends without a report.
            if not line:
                raise
        return all(_dies(pid, stack) for pid in line)


def _dies(pid: int, stack: contextlib.ExitStack) -> bool:
    """Whether a process whose parent has ended ends, too.

    The kernel sends the signal before the end of the parent is seen.
    """
    try:
        end = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    stack.callback(os.close, end)
    return wait_for(end, LONG_GRACE_S if _is_killed(pid) else SHORT_GRACE_S)


def _is_killed(pid: int) -> bool:
    try:
        status = (PROC / str(pid) / "status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    pending = re.findall(r"^(?:Sig|Shd)Pnd:\s*(\w+)$", status, re.MULTILINE)
    return any(int(bits, 16) & SIGKILL_BIT for bits in pending)
