"""The file of a run, from its parts: events, and how they were made."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.challenge import EventLayout
from harness.data import hdf5_writer
from harness.errors import EnvironmentFaultError
from harness.files import write_json
from harness.simulate.layout import LAYOUT, Events
from harness.simulate.plan import SimulationPlan
from harness.simulate.provenance import ATTRIBUTE, Provenance

# Bytes of one event in the file at most: 60 to 100 of objects were observed, 350 to 500 of a jet.
_FILE_BYTES_PER_EVENT = {"objects": 120, "constituents": 600}
BLOCK_EVENTS = 65_536
_FIX = "make room and run the command again: it continues"


def bytes_per_event(plan: SimulationPlan) -> int:
    """Bytes that one event of a run takes: in its file, and in its parts."""
    return _FILE_BYTES_PER_EVENT[plan.layout.kind] + 4 * math.prod(plan.layout.shape)


def write_file(plan: SimulationPlan, parts: Path, out: Path, provenance: Provenance) -> None:
    """Write the file of a run from the chunks in the folder `parts`; see `write_events`."""
    try:
        write_events(out, _blocks(plan, parts), plan.n_events, provenance, layout=plan.layout)
    except EnvironmentFaultError as error:
        # HDF5 crashes when it frees a file that it could not write. The cause keeps that file until
        # this error has left the worker.
        raise EnvironmentFaultError(*error.problems) from error


def write_events(
    path: Path,
    blocks: Iterable[Events],
    n_events: int,
    provenance: Provenance,
    *,
    layout: EventLayout = LAYOUT,
) -> None:
    """Write blocks of events to `path`, whole or not at all, and the provenance beside it.

    Equal events and provenance give equal bytes.

    Parameters
    ----------
    blocks : iterable of float32 ndarray, shape (m, *layout.shape)
        `n_events` in all.

    Raises
    ------
    EnvironmentFaultError
        It cannot be written.
    """
    attributes = {ATTRIBUTE: provenance.model_dump_json()}
    hdf5_writer.write_events(
        path, layout, blocks, n_events=n_events, attributes=attributes, fix=_FIX
    )
    write_json(path.with_name(f"{path.name}.json"), provenance, fix=_FIX)


def _blocks(plan: SimulationPlan, parts: Path) -> Iterator[Events]:
    """Yield the events of all processes, mixed, block by block.

    Events of one process are independent and of one kind, so it is enough to draw the process of
    each event: its next event follows.
    """
    names = list(plan.counts)
    sources = {name: _ProcessEvents(plan, parts, name) for name in names}
    order = draw_order(plan)
    for start in range(0, plan.n_events, BLOCK_EVENTS):
        labels = order[start : start + BLOCK_EVENTS]
        block = np.empty((len(labels), *plan.layout.shape), np.float32)
        for label, name in enumerate(names):
            at = labels == label
            block[at] = sources[name].take(int(at.sum()))
        yield block


def draw_order(plan: SimulationPlan) -> NDArray[np.uint8]:
    """Draw the process of each event of the file; one byte an event."""
    counts = list(plan.counts.values())
    order = np.repeat(np.arange(len(counts), dtype=np.uint8), counts)
    np.random.default_rng(np.random.SeedSequence([plan.seed, 7])).shuffle(order)
    return order


class _ProcessEvents:
    """The events of one process, chunk by chunk."""

    def __init__(self, plan: SimulationPlan, parts: Path, name: str) -> None:
        self._paths = iter(
            [parts / chunk.file_name for chunk in plan.chunks() if chunk.process == name]
        )
        self._rest: Events = np.empty((0, *plan.layout.shape), np.float32)

    def take(self, n_events: int) -> Events:
        """Return the next `n_events`."""
        taken = [self._rest]
        while sum(map(len, taken)) < n_events:
            taken.append(np.load(next(self._paths), allow_pickle=False))
        joined = np.concatenate(taken)
        self._rest = joined[n_events:]
        return joined[:n_events]
