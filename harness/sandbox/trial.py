"""Steps that try the sandbox itself: for `harness doctor` and for the corpus of attacks."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

DEVICES = {"null", "urandom", "shm"}
TRIED_PIDS = range(2, 4096)


def nothing(
    request: Mapping[str, Any],  # noqa: ARG001 every entry is called alike
    inputs: Mapping[str, Path],  # noqa: ARG001
    outputs: Mapping[str, Path],  # noqa: ARG001
) -> dict[str, Any]:
    """Do nothing: it shows that a step can be started."""
    return {}


def execute(
    request: Mapping[str, Any], inputs: Mapping[str, Path], outputs: Mapping[str, Path]
) -> dict[str, Any]:
    """Execute the Python file ``inputs["code"]`` and return what it leaves in ``found``.

    The code sees ``request``, ``inputs`` and ``outputs``. This is what importing a participant's
    module comes to, without the seconds that TensorFlow takes.
    """
    names: dict[str, Any] = {"request": request, "inputs": inputs, "outputs": outputs}
    code = inputs["code"]
    exec(compile(code.read_text(encoding="utf-8"), code, "exec"), names)  # noqa: S102 its purpose
    return {"found": names.get("found")}


def look_around(
    request: Mapping[str, Any],
    inputs: Mapping[str, Path],
    outputs: Mapping[str, Path],  # noqa: ARG001
) -> dict[str, Any]:
    """Try what a sandbox should not allow, and report what got through.

    Parameters
    ----------
    request : mapping
        ``parent``: the process that started the step; ``secret``: a file of the host's.

    Returns
    -------
    dict
        For each guard, what got through it: empty where it holds.
    """
    return {
        "user": _root_rights(),
        "files": [place for place in ("/etc/passwd", request["secret"]) if Path(place).exists()],
        "writes": [place for place in ("/", *map(str, inputs.values())) if _can_write(place)],
        "devices": sorted({place.name for place in Path("/dev").iterdir()} - DEVICES),
        "processes": [pid for pid in (*TRIED_PIDS, request["parent"]) if _is_there(pid)],
        "network": [name for name, does in _sockets().items() if does()],
        "calls": [name for name, does in _calls().items() if does()],
    }


def allocate(
    request: Mapping[str, Any],
    inputs: Mapping[str, Path],  # noqa: ARG001
    outputs: Mapping[str, Path],  # noqa: ARG001
) -> dict[str, Any]:
    """Take ``n_bytes`` of memory."""
    return {"n_bytes": len(bytearray(request["n_bytes"]))}


def multiply(
    request: Mapping[str, Any],
    inputs: Mapping[str, Path],  # noqa: ARG001
    outputs: Mapping[str, Path],  # noqa: ARG001
) -> dict[str, Any]:
    """Start ``n_processes`` that do nothing."""
    import signal

    for _ in range(request["n_processes"]):
        if os.fork() == 0:
            signal.pause()
    return {}


def loiter(
    request: Mapping[str, Any],
    inputs: Mapping[str, Path],  # noqa: ARG001
    outputs: Mapping[str, Path],  # noqa: ARG001
) -> dict[str, Any]:
    """Wait for ``wall_s``."""
    import time

    time.sleep(request["wall_s"])
    return {}


def _root_rights() -> list[str]:
    ids = {"user": os.geteuid(), "real user": os.getuid(), "group": os.getegid()}
    return [name for name, number in ids.items() if number == 0]


def _can_write(place: str) -> bool:
    path = Path(place)
    try:
        if path.is_dir():
            (path / "probe").write_text("x")
        else:
            path.open("a").close()
    except OSError:
        return False
    return True


def _is_there(pid: int) -> bool:
    """Whether a process other than this one bears the number `pid`."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid != os.getpid()


def _sockets() -> dict[str, Callable[[], bool]]:
    import socket

    def opens(family: int, kind: int) -> bool:
        try:
            socket.socket(family, kind).close()
        except OSError:
            return False
        return True

    return {
        "internet": lambda: opens(socket.AF_INET, socket.SOCK_STREAM),
        "unix": lambda: opens(socket.AF_UNIX, socket.SOCK_STREAM),
        "netlink": lambda: opens(16, socket.SOCK_RAW),
    }


def _calls() -> dict[str, Callable[[], bool]]:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    return {
        "ptrace": lambda: libc.ptrace(0, 0, None, None) == 0,
        "unshare": lambda: libc.unshare(0x10000000) == 0,
        "mount": lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0,
        "chroot": lambda: libc.chroot(b"/") == 0,
    }
