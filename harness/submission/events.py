"""Events as they are given to what scores them: an array, or without their zeros.

Two forms of a .npy file. *Dense*: float32 of shape ``(n, *event)``. *Sparse*, of images: int64 of
one axis, in this order

- `N_HEADER` words: the number of events, of entries, of axes of an event, and its sizes;
- one word for each entry: the position in the flattened event (uint32), rising within an event, and
  the value (float32); all little-endian;
- ``n_events + 1`` words: where the entries of each event begin, and where the last one's end.

Both are mapped, never read whole. Sparse events are made dense piece by piece where they are used.
"""

from __future__ import annotations

import itertools
import math
import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, cast

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

N_HEADER = 8
_MAX_AXES = N_HEADER - 3
ENTRY = np.dtype([("index", "<u4"), ("value", "<f4")])
# Events far from each other make up to 64 kB each resident: so many are gathered at a time.
_GATHERED_EVENTS = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class SparseEvents:
    """Events without their zeros.

    It is indexed like a float32 array along its first axis, which makes the chosen events dense;
    `take` keeps them sparse.

    Attributes
    ----------
    entries : structured array `ENTRY`, shape (m,)
        Position in the flattened event, and value.
    bounds : int64 array, shape (n + 1,)
        The entries of event i are ``entries[bounds[i]:bounds[i + 1]]``.
    event_shape : tuple of int
        Of one event.

    Examples
    --------
    >>> entries = np.array([(1, 2.0), (0, 3.0)], ENTRY)
    >>> SparseEvents(entries, np.array([0, 1, 1, 2]), (2,))[:].tolist()
    [[0.0, 2.0], [0.0, 0.0], [3.0, 0.0]]
    """

    entries: NDArray[np.void]
    bounds: NDArray[np.int64]
    event_shape: tuple[int, ...]

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.bounds) - 1

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array that the events stand for."""
        return (len(self), *self.event_shape)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return 1 + len(self.event_shape)

    @property
    def dtype(self) -> np.dtype[np.float32]:
        """Float32."""
        return np.dtype(np.float32)

    def __reduce__(self) -> tuple[type[SparseEvents], tuple[object, ...]]:
        """Send a part of events to another process without the entries of the others."""
        first, last = self.bounds[[0, -1]].tolist()
        entries = np.array(self.entries[first:last])
        return SparseEvents, (entries, self.bounds - first, self.event_shape)

    @property
    def counts(self) -> NDArray[np.int64]:
        """Entries of each event."""
        return np.diff(self.bounds)

    def part(self, start: int, stop: int) -> SparseEvents:
        """Return consecutive events, sparse; nothing is copied."""
        return SparseEvents(self.entries, self.bounds[start : stop + 1], self.event_shape)

    def take(self, rows: NDArray[np.int64]) -> SparseEvents:
        """Return the events at `rows`, sparse, in memory."""
        counts = self.bounds[rows + 1] - self.bounds[rows]
        bounds = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        taken = np.empty(bounds[-1], ENTRY)
        for start in range(0, len(rows), _GATHERED_EVENTS):
            stop = min(start + _GATHERED_EVENTS, len(rows))
            where = _ranges(self.bounds[rows[start:stop]], counts[start:stop])
            taken[bounds[start] : bounds[stop]] = self.entries[where]
            forget_read(self)
        return SparseEvents(taken, bounds, self.event_shape)

    def __getitem__(
        self, key: int | slice | NDArray[np.integer] | NDArray[np.bool_] | list[int]
    ) -> NDArray[np.float32]:
        """Make events dense: an integer gives one, a slice, positions or a mask give several."""
        if isinstance(key, slice) and key.step in (None, 1):
            start, stop, _ = key.indices(len(self))
            return self._dense(self.bounds[start : max(start, stop) + 1])
        rows = np.arange(len(self))[key]
        dense = np.asarray(self.take(np.atleast_1d(rows)))
        return cast("NDArray[np.float32]", dense[0] if rows.ndim == 0 else dense)

    def __array__(
        self,
        dtype: DTypeLike | None = None,
        copy: bool | None = None,  # noqa: FBT001 - NumPy's protocol
    ) -> NDArray[np.float32]:
        """Make all events dense."""
        if copy is False:
            raise ValueError("sparse events are made dense: there is nothing to share")
        return self._dense(self.bounds).astype(dtype or self.dtype, copy=False)

    def _dense(self, bounds: NDArray[np.int64]) -> NDArray[np.float32]:
        n_values = math.prod(self.event_shape)
        dense = np.zeros((len(bounds) - 1, n_values), np.float32)
        entries = self.entries[bounds[0] : bounds[-1]]
        first = np.repeat(np.arange(len(dense)) * n_values, np.diff(bounds))
        dense.reshape(-1)[first + entries["index"]] = entries["value"]
        return dense.reshape(-1, *self.event_shape)


Events: TypeAlias = "NDArray[np.float32] | SparseEvents"


def _ranges(starts: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Concatenate ``arange(start, start + count)`` over pairs of start and count."""
    ends = np.cumsum(counts)
    shifts: NDArray[np.int64] = np.repeat(starts - (ends - counts), counts)
    return shifts + np.arange(len(shifts))


def sparse_of(events: NDArray[np.float32]) -> SparseEvents:
    """Leave the zeros of dense events out.

    Parameters
    ----------
    events : float32 array, shape (n, ...)
    """
    flat = events.reshape(len(events), -1)
    rows, index = np.nonzero(flat)
    entries = np.empty(len(rows), ENTRY)
    entries["index"], entries["value"] = index, flat[rows, index]
    bounds = np.searchsorted(rows, np.arange(len(events) + 1)).astype(np.int64)
    return SparseEvents(entries, bounds, events.shape[1:])


def positive_zeros(events: Events) -> Events:
    """Make -0.0 to 0.0, so that equal events have equal bytes. Sparse events have no zeros.

    An array that can be written is changed in place: a copy of each chunk would cost more than all
    that is done with it.
    """
    if isinstance(events, SparseEvents):
        return events
    return np.add(events, np.float32(0.0), out=events if events.flags.writeable else None)


def used_values(events: NDArray[np.generic]) -> int:
    """Count the values, from the first on, behind which all of these events are zero.

    Events of constituents are zero for the most part: what looks at the rest alone is several
    times faster. One pass over the bits, by the words of the values; -0.0 counts as used.

    Parameters
    ----------
    events : ndarray of 4 or 8 bytes a value, shape (n, ...)

    Examples
    --------
    >>> used_values(np.array([[[5.0, 0.0], [0.0, 0.0]], [[1.0, 2.0], [0.0, 0.0]]]))
    2
    """
    rows = events.reshape(len(events), -1) if events.ndim != 2 else events
    words = rows.view(f"u{rows.dtype.itemsize}")
    used = np.flatnonzero(np.bitwise_or.reduce(words, axis=0))
    return int(used[-1]) + 1 if len(used) else 0


def joined(parts: Sequence[Events]) -> Events:
    """Join events of one form along the first axis."""
    dense = [part for part in parts if not isinstance(part, SparseEvents)]
    if dense:
        return np.concatenate(dense)
    sparse = [part for part in parts if isinstance(part, SparseEvents)]
    entries = np.concatenate([part.entries[part.bounds[0] : part.bounds[-1]] for part in sparse])
    counts = np.concatenate([part.counts for part in sparse])
    bounds = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return SparseEvents(entries, bounds, sparse[0].event_shape)


def taken(events: Events, rows: NDArray[np.int64]) -> Events:
    """Return the events at `rows`, in the form that they have."""
    return events.take(rows) if isinstance(events, SparseEvents) else events[rows]


def save_events(path: Path, events: Events) -> None:
    """Write events to `path` in the form that they have."""
    save_parts(path, [events])


def save_parts(path: Path, parts: Sequence[Events]) -> None:
    """Write events of one form, at least one part, one after the other; they are not joined."""
    sparse = [part for part in parts if isinstance(part, SparseEvents)]
    with path.open("wb") as stream:
        if sparse:
            writer = SparseWriter(stream, sparse[0].event_shape)
            for part in sparse:
                writer.add(part)
            writer.finish()
            return
        shape = (sum(map(len, parts)), *parts[0].shape[1:])
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)
        for dense in parts:
            stream.write(np.ascontiguousarray(dense, dtype="<f4").data)


class SparseWriter:
    """Writes sparse events to a stream, chunk by chunk, or each at a place that is known.

    Parameters
    ----------
    stream : binary file
        Open for writing, at its start.
    event_shape : tuple of int
        Of one event.
    """

    def __init__(self, stream: BinaryIO, event_shape: tuple[int, ...]) -> None:
        if len(event_shape) > _MAX_AXES:
            raise ValueError(f"events have {len(event_shape)} axes, at most {_MAX_AXES}")
        self._stream, self._event_shape = stream, event_shape
        self._counts: list[NDArray[np.int64]] = []
        self._write_header(0, 0)
        self._start = stream.tell()

    def add(self, events: SparseEvents) -> None:
        """Append events."""
        entries = events.entries[events.bounds[0] : events.bounds[-1]]
        self._stream.write(np.ascontiguousarray(entries).data)
        self._counts.append(events.counts)

    def scatter(
        self, events: Iterator[SparseEvents], places: NDArray[np.int64], counts: NDArray[np.int64]
    ) -> None:
        """Write all events, each at its place.

        Parameters
        ----------
        events : iterator of SparseEvents
            As many as there are places.
        places : int64 array, shape (n,)
            A permutation: where the events go, in the order in which they come.
        counts : int64 array, shape (n,)
            Entries of each event, in the order in which they come.
        """
        ordered = np.empty_like(counts)
        ordered[places] = counts
        begins = self._start + (np.cumsum(ordered) - ordered) * ENTRY.itemsize
        position = 0
        for part in events:
            entries = np.ascontiguousarray(part.entries[part.bounds[0] : part.bounds[-1]])
            bounds = (part.bounds - part.bounds[0]).tolist()
            for first, last in itertools.pairwise(bounds):
                self._stream.seek(begins[places[position]])
                self._stream.write(entries[first:last].data)
                position += 1
        self._counts.append(ordered)
        self._stream.seek(self._start + int(ordered.sum()) * ENTRY.itemsize)

    def finish(self) -> int:
        """Write the bounds and the header; return the number of entries."""
        counts = np.concatenate([np.zeros(1, np.int64), *self._counts])
        bounds = np.cumsum(counts).astype("<i8")
        self._stream.write(bounds.data)
        self._stream.seek(0)
        self._write_header(len(bounds) - 1, int(bounds[-1]))
        return int(bounds[-1])

    def _write_header(self, n_events: int, n_entries: int) -> None:
        # NumPy leaves room in the header for the number that is known at the end.
        shape = (sparse_words(n_events, n_entries),)
        header = {"descr": "<i8", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._stream, header)
        words = np.zeros(N_HEADER, "<i8")
        words[: 3 + len(self._event_shape)] = (
            *(n_events, n_entries, len(self._event_shape)),
            *self._event_shape,
        )
        self._stream.write(words.data)


def sparse_words(n_events: int, n_entries: int) -> int:
    """Count the words of a file of sparse events, without the header of .npy."""
    return N_HEADER + n_entries + n_events + 1


def open_events(path: Path) -> Events:
    """Map events into memory, read-only.

    Returns
    -------
    float32 array of shape (n, ...) or SparseEvents
        Backed by the file.

    Raises
    ------
    ValueError
        The file holds something else.
    """
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.dtype == np.float32 and array.ndim >= 2:
        return cast("NDArray[np.float32]", array)
    if array.dtype != np.int64 or array.ndim != 1 or len(array) <= N_HEADER:
        raise ValueError(f"events are {array.dtype} {array.shape}, not float32 (n, ...)")
    n_events, n_entries, n_axes, *sizes = array[:N_HEADER].tolist()
    is_whole = (
        0 < n_axes <= _MAX_AXES
        and min(n_events, n_entries) >= 0
        and min(sizes[:n_axes]) > 0
        and len(array) == sparse_words(n_events, n_entries)
    )
    if not is_whole:
        raise ValueError(f"{path.name} is no whole file of sparse events")
    entries = array[N_HEADER : N_HEADER + n_entries].view(ENTRY)
    return SparseEvents(entries, array[N_HEADER + n_entries :], tuple(sizes[:n_axes]))


def open_rows(path: Path) -> Events:
    """Map events as rows of numbers, shape (n, n_values); see `open_events`."""
    events = open_events(path)
    if isinstance(events, SparseEvents):
        return replace(events, event_shape=(math.prod(events.event_shape),))
    return events.reshape(len(events), -1)


def extremes(events: Events) -> tuple[float, float]:
    """Return the least and the largest value of events, and 0 if they are between."""
    values = events.entries["value"] if isinstance(events, SparseEvents) else events
    return float(values.min(initial=0.0)), float(values.max(initial=0.0))


def forget_read(events: Events) -> None:
    """Free the memory of the part of mapped events that was read.

    Otherwise all that was read counts as resident memory, although it is on the disk.
    """
    array: object = events.entries if isinstance(events, SparseEvents) else events
    while isinstance(array, np.ndarray):
        array = array.base
    if isinstance(array, mmap.mmap):
        array.madvise(mmap.MADV_DONTNEED)
