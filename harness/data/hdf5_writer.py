"""HDF5 files of events, written in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.challenge import ADC2021_BYTES, EventLayout, events_within
from harness.data.forms import PARTICLES, name_of
from harness.data.hdf5 import IDS, slot_classes
from harness.files import Progress, check_space, make_folder, no_progress, replacing
from harness.submission.events import Events, SparseEvents, sparse_of

if TYPE_CHECKING:
    import h5py

# A compressed HDF5 chunk: 4,096 events of ADC2021, which are 2.5 MB in float64 (19 x 4).
CHUNK_BYTES = 4096 * ADC2021_BYTES
# Packed events of the challenge's kind take 32 to 52 bytes of the 608 that they are.
_PACKED_SHARE = 0.15
_COUNTS = {1: "", 2: "Two_", 3: "Three_", 4: "Four_", 10: "Ten_"}
_PACKED = {"compression": "gzip", "compression_opts": 4, "shuffle": True}
# Rows of a compressed HDF5 chunk of what is not empty.
_ENTRIES_AT_ONCE = 65_536
_FIX = "make room or correct the permissions of the folder"
_KINDS = {"met": "MET", "electron": "Ele", "muon": "Mu", "jet": "Jet"}


def write_events(
    path: Path,
    layout: EventLayout,
    chunks: Iterable[Events],
    *,
    n_events: int,
    has_ids: bool = False,
    attributes: Mapping[str, str] = MappingProxyType({}),
    fix: str = _FIX,
    progress: Progress = no_progress,
) -> None:
    """Write events as a file of the challenge, whole or not at all.

    Equal arguments give equal bytes: the file holds no time.

    Parameters
    ----------
    path : Path
        The file; replaced if it is there.
    layout : EventLayout
        What an event is. Objects are written with the class of each filled slot, constituents and
        images without what is empty; see `harness.data.forms`.
    chunks : iterable of float32 arrays, shape (n, *layout.shape), or SparseEvents
        The events in their order, `n_events` in all.
    has_ids : bool
        Whether to write ``EvtId``: the position of each event, from 0.
    attributes : mapping of str to str
        Attributes of the root of the file.
    fix : str
        What to do about a disk that is full, for the message.

    Raises
    ------
    EnvironmentFaultError
        The folder cannot be written, or the disk is full; nothing is left behind.
    """
    make_folder(path.parent)
    if layout.kind == "objects":
        shape = (n_events, layout.n_objects, len(layout.features) + 1)
        check_space(path.parent, int(np.prod(shape) * 8 * _PACKED_SHARE))
    with replacing_hdf5(path, fix=fix) as file:
        write = _write_objects if layout.kind == "objects" else _write_entries
        done = 0
        for done in write(file, layout, chunks, n_events):
            progress(f"write {path.name}", done, n_events, "events")
        if done != n_events:
            raise ValueError(f"{done} events were given, {n_events} announced")
        if has_ids:
            file.create_dataset(IDS, data=np.arange(n_events, dtype="<i8"), **_PACKED)
        file.attrs.update(attributes)
        # A full disk shows here, while the exception keeps the data set open: HDF5 crashes a
        # process that releases what could not be written.
        file.flush()


def _write_objects(
    file: h5py.File, layout: EventLayout, chunks: Iterable[Events], n_events: int
) -> Iterator[int]:
    """Write rows of objects with their classes; give the number of events that are written."""
    shape = (n_events, layout.n_objects, len(layout.features) + 1)
    rows = min(events_within(CHUNK_BYTES, layout.shape), n_events)
    dataset = file.create_dataset(
        PARTICLES, shape, "<f8", chunks=(rows, *shape[1:]), track_times=False, **_PACKED
    )
    done = 0
    for block in _blocks(map(np.asarray, chunks), rows):
        dataset[done : done + len(block)] = _with_classes(block, layout)
        done += len(block)
        yield done
    names = [*(name.capitalize() for name in layout.features), "Class"]
    file[f"{PARTICLES}_Names"] = np.array(names, "S")
    file[f"{PARTICLES}_Classes"] = np.array(class_names(layout), "S")


def _write_entries(
    file: h5py.File, layout: EventLayout, chunks: Iterable[Events], n_events: int
) -> Iterator[int]:
    """Write what is not empty, event after event; give the number of events that are written."""
    del n_events
    group = file.create_group(name_of(layout))
    columns: dict[str, h5py.Dataset] = {}
    counts = [np.zeros(1, np.int64)]
    done = 0
    for chunk in chunks:
        entries, of_events = _entries_of(chunk, layout)
        for name, values in entries.items():
            if name not in columns:
                columns[name] = group.create_dataset(
                    name,
                    (0, *values.shape[1:]),
                    values.dtype,
                    maxshape=(None, *values.shape[1:]),
                    chunks=(_ENTRIES_AT_ONCE, *values.shape[1:]),
                    track_times=False,
                    **_PACKED,
                )
            n_before = len(columns[name])
            columns[name].resize(n_before + len(values), axis=0)
            columns[name][n_before:] = values
        counts.append(of_events)
        done += len(of_events)
        yield done
    bounds = np.cumsum(np.concatenate(counts)).astype("<i8")
    group.create_dataset("indptr", data=bounds, track_times=False, **_PACKED)


def _entries_of(
    chunk: Events, layout: EventLayout
) -> tuple[dict[str, NDArray[np.generic]], NDArray[np.int64]]:
    """Return the columns of what is not empty, and how much of it each event has."""
    if layout.is_sparse:
        sparse = chunk if isinstance(chunk, SparseEvents) else sparse_of(chunk)
        entries = sparse.entries[sparse.bounds[0] : sparse.bounds[-1]]
        return {"index": entries["index"], "value": entries["value"]}, sparse.counts
    dense = np.asarray(chunk)
    is_there = layout.is_filled(dense)
    return {"value": dense[is_there].astype("<f4", copy=False)}, is_there.sum(axis=1)


def class_names(layout: EventLayout) -> list[str]:
    """Name the classes as the challenge's files do: ``Four_Ele_class_2``."""
    return [
        f"{_COUNTS.get(group.n_slots, f'{group.n_slots}_')}"
        f"{_KINDS.get(group.name, group.name.capitalize())}_class_{number}"
        for number, group in enumerate(layout.objects, start=1)
    ]


def _with_classes(events: NDArray[np.float32], layout: EventLayout) -> NDArray[np.float64]:
    """Append the class column, which is zero in an empty slot as all else is."""
    column = slot_classes(layout) * layout.is_filled(events)
    return np.concatenate([events.astype(np.float64), column[..., None]], axis=-1)


def _blocks(chunks: Iterable[NDArray[np.float32]], rows: int) -> Iterator[NDArray[np.float32]]:
    """Cut chunks of any size into whole rows of HDF5 chunks, so that none is packed twice."""
    held: list[NDArray[np.float32]] = []
    n_held = 0
    for chunk in chunks:
        held.append(chunk)
        n_held += len(chunk)
        if n_held < rows:
            continue
        joined = np.concatenate(held)
        n_whole = n_held - n_held % rows
        yield joined[:n_whole]
        held, n_held = [joined[n_whole:]], n_held % rows
    if n_held:
        yield np.concatenate(held)


@contextmanager
def replacing_hdf5(path: Path, *, fix: str = _FIX) -> Iterator[h5py.File]:
    """Open an HDF5 file that is moved to `path`, whole, if all went well.

    Raises
    ------
    EnvironmentFaultError
        It cannot be written; nothing is left behind.
    """
    import h5py

    with replacing(path, fix=fix) as part:
        try:
            with h5py.File(part, "w", libver="earliest") as file:
                yield file
        except RuntimeError as error:
            # HDF5 reports a full disk by OSError, or by this when the file is closed.
            raise OSError(str(error)) from error
