"""Running a command as an ordinary user, for a root whose interpreter lies in its closed home."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.sandbox import bindings, bubblewrap

USER = 65534


def command_as_user(arguments: Sequence[str], user: int = USER) -> list[str]:
    """Return the command by which root runs `arguments` as `user`.

    Folders that only root can enter are opened up in a mount namespace of the command's own, with
    nothing in them but the interpreter.
    """
    closed = sorted({_first_closed(path) for path in _needed()} - {None})
    opened = [word for place in closed for word in ("--perms", "0755", "--tmpfs", str(place))]
    inside = [path for path in _needed() if _first_closed(path) is not None]
    # Not read-only: the attacks see what an ordinary user can write, not what this mount forbids.
    bound = [word for path in inside for word in ("--bind", str(path), str(path))]
    parents = sorted(
        {parent for path in inside for parent in path.parents if _first_closed(parent)},
        key=lambda parent: len(parent.parts),
    )
    folders = [
        word
        for parent in parents
        if parent not in closed
        for word in ("--perms", "0755", "--dir", str(parent))
    ]
    become = ("--reuid", str(user), "--regid", str(user), "--clear-groups")
    nothing = ("--bounding-set=-all", "--inh-caps=-all")
    return [
        *(str(bubblewrap.find_bwrap()), "--dev-bind", "/", "/", "--die-with-parent"),
        *(*opened, *folders, *bound, "--"),
        *(str(bubblewrap.find_setpriv()), *become, *nothing, "--"),
        *("env", "HOME=/tmp", "PYTHONDONTWRITEBYTECODE=1"),
        *arguments,
    ]


def _needed() -> list[Path]:
    here = Path(__file__).resolve().parents[2]
    return [*bindings.outermost([Path(sys.base_prefix), Path(sys.prefix), here])]


def _first_closed(path: Path) -> Path | None:
    """Return the outermost folder of `path` that another user can't enter, if there is one."""
    for place in (*reversed(path.parents), path):
        if place.is_dir() and not place.stat().st_mode & stat.S_IXOTH:
            return place
    return None


def can_become_user() -> bool:
    """Whether the corpus can be tried as an ordinary user from here."""
    return os.geteuid() == 0
