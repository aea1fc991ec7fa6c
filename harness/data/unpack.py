"""An HDF5 file of events, written as what scores them reads it, and checked as a fetch does."""

from __future__ import annotations

from pathlib import Path

from harness.challenge import EventLayout
from harness.data import hdf5
from harness.data.npy import writing_events
from harness.data.structure import StructureCheck
from harness.submission.events import positive_zeros


def unpack_events(path: Path, layout: EventLayout, target: Path) -> int:
    """Write the events of `path` to `target` in bounded memory; return how many there are.

    Raises
    ------
    DataError
        The file is none of events in this layout, or its events are broken.
    """
    n_events = hdf5.count_events(path, layout)
    check = StructureCheck(source=path.name, layout=layout)
    with writing_events(target, layout, n_events, is_kept=False) as write:
        for events, classes in hdf5.read_chunks(path, layout):
            check.add(events, classes)
            write(positive_zeros(events))
    return n_events
