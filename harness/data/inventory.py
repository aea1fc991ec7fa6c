"""What is here: every file of every challenge, in the cache or not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.challenge import Challenge, DataFile
from harness.data.cache import cache_root, find_cached, process_folder
from harness.data.cache_record import CacheRecord
from harness.data.events import OPTIONAL_ROLES, is_packaged
from harness.data.manifest import Manifest


@dataclass(frozen=True, kw_only=True, slots=True)
class FileStatus:
    """One file of a challenge.

    Attributes
    ----------
    is_here : bool
        Whether its events can be read without a download.
    state : str
        ``cached``, ``comes with the harness``, or why it cannot be used.
    checksum : str or None
        Of the cached file, or else the manifest's.
    n_bytes : int
        What its cache takes on the disk.
    """

    name: str
    process: str
    role: str
    is_here: bool
    state: str
    checksum: str | None
    n_events: int | None
    n_bytes: int
    folder: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class ChallengeStatus:
    """One challenge; it can be scored once all files are here that scoring needs."""

    name: str
    title: str
    version: str
    is_synthetic: bool
    is_ready: bool
    files: tuple[FileStatus, ...]


def take_inventory(manifest: Manifest, root: Path | None = None) -> tuple[ChallengeStatus, ...]:
    """Report for each challenge of `manifest` what of it is in the cache at `root`."""
    root = cache_root(root)
    return tuple(_challenge_status(challenge, root) for challenge in manifest.challenges)


def _challenge_status(challenge: Challenge, root: Path) -> ChallengeStatus:
    files = tuple(_file_status(challenge, file, root) for file in challenge.files)
    return ChallengeStatus(
        name=challenge.name,
        title=challenge.title,
        version=challenge.version,
        is_synthetic=challenge.synthetic,
        is_ready=all(file.is_here for file in files if file.role not in OPTIONAL_ROLES),
        files=files,
    )


def _file_status(challenge: Challenge, file: DataFile, root: Path) -> FileStatus:
    found = find_cached(challenge, file, root)
    record = found if isinstance(found, CacheRecord) else None
    packaged = is_packaged(file)
    return FileStatus(
        name=file.name,
        process=file.process,
        role=file.role,
        is_here=record is not None or packaged,
        state="cached" if record else "comes with the harness" if packaged else str(found),
        checksum=record.checksum if record else file.checksum,
        n_events=record.n_events if record else file.n_events,
        n_bytes=record.n_bytes if record else 0,
        folder=process_folder(challenge, file.process, root),
    )
