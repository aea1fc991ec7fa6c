"""Events of a challenge, all parts of them, as the scorer sees them.

What participants may train on is in `harness.data.training`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.challenge import PARTS, Challenge, DataFile, Part
from harness.data import sample as sample_file
from harness.data.beside import conditions_of, has_algorithms
from harness.data.cache import (
    EVENTS_NAME,
    cache_root,
    find_cached,
    has_parts,
    holding,
    lock_process,
    open_algorithms,
    open_condition,
    open_events,
    open_hashes,
    open_mass,
    open_menu,
    open_parts,
    process_folder,
    read_events,
    store_events,
)
from harness.data.cache_record import CacheRecord, ReadingReport
from harness.data.event_source import EventSource
from harness.data.manifest import load_manifest
from harness.data.selection import AccessRecord, EventSelection
from harness.data.split import is_in_part
from harness.errors import DataError, Problem, UsageError
from harness.files import Progress, no_progress
from harness.submission.events import Events, SparseEvents

PACKAGE_SCHEME = "package:"
# Files that scoring does without.
OPTIONAL_ROLES = frozenset({"blackbox", "variation"})
PACKAGE_FOLDER = Path(__file__).parent / "files"


class EventStore:
    """All events of one challenge, memory-mapped.

    Parameters
    ----------
    challenge : Challenge
        Whose events.
    root : Path
        The cache, which holds them.
    records : mapping of process to CacheRecord
        What the cache says of each process.
    on_access : callable, optional
        Passed on to the selections.
    """

    def __init__(
        self,
        challenge: Challenge,
        root: Path,
        records: dict[str, CacheRecord],
        on_access: AccessRecord | None = None,
    ) -> None:
        self.challenge = challenge
        self.root = root
        self._records = records
        self._on_access = on_access

    @property
    def processes(self) -> tuple[str, ...]:
        """Processes whose events are here, in the manifest's order."""
        return tuple(self._records)

    def record(self, process: str) -> CacheRecord:
        """Return what the cache says of `process`: checksum, counts, structure.

        Raises
        ------
        UsageError
            The challenge has no such process, or its file was not fetched.
        """
        try:
            return self._records[process]
        except KeyError:
            raise UsageError(
                f"no events of {process!r} are here",
                where=f"challenge {self.challenge.name}",
                expected=f"one of {', '.join(self.processes)}",
                fix=f"harness fetch {self.challenge.name}",
            ) from None

    def n_events(self, process: str) -> int:
        """Count the events of `process`, all parts together."""
        return self.record(process).n_events

    def checksum(self, process: str) -> str:
        """Return the checksum of the source file (``md5:`` or ``sha256:``)."""
        return self.record(process).checksum

    def events(self, process: str) -> Events:
        """Map all events of `process`, read-only; shape (n, *layout.shape)."""
        self.record(process)
        return open_events(self.challenge, process, self.root)

    def path(self, process: str) -> Path:
        """Return the file that holds all events of `process`."""
        self.record(process)
        return process_folder(self.challenge, process, self.root) / EVENTS_NAME

    def read_chunks(self, process: str) -> Iterator[tuple[int, Events]]:
        """Read all events of `process` in order in bounded memory: (first position, events)."""
        self.record(process)
        return read_events(self.challenge, process, self.root)

    def counts(self, process: str, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Count the values that are not zero in chosen images of `process`; 0 of other events."""
        events = self.events(process)
        if isinstance(events, SparseEvents):
            return events.bounds[rows + 1] - events.bounds[rows]
        return np.zeros(len(rows), np.int64)

    def hashes(self, process: str) -> NDArray[np.uint64]:
        """Map the keyed hashes of all events of `process`; shape (n,)."""
        self.record(process)
        return open_hashes(self.challenge, process, self.root)

    def menu(self, process: str) -> NDArray[np.bool_] | None:
        """Map which events of `process` the menu accepts; None where the challenge has none."""
        self.record(process)
        return (
            None if self.challenge.menu is None else open_menu(self.challenge, process, self.root)
        )

    def condition(self, process: str, name: str) -> NDArray[np.float64]:
        """Map what a condition of the challenge was for each event of a background process."""
        self.record(process)
        return open_condition(self.challenge, process, name, self.root)

    def mass(self, process: str) -> NDArray[np.float64] | None:
        """Map the mass of each event of `process`; None where the challenge states none.

        NaN where an event has none, as one without constituents.
        """
        self.record(process)
        return (
            None if self.challenge.mass is None else open_mass(self.challenge, process, self.root)
        )

    def algorithms(self, process: str) -> tuple[tuple[str, ...], NDArray[np.uint8]] | None:
        """Return the names of the single algorithms of the menu, and map their decisions.

        Returns
        -------
        names : tuple of str
        packed : uint8 array, shape (n, n_bytes)
            See `harness.data.beside.decisions`.
        None where the challenge has no algorithms, or not of this process.
        """
        names = self.record(process).algorithms
        file = next(one for one in self.challenge.files if one.process == process)
        if not has_algorithms(self.challenge, file):
            return None
        return names, open_algorithms(self.challenge, process, self.root)

    def indices(self, process: str, part: Part = "test") -> NDArray[np.int64]:
        """Return the positions of the events of `process` that are in `part`, rising.

        Background, and a signal that is mixed into it for training, is split by its hashes, or as
        the files say. All events of every other process are test events, but those of a signal's
        published training part.

        Raises
        ------
        UsageError
            A part other than ``test`` of a process that is no background.
        """
        every = np.arange(self.n_events(process), dtype=np.int64)
        file = next(one for one in self.challenge.files if one.process == process)
        if file.part is not None:
            return every if file.part == part else every[:0]
        if has_parts(self.challenge, file):
            self._check_part(file, part)
            parts = open_parts(self.challenge, process, self.root)
            return np.flatnonzero(parts == PARTS.index(part)).astype(np.int64, copy=False)
        if process in self.challenge.shared_out:
            is_chosen = is_in_part(self.hashes(process), self.challenge.split, part)
            return np.flatnonzero(is_chosen).astype(np.int64, copy=False)
        if part != "test":
            raise UsageError(f"only background has a {part} part; {process} is for testing")
        return every

    def _check_part(self, file: DataFile, part: Part) -> None:
        """Refuse a part of a data set that was not fetched."""
        reading = self.record(file.process).reading
        if reading is None or part not in file.part_events or part in reading.n_read:
            return
        held = ", ".join(reading.n_read)
        raise DataError(
            f"the part {part} of {file.name} is not here",
            where=f"challenge {self.challenge.name}; in the cache: {held}",
            fix=f"harness fetch {self.challenge.name} --only {file.name} --parts {part}",
        )

    def select(self, process: str, part: Part) -> EventSelection:
        """Return the events of `process` in `part`, gathered when they are asked for."""
        return self.choose(process, self.indices(process, part))

    def choose(self, process: str, indices: NDArray[np.int64]) -> EventSelection:
        """Return some events of `process`, gathered when they are asked for."""
        return EventSelection(process, self.events(process), indices, self._on_access)


def open_store(
    challenge: Challenge,
    root: Path | None = None,
    *,
    progress: Progress = no_progress,
    on_access: AccessRecord | None = None,
    processes: Collection[str] | None = None,
) -> EventStore:
    """Open the events of `challenge`; those that come with the harness are decoded first.

    Parameters
    ----------
    challenge : Challenge
        Whose events.
    root : Path, optional
        The cache; see `harness.data.cache.cache_root`.
    progress : Progress
        Called with the state of the decoding.
    on_access : callable, optional
        Called with every event that a selection gathers.
    processes : collection of str, optional
        Those that are needed; None: all that scoring needs.

    Raises
    ------
    DataError
        Files are missing from the cache or unsound; all are named.
    """
    root = cache_root(root)
    records: dict[str, CacheRecord] = {}
    problems: list[Problem] = []
    for file in challenge.files:
        if processes is not None and file.process not in processes:
            continue
        found = find_cached(challenge, file, root, is_read=True)
        if isinstance(found, str) and is_packaged(file):
            found = decode_packaged(challenge, file, root, progress)
        if isinstance(found, CacheRecord):
            records[file.process] = found
        elif processes is not None or file.role not in OPTIONAL_ROLES:
            problems.append(
                Problem(what=found, where=file.name, fix=f"harness fetch {challenge.name}")
            )
    if problems:
        raise DataError(*problems)
    return EventStore(challenge, root, records, on_access)


def physical_units(
    events: NDArray[np.float32],
    challenge: str | Challenge = "sample",
    *,
    manifest: str | Path | None = None,
) -> NDArray[np.float32]:
    """Return events in the units that the layout of a challenge states: pT in GeV, phi in rad.

    Networks are given the numbers of the files; pictures and cuts are in these units.

    Parameters
    ----------
    events : float32 array, shape (n, n_objects, n_features)
        As `training_events` gives them.
    challenge, manifest
        As for `training_events`.

    Returns
    -------
    float32 array of the same shape
        `events` itself where the layout states no units. Empty slots are zero; angles in steps
        come out between -pi and pi.
    """
    challenge = challenge_of(challenge, manifest)
    return challenge.layout.physical(events)


def is_packaged(file: DataFile) -> bool:
    """Whether `file` comes with the harness."""
    return (file.url or "").startswith(PACKAGE_SCHEME)


def challenge_of(challenge: str | Challenge, manifest: str | Path | None) -> Challenge:
    """Find a challenge by its name, in a manifest of one's own or the shipped one."""
    if isinstance(challenge, Challenge):
        return challenge
    own = None if manifest is None else Path(manifest)
    return load_manifest(own).challenge(challenge)


def decode_packaged(
    challenge: Challenge, file: DataFile, root: Path, progress: Progress
) -> CacheRecord:
    """Decode the events of `file` from the package into the cache.

    Raises
    ------
    DataError
        The packaged file is broken or does not fit the manifest.
    """
    with holding(lock_process(challenge, file.process, root), file.name, progress):
        found = find_cached(challenge, file, root, is_read=True)
        if isinstance(found, CacheRecord):
            return found
        source = _packaged_source(challenge, file)
        return store_events(challenge, file, source, root, progress=progress)


def _packaged_source(challenge: Challenge, file: DataFile) -> EventSource:
    path = PACKAGE_FOLDER / (file.url or "").removeprefix(PACKAGE_SCHEME)
    members = sample_file.read_members(path, challenge.layout)
    member = next((member for member in members if member.process == file.process), None)
    if member is None or member.checksum != (file.checksum or member.checksum):
        raise DataError(
            f"holds no events of {file.process} with the manifest's checksum",
            where=str(path),
            expected=str(file.checksum),
            fix="restore the file and the manifest of one version of the harness",
        )
    decoded = sample_file.decode_member(path, member, challenge.layout)
    beside = sample_file.read_beside(path, member)
    return EventSource(
        chunks=((events, None) for events in decoded),
        n_events=member.n_events,
        checksum=member.checksum,
        menu=beside.menu,
        conditions={
            condition.name: [beside.conditions[condition.column]]
            for condition in conditions_of(challenge, file)
        },
        algorithms=beside.algorithms,
        parts=beside.parts,
        reading=partial(_packaged_report, beside.parts) if file.part_events else None,
    )


def _packaged_report(parts: NDArray[np.int8] | None) -> ReadingReport:
    counts = np.bincount([] if parts is None else parts, minlength=len(PARTS))
    n_read = {part: int(count) for part, count in zip(PARTS, counts, strict=True) if count}
    return ReadingReport(layout="package", n_read=n_read)
