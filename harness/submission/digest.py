"""The files of a submission: which ones count, which ones are not allowed, and their digest.

The sandbox runs a copy of exactly these files, made by `stage`, so the digest covers everything
that a participant's code could read.
"""

from __future__ import annotations

import hashlib
import os
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from harness.errors import InvalidSubmissionError, Problem
from harness.files import open_regular
from harness.submission.leftovers import is_leftover

MIB = 1024**2
MAX_FILES = 200
MAX_DEPTH = 6
MAX_NAME_BYTES = 200
NO_PLAIN_NAME = (
    f"the name has characters that are no text, a backslash, or over {MAX_NAME_BYTES} bytes"
)
MAX_FILE_BYTES = 64 * MIB
MAX_FOLDER_BYTES = 64 * MIB
_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a block device",
    stat.S_IFCHR: "a character device",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Scan:
    """What was found in a folder.

    Attributes
    ----------
    files : tuple of PurePosixPath
        Relative paths of the files that count, in the order of their names' bytes.
    problems : tuple of Problem
        Everything that is not allowed in a submission; `files` is complete only if this is empty.
    leftovers : tuple of PurePosixPath
        What `harness.submission.leftovers` names: it counts for nothing.
    """

    files: tuple[PurePosixPath, ...]
    problems: tuple[Problem, ...]
    leftovers: tuple[PurePosixPath, ...] = ()


def scan(folder: Path) -> Scan:
    """List the files of a submission, and what is not allowed; no link is followed.

    Parameters
    ----------
    folder : Path
        An existing folder.
    """
    found: list[PurePosixPath] = []
    problems: list[Problem] = []
    leftovers: list[PurePosixPath] = []
    total = 0
    for relative, status in _walk(folder, PurePosixPath(), problems, leftovers):
        if len(found) == MAX_FILES:
            problems.append(
                Problem(
                    what=f"more than {MAX_FILES} files",
                    where=str(folder),
                    expected=f"at most {MAX_FILES}",
                    fix="leave data, checkpoints and environments out",
                )
            )
            break
        found.append(relative)
        total += status.st_size
        problems.extend(_file_problems(relative, status))
    problems.extend(folder_size_problems(total, str(folder)))
    files = tuple(sorted(found, key=lambda path: os.fsencode(str(path))))
    return Scan(files=files, problems=tuple(problems), leftovers=tuple(leftovers))


def _walk(
    root: Path, relative: PurePosixPath, problems: list[Problem], leftovers: list[PurePosixPath]
) -> Iterator[tuple[PurePosixPath, os.stat_result]]:
    """Yield the files below a folder; what is wrong and what is left behind go to the lists."""
    for entry in _entries(root, relative, problems):
        path = relative / entry.name
        if is_leftover(entry.name):
            leftovers.append(path)
            continue
        if not is_plain_name(entry.name):
            problems.append(
                Problem(what=NO_PLAIN_NAME, where=repr(str(path)), fix="rename the file")
            )
            continue
        status = entry.stat(follow_symlinks=False)
        if not stat.S_ISDIR(status.st_mode):
            yield path, status
        elif len(path.parts) > MAX_DEPTH:
            problems.append(Problem(what=f"folders deeper than {MAX_DEPTH}", where=str(path)))
        else:
            yield from _walk(root, path, problems, leftovers)


def _entries(
    root: Path, relative: PurePosixPath, problems: list[Problem]
) -> list[os.DirEntry[str]]:
    """List a folder in the order of its names' bytes."""
    try:
        with os.scandir(root / relative) as entries:
            return sorted(entries, key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        problems.append(
            Problem(
                what=f"cannot be listed: {error.strerror}",
                where=str(relative),
                fix="make it readable",
            )
        )
        return []


# --- What a file of a submission may be, on a disk or in git --------------------------------------


def is_plain_name(name: str) -> bool:
    """Return whether a file or folder may have this name; if not, see `NO_PLAIN_NAME`."""
    n_bytes = len(name.encode("utf-8", errors="replace"))
    return name.isprintable() and "\\" not in name and n_bytes <= MAX_NAME_BYTES


def irregular(what: str, where: str) -> Problem:
    """Return the problem of what is no regular file."""
    return Problem(
        what=what, where=where, expected="regular files only", fix="put a copy of the file there"
    )


def file_size_problems(n_bytes: int, where: str) -> Iterator[Problem]:
    """Compare the size of a file with the limit."""
    if n_bytes > MAX_FILE_BYTES:
        yield Problem(
            what=f"{n_bytes / MIB:,.1f} MiB",
            where=where,
            expected=f"at most {MAX_FILE_BYTES // MIB} MiB",
            fix="store the weights as float32, without the optimiser's state",
        )


def folder_size_problems(n_bytes: int, where: str) -> Iterator[Problem]:
    """Compare the size of all files together with the limit."""
    if n_bytes > MAX_FOLDER_BYTES:
        yield Problem(
            what=f"{n_bytes / MIB:,.1f} MiB in all",
            where=where,
            expected=f"at most {MAX_FOLDER_BYTES // MIB} MiB",
            fix="keep the weights that network() loads, and leave everything else out",
        )


def _file_problems(path: PurePosixPath, status: os.stat_result) -> Iterator[Problem]:
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG:
        yield irregular(f"is {_KINDS.get(kind, 'no regular file')}", str(path))
        return
    if status.st_nlink > 1:
        yield Problem(
            what=f"is a hard link: the file has {status.st_nlink} names",
            where=str(path),
            expected="files that belong to the submission alone",
            fix="put a copy of the file there",
        )
    yield from file_size_problems(status.st_size, str(path))
    if path.suffix == ".pyc":
        yield Problem(
            what="is compiled Python",
            where=str(path),
            expected="source",
            fix="delete it; `__pycache__` folders are ignored",
        )


def folder_digest(folder: Path, files: Sequence[PurePosixPath]) -> str:
    """Return ``sha256:`` and the digest of a submission's files, names and contents.

    Parameters
    ----------
    folder : Path
        The submission.
    files : sequence of PurePosixPath
        As `scan` lists them. Modes, times and what is ignored do not count; names count in
        Unicode's composed form, so that a folder has one digest on every file system.
    """
    digest = hashlib.sha256(b"harness submission 1\0")
    for name, path in sorted((_composed(path), path) for path in files):
        content = hashlib.sha256(read_regular(folder / path)).digest()
        digest.update(len(name).to_bytes(4, "little") + name + content)
    return f"sha256:{digest.hexdigest()}"


def _composed(path: PurePosixPath) -> bytes:
    return unicodedata.normalize("NFC", str(path)).encode()


def stage(folder: Path, files: Sequence[PurePosixPath], target: Path, digest: str) -> Path:
    """Copy the files that count to `target`, which does not exist yet.

    Parameters
    ----------
    folder : Path
        The submission.
    files : sequence of PurePosixPath
        As `scan` listed them.
    target : Path
        The copy; its last part is the team's name, as that of `folder` is.
    digest : str
        What the copy must have.

    Returns
    -------
    Path
        `target`.

    Raises
    ------
    InvalidSubmissionError
        The files changed since they were scanned.
    """
    for path in files:
        copy = target / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(read_regular(folder / path))
    if folder_digest(target, files) != digest:
        raise InvalidSubmissionError(
            "changed while it was read", where=str(folder), fix="let training end before you score"
        )
    return target


def read_regular(path: Path) -> bytes:
    """Read a file of a submission, unless a link or a pipe was put in its place since the scan.

    Raises
    ------
    InvalidSubmissionError
        It is no regular file, or cannot be read.
    """
    try:
        with open_regular(path, may_be_link=False) as file:
            return file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InvalidSubmissionError(
            f"cannot be read: {error.strerror}", where=str(path)
        ) from error
