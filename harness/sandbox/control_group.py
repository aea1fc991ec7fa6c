"""A control group of the kernel (version 2) for each step: the kernel counts all that it uses.

What processes share, what they hold in the kernel, and what they took between two measurements
counts there. A machine gives control groups to root, and to a user whose session is below
`user@.service` of systemd. Nothing is changed but groups of our own, which are gone afterwards.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import EnvironmentFaultError
from harness.sandbox.scratch import lock_abandoned, make_locked
from harness.sandbox.step import Limits

PROC = Path("/proc/self")
PREFIX = "harness-step-"
CONTROLLERS = ("memory", "pids")
# Bubblewrap, and the first process of the step's namespace.
OWN_PROCESSES = 2
# How long a group whose processes have ended may still be busy.
REMOVAL_S = 2.0
# The shell puts itself into the group, then becomes the program; it says why if it cannot.
ENTER = 'echo $$ > "$0" && exec "$@"'


@dataclass(frozen=True, kw_only=True, slots=True)
class ControlGroup:
    """The control group of one step."""

    folder: Path

    def entering(self) -> list[str]:
        """Return the words before a command that make it begin in this group."""
        return ["/bin/sh", "-c", ENTER, str(self.folder / "cgroup.procs")]

    def ran_out_of_memory(self) -> bool:
        """Whether the kernel ended the step because its memory was used up."""
        try:
            words = (self.folder / "memory.events").read_text().split()
        except OSError:
            return False
        return int(dict(zip(words[::2], words[1::2], strict=True)).get("oom_kill", "0")) > 0


def settings(limits: Limits) -> dict[str, str]:
    """Return what is written into the files of a step's group."""
    return {
        "memory.max": str(limits.memory_bytes + limits.scratch_bytes),
        "memory.swap.max": "0",
        "memory.oom.group": "1",
        "pids.max": str(limits.n_processes + OWN_PROCESSES),
    }


@contextlib.contextmanager
def control_group(base: Path, files: Mapping[str, str]) -> Iterator[ControlGroup]:
    """Make a group in the group `base`; remove it on leaving, and those of runs that were killed.

    Parameters
    ----------
    files : mapping of str to str
        What is written into the files of the group that this kernel has.

    Raises
    ------
    EnvironmentFaultError
        The kernel refuses.
    """
    remove_abandoned(base)
    try:
        folder, lock = make_locked(lambda: _make(base))
    except OSError as error:
        raise EnvironmentFaultError(
            f"cannot make a control group for a step: {error.strerror}", where=str(base)
        ) from error
    try:
        for name, value in files.items():
            _write(folder / name, value)
        yield ControlGroup(folder=folder)
    finally:
        _remove(folder)
        os.close(lock)


def _make(base: Path) -> Path:
    folder = base / f"{PREFIX}{secrets.token_hex(8)}"
    folder.mkdir()
    return folder


def _write(path: Path, value: str) -> None:
    """Write into a file of the kernel's; a kernel without swap has no file for it."""
    if not path.exists():
        return
    try:
        path.write_text(value)
    except OSError as error:
        raise EnvironmentFaultError(
            f"cannot limit a step to {value}: {error.strerror}", where=str(path)
        ) from error


def _remove(folder: Path) -> None:
    """Remove a group; one that stays busy is left to the next run."""
    end_s = time.monotonic() + REMOVAL_S
    while time.monotonic() < end_s:
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.005)
        else:
            return


def remove_abandoned(base: Path) -> None:
    """Remove the groups in `base` whose run is dead, as are then all processes in them."""
    for folder in base.glob(f"{PREFIX}*"):
        with lock_abandoned(folder) as is_free, contextlib.suppress(OSError):
            if is_free:
                folder.rmdir()


# --- Where a group can be made --------------------------------------------------------------------


def find_base(controllers: Sequence[str] = CONTROLLERS, proc: Path = PROC) -> Path | None:
    """Return the group nearest to this process in which groups for steps can be made, if any.

    Parameters
    ----------
    controllers : sequence of str
        What it must be able to limit.
    proc : Path
        The folder of this process in /proc.
    """
    for folder in _groups_above(proc):
        if _offers(folder, controllers) and _lets_enter(folder):
            return folder
    return None


def _groups_above(proc: Path) -> list[Path]:
    """Return the group of this process, and those above it that can be seen, nearest first."""
    try:
        own = _own_group((proc / "cgroup").read_text())
        root, mount = _mount((proc / "mountinfo").read_text())
    except (OSError, ValueError):
        return []
    if ".." in own.parts or not own.is_relative_to(root):
        return []
    below = own.relative_to(root)
    return [mount / part for part in (below, *below.parents)]


def _own_group(text: str) -> Path:
    """Return the group of version 2 in a /proc/PID/cgroup.

    Raises
    ------
    ValueError
        There is none.
    """
    (own,) = (line[3:] for line in text.splitlines() if line.startswith("0::"))
    return Path(own)


def _mount(text: str) -> tuple[Path, Path]:
    """Return of the first mount of version 2 in a /proc/PID/mountinfo: its root, and its place.

    Raises
    ------
    ValueError
        There is none.
    """
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        if after.startswith("cgroup2 "):
            root, place = before.split()[3:5]
            return Path(root), Path(place)
    raise ValueError("no mount")


def _offers(folder: Path, controllers: Sequence[str]) -> bool:
    try:
        offered = (folder / "cgroup.subtree_control").read_text().split()
    except OSError:
        return False
    return set(controllers) <= set(offered) and os.access(folder, os.W_OK | os.X_OK)


def _lets_enter(folder: Path) -> bool:
    """Whether a process of ours can be put into a group in `folder`: it is tried."""
    try:
        with control_group(folder, {}) as group:
            done = subprocess.run(
                [*group.entering(), "true"], capture_output=True, check=False, timeout=30
            )
            return done.returncode == 0
    except (EnvironmentFaultError, OSError, subprocess.TimeoutExpired):
        return False
