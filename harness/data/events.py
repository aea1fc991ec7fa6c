"""Events of a challenge: what is scored, and what participants may train on.

`EventStore` serves the scorer, all parts of it. `training_events` and `validation_events` serve
participants: they never hold a test event. With public files and a public key that is a convention
which this module keeps; only a private file enforces it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.challenge import PARTS, Challenge, DataFile, Part, events_within
from harness.data import sample as sample_file
from harness.data.beside import has_algorithms
from harness.data.cache import (
    EVENTS_NAME,
    CacheRecord,
    EventSource,
    cache_root,
    find_cached,
    has_parts,
    holding,
    lock_process,
    open_algorithms,
    open_condition,
    open_events,
    open_hashes,
    open_menu,
    open_parts,
    process_folder,
    read_events,
    store_events,
)
from harness.data.manifest import load_manifest
from harness.data.npy import CHUNK_BYTES
from harness.data.split import chunks, is_in_part
from harness.errors import DataError, Problem, UsageError
from harness.files import Progress, no_progress
from harness.submission.events import Events, SparseEvents

PACKAGE_SCHEME = "package:"
# Files that scoring does without.
OPTIONAL_ROLES = frozenset({"blackbox", "variation"})
PACKAGE_FOLDER = Path(__file__).parent / "files"

# Called with the process and the positions of events whenever a selection gathers some.
AccessRecord = Callable[[str, NDArray[np.int64]], None]


class EventSelection:
    """Some events of one process, gathered from the memory map when they are asked for.

    It has a length, a shape and a dtype, is indexed like an array along its first axis, is turned
    into one by `numpy.asarray` (which holds all of it in memory), and gives it piece by piece by
    `chunks`.

    Parameters
    ----------
    process : str
        Name of the process.
    events : float32 array, shape (n, *layout.shape), or SparseEvents
        All events of the process.
    indices : ndarray of int64, shape (m,)
        Positions of the selected ones, rising.
    on_access : callable, optional
        Called with the process and the positions of the events that are gathered.
    """

    def __init__(
        self,
        process: str,
        events: Events,
        indices: NDArray[np.int64],
        on_access: AccessRecord | None = None,
    ) -> None:
        self.process = process
        self._events = events
        self._indices = indices
        self._on_access = on_access

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array that the selection stands for."""
        return (len(self._indices), *self._events.shape[1:])

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._events.ndim

    @property
    def dtype(self) -> np.dtype[np.float32]:
        """Float32."""
        return self._events.dtype

    def __len__(self) -> int:
        """Return the number of selected events."""
        return len(self._indices)

    def __repr__(self) -> str:
        """Say what is selected."""
        return f"<EventSelection {self.process} {self.shape} {self.dtype}>"

    def __getitem__(
        self, key: int | slice | NDArray[np.integer] | NDArray[np.bool_] | list[int]
    ) -> NDArray[np.float32]:
        """Gather events: an integer gives one, a slice, positions or a mask give several."""
        chosen = self._indices[key]
        if self._on_access is not None:
            self._on_access(self.process, np.atleast_1d(chosen))
        # Images become dense here.
        gathered: NDArray[np.float32] = np.array(self._events[chosen])
        return gathered

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        """Give one event after the other."""
        for chunk in self.chunks():
            yield from chunk

    def __array__(
        self,
        dtype: np.typing.DTypeLike | None = None,
        copy: bool | None = None,  # noqa: FBT001 - NumPy's protocol
    ) -> NDArray[np.float32]:
        """Gather all; there is no array to share, so ``copy=False`` is refused."""
        if copy is False:
            raise ValueError(
                "a selection is gathered from a file: there is nothing to share without a copy"
            )
        return self[:].astype(dtype or self.dtype, copy=False)

    def chunks(self, n_events: int | None = None) -> Iterator[NDArray[np.float32]]:
        """Give the selected events in order, at most `n_events` (or 15 MB) at a time."""
        for chunk in chunks(len(self), n_events or events_within(CHUNK_BYTES, self.shape[1:])):
            yield self[chunk]


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

        Background is split by its hashes, or as the files say. All events of every other process
        are test events, but those of a signal's published training part.

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
            parts = open_parts(self.challenge, process, self.root)
            return np.flatnonzero(parts == PARTS.index(part)).astype(np.int64, copy=False)
        if self._is_background(process):
            is_chosen = is_in_part(self.hashes(process), self.challenge.split, part)
            return np.flatnonzero(is_chosen).astype(np.int64, copy=False)
        if part != "test":
            raise UsageError(f"only background has a {part} part; {process} is for testing")
        return every

    def select(self, process: str, part: Part) -> EventSelection:
        """Return the events of `process` in `part`, gathered when they are asked for."""
        events, indices = self.events(process), self.indices(process, part)
        return EventSelection(process, events, indices, self._on_access)

    def _is_background(self, process: str) -> bool:
        self.record(process)
        return process in self.challenge.processes("background")


def open_store(
    challenge: Challenge,
    root: Path | None = None,
    *,
    progress: Progress = no_progress,
    on_access: AccessRecord | None = None,
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

    Raises
    ------
    DataError
        Files are missing from the cache or unsound; all are named.
    """
    root = cache_root(root)
    records: dict[str, CacheRecord] = {}
    problems: list[Problem] = []
    for file in challenge.files:
        found = find_cached(challenge, file, root, is_read=True)
        if isinstance(found, str) and is_packaged(file):
            found = decode_packaged(challenge, file, root, progress)
        if isinstance(found, CacheRecord):
            records[file.process] = found
        elif file.role not in OPTIONAL_ROLES:
            problems.append(
                Problem(what=found, where=file.name, fix=f"harness fetch {challenge.name}")
            )
    if problems:
        raise DataError(*problems)
    return EventStore(challenge, root, records, on_access)


def training_events(
    challenge: str | Challenge = "sample",
    *,
    root: Path | None = None,
    manifest: str | Path | None = None,
    on_access: AccessRecord | None = None,
    signal: str | None = None,
) -> EventSelection:
    """Return the background events to train on; no test event is among them.

    Parameters
    ----------
    challenge : str or Challenge
        A challenge or its name.
    root : Path, optional
        The cache; by default the one that all commands use.
    manifest : str or Path, optional
        A manifest of your own that holds the challenge.
    on_access : callable, optional
        Called with the process and the positions of the events that are gathered.
    signal : str, optional
        A signal, to get its training part; only where the challenge allows it.

    Returns
    -------
    EventSelection
        float32, shape (n, *layout.shape); of objects pT [GeV], eta, phi [rad]. Images are dense:
        take them by `chunks`, if all of them do not fit into memory.
    """
    return _part_of(challenge, "train", root, manifest, on_access, signal)


def validation_events(
    challenge: str | Challenge = "sample",
    *,
    root: Path | None = None,
    manifest: str | Path | None = None,
    on_access: AccessRecord | None = None,
    signal: str | None = None,
) -> EventSelection:
    """Return the background events to validate on; as `training_events`, of another part."""
    return _part_of(challenge, "validation", root, manifest, on_access, signal)


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


def _part_of(
    challenge: str | Challenge,
    part: Part,
    root: Path | None,
    manifest: str | Path | None,
    on_access: AccessRecord | None,
    signal: str | None,
) -> EventSelection:
    challenge = challenge_of(challenge, manifest)
    store = open_store(challenge, root, on_access=on_access)
    if signal is not None:
        _refuse_signal(challenge, signal)
    names = challenge.processes("background") if signal is None else (signal,)
    if challenge.split.kind == "published":
        names = tuple(name for name in names if len(store.indices(name, part)))
    if len(names) != 1:
        whose = "background files" if signal is None else f"files of {signal}"
        raise UsageError(
            f"{challenge.name} has {len(names)} {whose} with a {part} part, expected one"
        )
    return store.select(names[0], part)


def _refuse_signal(challenge: Challenge, signal: str) -> None:
    """Refuse a signal where its events are no training events, before any is read."""
    if not challenge.training_signals:
        raise UsageError(
            f"{challenge.name} is unsupervised: {signal} has no training part",
            fix="train on background alone",
        )
    known = challenge.processes("signal")
    if signal not in known:
        listed = ", ".join(known)
        raise UsageError(f"{challenge.name} has no signal {signal!r}", expected=f"one of {listed}")


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
    return EventSource(
        chunks=((events, None) for events in decoded),
        n_events=member.n_events,
        checksum=member.checksum,
    )
