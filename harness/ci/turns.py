"""One process at a time works on a thing; the others say for whom they wait."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.challenge import utc

_MAX_SHOWN = 200
_OPEN = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_UNKNOWN = "another process"


@dataclass(frozen=True, slots=True)
class Turn:
    """A lock that this process holds. It ends with the process, however that ends."""

    path: Path
    descriptor: int

    def end(self) -> None:
        """Let the next process have it; the file is gone afterwards."""
        self.path.unlink(missing_ok=True)
        os.close(self.descriptor)


def try_turn(path: Path) -> Turn | None:
    """Take the lock at `path`; None where another process holds it."""
    return _take(path, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def taking_turns(path: Path, what: str, tell: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock at `path`; where another process holds it, say which one, and wait."""
    turn = try_turn(path)
    while turn is None:
        tell(f"waiting for {holder_of(path)}, which works on {what}")
        turn = _take(path, fcntl.LOCK_EX)
    try:
        yield
    finally:
        turn.end()


def holder_of(path: Path) -> str:
    """Say who holds the lock at `path`, as it wrote there itself."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")[:_MAX_SHOWN]
    except OSError:
        return _UNKNOWN
    return text or _UNKNOWN


def this_process() -> str:
    """Name this process, and what it was started for."""
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:3]])
    return f"process {os.getpid()} ({command[:_MAX_SHOWN]})"


def _take(path: Path, how: int) -> Turn | None:
    """Lock the file at `path`; one that its holder has removed meanwhile is no lock any more."""
    while True:
        descriptor = os.open(path, _OPEN, 0o666)
        try:
            fcntl.flock(descriptor, how)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        if _is_at(descriptor, path):
            path.write_text(f"{this_process()}, since {utc(datetime.now(UTC))}", encoding="utf-8")
            return Turn(path, descriptor)
        os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False
