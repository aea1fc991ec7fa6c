"""The cache: the events of every file of a challenge, memory-mapped.

``<root>/<challenge>/<process>/`` holds

- ``events.npy``: float32, shape (n, n_objects, n_features), or images without their zeros, see
  `harness.submission.events`;
- ``hashes-<key>.npy``: uint64, the keyed hash of each event (see `harness.data.split`);
- what is known of each event beside its objects, see `harness.data.beside`;
- ``about.json``: what they were made from, written last: where it is, the others are whole.

Each array is sealed, see `harness.data.seal`. All are written under another name and moved into
place; a lock keeps two processes apart.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from blake3 import blake3
from filelock import FileLock, Timeout
from numpy.typing import NDArray

import harness
from harness.challenge import Challenge, DataFile, EventLayout, Part
from harness.data import npy
from harness.data.beside import (
    IDS_NAME,
    MENU_NAME,
    PARTS_NAME,
    conditions_of,
    lacks_beside,
    map_algorithms,
    map_condition,
    mass_file,
    names_beside,
    store_algorithms,
    store_column,
    store_condition,
)
from harness.data.cache_record import CacheRecord
from harness.data.event_source import ContentDigest, EventSource
from harness.data.mass import event_mass
from harness.data.npy import map_events, map_npy, npy_bytes, writing_events, writing_npy
from harness.data.pins import Pin
from harness.data.seal import damage, remove_sealed, seal
from harness.data.split import event_hashes
from harness.data.structure import StructureCheck, StructureReport
from harness.errors import DataError, HarnessError
from harness.files import (
    Progress,
    check_space,
    disk_fault,
    make_folder,
    no_progress,
    read_json,
    write_json,
)
from harness.submission.events import Events, SparseEvents, positive_zeros, sparse_words

CACHE_VARIABLE = "HARNESS_CACHE"
EVENTS_NAME = "events.npy"
ABOUT_NAME = "about.json"
_OTHER_DISK = "name a folder on a disk that keeps locks in HARNESS_CACHE, such as a local one"


def index_of(challenge: Challenge, file: DataFile) -> str | None:
    """Return the dataset that says the part of each event of a file; None if none does."""
    roles = {"background", "signal", "hidden"} if challenge.training_signals else {"background"}
    is_split = file.role in roles and file.part is None
    return challenge.split.index if is_split else None


def has_parts(challenge: Challenge, file: DataFile) -> bool:
    """Whether the cache says of each event of a process which part it is in."""
    has_several = bool(file.pieces and challenge.split.kind == "published")
    return has_several or bool(file.part_events) or index_of(challenge, file) is not None


def cache_root(root: Path | None = None) -> Path:
    """Return where the caches are: `root`, or `HARNESS_CACHE`, or the user's cache folder."""
    import platformdirs

    if root is not None:
        return root.expanduser().absolute()
    stated = os.environ.get(CACHE_VARIABLE)
    if stated:
        return Path(stated).expanduser().absolute()
    return platformdirs.user_cache_path("harness", appauthor=False)


def process_folder(challenge: Challenge, process: str, root: Path) -> Path:
    """Return the folder of one process in the cache at `root`."""
    return root / challenge.name / process


def find_cached(
    challenge: Challenge,
    file: DataFile,
    root: Path,
    *,
    is_read: bool = False,
    parts: Sequence[Part] = (),
) -> CacheRecord | str:
    """Look for a sound cache of `file`.

    Parameters
    ----------
    parts : sequence of str
        Of a data set of a source: the parts that must be there.
    is_read : bool
        Whether its arrays are read and compared with their digests; see `harness.data.seal`.

    Returns
    -------
    CacheRecord or str
        What is there; or the reason why nothing there can be used.
    """
    folder = process_folder(challenge, file.process, root)
    about = folder / ABOUT_NAME
    if not about.exists():
        return "not in the cache"
    try:
        record = read_json(about, CacheRecord)
    except DataError as error:
        return f"{about} is not readable: {error.problems[0].what}"
    differs = _difference(challenge, file, folder, record, parts)
    if differs is None and is_read:
        names = (EVENTS_NAME, _hashes_name(challenge.split.key), *names_beside(challenge))
        differs = next(filter(None, (damage(folder / name) for name in names)), None)
    return differs or record


def _difference(
    challenge: Challenge, file: DataFile, folder: Path, record: CacheRecord, parts: Sequence[Part]
) -> str | None:
    """Say in what the cache differs from the manifest or from what was written."""
    if record.shape[1:] != challenge.layout.shape:
        return f"the cache holds events of shape {record.shape[1:]}"
    if (other_count := _other_count(file, record, parts)) is not None:
        return other_count
    # The checksum of a data set is that of its test events; of any other file, of all it holds.
    is_known = not file.part_events or record.reading is None or record.holds_test_events
    if is_known and file.checksum is not None and record.checksum != file.checksum:
        return f"the cache was made from a file with {record.checksum}"
    if lacking := lacks_beside(challenge, file, folder, has_parts=has_parts(challenge, file)):
        return lacking
    if _size(folder / EVENTS_NAME) != record.events_bytes:
        return f"{folder / EVENTS_NAME} is not the {record.events_bytes:,} bytes that were written"
    return None


def _other_count(file: DataFile, record: CacheRecord, parts: Sequence[Part]) -> str | None:
    """Say if other events are there than the manifest says, or not all parts of a data set."""
    if record.labels != file.labels:
        return "the cache holds events of another label"
    if not file.part_events:
        if file.n_events in {None, record.n_events}:
            return None
        return f"the cache holds {record.n_events:,} events, the manifest says {file.n_events:,}"
    held = {} if record.reading is None else record.reading.n_read
    if missing := [part for part in parts if part not in held]:
        return f"the cache holds no {' and no '.join(missing)} events"
    for part, n_read in held.items():
        count = file.part_events.get(part)
        if count is not None and count != n_read:
            return f"the cache was made of {n_read:,} {part} events, the manifest says {count:,}"
    return None


def store_events(
    challenge: Challenge,
    file: DataFile,
    source: EventSource,
    root: Path,
    *,
    expected: Pin | None = None,
    progress: Progress = no_progress,
) -> CacheRecord:
    """Write the events of `source` to the cache, checking their structure on the way.

    The caller holds the lock of `lock_process`. Memory stays bounded by the chunks. Decoded test
    events of a data set are compared with the checksum that is `expected`, if one is.

    Raises
    ------
    DataError
        The events are broken, or not as many as the manifest says.
    EnvironmentFaultError
        The disk is full or not writable.
    """
    if not file.part_events:
        check_count(file, source.n_events)
    folder = process_folder(challenge, file.process, root)
    checksum, structure = _store_objects(challenge, file, source, folder, expected, progress)
    try:
        _store_beside(challenge, file, source, folder)
    except HarnessError:
        # Gigabytes that nobody would look at again.
        for name in (EVENTS_NAME, _hashes_name(challenge.split.key), *names_beside(challenge)):
            remove_sealed(folder / name)
        raise
    record = CacheRecord(
        process=file.process,
        source=file.name,
        checksum=checksum,
        shape=(source.n_events, *challenge.layout.shape),
        reading=None if source.reading is None else source.reading(),
        labels=file.labels,
        algorithms=source.algorithms.names if source.algorithms else (),
        n_entries=_count_entries(folder / EVENTS_NAME),
        structure=structure,
        made_with={"harness": harness.__version__, "numpy": np.__version__},
    )
    write_json(folder / ABOUT_NAME, record, indent=2)
    return record


def _store_objects(
    challenge: Challenge,
    file: DataFile,
    source: EventSource,
    folder: Path,
    expected: Pin | None,
    progress: Progress,
) -> tuple[str, StructureReport]:
    """Write events and hashes; return the checksum of the source, and what was seen."""
    shape = (source.n_events, *challenge.layout.shape)
    key = challenge.split.key
    check = StructureCheck(source=file.name, layout=challenge.layout)
    digest = ContentDigest(source)
    # Of the file; one whose header comes last is read again.
    written = None if challenge.layout.is_sparse else blake3()
    check_space(folder, cache_bytes(challenge.layout, source.n_events))
    with (
        writing_events(
            folder / EVENTS_NAME, challenge.layout, source.n_events, digest=written
        ) as write,
        writing_npy(folder / _hashes_name(key), shape[:1], "<u8") as hashes,
    ):
        done = 0
        for given, classes in source.chunks:
            chunk = positive_zeros(given)
            check.add(chunk, classes)
            write(chunk)
            digest.add(chunk, done)
            hashes.write(event_hashes(chunk, key).astype("<u8", copy=False).data)
            done += len(chunk)
            progress(f"convert {file.name}", done, source.n_events, "events")
        if done != source.n_events:
            raise DataError(f"{file.name} gave {done:,} events, {source.n_events:,} were announced")
        checksum = source.checksum or digest.checksum
        if digest.is_of_test_events:
            _check_content(file, checksum, expected)
        (folder / ABOUT_NAME).unlink(missing_ok=True)
    seal(folder / EVENTS_NAME, None if written is None else written.hexdigest())
    seal(folder / _hashes_name(key))
    return checksum, check.report()


def _store_beside(challenge: Challenge, file: DataFile, source: EventSource, folder: Path) -> None:
    """Write what is known of each event beside its objects."""
    store_column(folder / IDS_NAME, source.ids, "<i8")
    store_column(folder / MENU_NAME, source.menu, "|b1")
    store_column(folder / PARTS_NAME, source.parts, "|i1")
    for condition in conditions_of(challenge, file):
        values = source.conditions[condition.name]
        store_condition(folder, condition, values, source.n_events, where=file.name)
    store_algorithms(folder, source.algorithms, source.n_events, where=file.name)
    if challenge.mass is not None and challenge.mass.kind != "column":
        # That of other events; it is made again when it is asked for.
        remove_sealed(folder / mass_file(challenge.mass))


def _check_content(file: DataFile, checksum: str, expected: Pin | None) -> None:
    """Refuse decoded events of a data set with another checksum than the one that is known."""
    known, origin = file.checksum, "manifest"
    fix = "get the files of the right release"
    if known is None and expected is not None:
        known, origin = expected.checksum, expected.origin
        fix += "; if it, or the rules for reading it, changed: `harness fetch --repin`"
    if known not in {None, checksum}:
        raise DataError(
            f"the checksum of its decoded test events is {checksum}",
            where=file.name,
            expected=f"{known} ({origin})",
            fix=fix,
        )


def _count_entries(path: Path) -> int | None:
    events = map_events(path)
    return len(events.entries) if isinstance(events, SparseEvents) else None


def open_ids(challenge: Challenge, process: str, root: Path) -> NDArray[np.int64] | None:
    """Map the ``EvtId`` of the cached events of `process`; None if the file had none."""
    path = process_folder(challenge, process, root) / IDS_NAME
    if not path.exists():
        return None
    return map_npy(path)


def open_menu(challenge: Challenge, process: str, root: Path) -> NDArray[np.bool_]:
    """Map which of the cached events of `process` the menu of the trigger accepts."""
    return map_npy(process_folder(challenge, process, root) / MENU_NAME)


def open_condition(
    challenge: Challenge, process: str, name: str, root: Path
) -> NDArray[np.float64]:
    """Map what a condition was for each of the cached events of a background process."""
    return map_condition(process_folder(challenge, process, root), name)


def open_mass(challenge: Challenge, process: str, root: Path) -> NDArray[np.float64]:
    """Map the mass of each cached event of `process`; made from the events if it is missing."""
    mass = challenge.mass
    assert mass is not None
    folder = process_folder(challenge, process, root)
    path = folder / mass_file(mass)
    if mass.kind == "column":
        return map_npy(path)
    expected = npy_bytes((len(open_events(challenge, process, root)),), "<f8")
    if _size(path) != expected:
        with holding(lock_process(challenge, process, root), process, no_progress):
            if _size(path) != expected:
                _write_mass(path, challenge)
    return map_npy(path)


def _write_mass(path: Path, challenge: Challenge) -> None:
    assert challenge.mass is not None
    events = path.with_name(EVENTS_NAME)
    with writing_npy(path, (len(map_events(events)),), "<f8") as stream:
        for _, chunk in npy.read_events(events):
            values = event_mass(challenge.mass, np.asarray(chunk), challenge.layout)
            stream.write(values.astype("<f8", copy=False).data)
    seal(path)


def open_algorithms(challenge: Challenge, process: str, root: Path) -> NDArray[np.uint8]:
    """Map the packed decisions of the single algorithms; see `harness.data.beside.decisions`."""
    return map_algorithms(process_folder(challenge, process, root))


def open_parts(challenge: Challenge, process: str, root: Path) -> NDArray[np.int8]:
    """Map the part of each cached event of `process`, its index in `PARTS`."""
    return map_npy(process_folder(challenge, process, root) / PARTS_NAME)


def open_events(challenge: Challenge, process: str, root: Path) -> Events:
    """Map the cached events of `process`, read-only; shape (n, *layout.shape)."""
    return map_events(process_folder(challenge, process, root) / EVENTS_NAME)


def read_events(challenge: Challenge, process: str, root: Path) -> Iterator[tuple[int, Events]]:
    """Read the cached events of `process` from front to back; see `harness.data.npy`."""
    return npy.read_events(process_folder(challenge, process, root) / EVENTS_NAME)


def open_hashes(challenge: Challenge, process: str, root: Path) -> NDArray[np.uint64]:
    """Map the hashes of `process` under the challenge's key; made first if they are missing."""
    folder = process_folder(challenge, process, root)
    path = folder / _hashes_name(challenge.split.key)
    events = open_events(challenge, process, root)
    expected = npy_bytes((len(events),), "<u8")
    if _size(path) != expected:
        with holding(lock_process(challenge, process, root), process, no_progress):
            if _size(path) != expected:
                _write_hashes(path, challenge.split.key)
    return map_npy(path)


def lock_process(challenge: Challenge, process: str, root: Path) -> FileLock:
    """Return the lock that a writer of `process` holds."""
    folder = process_folder(challenge, process, root)
    make_folder(folder)
    return FileLock(folder / ".lock")


@contextmanager
def holding(lock: FileLock, what: str, progress: Progress) -> Iterator[None]:
    """Hold `lock`; if another process holds it, say so and wait.

    Raises
    ------
    EnvironmentFaultError
        The disk keeps no locks.
    """
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress(f"waiting for another process that works on {what}", 0, None, "events")
        lock.acquire()
    except OSError as error:
        raise disk_fault(Path(lock.lock_file), error, fix=_OTHER_DISK) from error
    try:
        yield
    finally:
        lock.release()


def check_count(file: DataFile, n_events: int) -> None:
    """Refuse a file with another number of events than the manifest says."""
    if file.n_events is None or file.n_events == n_events:
        return
    raise DataError(
        f"holds {n_events:,} events",
        where=file.name,
        expected=f"{file.n_events:,}, as the manifest says",
        fix="get the right version of the file, or state the number in a manifest of your own",
    )


def _write_hashes(path: Path, key: str) -> None:
    n_events = len(map_events(path.with_name(EVENTS_NAME)))
    with writing_npy(path, (n_events,), "<u8") as stream:
        for _, events in npy.read_events(path.with_name(EVENTS_NAME)):
            stream.write(event_hashes(events, key).astype("<u8", copy=False).data)
    seal(path)


def _hashes_name(key: str) -> str:
    return f"hashes-{hashlib.sha256(key.encode()).hexdigest()[:8]}.npy"


def cache_bytes(layout: EventLayout, n_events: int) -> int:
    """Count the bytes that events and their hashes take in the cache; the least of sparse ones."""
    if layout.is_sparse:
        return npy_bytes((sparse_words(n_events, 0),), "<i8") + npy_bytes((n_events,), "<u8")
    return npy_bytes((n_events, *layout.shape), "<f4") + npy_bytes((n_events,), "<u8")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
