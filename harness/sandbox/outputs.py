"""The files that a step may write: made by the parent before the step, checked after it.

Each is an empty regular file that only the parent can name. The sandbox sees it alone, as a mount
point, so it can be written but not replaced by a link, a pipe or a folder; the descriptor opened
here before the step began is the one by which it is checked.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import EnvironmentFaultError, UsageError
from harness.sandbox.step import MalformedError

FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}")
PRIVATE = 0o600


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputFile:
    """One output: its path in the caller's folder, an open descriptor, and its size limit."""

    path: Path
    fd: int
    max_bytes: int


def check_names(names: Mapping[str, object]) -> None:
    """Refuse names of inputs and outputs that are not plain file names.

    Raises
    ------
    UsageError
        It names the first bad one.
    """
    for name in names:
        if not FILE_NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} is no name for an input or output of a step",
                expected="letters, digits and . _ + - (not first: . + -), at most 100",
            )


def create(folder: Path, outputs: Mapping[str, int], owner: int | None) -> list[OutputFile]:
    """Create each of `outputs` in `folder`, empty, for the user `owner` to write.

    Raises
    ------
    EnvironmentFaultError
        One cannot be created: it exists, or the disk is full.
    """
    check_names(outputs)
    made: list[OutputFile] = []
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        for name, max_bytes in outputs.items():
            path = folder.resolve() / name
            fd = os.open(path, flags, PRIVATE)
            made.append(OutputFile(path=path, fd=fd, max_bytes=max_bytes))
            if owner is not None:
                os.fchown(fd, owner, owner)
    except OSError as error:
        close(made)
        raise EnvironmentFaultError(
            f"the output {name} cannot be created: {error}",
            where=str(folder),
            expected="an empty folder that can be written to",
        ) from error
    return made


def close(files: list[OutputFile]) -> None:
    """Close the descriptors of `files`."""
    for file in files:
        os.close(file.fd)


def written_bytes(files: list[OutputFile]) -> int:
    """Return how much of the outputs is written; each counts up to its limit."""
    return sum(min(os.fstat(file.fd).st_size, file.max_bytes) for file in files)


def collect(files: list[OutputFile], step: str) -> dict[str, Path]:
    """Take back the outputs of a step that has ended; return their paths by name.

    They belong to the caller from here on, with ordinary permissions.

    Raises
    ------
    MalformedError
        One is larger than allowed, or is no longer the file that was created.
    """
    for file in files:
        found = os.fstat(file.fd)
        if found.st_size > file.max_bytes:
            raise _malformed(
                step,
                f"the output {file.path.name} has {found.st_size:,} bytes",
                f"at most {file.max_bytes:,} bytes",
            )
        if not _is_the_same(file.path, found):
            raise _malformed(
                step,
                f"the output {file.path.name} was replaced",
                "the regular file that was there before the step began",
            )
        os.fchown(file.fd, os.geteuid(), os.getegid())
        os.fchmod(file.fd, PRIVATE)
    return {file.path.name: file.path for file in files}


def _is_the_same(path: Path, found: os.stat_result) -> bool:
    try:
        there = path.lstat()
    except OSError:
        return False
    identity = (there.st_dev, there.st_ino)
    return stat.S_ISREG(there.st_mode) and identity == (found.st_dev, found.st_ino)


def _malformed(step: str, what: str, expected: str) -> MalformedError:
    return MalformedError(what, where=f"step {step}", expected=expected)
