"""Import: tables of events in the formats of others become the files of a challenge.

Each table is read once, in bounded memory. Its events are put into one file of float32 for each
process, which then becomes HDF5 as `harness fetch` reads it. All is written or nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal, Self

import numpy as np
from numpy.typing import NDArray

from harness.challenge import EventLayout, ObjectGroup, events_within, is_name
from harness.data.hdf5_writer import write_events
from harness.data.npy import CHUNK_BYTES
from harness.data.structure import StructureCheck
from harness.data.tables.columns import Arrangement, arrange, clean_name
from harness.data.tables.opening import opened_table
from harness.data.tables.source import Block, Source, Table
from harness.errors import DataError, UsageError
from harness.files import Progress, file_checksum, no_progress

BACKGROUND = "background"
# Classes that are taken for background where none is named.
_USUAL_BACKGROUND = ("background", "bkg", "bg", "0")
# More classes than these are the values of a feature.
MAX_CLASSES = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportRequest:
    """What is imported, and how it is to be read.

    Attributes
    ----------
    sources : tuple of Source
        Background, or with `class_column` all processes.
    signals : mapping of process to Source
        Signals that have a file of their own.
    hidden : frozenset of str
        Processes that are kept secret.
    class_column : str or None
        See `harness.data.tables.opening.opened_table`.
    background_class : str or None
        The class that is background; None: ``background``, ``bkg``, ``bg`` or ``0``.
    features : tuple of str or None
        See `harness.data.tables.columns.arrange`.
    objects : mapping of str to int
        Kinds of object with their slots, in order; empty: one kind.
    """

    sources: tuple[Source, ...]
    signals: Mapping[str, Source] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    class_column: str | None = None
    background_class: str | None = None
    features: tuple[str, ...] | None = None
    objects: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportedProcess:
    """One file that was written.

    Attributes
    ----------
    title : str
        What the class column, or the command, called it.
    remarks : tuple of str
        What is unusual about its events.
    """

    process: str
    title: str
    role: Literal["background", "signal", "hidden"]
    name: str
    n_events: int
    n_bytes: int
    checksum: str
    remarks: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportedEvents:
    """All that was written.

    Attributes
    ----------
    left_out : tuple of str
        Columns that became no feature.
    """

    layout: EventLayout
    processes: tuple[ImportedProcess, ...]
    left_out: tuple[str, ...]


def import_events(
    request: ImportRequest, folder: Path, *, progress: Progress = no_progress
) -> ImportedEvents:
    """Write the events of `request` into `folder`, a file for each process.

    Raises
    ------
    UsageError
        A file, a column or a class that is named is not there.
    DataError
        A table is broken, or does not fit the others.
    EnvironmentFaultError
        The disk is full or not writable.
    """
    _check_names(request)
    with ExitStack() as stack:
        mixed = [
            stack.enter_context(opened_table(one, request.class_column)) for one in request.sources
        ]
        apart = {
            name: stack.enter_context(opened_table(one)) for name, one in request.signals.items()
        }
        tables = [*mixed, *apart.values()]
        arranged = _arrange_alike(tables, request.features)
        layout = layout_of(arranged[0], request.objects)
        spools = stack.enter_context(_Spools(folder, layout))
        for table, how in zip(mixed, arranged, strict=False):
            _spool_mixed(table, how, spools, request, progress)
        for (name, table), how in zip(apart.items(), arranged[len(mixed) :], strict=True):
            for start, block in _numbered(table, progress):
                spools.add(name, name, how.events(block.values, table, start))
        _check_processes(spools, request)
        written = tuple(spools.write(name, request.hidden, progress) for name in spools.ordered)
    left_out = tuple(dict.fromkeys(name for how in arranged for name in how.left_out))
    return ImportedEvents(layout=layout, processes=written, left_out=left_out)


def _check_names(request: ImportRequest) -> None:
    for name in (*request.signals, *(request.features or ()), *request.objects):
        if not is_name(name):
            raise UsageError(
                f"{name[:80]!r} is no name", expected="lower case letters, digits and _ + . -"
            )
    counts = Counter(request.features or ())
    if repeated := [name for name, count in counts.items() if count > 1]:
        raise UsageError(f"--features has {repeated[0]} twice")
    if BACKGROUND in request.signals:
        raise UsageError(
            "a signal is called background", fix="name the background without --signal"
        )


def _arrange_alike(tables: Sequence[Table], features: tuple[str, ...] | None) -> list[Arrangement]:
    """Arrange all tables as the first one is."""
    first = arrange(tables[0], features)
    found = [first]
    for table in tables[1:]:
        how = arrange(table, first.features)
        if how.n_objects != first.n_objects:
            raise DataError(
                f"an event has {how.n_objects} objects of {len(how.features)} features",
                where=table.where,
                expected=f"{first.n_objects} objects of {len(first.features)} features, as in "
                f"{tables[0].where}",
            )
        found.append(how)
    return found


def layout_of(how: Arrangement, objects: Mapping[str, int]) -> EventLayout:
    """Return the layout of the events, with the kinds of object that were named.

    Raises
    ------
    UsageError
        Their slots are not as many as the objects of an event.
    """
    named = dict(objects) or {"event" if how.n_objects == 1 else "object": how.n_objects}
    if sum(named.values()) != how.n_objects or min(named.values()) < 1:
        total = sum(named.values())
        raise UsageError(
            f"--objects has {total} slots, an event has {how.n_objects}",
            expected=f"{how.n_objects} of {len(how.features)} features each",
        )
    if max(named.values()) > 1000:
        raise UsageError(
            f"an event has {how.n_objects:,} objects of one kind",
            expected="at most 1,000",
            fix="--objects shares them out into kinds",
        )
    groups = tuple(ObjectGroup(name=name, n_slots=n_slots) for name, n_slots in named.items())
    return EventLayout(objects=groups, features=how.features)


def _numbered(table: Table, progress: Progress) -> Iterator[tuple[int, Block]]:
    """Give the blocks of a table, each with the number of its first row."""
    n_done = 0
    for block in table.blocks:
        yield n_done, block
        n_done += len(block.values)
        progress(f"read {table.where}", n_done, None, "events")
    if not n_done:
        raise DataError("it holds no events", where=table.where, expected="one event at least")


def _spool_mixed(
    table: Table, how: Arrangement, spools: _Spools, request: ImportRequest, progress: Progress
) -> None:
    for start, block in _numbered(table, progress):
        events = how.events(block.values, table, start)
        if block.classes is None:
            spools.add(BACKGROUND, "Background", events)
            continue
        for kind in np.unique(block.classes).tolist():
            is_of = block.classes == kind
            if not kind:
                row = start + int(np.flatnonzero(is_of)[0]) + 1
                raise DataError("has no class", where=f"{table.where}, event {row:,}")
            spools.add(*_process_of(kind, table, request), events[is_of])


def _process_of(kind: str, table: Table, request: ImportRequest) -> tuple[str, str]:
    """Return the process that a class is, and its title."""
    usual = _USUAL_BACKGROUND if request.background_class is None else (request.background_class,)
    if kind in usual or (request.background_class is None and kind.lower() in usual):
        return BACKGROUND, "Background" if kind in _USUAL_BACKGROUND else kind[:80]
    if kind.replace(".", "").lstrip("-").isdecimal():
        return f"class{kind}", f"Class {kind}"
    return clean_name(kind, table.where), kind[:80]


def _check_processes(spools: _Spools, request: ImportRequest) -> None:
    found = [name for name in spools.ordered if name != BACKGROUND]
    if BACKGROUND not in spools.ordered:
        wanted = request.background_class
        raise UsageError(
            "no class is background" if wanted is None else f"there is no class {wanted}",
            expected=f"one of {', '.join(spools.titles.values())}"[:500],
            fix="--background names the class that is background",
        )
    if not found:
        raise UsageError(
            "there is no signal",
            fix="--signal NAME=FILE for each, or --class-column for a file that holds all",
        )
    if unknown := sorted(request.hidden - set(found)):
        raise UsageError(
            f"there is no signal {unknown[0]} to hide", expected=f"one of {', '.join(found)}"[:500]
        )


class _Spools:
    """Events of each process, in files of float32 until all are read."""

    def __init__(self, folder: Path, layout: EventLayout) -> None:
        self._folder = folder
        self._layout = layout
        self._streams: dict[str, BinaryIO] = {}
        self._checks: dict[str, StructureCheck] = {}
        self.titles: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for stream in self._streams.values():
            stream.close()

    @property
    def ordered(self) -> list[str]:
        """Processes, background first."""
        return sorted(self.titles, key=lambda name: (name != BACKGROUND, name))

    def add(self, process: str, title: str, events: NDArray[np.float32]) -> None:
        """Append events to those of a process."""
        if self.titles.setdefault(process, title) != title:
            what = f"{self.titles[process]} and {title} are both called {process}"
            raise UsageError(what, fix="give one of the two another name")
        if process not in self._streams:
            if len(self._streams) == MAX_CLASSES:
                raise UsageError(
                    f"there are more than {MAX_CLASSES} classes",
                    fix="is it the right column? --class-column names it",
                )
            self._streams[process] = self._path(process).open("wb")
            self._checks[process] = StructureCheck(source=process, layout=self._layout)
        self._checks[process].add(events)
        self._streams[process].write(np.ascontiguousarray(events, "<f4").data)

    def write(self, process: str, hidden: frozenset[str], progress: Progress) -> ImportedProcess:
        """Write the file of a process, and remove its spool."""
        self._streams[process].close()
        report = self._checks[process].report()
        path = self._folder / f"{process}.h5"
        chunks = self._read(process)
        write_events(path, self._layout, chunks, n_events=report.n_events, progress=progress)
        self._path(process).unlink()
        role: Literal["background", "signal", "hidden"] = (
            "hidden" if process in hidden else "signal"
        )
        return ImportedProcess(
            process=process,
            title=self.titles[process],
            role="background" if process == BACKGROUND else role,
            name=path.name,
            n_events=report.n_events,
            n_bytes=path.stat().st_size,
            checksum=file_checksum(path, progress=progress),
            remarks=report.remarks,
        )

    def _read(self, process: str) -> Iterator[NDArray[np.float32]]:
        shape = self._layout.shape
        n_values = events_within(CHUNK_BYTES, shape) * shape[0] * shape[1]
        with self._path(process).open("rb") as stream:
            while len(values := np.fromfile(stream, "<f4", n_values)):
                yield values.reshape(-1, *shape)

    def _path(self, process: str) -> Path:
        return self._folder / f"{process}.events"
