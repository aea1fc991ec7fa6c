"""Where the events of a black box come from: test events of the challenge, or files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.challenge import Challenge
from harness.data import hdf5
from harness.data.events import EventStore, open_store
from harness.data.mix import read_rows
from harness.errors import UsageError
from harness.submission.events import Events, positive_zeros, taken

BACKGROUND = "background"
ReadRows = Callable[[NDArray[np.int64]], Iterator[Events]]


@dataclass(frozen=True, kw_only=True, slots=True)
class BoxSource:
    """Events that may go into a box.

    Attributes
    ----------
    process, title : str
        What they are.
    n_events : int
        How many there are to draw from.
    read : callable
        Given rising positions below `n_events`, reads these events chunk by chunk.
    is_public : bool
        Whether anyone can get the file that they come from.
    """

    process: str
    title: str
    n_events: int
    read: ReadRows
    is_public: bool = False


def find_sources(
    rules: Challenge, fractions: Mapping[str, float], files: Mapping[str, Path], cache: Path | None
) -> tuple[BoxSource, list[BoxSource]]:
    """Find the background and the signals, whose shares are `fractions`.

    Raises
    ------
    UsageError
        A process is not one of the challenge, or a file is for none that is in the box.
    DataError
        A file is no file of events, or the challenge's events are not here.
    """
    unused = sorted(set(files) - {BACKGROUND, *fractions})
    if unused:
        raise UsageError(
            f"a file is given for {', '.join(unused)}, which is not in the box",
            fix=f"give its share too: --signal {unused[0]}=0.001",
        )
    if BACKGROUND in fractions:
        raise UsageError("the background is the rest of the box: give no share of it")
    store = None if {BACKGROUND, *fractions} <= set(files) else open_store(rules, cache)

    def source(process: str) -> BoxSource:
        if process in files:
            return source_file(files[process], rules, process)
        assert store is not None
        if process not in rules.signals and process != _background_of(rules):
            raise UsageError(
                f"{rules.name} has no signal {process}",
                expected=f"one of {', '.join(rules.signals)}",
                fix=f"or name a file of its events: --from {process}=FILE.h5",
            )
        return source_of(store, process)

    background = source(BACKGROUND if BACKGROUND in files else _background_of(rules))
    return background, [source(name) for name in fractions]


def _background_of(rules: Challenge) -> str:
    names = rules.processes("background")
    if len(names) != 1:
        raise UsageError(
            f"{rules.name} has {len(names)} background files",
            fix="name one file of background: --from background=FILE.h5",
        )
    return names[0]


def source_of(store: EventStore, process: str) -> BoxSource:
    """Return the test events of a process of a challenge: nobody may train on them."""
    file = next(file for file in store.challenge.files if file.process == process)
    indices = store.indices(process, "test")
    return BoxSource(
        process=process,
        title=file.title,
        n_events=len(indices),
        read=lambda rows: read_rows(store, process, indices[rows]),
        is_public=file.record is not None or (file.url or "").startswith(("package:", "http")),
    )


def source_file(path: Path, challenge: Challenge, process: str) -> BoxSource:
    """Return the events of an HDF5 file in the layout of `challenge`.

    Raises
    ------
    DataError
        It is no such file.
    """
    return BoxSource(
        process=process,
        title=process,
        n_events=hdf5.count_events(path, challenge.layout),
        read=lambda rows: _read_file(path, challenge, rows),
    )


def _read_file(path: Path, challenge: Challenge, rows: NDArray[np.int64]) -> Iterator[Events]:
    start = position = 0
    for events, _ in hdf5.read_chunks(path, challenge.layout):
        end = position + int(np.searchsorted(rows[position:], start + len(events)))
        # -0.0 becomes 0.0, as in the cache: the sign must not distinguish one source from another.
        yield positive_zeros(taken(events, rows[position:end] - start))
        start, position = start + len(events), end
