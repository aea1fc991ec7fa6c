"""The file of a run: events in the layout of ADC2021, and how they were made."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harness.data import hdf5_writer
from harness.files import write_json
from harness.simulate.layout import LAYOUT, Events
from harness.simulate.provenance import ATTRIBUTE, Provenance

# Bytes of one event in the file: between 60 and 100 were seen; and in the parts, exactly.
FILE_BYTES_PER_EVENT = 120
PART_BYTES_PER_EVENT = 19 * 3 * 4
_FIX = "make room and run the command again: it goes on where it was"


def write_events(
    path: Path, blocks: Iterable[Events], n_events: int, provenance: Provenance
) -> None:
    """Write blocks of events to `path`, whole or not at all, and the provenance beside it.

    Equal events and provenance give equal bytes.

    Parameters
    ----------
    blocks : iterable of float32 ndarray, shape (m, 19, 3)
        `n_events` in all.

    Raises
    ------
    EnvironmentFaultError
        It cannot be written.
    """
    attributes = {ATTRIBUTE: provenance.model_dump_json()}
    hdf5_writer.write_events(
        path, LAYOUT, blocks, n_events=n_events, attributes=attributes, fix=_FIX
    )
    write_json(path.with_name(f"{path.name}.json"), provenance, fix=_FIX)
