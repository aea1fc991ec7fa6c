"""One process at a time works on a folder; the others say for whom they wait."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from harness.challenge import utc
from harness.files import remove

_MAX_SHOWN = 200


@contextmanager
def taking_turns(path: Path, what: str, tell: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock at `path`; where another process holds it, say which one, and wait.

    The lock ends with its process, however that ends.
    """
    lock, holder = FileLock(path), path.with_name(f"{path.stem}.by.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        tell(f"waiting for {_read(holder)}, which works on {what}")
        lock.acquire()
    try:
        command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:3]])[:_MAX_SHOWN]
        holder.write_text(
            f"process {os.getpid()} ({command}), since {utc(datetime.now(UTC))}", encoding="utf-8"
        )
        yield
        remove(holder)
    finally:
        lock.release()


def _read(holder: Path) -> str:
    try:
        return holder.read_text(encoding="utf-8", errors="replace")[:_MAX_SHOWN] or _UNKNOWN
    except OSError:
        return _UNKNOWN


_UNKNOWN = "another process"
