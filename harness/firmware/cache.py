"""Finished firmware by digest: found by its checksums, or made anew; safe for two at once."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from pydantic import JsonValue

from harness.card.records import Artefact
from harness.errors import EnvironmentFaultError, Problem

__all__ = ["Cache", "describe", "digest_of", "events_digest", "file_digest", "set_digest"]

_MANIFEST = "manifest.json"
_BLOCK_BYTES = 1 << 20
_CHUNK_EVENTS = 1 << 15
_MIX = np.uint64(0x9E3779B97F4A7C15)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return _digest_stream(file)


def _digest_stream(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := file.read(_BLOCK_BYTES):
        digest.update(block)
    return digest.hexdigest()


def describe(path: Path) -> Artefact:
    """Describe a file that is kept beside a card."""
    return Artefact(name=path.name, sha256=file_digest(path), n_bytes=path.stat().st_size)


def digest_of(content: Mapping[str, JsonValue]) -> str:
    """Return the SHA-256 of a JSON object, whatever the order of its keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def events_digest(path: Path) -> str:
    """Return a digest of events in their order."""
    from blake3 import blake3

    digest = blake3()
    digest.update_mmap(str(path))
    return str(digest.hexdigest())


def set_digest(events: NDArray[np.float32]) -> str:
    """Return a digest of a set of events that does not depend on their order.

    Each event's bits are mixed into 64 bits, and those are added up. It tells data sets apart; it
    is no defence against one who wants two to look alike, and needs to be none: events come from
    the organiser.

    Parameters
    ----------
    events : ndarray of float32, shape (n, n_inputs)
    """
    factors = np.random.default_rng(0).integers(1, 2**63, events.shape[1], np.uint64) * 2 + 1
    total = np.zeros(2, np.uint64)
    for first in range(0, len(events), _CHUNK_EVENTS):
        chunk = np.ascontiguousarray(events[first : first + _CHUNK_EVENTS], np.float32)
        hashes = chunk.view(np.uint32) @ factors
        hashes = (hashes ^ (hashes >> np.uint64(29))) * _MIX
        hashes ^= hashes >> np.uint64(32)
        total += np.array([hashes.sum(dtype=np.uint64), (hashes * hashes).sum(dtype=np.uint64)])
    return f"{len(events)}:{int(total[0]):016x}{int(total[1]):016x}"


class Cache:
    """A folder of finished entries, each a folder of files with their checksums.

    Parameters
    ----------
    root : Path
        Made if it is not there.

    Raises
    ------
    EnvironmentFaultError
        It can't be written.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _not_writable(root, error) from error

    @contextmanager
    def locked(self, key: str) -> Iterator[None]:
        """Hold the entry of `key`: a second process waits until the first has made it."""
        try:
            lock = FileLock(self._root / f"{key}.lock")
            lock.acquire()
        except OSError as error:
            raise _not_writable(self._root, error) from error
        try:
            yield
        finally:
            lock.release()

    def find(self, key: str) -> Path | None:
        """Return the folder of an intact entry; remove a damaged one."""
        folder = self._root / key
        if not folder.is_dir():
            return None
        if self._is_intact(folder):
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        return None

    def _is_intact(self, folder: Path) -> bool:
        try:
            manifest = json.loads((folder / _MANIFEST).read_text())
            names = {path.name for path in folder.iterdir()} - {_MANIFEST}
            return names == set(manifest) and all(
                file_digest(folder / name) == digest for name, digest in manifest.items()
            )
        except (OSError, ValueError, TypeError, AttributeError):
            return False

    def store(self, key: str, files: Mapping[str, Path]) -> Path:
        """Keep copies of files under their new names; the entry appears whole or not at all.

        Raises
        ------
        EnvironmentFaultError
            The cache can't be written.
        """
        try:
            part = Path(tempfile.mkdtemp(dir=self._root, prefix=f"{key[:16]}-", suffix=".part"))
            try:
                for name, path in files.items():
                    shutil.copyfile(path, part / name)
                manifest = {name: file_digest(part / name) for name in files}
                (part / _MANIFEST).write_text(json.dumps(manifest, sort_keys=True))
                folder = self._root / key
                if folder.exists():
                    shutil.rmtree(folder)
                part.rename(folder)
            finally:
                shutil.rmtree(part, ignore_errors=True)
        except OSError as error:
            raise _not_writable(self._root, error) from error
        return folder


def _not_writable(root: Path, error: OSError) -> EnvironmentFaultError:
    return EnvironmentFaultError(
        Problem(
            what=f"the firmware cache can't be written: {error.strerror or error}",
            where=str(root),
            fix="free disk space, make the folder writable, or name another by HARNESS_CACHE",
        )
    )
