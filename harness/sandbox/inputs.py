"""The files that a step may read: regular files and folders that its user can open."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from harness.errors import InvalidSubmissionError
from harness.sandbox.step import Step

READABLE = 0o004
SEARCHABLE = 0o005


def find_inputs(step: Step, staging: Path | None) -> dict[str, Path]:
    """Return the host paths of the inputs, as regular files or folders.

    A step of root runs as another user: an input that this user cannot read is copied to
    `staging`.

    Raises
    ------
    InvalidSubmissionError
        One is missing, or is a link or another kind of file.
    """
    return {name: _find_input(name, path, staging) for name, path in step.inputs.items()}


def _find_input(name: str, path: Path, staging: Path | None) -> Path:
    mode = path.lstat().st_mode if os.path.lexists(path) else 0
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise InvalidSubmissionError(
            f"the input {name} is {'no file or folder' if mode else 'missing'}",
            where=str(path),
            expected="a regular file or a folder, no link",
        )
    path = path.resolve()
    if staging is None or all(_is_readable(place) for place in _walk(path)):
        return path
    copy = staging / "inputs" / name
    _copy_readable(path, copy)
    return copy


def _walk(path: Path) -> Iterator[Path]:
    yield path
    if path.is_dir() and not path.is_symlink():
        for place in sorted(path.iterdir()):
            yield from _walk(place)


def _is_readable(path: Path) -> bool:
    mode = path.lstat().st_mode
    if stat.S_ISDIR(mode):
        return mode & SEARCHABLE == SEARCHABLE
    return not stat.S_ISREG(mode) or bool(mode & READABLE)


def _copy_readable(path: Path, copy: Path) -> None:
    """Copy files, folders and links from `path` so that everyone can read them; skip the rest."""
    mode = path.lstat().st_mode
    copy.parent.mkdir(parents=True, exist_ok=True)
    if stat.S_ISDIR(mode):
        copy.mkdir()
        for place in path.iterdir():
            _copy_readable(place, copy / place.name)
        copy.chmod(0o755)
    elif stat.S_ISLNK(mode):
        copy.symlink_to(path.readlink())
    elif stat.S_ISREG(mode):
        shutil.copyfile(path, copy, follow_symlinks=False)
        copy.chmod(0o444 | (mode & 0o111))
