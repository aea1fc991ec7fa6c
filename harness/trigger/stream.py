"""Events of a stream in time order, from files or from the cache, in bounded memory."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from harness.challenge import PARTS, Challenge, Condition, EventLayout, Part, mix64
from harness.data import hdf5
from harness.data.events import open_store
from harness.data.manifest import Manifest
from harness.data.mix import read_rows
from harness.data.structure import StructureCheck
from harness.data.tables.columns import arrange
from harness.data.tables.opening import READERS, opened_table
from harness.data.tables.source import Source
from harness.data.variations import event_variations, vary_events, why_not
from harness.errors import DataError, UsageError
from harness.submission.events import Events, SparseEvents, positive_zeros

# The dataset, or the column, that says the luminosity section of each event.
SECTION_COLUMN = "lumi_section"
_HDF5 = (".h5", ".hdf5")
_CACHED = re.compile(
    r"(?P<challenge>[a-z0-9_.+-]+):(?P<process>[a-z0-9_.+-]+?)"
    r"(@(?P<parts>[a-z+]+))?(\[(?P<first>\d*):(?P<last>\d*)\])?"
)
# A folder that is followed is looked at so often.
_POLL_S = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """Some consecutive events of a source.

    Attributes
    ----------
    events : float32 array, shape (n, *layout.shape), or SparseEvents
        Checked: of the layout, finite.
    rows : int64 array, shape (n,)
        Their positions in the source, from 0; rising.
    sections : int64 array, shape (n,), or None
        Where the source says them.
    is_selected : bool array, shape (n,), or None
        Which events passed the preselection of their data set; None: all. Others are events of the
        stream that are never accepted.
    beside : mapping of name to float64 array, shape (n,)
        What conditions of the challenge, such as the pile-up, were; without those that the source
        does not say.
    """

    events: Events
    rows: NDArray[np.int64]
    sections: NDArray[np.int64] | None
    is_selected: NDArray[np.bool_] | None = None
    beside: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def part(self, start: int, stop: int) -> Piece:
        """Return consecutive events; nothing is copied."""
        cut = slice(start, stop)
        events = self.events
        return Piece(
            events=events.part(start, stop) if isinstance(events, SparseEvents) else events[cut],
            rows=self.rows[cut],
            sections=None if self.sections is None else self.sections[cut],
            is_selected=None if self.is_selected is None else self.is_selected[cut],
            beside={name: values[cut] for name, values in self.beside.items()},
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class EventSourceOf:
    """One source of a stream.

    Attributes
    ----------
    name : str
        As it was given; of a file in a folder, its path.
    has_sections : bool
        Whether it says the section of each event.
    read : callable
        Reads its events from front to back.
    conditions : tuple of Condition
        With bins, of the challenge, that it says for each event.
    """

    name: str
    has_sections: bool
    read: Callable[[], Iterator[Piece]]
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Following:
    """How a folder that grows is followed.

    Attributes
    ----------
    idle_s : float
        It ends when no new file came, and none grew, for so long.
    sleep, clock : callable
        Of `time`; others in tests.
    """

    idle_s: float
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


def sources_of(
    named: Sequence[str],
    challenge: Challenge,
    manifest: Manifest,
    *,
    column: str | None = None,
    following: Following | None = None,
) -> Iterator[EventSourceOf]:
    """Open sources of events one after the other, as they are named.

    Parameters
    ----------
    named : sequence of str
        Files (HDF5, or tables such as Parquet), folders of them in the order of their names, or
        events of the cache: ``CHALLENGE:PROCESS``, then ``@PART+PART`` (test if not said) and
        ``[FIRST:LAST]``, as in ``sample:background@train+validation`` or ``sample:lq[:200]``.
    column : str, optional
        What says the section; None: `SECTION_COLUMN` where a source has it.
    following : Following, optional
        Whether the last source, a folder, is followed.

    Raises
    ------
    UsageError
        There is no such source.
    DataError
        A source cannot be read, or is of another layout than the entry's.
    """
    for number, name in enumerate(named):
        path = Path(name)
        is_followed = following is not None and number == len(named) - 1
        if path.is_dir():
            for file in _files(path, following if is_followed else None):
                yield _file(file, challenge, column)
        elif is_followed:
            raise UsageError("only a folder can be followed", where=name)
        elif path.exists() or not (found := _CACHED.fullmatch(name)):
            yield _file(path, challenge, column)
        else:
            yield _cached(name, found, challenge, manifest)


def varied(source: EventSourceOf, name: str, challenge: Challenge) -> EventSourceOf:
    """Return a source whose events are varied as `harness score --stress` varies them.

    Raises
    ------
    UsageError
        There is no such variation, or the events have not what it needs.
    """
    known = {one.name: one for one in event_variations()}
    if name not in known:
        raise UsageError(f"no variation {name!r}", expected=f"one of {', '.join(known)}")
    if reason := why_not(known[name], challenge):
        raise UsageError(f"events of {challenge.name} cannot be varied so: {reason}")

    def read() -> Iterator[Piece]:
        key = int.from_bytes(blake3(source.name.encode()).digest()[:8], "little")
        for piece in source.read():
            hashes = mix64(piece.rows.astype(np.uint64) ^ np.uint64(key))
            found = vary_events(known[name], np.asarray(piece.events), hashes, challenge)
            yield replace(piece, events=found.events, is_selected=found.is_selected)

    return replace(source, read=read)


def _files(folder: Path, following: Following | None) -> Iterator[Path]:
    """Give the files of events of a folder by their names; wait for new ones if it is followed."""
    given: list[Path] = []
    seen = 0.0 if following is None else following.clock()
    while True:
        there = sorted(path for path in folder.iterdir() if path.name.lower().endswith(_endings()))
        new = [path for path in there if path not in given]
        # Files after one that still grows wait for it.
        whole = (
            new
            if following is None
            else list(takewhile(lambda path: _is_whole(path, following), new))
        )
        if given and whole and whole[0].name < given[-1].name:
            raise DataError(
                f"it came after {given[-1].name}, which was read already",
                where=str(whole[0]),
                expected="files whose names rise in the order in which they come",
                fix="name files by their first section, with leading zeros",
            )
        for path in whole:
            given.append(path)
            yield path
        if following is None:
            break
        if new:
            seen = following.clock()
        elif following.clock() - seen >= following.idle_s:
            break
        if not whole:
            following.sleep(_POLL_S)
    if not given:
        expected = f"files that end in one of {', '.join(_endings())}"
        raise DataError("it holds no files of events", where=str(folder), expected=expected)


def _endings() -> tuple[str, ...]:
    return tuple(READERS)


def _is_whole(path: Path, following: Following) -> bool:
    """Whether a file of a followed folder has not grown for a moment."""
    before = path.stat()
    following.sleep(0.2)
    after = path.stat()
    return (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)


# --- one source ---------------------------------------------------------------------------------


def binned(challenge: Challenge) -> tuple[Condition, ...]:
    """Return the conditions of a challenge by whose bins rates are counted, such as pile-up."""
    return tuple(one for one in challenge.conditions if one.edges)


def _file(path: Path, challenge: Challenge, column: str | None) -> EventSourceOf:
    if not path.is_file():
        raise UsageError(
            "there is no such file, folder or process of the cache",
            where=str(path),
            expected="a file of events, a folder of them, or CHALLENGE:PROCESS",
        )
    is_hdf5 = path.name.lower().endswith(_HDF5)
    wanted = SECTION_COLUMN if column is None else column
    known = _DatasetsOf(path) if is_hdf5 else _columns_of(path)
    if column is not None and column not in known:
        raise DataError(
            f"it has no {column}",
            where=str(path),
            expected="a number of a section for each event",
            fix="name what holds it by --section-column, or cut sections by --section-events",
        )
    sections = wanted if wanted in known else None
    conditions = tuple(one for one in binned(challenge) if one.column in known)
    reader = _read_hdf5 if is_hdf5 else _read_table
    return EventSourceOf(
        name=str(path),
        has_sections=sections is not None,
        read=lambda: reader(path, challenge.layout, sections, conditions),
        conditions=conditions,
    )


@dataclass(frozen=True, slots=True)
class _DatasetsOf:
    """Which datasets an HDF5 file has."""

    path: Path

    def __contains__(self, name: str) -> bool:
        return hdf5.has_dataset(self.path, name)


def _columns_of(path: Path) -> tuple[str, ...]:
    with opened_table(Source(path=path)) as table:
        return table.columns or ()


def _read_hdf5(
    path: Path, layout: EventLayout, column: str | None, conditions: Sequence[Condition]
) -> Iterator[Piece]:
    n_events = hdf5.count_events(path, layout)

    def beside(name: str) -> _Beside:
        return _Beside(hdf5.read_condition(path, name, n_events))

    numbers = None if column is None else beside(column)
    others = {one.name: beside(one.column) for one in conditions}
    check = StructureCheck(source=path.name, layout=layout)
    first = 0
    for events, classes in hdf5.read_chunks(path, layout):
        check.add(events, classes)
        sections = None
        if column is not None and numbers is not None:
            sections = _whole_numbers(numbers.take(len(events)), str(path), column, first)
        found = {name: one.take(len(events)) for name, one in others.items()}
        yield _piece(positive_zeros(events), first, sections, found)
        first += len(events)


@dataclass(slots=True)
class _Beside:
    """Numbers beside events, which come in other chunks than the events do."""

    chunks: Iterator[NDArray[np.float64]]
    _held: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    def take(self, n_events: int) -> NDArray[np.float64]:
        """Return the numbers of the next events, shape (n_events,); there are so many."""
        parts = [self._held]
        while sum(map(len, parts)) < n_events:
            parts.append(next(self.chunks))
        found = np.concatenate(parts)
        self._held = found[n_events:]
        return found[:n_events]


def _read_table(
    path: Path, layout: EventLayout, column: str | None, conditions: Sequence[Condition]
) -> Iterator[Piece]:
    check = StructureCheck(source=path.name, layout=layout)
    with opened_table(Source(path=path), column) as table:
        how = arrange(table, layout.features)
        if (how.n_objects, len(how.features)) != layout.shape:
            raise DataError(
                f"an event has {how.n_objects} objects of {len(how.features)} features",
                where=table.where,
                expected=f"{' x '.join(map(str, layout.shape))}, as the entry's challenge",
                fix="give events of the entry's challenge",
            )
        places = {one.name: (table.columns or ()).index(one.column) for one in conditions}
        first = 0
        for block in table.blocks:
            events = how.events(block.values, table, first)
            check.add(events)
            sections = None
            if column is not None and block.classes is not None:
                sections = _whole_numbers(_numbers(block.classes), table.where, column, first)
            beside = {
                name: block.values[:, place].astype(np.float64) for name, place in places.items()
            }
            yield _piece(positive_zeros(events), first, sections, beside)
            first += len(events)


def _piece(
    events: Events,
    first: int,
    sections: NDArray[np.int64] | None,
    beside: Mapping[str, NDArray[np.float64]],
) -> Piece:
    rows = np.arange(first, first + len(events), dtype=np.int64)
    return Piece(events=events, rows=rows, sections=sections, beside=beside)


def _numbers(texts: NDArray[np.str_]) -> NDArray[np.float64]:
    """Read numbers that stand as text; NaN where one is none."""
    try:
        return texts.astype(np.float64)
    except ValueError:
        return np.full(len(texts), np.nan)


def _whole_numbers(
    values: NDArray[np.float64], where: str, column: str, first: int
) -> NDArray[np.int64]:
    """Check sections; `first` is the position of the first of them in the source."""
    is_bad = ~(np.isfinite(values) & (values >= 0) & (values < 2**53) & (values == np.rint(values)))
    if is_bad.any():
        row = int(np.argmax(is_bad))
        raise DataError(
            f"{column} is {values[row]:g}",
            where=f"{where}, event {first + row + 1:,}",
            expected="a whole number that is not negative, for each event",
        )
    return values.astype(np.int64)


def _cached(
    name: str, found: re.Match[str], challenge: Challenge, manifest: Manifest
) -> EventSourceOf:
    """Open a process of the cache."""
    rules = manifest.challenge(found["challenge"])
    if rules.layout != challenge.layout:
        raise DataError(
            f"events of {rules.name} are laid out otherwise than those of {challenge.name}",
            where=name,
            fix="give events of the entry's challenge",
        )
    process = found["process"]
    if process not in {file.process for file in rules.files}:
        raise UsageError(
            f"{rules.name} has no process {process}",
            where=name,
            expected=f"one of {', '.join(file.process for file in rules.files)}",
        )
    store = open_store(rules, processes={process})
    parts = _parts(found["parts"], name)
    rows = np.sort(np.concatenate([store.indices(process, part) for part in parts]))
    rows = rows[slice(*(int(found[end]) if found[end] else None for end in ("first", "last")))]
    if not len(rows):
        raise DataError("holds no events", where=name)

    file = next(one for one in rules.files if one.process == process)
    conditions = binned(rules) if file.role == "background" else ()

    def read() -> Iterator[Piece]:
        every = {one.name: store.condition(process, one.name) for one in conditions}
        position = 0
        for events in read_rows(store, process, rows):
            if len(events):
                chosen = rows[position : position + len(events)]
                beside = {each: np.asarray(values[chosen]) for each, values in every.items()}
                yield Piece(events=events, rows=chosen, sections=None, beside=beside)
            position += len(events)

    return EventSourceOf(name=name, has_sections=False, read=read, conditions=conditions)


def _parts(text: str | None, where: str) -> tuple[Part, ...]:
    named = ("test",) if text is None else tuple(dict.fromkeys(text.split("+")))
    found = tuple(part for part in PARTS if part in named)
    if len(found) != len(named):
        raise UsageError("an unknown part", where=where, expected=f"some of {'+'.join(PARTS)}")
    return found
