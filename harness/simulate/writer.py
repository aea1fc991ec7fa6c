"""HDF5 files as ADC2021 has them: the same datasets, types, filters and names."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from harness.errors import EnvironmentFaultError, Problem
from harness.simulate.layout import LAYOUT, Events, class_column
from harness.simulate.provenance import ATTRIBUTE, Provenance

# As in the challenge's files: float64, gzip; what comes out is read by the challenge's notebook.
_NAMES = (b"Pt", b"Eta", b"Phi", b"Class")
_CLASSES = (b"MET_class_1", b"Four_Ele_class_2", b"Four_Mu_class_3", b"Ten_Jet_class_4")
_CHUNK_EVENTS = 4096
_GZIP_LEVEL = 4
# Bytes of one event in the file: between 60 and 100 were seen; and in the parts, exactly.
FILE_BYTES_PER_EVENT = 120
PART_BYTES_PER_EVENT = 19 * 3 * 4


def write_events(
    path: Path, blocks: Iterable[Events], n_events: int, provenance: Provenance
) -> None:
    """Write blocks of events to `path`, whole or not at all, and the provenance beside it.

    Equal events and provenance give equal bytes: the file holds no time.

    Parameters
    ----------
    blocks : iterable of float32 ndarray, shape (m, 19, 3)
        `n_events` in all.

    Raises
    ------
    EnvironmentFaultError
        It can't be written.
    """
    partial = path.with_name(f"{path.name}.part")
    try:
        _write(partial, blocks, n_events, provenance)
        with partial.open("rb+") as stream:
            os.fsync(stream.fileno())
        partial.replace(path)
        beside = path.with_name(f"{path.name}.json")
        beside.write_text(provenance.model_dump_json(indent=1) + "\n", encoding="utf-8")
    except (OSError, RuntimeError) as error:
        # h5py raises RuntimeError where it can't close a file that can't be flushed.
        raise EnvironmentFaultError(
            Problem(
                what=f"can't write: {str(error).splitlines()[0]}",
                where=str(path),
                fix="make room and run the command again: it goes on where it was",
            )
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def _write(path: Path, blocks: Iterable[Events], n_events: int, provenance: Provenance) -> None:
    import h5py

    n_rows = LAYOUT.n_objects
    with h5py.File(path, "w", libver="earliest") as file:
        particles = file.create_dataset(
            "Particles",
            shape=(n_events, n_rows, len(_NAMES)),
            dtype=np.float64,
            chunks=(min(_CHUNK_EVENTS, n_events), n_rows, len(_NAMES)),
            compression="gzip",
            compression_opts=_GZIP_LEVEL,
            shuffle=True,
        )
        start = 0
        for events in blocks:
            stop = start + len(events)
            columns = (events.astype(np.float64), class_column(events)[..., None])
            particles[start:stop] = np.concatenate(columns, axis=-1)
            start = stop
        file.create_dataset("Particles_Names", data=np.array(_NAMES))
        file.create_dataset("Particles_Classes", data=np.array(_CLASSES))
        file.attrs[ATTRIBUTE] = provenance.model_dump_json()
