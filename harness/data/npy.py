"""Arrays as .npy files, written and read piece by piece in bounded memory."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedRandom
from pathlib import Path
from tokenize import TokenError
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.challenge import ADC2021_BYTES, EventLayout, events_within
from harness.data.split import chunks, entry_chunks
from harness.errors import DataError
from harness.files import check_space, writing
from harness.submission.events import (
    ENTRY,
    Events,
    SparseEvents,
    SparseWriter,
    forget_read,
    open_events,
    sparse_of,
)

# numpy evaluates a header as Python would.
_HEADER_ERRORS = (ValueError, TypeError, SyntaxError, TokenError, EOFError)
# What is read of an array at a time: 15 MB, 65,536 events of ADC2021.
CHUNK_BYTES = 65_536 * ADC2021_BYTES


def write_npy_header(stream: BinaryIO, shape: tuple[int, ...], dtype: str) -> None:
    """Write the header of a .npy file that holds a C-ordered array."""
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)


def npy_header(shape: tuple[int, ...], dtype: str) -> bytes:
    """Return the header of a .npy file that holds a C-ordered array."""
    header = io.BytesIO()
    write_npy_header(header, shape, dtype)
    return header.getvalue()


def npy_bytes(shape: tuple[int, ...], dtype: str) -> int:
    """Count the bytes of a .npy file, with its header."""
    return len(npy_header(shape, dtype)) + math.prod(shape) * np.dtype(dtype).itemsize


class Digest(Protocol):
    """What is given the bytes of a file while they are written."""

    def update(self, data: bytes | memoryview, /) -> object:
        """Take the next bytes."""
        ...


@contextmanager
def writing_npy(
    path: Path, shape: tuple[int, ...], dtype: str = "<f4", *, is_kept: bool = True
) -> Iterator[BufferedRandom]:
    """Open a .npy file for the values of an array; moved to `path` if all went well.

    Raises
    ------
    EnvironmentFaultError
        It cannot be written, or the disk has no room for it.
    """
    with writing(path, is_kept=is_kept) as stream:
        check_space(path.parent, npy_bytes(shape, dtype))
        write_npy_header(stream, shape, dtype)
        yield stream


def map_npy(path: Path) -> NDArray[Any]:
    """Map the array of a .npy file, read-only.

    Raises
    ------
    DataError
        It is no whole .npy file.
    """
    try:
        array: NDArray[Any] = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ArithmeticError, *_HEADER_ERRORS) as error:
        what = str(error).partition("\n")[0][:200]
        raise DataError(f"is no whole .npy file: {what}", where=str(path)) from error
    return array


@contextmanager
def writing_events(
    path: Path,
    layout: EventLayout,
    n_events: int,
    *,
    is_kept: bool = True,
    digest: Digest | None = None,
) -> Iterator[Callable[[Events], None]]:
    """Open a file for events in the form that `layout` has; gives what appends a chunk.

    Parameters
    ----------
    digest : Digest, optional
        Is given all bytes of the file, in order. Not of sparse events, whose header comes last.

    Raises
    ------
    EnvironmentFaultError
        It cannot be written, or the disk has no room for it.
    """
    if not layout.is_sparse:
        shape = (n_events, *layout.shape)
        if digest is not None:
            digest.update(npy_header(shape, "<f4"))
        with writing_npy(path, shape, is_kept=is_kept) as stream:
            yield lambda chunk: _write_dense(stream, np.asarray(chunk), digest)
        return
    if digest is not None:
        raise ValueError("the bytes of sparse events are not written in order")
    with writing(path, is_kept=is_kept) as stream:
        writer = SparseWriter(stream, layout.shape)
        yield lambda chunk: writer.add(
            chunk if isinstance(chunk, SparseEvents) else sparse_of(chunk)
        )
        writer.finish()


def _write_dense(stream: BinaryIO, chunk: NDArray[np.float32], digest: Digest | None) -> None:
    values = np.ascontiguousarray(chunk, "<f4").data
    stream.write(values)
    if digest is not None:
        digest.update(values.cast("B"))


def map_events(path: Path) -> Events:
    """Map a file of events, read-only.

    Raises
    ------
    DataError
        It is none, or not whole.
    """
    try:
        return open_events(path)
    except (OSError, ArithmeticError, *_HEADER_ERRORS) as error:
        what = str(error).partition("\n")[0][:200]
        raise DataError(f"is no whole file of events: {what}", where=str(path)) from error


def read_events(path: Path) -> Iterator[tuple[int, Events]]:
    """Read a file of events from front to back in bounded memory: (first position, events)."""
    events = map_events(path)
    if not isinstance(events, SparseEvents):
        yield from read_npy(path)
        return
    for chunk in entry_chunks(events.bounds, CHUNK_BYTES // ENTRY.itemsize):
        yield chunk.start, events.part(chunk.start, chunk.stop)
        forget_read(events)


def read_npy(path: Path) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Read a .npy file of little-endian float32 from front to back, without mapping it.

    A map that is read through counts as resident memory to its end; this holds one chunk.

    Yields
    ------
    start : int
        Position of the chunk's first row.
    rows : ndarray of float32, shape (m, ...)
    """
    shape = map_npy(path).shape
    n_values = math.prod(shape[1:])
    with path.open("rb") as stream:
        stream.seek(npy_bytes(shape, "<f4") - math.prod(shape) * 4)
        for chunk in chunks(shape[0], events_within(CHUNK_BYTES, shape[1:])):
            values = np.fromfile(stream, "<f4", (chunk.stop - chunk.start) * n_values)
            yield chunk.start, values.astype(np.float32, copy=False).reshape(-1, *shape[1:])
