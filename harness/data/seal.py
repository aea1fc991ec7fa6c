"""Seals: the digest of a file of the cache, by which a damaged disk or file is noticed.

It is kept beside the file and compared when a process opens the cache: 0.1 s for each GB.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from harness.files import fast_digest, remove, write_whole

SEAL_SUFFIX = ".blake3"


def seal(path: Path, digest: str | None = None) -> str:
    """Write the BLAKE3 digest of a file beside it, and return it; read the file if none is given.

    A digest that was taken while the file was written saves reading it.
    """
    digest = digest or fast_digest(path)
    write_whole(path.with_name(path.name + SEAL_SUFFIX), f"{digest}\n".encode())
    return digest


def remove_sealed(path: Path) -> None:
    """Remove a file and its seal, if they are there."""
    remove(path)
    remove(path.with_name(path.name + SEAL_SUFFIX))


def damage(path: Path) -> str | None:
    """Say if a file is no longer what was written; one of an older harness is sealed now."""
    if not path.exists():
        return None
    try:
        written = (
            path.with_name(path.name + SEAL_SUFFIX)
            .read_text(encoding="ascii", errors="replace")
            .strip()
        )
    except FileNotFoundError:
        written = seal(path)
    status = path.stat()
    state = _State(path, status.st_ino, status.st_size, status.st_mtime_ns)
    if _digest_of(state) != written:
        return f"the cache is damaged: {path} is no longer what was written"
    return None


class _State(NamedTuple):
    """By which a file that was read in this process is known not to have changed since."""

    path: Path
    inode: int
    n_bytes: int
    mtime_ns: int


@lru_cache
def _digest_of(state: _State) -> str:
    return fast_digest(state.path)
