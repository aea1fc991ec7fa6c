"""Finished firmware, found again by the digest of what it was made of; safe for two at once."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from pydantic import JsonValue

from harness.challenge import events_within, mix64
from harness.files import disk_fault, file_checksum, make_folder, remove, replacing_folder
from harness.sandbox.step import MIB
from harness.submission.events import Events

_MANIFEST = "manifest.json"
# Events whose bits are mixed at once: their words of 64 bits are twice as many bytes.
_CHUNK_BYTES = 4 * MIB
_FIX = "make room, make the folder writable, or name another by HARNESS_CACHE"


def digest_of(content: Mapping[str, JsonValue]) -> str:
    """Return the SHA-256 of a JSON object, whatever the order of its keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def set_digest(events: Events) -> str:
    """Return a digest of a set of events that does not depend on their order.

    Each event's bits are mixed into 64 bits, and those are added up. That tells data sets apart. It
    is no defence against somebody who wants two sets to look alike, and need not be one: events
    come from the organiser.

    Parameters
    ----------
    events : float32 array or SparseEvents, shape (n, n_inputs)
    """
    factors = np.random.default_rng(0).integers(1, 2**63, events.shape[1], np.uint64) * 2 + 1
    total = np.zeros(2, np.uint64)
    for _, chunk in _chunks(events):
        hashes = mix64(chunk @ factors)
        total += np.array([hashes.sum(dtype=np.uint64), (hashes * hashes).sum(dtype=np.uint64)])
    return f"{len(events)}:{int(total[0]):016x}{int(total[1]):016x}"


def canonical_order(events: Events) -> NDArray[np.intp]:
    """Return the order of events by their content: the same for each order of the same events.

    It is that of 128 bits, two mixes of 64 of all bits of an event; equal events come together.

    Parameters
    ----------
    events : float32 array or SparseEvents, shape (n, n_inputs)

    Returns
    -------
    ndarray of intp, shape (n,)
        Which event comes at each place.
    """
    generator = np.random.default_rng(1)
    factors = generator.integers(1, 2**63, (events.shape[1], 2), np.uint64) * 2 + 1
    mixed = np.empty((len(events), 2), np.uint64)
    for first, chunk in _chunks(events):
        mixed[first : first + len(chunk)] = mix64(chunk @ factors)
    return np.lexsort((mixed[:, 1], mixed[:, 0]))


def _chunks(events: Events) -> Iterator[tuple[int, NDArray[np.uint32]]]:
    """Read the bits of events, shape (m, n_inputs), in bounded memory; with the first's place."""
    at_once = events_within(_CHUNK_BYTES, events.shape[1:])
    for first in range(0, len(events), at_once):
        dense = np.ascontiguousarray(events[first : first + at_once], np.float32)
        yield first, dense.view(np.uint32)


class Cache:
    """A folder of finished entries, each a folder of files with their checksums.

    Parameters
    ----------
    root : Path
        Made if it is not there.

    Raises
    ------
    EnvironmentFaultError
        It cannot be written.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        make_folder(root, fix=_FIX)

    @contextmanager
    def locked(self, key: str) -> Iterator[None]:
        """Hold the entry of `key`: a second process waits until the first has made it."""
        lock = self._acquire(key, timeout_s=-1)
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def locked_if_free(self, key: str) -> Iterator[bool]:
        """Hold the entry of `key` if nobody else does; yield whether it is held."""
        try:
            lock = self._acquire(key, timeout_s=0)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def _acquire(self, key: str, timeout_s: float) -> FileLock:
        try:
            lock = FileLock(self._root / f"{key}.lock")
            lock.acquire(timeout=timeout_s)
        except Timeout:
            raise
        except OSError as error:
            raise disk_fault(self._root, error, fix=_FIX) from error
        return lock

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
                file_checksum(folder / name) == digest for name, digest in manifest.items()
            )
        except (OSError, ValueError, TypeError, AttributeError):
            return False

    def store(self, key: str, files: Mapping[str, Path]) -> Path:
        """Keep copies of files under their new names; the entry appears whole or not at all.

        Raises
        ------
        EnvironmentFaultError
            The cache cannot be written.
        """
        folder = self._root / key
        with replacing_folder(folder, fix=_FIX) as part:
            for name, path in files.items():
                shutil.copyfile(path, part / name)
            manifest = {name: file_checksum(part / name) for name in files}
            (part / _MANIFEST).write_text(json.dumps(manifest, sort_keys=True))
            remove(folder)
        return folder
