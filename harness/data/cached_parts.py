"""Parts of a data set that are in the cache, as a source of events for a cache with more parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from harness.challenge import PARTS, Challenge, DataFile, Part, events_within
from harness.data.beside import Algorithms, conditions_of, has_algorithms
from harness.data.cache import open_algorithms, open_condition, open_events, open_menu, open_parts
from harness.data.cache_record import CacheRecord, ReadingReport
from harness.data.event_source import EventSource
from harness.data.npy import CHUNK_BYTES
from harness.submission.events import Events, taken

Number = TypeVar("Number", bound=np.generic)


def cached_part(
    challenge: Challenge, file: DataFile, root: Path, record: CacheRecord, part: Part
) -> EventSource:
    """Open one part of a data set in the cache.

    The files of the cache may be replaced while it is read: what is mapped stays.

    Parameters
    ----------
    record : CacheRecord
        Of the cache; it holds the part.
    """
    process = file.process
    is_of = open_parts(challenge, process, root) == PARTS.index(part)
    rows = np.flatnonzero(is_of).astype(np.int64, copy=False)
    step = events_within(CHUNK_BYTES, challenge.layout.shape)
    pieces = [rows[start : start + step] for start in range(0, len(rows), step)]
    algorithms = None
    if has_algorithms(challenge, file):
        packed = open_algorithms(challenge, process, root)
        algorithms = Algorithms(
            names=record.algorithms, chunks=(packed[some] for some in pieces), is_packed=True
        )
    return EventSource(
        chunks=_chunks(open_events(challenge, process, root), pieces),
        n_events=len(rows),
        checksum=None,
        menu=None if challenge.menu is None else open_menu(challenge, process, root)[rows],
        conditions={
            one.name: [open_condition(challenge, process, one.name, root)[rows]]
            for one in conditions_of(challenge, file)
        },
        algorithms=algorithms,
        parts=np.full(len(rows), PARTS.index(part), np.int8),
    )


def _chunks(events: Events, pieces: Sequence[NDArray[np.int64]]) -> Iterator[tuple[Events, None]]:
    for some in pieces:
        yield taken(events, some), None


def joined(sources: Sequence[EventSource], *, held: CacheRecord) -> EventSource:
    """Join parts of a data set, in their order.

    Parameters
    ----------
    sources : sequence of EventSource
        One for each part; those of the cache have no report of their own.
    held : CacheRecord
        Of the cache.
    """
    first = sources[0]
    return EventSource(
        chunks=chain.from_iterable(one.chunks for one in sources),
        n_events=sum(one.n_events for one in sources),
        checksum=None,
        menu=_concatenated([one.menu for one in sources if one.menu is not None]),
        conditions={
            name: list(chain.from_iterable(one.conditions[name] for one in sources))
            for name in first.conditions
        },
        algorithms=_shared([one.algorithms for one in sources if one.algorithms is not None]),
        parts=_concatenated([one.parts for one in sources if one.parts is not None]),
        reading=lambda: _report(sources, held),
    )


def _concatenated(arrays: Sequence[NDArray[Number]]) -> NDArray[Number] | None:
    return np.concatenate(arrays) if arrays else None


def _shared(several: Sequence[Algorithms]) -> Algorithms | None:
    """Join the decisions of the algorithms that all parts have."""
    if not several:
        return None
    first = several[0].names
    names = tuple(name for name in first if all(name in one.names for one in several))
    if all(one.names == names and one.is_packed for one in several):
        chunks = chain.from_iterable(one.chunks for one in several)
        return Algorithms(names=names, chunks=chunks, is_packed=True)
    chunks = chain.from_iterable(one.only(names).chunks for one in several)
    return Algorithms(names=names, chunks=chunks)


def _report(sources: Sequence[EventSource], held: CacheRecord) -> ReadingReport:
    """Say what the rules of the source did, then and now."""
    now = [one.reading() for one in sources if one.reading is not None]
    reports = now if held.reading is None else [held.reading, *now]
    n_read: Counter[Part] = Counter()
    left_out: Counter[str] = Counter()
    changed: Counter[str] = Counter()
    for one in reports:
        n_read.update(one.n_read)
        left_out.update(one.left_out)
        changed.update(one.changed)
    return ReadingReport(
        layout=reports[-1].layout,
        n_read={part: n_read[part] for part in PARTS if part in n_read},
        left_out=dict(left_out),
        changed=dict(sorted(changed.items())),
    )
