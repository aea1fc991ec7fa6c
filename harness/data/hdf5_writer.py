"""HDF5 files in the layout of ADC2021, written in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.challenge import ADC2021_BYTES, EventLayout, events_within
from harness.data.hdf5 import DATASET, IDS, slot_classes
from harness.files import Progress, check_space, make_folder, no_progress, replacing

if TYPE_CHECKING:
    import h5py

# A compressed HDF5 chunk: 4,096 events of ADC2021, which are 2.5 MB in float64 (19 x 4).
CHUNK_BYTES = 4096 * ADC2021_BYTES
# Packed events of the challenge's kind take 32 to 52 bytes of the 608 that they are.
_PACKED_SHARE = 0.15
_COUNTS = {1: "", 2: "Two_", 3: "Three_", 4: "Four_", 10: "Ten_"}
_FIX = "make room or correct the permissions of the folder"
_KINDS = {"met": "MET", "electron": "Ele", "muon": "Mu", "jet": "Jet"}


def write_events(
    path: Path,
    layout: EventLayout,
    chunks: Iterable[NDArray[np.float32]],
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
        Rows and columns of an event; the class of each filled slot is appended.
    chunks : iterable of float32 arrays, shape (n, n_objects, n_features)
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
    shape = (n_events, layout.n_objects, len(layout.features) + 1)
    rows = min(events_within(CHUNK_BYTES, layout.shape), n_events)
    make_folder(path.parent)
    check_space(path.parent, int(np.prod(shape) * 8 * _PACKED_SHARE))
    with replacing_hdf5(path, fix=fix) as file:
        packed = {"compression": "gzip", "compression_opts": 4, "shuffle": True}
        dataset = file.create_dataset(
            DATASET, shape, "<f8", chunks=(rows, *shape[1:]), track_times=False, **packed
        )
        done = 0
        for block in _blocks(chunks, rows):
            dataset[done : done + len(block)] = _with_classes(block, layout)
            done += len(block)
            progress(f"write {path.name}", done, n_events, "events")
        if done != n_events:
            raise ValueError(f"{done} events were given, {n_events} announced")
        names = [*(name.capitalize() for name in layout.features), "Class"]
        file[f"{DATASET}_Names"] = np.array(names, "S")
        file[f"{DATASET}_Classes"] = np.array(class_names(layout), "S")
        if has_ids:
            file.create_dataset(IDS, data=np.arange(n_events, dtype="<i8"), **packed)
        file.attrs.update(attributes)
        # A full disk shows here, while the exception keeps the data set open: HDF5 crashes a
        # process that releases what could not be written.
        file.flush()


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
