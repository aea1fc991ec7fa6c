"""What to set on a machine that refuses to give a sandbox."""

from __future__ import annotations

import contextlib
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


def advise(said: str, root: Path = Path("/")) -> tuple[Problem, ...]:
    """Return what to set, for what bubblewrap `said` on this machine.

    Parameters
    ----------
    root : Path
        Where /proc and the marks of a container are looked for.
    """
    found = [
        problem for value, problem in OBSTACLES if read_text(root / problem.where[1:]) == value
    ]
    if any((root / mark[1:]).exists() for mark in CONTAINER_MARKS):
        found.append(IN_A_CONTAINER)
    if not found and ("ermission denied" in said or "not permitted" in said):
        found.append(REFUSED)
    return tuple(found)


def read_text(path: Path) -> str:
    """Return the text of a file of the kernel's, or nothing where there is no such file."""
    with contextlib.suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace").strip()
    return ""
