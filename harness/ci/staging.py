"""The files of a submission, read from git's objects and written to a disk, without a checkout."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.ci.git import Repository
from harness.errors import InvalidSubmissionError
from harness.submission.digest import (
    MAX_FILE_BYTES,
    MAX_FILES,
    MAX_FOLDER_BYTES,
    MIB,
    NO_PLAIN_NAME,
    is_plain_name,
)


def read_files(repository: Repository, tree: str) -> dict[str, bytes]:
    """Read the files of a folder that was planned.

    The limits are checked here again: what is written to a disk must not depend on the check of
    another step.

    Raises
    ------
    InvalidSubmissionError
        They are too many, too large, no regular files, or have names that no disk takes.
    """
    entries = repository.entries(tree, is_deep=True)
    total = sum(entry.n_bytes or 0 for entry in entries)
    if len(entries) > MAX_FILES or total > MAX_FOLDER_BYTES:
        raise InvalidSubmissionError(
            f"{len(entries):,} files of {total / MIB:,.1f} MiB in all",
            expected=f"at most {MAX_FILES} of {MAX_FOLDER_BYTES // MIB} MiB",
        )
    for entry in entries:
        if not entry.is_regular:
            raise InvalidSubmissionError("is no regular file", where=entry.path)
        if not all(map(is_plain_name, entry.path.split("/"))):
            raise InvalidSubmissionError(
                NO_PLAIN_NAME, where=repr(entry.path), fix="rename the file"
            )
    return {entry.path: repository.blob(entry.object, MAX_FILE_BYTES) for entry in entries}


def write_files(files: Mapping[str, bytes], folder: Path) -> Path:
    """Write files below `folder`, which does not exist yet.

    Raises
    ------
    InvalidSubmissionError
        A name leads out of the folder, or two names are one on this disk.
    """
    folder.mkdir(parents=True)
    root = folder.resolve()
    for name, content in files.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if root not in path.resolve().parents:
                raise InvalidSubmissionError("leads out of the folder", where=name)
            with path.open("xb") as file:
                file.write(content)
        except (FileExistsError, NotADirectoryError) as error:
            raise InvalidSubmissionError(
                "is the name of two files on this disk", where=name
            ) from error
    return folder
