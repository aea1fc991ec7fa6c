"""Temporary folders that are gone afterwards, even those of a run that was killed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

PREFIX = "harness-scratch-"
_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def scratch_folder(parent: Path | None = None) -> Iterator[Path]:
    """Make a private temporary folder; remove it on leaving, and those that others left behind.

    A folder is locked while its process lives. The lock ends with the process, however that ends,
    so nobody uses a folder of ours whose lock is free.

    Parameters
    ----------
    parent : Path, optional
        Where to make it; the system's temporary folder if not given.
    """
    parent = Path(tempfile.gettempdir()) if parent is None else parent
    remove_abandoned(parent)
    folder, lock = make_locked(lambda: Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent)))
    try:
        yield folder
    finally:
        _remove(folder)
        os.close(lock)


def make_locked(make: Callable[[], Path]) -> tuple[Path, int]:
    """Make and lock a folder; one that another run took for abandoned is made again."""
    while True:
        folder = make()
        try:
            lock = os.open(folder, _OPEN_FOLDER)
        except FileNotFoundError:
            continue
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            return folder, lock
        os.close(lock)


@contextlib.contextmanager
def lock_abandoned(folder: Path) -> Iterator[bool]:
    """Lock a folder of this user's that is in nobody's use; yield whether that was possible."""
    try:
        lock = os.open(folder, _OPEN_FOLDER)
    except OSError:
        # Another user's, no folder, or removed by another run in this moment.
        yield False
        return
    try:
        yield os.fstat(lock).st_uid == os.geteuid() and _can_lock(lock)
    finally:
        os.close(lock)


def _can_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def remove_abandoned(parent: Path) -> list[Path]:
    """Remove our scratch folders in `parent` whose process is dead; return what was removed."""
    return [folder for folder in parent.glob(f"{PREFIX}*") if _remove_if_free(folder)]


def _remove_if_free(folder: Path) -> bool:
    with lock_abandoned(folder) as is_free:
        if is_free:
            _end_strays(folder)
            shutil.rmtree(folder, ignore_errors=True)
        return is_free


def _end_strays(folder: Path) -> None:
    """Kill the bubblewraps that name `folder` of a dead run.

    Bubblewrap and what it started die with their parent, except in one moment: until the user
    namespace is ready, its child waits without a signal for the death of its parent. A kill in
    that moment leaves it waiting for ever. Nothing of the step has begun in it.
    """
    import psutil

    for process in psutil.process_iter(["name", "cmdline", "uids"]):
        seen = process.info
        is_ours = seen["uids"] is not None and seen["uids"].real == os.geteuid()
        names_folder = any(str(folder) in word for word in seen["cmdline"] or ())
        if seen["name"] == "bwrap" and is_ours and names_folder:
            with contextlib.suppress(psutil.Error):
                process.kill()


def _remove(folder: Path) -> None:
    """Remove a folder, also if Ctrl-C falls just into its removal."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except KeyboardInterrupt:
        shutil.rmtree(folder, ignore_errors=True)
        raise
