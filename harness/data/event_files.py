"""Files of events, opened for the cache: all of them but the events, which are read later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.challenge import PARTS, Challenge, DataFile, join_checksums
from harness.data import hdf5
from harness.data.beside import (
    Algorithms,
    conditions_of,
    has_algorithms,
    join_algorithms,
    join_conditions,
)
from harness.data.cache import check_count, has_parts, index_of
from harness.data.cache_record import ReadingReport, join_reports
from harness.data.event_source import EventSource


def open_source(
    challenge: Challenge, piece: DataFile, file: DataFile, path: Path, checksum: str
) -> EventSource:
    """Read everything of a file but its events, which are read later, chunk by chunk."""
    n_events = hdf5.count_events(path, challenge.layout)
    check_count(piece, n_events)
    hdf5.check_weights(path, n_events)
    menu = challenge.menu
    return EventSource(
        chunks=hdf5.read_chunks(path, challenge.layout),
        n_events=n_events,
        checksum=checksum,
        ids=hdf5.read_ids(path, n_events),
        menu=None if menu is None else hdf5.read_menu(path, menu, n_events),
        conditions={
            condition.name: hdf5.read_condition(path, condition.column, n_events)
            for condition in conditions_of(challenge, file)
        },
        algorithms=_algorithms(challenge, file, path, n_events),
        parts=_parts(challenge, piece, file, path, n_events),
    )


def _algorithms(
    challenge: Challenge, file: DataFile, path: Path, n_events: int
) -> Algorithms | None:
    """Return the decisions of the single algorithms of the menu, where the cache holds them."""
    if challenge.algorithms is None or not has_algorithms(challenge, file):
        return None
    return hdf5.read_algorithms(path, challenge.algorithms, n_events)


def _parts(
    challenge: Challenge, piece: DataFile, file: DataFile, path: Path, n_events: int
) -> NDArray[np.int8] | None:
    """Return the part of each event of a file, where the cache says it."""
    if not has_parts(challenge, file):
        return None
    index = index_of(challenge, piece)
    if index is not None:
        return hdf5.read_parts(path, index, n_events, is_one_of_several=bool(file.pieces))
    return np.full(n_events, PARTS.index(piece.part or "test"), np.int8)


def join_sources(sources: Sequence[EventSource]) -> EventSource:
    """Put the events of several files one after the other."""
    if len(sources) == 1:
        return sources[0]
    menus = [source.menu for source in sources if source.menu is not None]
    parts = [source.parts for source in sources if source.parts is not None]
    algorithms = [source.algorithms for source in sources if source.algorithms is not None]
    return EventSource(
        chunks=chain.from_iterable(source.chunks for source in sources),
        n_events=sum(source.n_events for source in sources),
        checksum=join_checksums([source.checksum or "" for source in sources]),
        menu=np.concatenate(menus) if menus else None,
        conditions=join_conditions([source.conditions for source in sources]),
        algorithms=join_algorithms(algorithms),
        parts=np.concatenate(parts) if parts else None,
        reading=_join_reading([one.reading for one in sources if one.reading is not None]),
    )


def _join_reading(
    reports: Sequence[Callable[[], ReadingReport]],
) -> Callable[[], ReadingReport] | None:
    """Add up what the rules did in several files; known once all of them are read."""
    return (lambda: join_reports([report() for report in reports])) if reports else None
