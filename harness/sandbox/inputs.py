"""The files that a step may read: regular files and folders that its user can open.

A step that is started early has inputs that do not exist yet. Each is an empty regular file of the
parent's, bound read-only like any other. When its contents are there, they are copied into it: no
link, pipe or folder can ever appear in its place, whatever a participant's code left.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.errors import InvalidSubmissionError
from harness.sandbox.step import Step

READABLE = 0o004
COPIED_BYTES = 1 << 20
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


# --- inputs that come later ---------------------------------------------------------------------


def create_later(names: Sequence[str], scratch: Path) -> dict[str, Path]:
    """Create an empty file for each of `names` below `scratch`; return the host paths."""
    folder = scratch / "later"
    folder.mkdir()
    folder.chmod(0o755)
    made = {name: folder / name for name in names}
    for path in made.values():
        path.touch(exist_ok=False)
        path.chmod(0o644)
    return made


def fill_later(place: Path, name: str, source: Path) -> None:
    """Copy the regular file `source` into the file that stands for the input `name`.

    Raises
    ------
    InvalidSubmissionError
        `source` is missing, or is a link or another kind of file.
    """
    try:
        read = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _no_file(name, source) from error
    with os.fdopen(read, "rb") as file:
        if not stat.S_ISREG(os.fstat(read).st_mode):
            raise _no_file(name, source)
        # The same file that the sandbox has, not another one in its place.
        with place.open("r+b") as copy:
            shutil.copyfileobj(file, copy, COPIED_BYTES)


def _no_file(name: str, path: Path) -> InvalidSubmissionError:
    return InvalidSubmissionError(
        f"the input {name} is no file that can be read",
        where=str(path),
        expected="a regular file, no link",
    )
