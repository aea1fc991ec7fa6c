"""Archives of a project that are the same whenever their files are."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable
from pathlib import Path

__all__ = ["pack"]


def pack(target: Path, entries: Iterable[tuple[Path, str]]) -> None:
    """Write a tar of files and folders, each under its name: no owner, no time, names in order."""
    with tarfile.open(target, "w") as archive:
        for path, name in entries:
            archive.add(path, arcname=name, filter=_anonymous)


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = 0
    return entry
