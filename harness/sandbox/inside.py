"""What a step tries from inside a sandbox: each guard, for `harness doctor` and before a scoring.

The parent says what should be there; this says what is there instead. It runs as a step, so it
imports nothing but the standard library.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import resource
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.sandbox.inside_calls import Untried, open_calls

MAX_FOUND = 300
TRIED_PIDS = range(2, 4096)
# Standard input, output and error, the report and the request.
N_DESCRIPTORS = 5
# What bubblewrap, the shell and Python add to an environment by themselves.
HARMLESS_VARIABLES = {"PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE"}
SHARED = Path("/dev/shm")  # noqa: S108 the sandbox's own
MODES = {"folder": 0o755, "contents": 0o444, "scratch": 0o1777}
FORMS: Mapping[str, Callable[[int], bool]] = {
    "folder": stat.S_ISDIR,
    "hidden": stat.S_ISDIR,
    "scratch": stat.S_ISDIR,
    "writable": stat.S_ISREG,
    "contents": stat.S_ISREG,
    "device": stat.S_ISCHR,
    "link": stat.S_ISLNK,
}
# From include/uapi/linux/{prctl,capability}.h.
PR_CAPBSET_READ, PR_GET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET = 23, 39, 47, 1
# Those of Linux 5.9 and later. A kernel may add one that bubblewrap and setpriv do not know: it
# stays in the set of those that a program could give, which none can without new privileges.
CAPABILITY_VERSION_3, N_CAPABILITIES = 0x20080522, 41
# The first process of the namespace is bubblewrap's; in a container the harness can be one, too.
FIRST_PROCESS = 1

# Path, kind, and what should be there.
Place = tuple[Path, str, str]


def look_around(
    request: Mapping[str, Any],
    inputs: Mapping[str, Path],  # noqa: ARG001 every entry is called alike
    outputs: Mapping[str, Path],
) -> dict[str, dict[str, list[str]]]:
    """Try each guard, and report what got through it: nothing where it holds.

    For each guard it reports ``found``, what got through, ``untried``, what could not be tried and
    is not needed for the guard to hold, and ``failed``, why the guard as a whole was not tried.

    Parameters
    ----------
    request : mapping
        ``places``: path, kind (`harness.sandbox.bindings.Place`) and what should be there, of all
        that should be there; ``hidden``: paths that should not; ``parent``: the process that
        started the step; ``users``: first and last number that its user may have; ``groups``: what
        else its groups may be; ``host``: its host name; ``scratch`` and ``scratch_bytes``;
        ``environment``; ``rlimits``; ``calls``: name, number, arguments and errno of each denied
        call.
    """
    places = [(Path(path), kind, detail) for path, kind, detail in request["places"]]
    scratch = Path(request["scratch"])
    tries: dict[str, Callable[[], Iterable[str]]] = {
        "user": lambda: [*_strange_ids(request["users"], request["groups"]), *_privileges()],
        "files": lambda: [*_differences(places), *filter(os.path.lexists, request["hidden"])],
        "writes": lambda: _writable(places, scratch),
        "outputs": lambda: _replaceable(outputs),
        "scratch": lambda: _scratch_faults(scratch, request["scratch_bytes"]),
        "devices": _device_faults,
        "processes": lambda: _strangers(request["parent"]),
        "host": lambda: {os.uname().nodename} - {request["host"]},
        "network": _sockets,
        "calls": lambda: open_calls(request["calls"]),
        "environment": lambda: _strange_environment(request["environment"]),
        "limits": lambda: _higher_limits(request["rlimits"]),
    }
    return {guard: _found(what) for guard, what in tries.items()}


def _found(what: Callable[[], Iterable[str]]) -> dict[str, list[str]]:
    try:
        seen = [*what()]
    except OSError as error:
        return {"failed": [str(error)]}
    untried = [str(it) for it in seen if isinstance(it, Untried)]
    return {"found": [it for it in seen if it not in untried][:MAX_FOUND], "untried": untried}


# --- User -----------------------------------------------------------------------------------------


def _strange_ids(users: Sequence[int], groups: Sequence[int]) -> Iterator[str]:
    first, last = users
    ids = {*os.getresuid(), *os.getresgid(), *os.getgroups()} - {*groups}
    yield from (f"user or group {number}" for number in ids if not first <= number <= last)


def _privileges() -> Iterator[str]:
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    held = (ctypes.c_uint32 * 6)()
    if libc.capget(header, held) != 0 or any(held):
        yield "capabilities"
    if any(libc.prctl(PR_CAPBSET_READ, n, 0, 0, 0) == 1 for n in range(N_CAPABILITIES)):
        yield "capabilities that a program could give"
    ambient = (PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET)
    if any(libc.prctl(*ambient, n, 0, 0) == 1 for n in range(N_CAPABILITIES)):
        yield "capabilities that a program inherits"
    if libc.prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1:
        yield "programs that change the user"
    if _does(os.setuid, 0) or _does(os.setgid, 0):
        yield "becoming root"


def _does(act: Callable[..., object], *arguments: object) -> bool:
    """Whether a call of the kernel's succeeds."""
    try:
        act(*arguments)
    except OSError:
        return False
    return True


# --- Files ----------------------------------------------------------------------------------------


def _differences(places: Sequence[Place]) -> Iterator[str]:
    """Yield what is missing, other than it should be, or not on the list."""
    listed = {path for path, _, _ in places}
    for path, kind, detail in places:
        if not os.path.lexists(path):
            yield f"{path} is missing"
        elif difference := _difference(path, kind, detail):
            yield f"{path} {difference}"
    for folder in (Path("/"), *(path for path, kind, _ in places if kind == "folder")):
        if folder.is_dir():
            strange = sorted(path for path in folder.iterdir() if path not in listed)
            yield from (f"{path} is not on the list" for path in strange)


def _difference(path: Path, kind: str, detail: str) -> str:
    status = path.lstat()
    if kind in FORMS and not FORMS[kind](status.st_mode):
        return f"is no {kind}"
    if kind in MODES and stat.S_IMODE(status.st_mode) != MODES[kind]:
        return f"has mode {stat.S_IMODE(status.st_mode):04o}, not {MODES[kind]:04o}"
    seen: Mapping[str, Callable[[], str]] = {
        "device": lambda: str(status.st_rdev),
        "link": lambda: str(path.readlink()),
        "contents": lambda: hashlib.sha256(path.read_bytes()).hexdigest(),
        "hidden": lambda: " ".join(place.name for place in path.iterdir()),
    }
    return "is other than it should be" if kind in seen and seen[kind]() != detail else ""


def _writable(places: Sequence[Place], scratch: Path) -> Iterator[str]:
    """Yield each place that can be written, or could by another user, but should not."""
    for path, kind, _ in ((Path("/"), "folder", ""), *places):
        is_scratch = kind == "folder" and scratch in path.parents
        if is_scratch or kind in ("scratch", "writable", "device", "link"):
            continue
        if not os.statvfs(path).f_flag & os.ST_RDONLY:
            yield f"{path} is not mounted read-only"
        elif _can_write(path):
            yield f"{path} can be written"


def _can_write(path: Path) -> bool:
    """Whether a file can be made in a folder, or written: nothing is left behind."""
    flags = os.O_WRONLY | (os.O_TMPFILE if path.is_dir() else os.O_APPEND)
    return _does(lambda: os.close(os.open(path, flags)))


def _replaceable(outputs: Mapping[str, Path]) -> Iterator[str]:
    """Write each output, and yield those that can be moved away, and so replaced."""
    for path in outputs.values():
        path.write_bytes(b"written")
        elsewhere = path.with_suffix(".old")
        if _does(path.rename, elsewhere):
            elsewhere.rename(path)
            yield f"{path} can be replaced"


def _scratch_faults(scratch: Path, n_bytes: int) -> Iterator[str]:
    if Path.cwd() != scratch:
        yield f"the step begins in {Path.cwd()}"
    if not SHARED.samefile(scratch):
        yield f"{SHARED} is another place"
    found = os.statvfs(scratch)
    if found.f_blocks * found.f_frsize != n_bytes:
        yield f"{scratch} has {found.f_blocks * found.f_frsize:,} bytes, not {n_bytes:,}"
    elif _can_overfill(scratch, n_bytes):
        yield f"{scratch} can be filled with more than {n_bytes:,} bytes"


def _can_overfill(scratch: Path, n_bytes: int) -> bool:
    """Whether two files of more than half the size fit."""
    places = [scratch / f"half-{n}" for n in range(2)]
    try:
        for place in places:
            with place.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, n_bytes // 2 + 1)
    except OSError as error:
        return error.errno != errno.ENOSPC
    finally:
        for place in places:
            place.unlink(missing_ok=True)
    return True


def _device_faults() -> Iterator[str]:
    null, random = Path("/dev/null"), Path("/dev/urandom")
    null.write_bytes(b"x")
    with null.open("rb", buffering=0) as file:
        if file.read(1):
            yield "/dev/null gives back something"
    with random.open("rb", buffering=0) as file:
        if file.read(8) == file.read(8):
            yield "/dev/urandom repeats itself"
    yield from (
        f"/dev/{place.name}"
        for place in Path("/dev").iterdir()
        if place not in (null, random) and not place.is_symlink()
    )


# --- Processes, sockets, environment and limits ---------------------------------------------------


def _strangers(parent: int) -> Iterator[str]:
    """Yield the processes that can be seen, but should not."""
    if os.getsid(0) == 0:
        yield "the session of the harness"
    for pid in (*TRIED_PIDS, parent):
        if pid not in (FIRST_PROCESS, os.getpid()) and _is_there(pid):
            yield f"process {pid}"


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _sockets() -> Iterator[str]:
    import socket

    netlink = 16
    kinds = {
        "internet": (socket.AF_INET, socket.SOCK_STREAM),
        "unix": (socket.AF_UNIX, socket.SOCK_STREAM),
        "netlink": (netlink, socket.SOCK_RAW),
    }
    for name, kind in kinds.items():
        if _does(socket.socket, *kind):
            yield name


def _strange_environment(expected: Mapping[str, str]) -> Iterator[str]:
    strange = {*os.environ.items()} - {*expected.items()}
    yield from sorted(name for name, _ in strange if name not in HARMLESS_VARIABLES)
    yield from sorted(f"{name} is missing" for name in {*expected} - {*os.environ})
    n_open = sum(_does(os.fstat, fd) for fd in range(1024))
    if n_open != N_DESCRIPTORS:
        yield f"{n_open} descriptors are open, not {N_DESCRIPTORS}"


def _higher_limits(expected: Mapping[str, Sequence[int]]) -> Iterator[str]:
    for name, most in expected.items():
        found = resource.getrlimit(getattr(resource, name))
        if any(
            n == resource.RLIM_INFINITY or n > limit for n, limit in zip(found, most, strict=True)
        ):
            yield f"{name} is {found}, not {tuple(most)}"
