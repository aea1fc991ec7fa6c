"""HDF5's lock on a file: a file that another program is writing is not read.

While HDF5 has a file open it holds a lock of `flock`: shared with other readers, or its own alone
if it may write. The lock is taken here, because the message of HDF5 does not tell a file that is
held from a disk that keeps no locks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import DataError
from harness.files import open_regular

# Processes that a message names.
_MAX_NAMED = 3


@contextmanager
def sharing(path: Path) -> Iterator[None]:
    """Hold the lock of a reader on a file; on a disk without locks only look whether it changes.

    Raises
    ------
    DataError
        It cannot be opened, is no regular file, another program has it open for writing, or it
        changed meanwhile.
    """
    import fcntl

    try:
        stream = open_regular(path)
    except OSError as error:
        raise _cannot_open(path, error) from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _held(path) from error
        except OSError:
            # No locks on this disk: nobody can hold one, and HDF5 must not ask for one.
            pass
        before = _state(stream.fileno())
        yield
        if _state(stream.fileno()) != before:
            raise DataError(
                f"it changed while it was read{_by_whom(path)}",
                where=str(path),
                expected="a file that no program is writing",
                fix="run the command again when it is written",
            )


def _state(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_size, status.st_mtime_ns


def _cannot_open(path: Path, error: OSError) -> DataError:
    if isinstance(error, FileNotFoundError):
        return DataError("there is no such file", where=str(path))
    if isinstance(error, IsADirectoryError):
        return DataError("it is a folder", where=str(path), expected="a file")
    if isinstance(error, PermissionError):
        fix = f"let your account read it: chmod u+r {path}, or ask its owner"
        return DataError("you may not read it", where=str(path), fix=fix)
    reason = error.strerror or str(error)
    return DataError(f"it cannot be opened: {reason}", where=str(path), expected="a regular file")


def _held(path: Path) -> DataError:
    who = _by_whom(path) or ", on this machine or on another that shares the disk"
    return DataError(
        f"another program has it open for writing{who}",
        where=str(path),
        expected="a file that no program is writing",
        fix="close it there (`file.close()`, or end the kernel of the notebook) and run the "
        "command again; the file stays as it is",
    )


def disk_failed(path: Path, error: OSError) -> DataError:
    """Say that the disk gave no bytes: the file itself may be whole."""
    return DataError(
        f"the disk cannot read it: {os.strerror(error.errno) if error.errno else error}",
        where=str(path),
        expected="a disk that can be read",
        fix="run the command again; if it stays, copy the file to another disk",
    )


def _by_whom(path: Path) -> str:
    named = ", ".join(writers_of(path)[:_MAX_NAMED])
    return f": {named}" if named else ""


def writers_of(path: Path) -> list[str]:
    """Name the processes that have a file open for writing, as far as this one may know."""
    import psutil

    found = []
    for process in psutil.process_iter():
        try:
            if any(_is_written(one.path, one.mode, path) for one in process.open_files()):
                is_notebook = any("ipykernel" in part for part in process.cmdline())
                title = "the kernel of a notebook" if is_notebook else process.name()
                found.append(f"process {process.pid} ({title})")
        except (psutil.Error, OSError):
            # It has ended, or is another user's.
            continue
    return found


def _is_written(opened: str, mode: str, path: Path) -> bool:
    return mode != "r" and Path(opened).name == path.resolve().name and path.samefile(opened)
