"""The forms in which an HDF5 file holds events, one or two for each kind of layout.

- ``objects``: the dataset ``Particles``, shape (N, n_objects, n_features + 1): the features and the
  class of each object.
- ``constituents``: the dataset ``Particles``, shape (N, n_constituents, n_features); or a group
  ``Particles`` of two datasets: ``value``, shape (M, n_features), the constituents that are there,
  event after event, and ``indptr``, shape (N + 1,).
- ``image``: the dataset ``Images``, shape (N, height, width, n_channels); or a group ``Images`` of
  three datasets: ``value``, shape (M,), the pixels that are not zero, event after event; ``index``,
  shape (M,), their positions in the flattened image, rising within each event; and ``indptr``,
  shape (N + 1,).

The entries of event i are those from ``indptr[i]`` to ``indptr[i + 1]``, the second left out, as in
the compressed sparse rows (CSR) of scipy.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from harness.challenge import ADC2021_BYTES, EventLayout, events_within
from harness.data.npy import CHUNK_BYTES
from harness.data.split import chunks, entry_chunks
from harness.errors import DataError
from harness.submission.events import ENTRY, Events, SparseEvents, sparse_of

if TYPE_CHECKING:
    import h5py
    from numpy.typing import NDArray

PARTICLES, IMAGES = "Particles", "Images"
# Whole HDF5 chunks are read at a time as long as they are no larger than this in float32: 524,288
# events of ADC2021, which are 320 MB in the float64 of the file.
MAX_CHUNK_BYTES = 524_288 * ADC2021_BYTES

EventChunk: TypeAlias = "tuple[Events, NDArray[np.float64] | None]"


def rows_at_a_time(hdf5_chunks: tuple[int, ...] | None, least: int, most: int) -> int:
    """Read whole rows of HDF5 chunks, unless they are too large: none is decompressed twice."""
    rows = hdf5_chunks[0] if hdf5_chunks else 1
    return least if rows > most else rows * max(1, -(-least // rows))


class Form(Protocol):
    """Events in an open file."""

    @property
    def n_events(self) -> int:
        """How many there are."""
        ...

    def steps(self, least: int | None) -> Iterator[slice]:
        """Cut the events into pieces to be read at a time; of `least` events at least."""
        ...

    def read(self, piece: slice) -> EventChunk:
        """Read a piece: events, and the class of each object or None."""
        ...


def name_of(layout: EventLayout) -> str:
    """Return the name of the dataset or group that holds events of a layout."""
    return IMAGES if layout.kind == "image" else PARTICLES


def find_form(file: h5py.File, path: Path, layout: EventLayout) -> Form:
    """Find out in which form a file holds events of `layout`, and check shapes and types.

    Raises
    ------
    DataError
        It holds none, or others.
    """
    name = name_of(layout)
    if own_group(file, name) is not None:
        if layout.kind == "image":
            return _SparseImages(file, path, layout)
        if layout.kind == "constituents":
            return _Ragged(file, path, layout)
    dataset = own_dataset(file, name)
    if dataset is None:
        held = ", ".join(sorted(map(str, file))[:10]) or "nothing"
        raise wrong(path, f"it has no dataset {name}; it holds {held}", name)
    return _Dense(dataset, path, layout)


class _Dense:
    """One dataset, events first."""

    def __init__(self, dataset: h5py.Dataset, path: Path, layout: EventLayout) -> None:
        self._dataset, self._layout = dataset, layout
        self._has_classes = layout.kind == "objects"
        name, shape = name_of(layout), tuple(dataset.shape)
        tail = layout.shape
        if self._has_classes:
            tail = (layout.n_objects, len(layout.features) + 1)
        is_flat = layout.kind == "image" and tail[-1] == 1 and shape[1:] == tail[:-1]
        if shape[1:] != tail and not is_flat:
            sizes = ", ".join(map(str, tail))
            raise wrong(path, f"{name} has the shape {shape}", f"(N, {sizes})")
        kinds = "f" if self._has_classes else "fiu"
        if dataset.dtype.kind not in kinds:
            numbers = "floating-point numbers" if self._has_classes else "numbers"
            raise wrong(path, f"{name} holds {dataset.dtype}", numbers)
        if shape[0] == 0:
            raise wrong(path, "it holds no events", "one event at least")

    @property
    def n_events(self) -> int:
        return int(self._dataset.shape[0])

    def steps(self, least: int | None) -> Iterator[slice]:
        """Read whole rows of HDF5 chunks, so that none is decompressed twice."""
        shape = self._layout.shape
        least = least or events_within(CHUNK_BYTES, shape)
        most = events_within(MAX_CHUNK_BYTES, shape)
        return chunks(self.n_events, rows_at_a_time(self._dataset.chunks, least, most))

    def read(self, piece: slice) -> EventChunk:
        block = self._dataset[piece]
        n_features = len(self._layout.features)
        # A value too large for float32 becomes inf and is then refused as not finite.
        with np.errstate(over="ignore"):
            if self._has_classes:
                events = block[..., :n_features].astype(np.float32)
                return events, block[..., n_features].astype(np.float64)
            events = block.astype(np.float32).reshape(len(block), *self._layout.shape)
        return (sparse_of(events) if self._layout.is_sparse else events), None


class _Entries:
    """A group whose ``indptr`` says which rows of ``value`` belong to which event."""

    def __init__(
        self, file: h5py.File, path: Path, layout: EventLayout, tail: tuple[int, ...]
    ) -> None:
        name = name_of(layout)
        self._path, self._layout = path, layout
        self._value = _member(file, path, f"{name}/value", "fiu")
        if self._value.shape[1:] != tail or self._value.ndim != 1 + len(tail):
            expected = f"(M, {tail[0]})" if tail else "(M,)"
            raise wrong(path, f"{name}/value has the shape {self._value.shape}", expected)
        bounds = _member(file, path, f"{name}/indptr", "iu")
        self.bounds: NDArray[np.int64] = np.ravel(bounds[()]).astype(np.int64)
        n_rows = len(self._value)
        if len(self.bounds) < 2:
            raise wrong(path, "it holds no events", "one event at least")
        is_rising = (np.diff(self.bounds) >= 0).all()
        if bounds.ndim != 1 or self.bounds[0] != 0 or self.bounds[-1] != n_rows or not is_rising:
            raise wrong(
                path,
                f"{name}/indptr does not share out the {n_rows:,} rows of value",
                f"numbers that never fall, from 0 to {n_rows:,}",
            )

    @property
    def n_events(self) -> int:
        return len(self.bounds) - 1

    def _values(self, piece: slice) -> NDArray[np.float32]:
        first, last = self.bounds[piece.start], self.bounds[piece.stop]
        with np.errstate(over="ignore"):
            values: NDArray[np.float32] = self._value[first:last].astype(np.float32)
        return values


class _Ragged(_Entries):
    """Constituents that are there, event after event."""

    def __init__(self, file: h5py.File, path: Path, layout: EventLayout) -> None:
        super().__init__(file, path, layout, (len(layout.features),))
        largest = int(np.diff(self.bounds).max())
        if largest > layout.n_objects:
            what = f"an event has {largest:,} constituents"
            raise wrong(path, what, f"at most {layout.n_objects:,}, as the manifest says")

    def steps(self, least: int | None) -> Iterator[slice]:
        return chunks(self.n_events, least or events_within(CHUNK_BYTES, self._layout.shape))

    def read(self, piece: slice) -> EventChunk:
        counts = np.diff(self.bounds[piece.start : piece.stop + 1])
        events = np.zeros((len(counts), *self._layout.shape), np.float32)
        events[np.arange(self._layout.n_objects) < counts[:, None]] = self._values(piece)
        return events, None


class _SparseImages(_Entries):
    """Pixels that are not zero, event after event."""

    def __init__(self, file: h5py.File, path: Path, layout: EventLayout) -> None:
        super().__init__(file, path, layout, ())
        self._index = _member(file, path, f"{IMAGES}/index", "iu")
        if self._index.shape != self._value.shape:
            what = f"{IMAGES}/index has the shape {self._index.shape}"
            raise wrong(path, what, f"{self._value.shape}, as value")

    def steps(self, least: int | None) -> Iterator[slice]:
        if least is not None:
            return chunks(self.n_events, least)
        return entry_chunks(self.bounds, CHUNK_BYTES // ENTRY.itemsize)

    def read(self, piece: slice) -> EventChunk:
        bounds = self.bounds[piece.start : piece.stop + 1] - self.bounds[piece.start]
        index = self._index[self.bounds[piece.start] : self.bounds[piece.stop]].astype(np.int64)
        self._check(index, bounds, piece.start)
        values = self._values(piece)
        is_kept = values != 0  # Not a number is not zero: it is refused later.
        entries = np.empty(int(is_kept.sum()), ENTRY)
        entries["index"], entries["value"] = index[is_kept], values[is_kept]
        before = np.concatenate([[0], np.cumsum(is_kept)]).astype(np.int64)
        return SparseEvents(entries, before[bounds], self._layout.shape), None

    def _check(self, index: NDArray[np.int64], bounds: NDArray[np.int64], first: int) -> None:
        n_values = math.prod(self._layout.shape)
        is_first = np.zeros(len(index), np.bool_)
        is_first[bounds[:-1][bounds[:-1] < len(index)]] = True
        is_bad = (index < 0) | (index >= n_values)
        is_bad[1:] |= (np.diff(index) <= 0) & ~is_first[1:]
        if is_bad.any():
            at = int(np.argmax(is_bad))
            event = first + int(np.searchsorted(bounds, at, "right")) - 1
            raise DataError(
                f"{IMAGES}/index has {index[at]} at the wrong place",
                where=f"{self._path}, event {event}",
                expected=f"positions from 0 to {n_values - 1:,} that rise within each event",
                fix="sort the pixels of each event by their index, and leave none in twice",
            )


def _member(file: h5py.File, path: Path, name: str, kinds: str) -> h5py.Dataset:
    found = own_dataset(file, name)
    if found is None:
        raise wrong(path, f"it has no dataset {name}", name)
    if found.dtype.kind not in kinds:
        expected = "integers" if kinds == "iu" else "numbers"
        raise wrong(path, f"{name} holds {found.dtype}", expected)
    return found


def own_group(file: h5py.File, name: str) -> h5py.Group | None:
    """Return a group of `file` that lies in this file; None if there is no group of this name.

    Raises
    ------
    DataError
        It is a link to elsewhere; see `own_dataset`.
    """
    import h5py

    _refuse_link(file, name)
    found = file.get(name)
    return found if isinstance(found, h5py.Group) else None


def own_dataset(file: h5py.File, name: str) -> h5py.Dataset | None:
    """Return a dataset of `file` whose numbers are in this file; None if there is no dataset.

    Raises
    ------
    DataError
        It lies in another file, whose bytes the checksum of this one does not cover: by an
        external link, as raw storage outside, or as a virtual dataset.
    """
    import h5py

    _refuse_link(file, name)
    found = file.get(name)
    if not isinstance(found, h5py.Dataset):
        return None
    if found.external:
        raise _elsewhere(file, f"the numbers of {name} are in {found.external[0][0]}")
    if found.is_virtual:
        sources = ", ".join(sorted({source.file_name for source in found.virtual_sources()})[:5])
        raise _elsewhere(file, f"{name} is put together from {sources}")
    return found


def _refuse_link(file: h5py.File, name: str) -> None:
    import h5py

    link = file.get(name, getlink=True)
    if isinstance(link, h5py.ExternalLink):
        raise _elsewhere(file, f"{name} is a link to {link.filename}")
    if isinstance(link, h5py.SoftLink):
        raise _elsewhere(file, f"{name} is a link to {link.path}")


def _elsewhere(file: h5py.File, what: str) -> DataError:
    return DataError(
        what,
        where=str(file.filename),
        expected="numbers that are in the file itself, which its checksum covers",
        fix="copy the dataset into one file, for example with h5repack",
    )


def wrong(path: Path, what: str, expected: str) -> DataError:
    """Return the fault of a file that is not what was expected."""
    return DataError(what, where=str(path), expected=expected, fix="is it the right file?")
