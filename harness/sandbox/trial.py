"""Steps that try the sandbox itself: for `harness doctor` and for the corpus of attacks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# From include/uapi/asm-generic/mman.h: MAP_PRIVATE, MAP_ANONYMOUS and MAP_NORESERVE.
PROT_READ, MAP_PRIVATE_OF_NOTHING, NO_FILE, MADV_NOHUGEPAGE = 1, 0x4022, 2**32 - 1, 15
MAP_FAILED = 2**64 - 1


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


def fill_page_tables(
    request: Mapping[str, Any],
    inputs: Mapping[str, Path],  # noqa: ARG001 every entry is called alike
    outputs: Mapping[str, Path],  # noqa: ARG001
) -> dict[str, Any]:
    """Make page tables of ``n_bytes``: read one byte for each of them, in a map of nothing."""
    import ctypes
    import mmap

    # A table is a page of entries of 8 bytes, each of which stands for a page.
    reach = mmap.PAGESIZE // 8 * mmap.PAGESIZE
    size = request["n_bytes"] // mmap.PAGESIZE * reach
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, *[ctypes.c_size_t] * 4, ctypes.c_long]
    start = libc.mmap(None, size, PROT_READ, MAP_PRIVATE_OF_NOTHING, NO_FILE, 0)
    if start == MAP_FAILED:
        raise OSError(ctypes.get_errno(), "no map of nothing")
    libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(size), MADV_NOHUGEPAGE)
    found = sum(ctypes.c_ubyte.from_address(start + place).value for place in range(0, size, reach))
    return {"found": found}


def drop_shared_pages(
    request: Mapping[str, Any],
    inputs: Mapping[str, Path],  # noqa: ARG001
    outputs: Mapping[str, Path],  # noqa: ARG001
) -> dict[str, Any]:
    """Write ``n_bytes`` of shared memory, and drop it from the process; report by which ways."""
    import mmap

    found = []
    for name in ("nothing", "/dev/zero"):
        try:
            fd = -1 if name == "nothing" else os.open(name, os.O_RDWR)
            memory = mmap.mmap(fd, request["n_bytes"])
        except OSError:
            continue
        memory.write(bytes(request["n_bytes"]))
        memory.madvise(mmap.MADV_DONTNEED)
        found.append(f"shared maps of {name}")
    return {"found": found}
