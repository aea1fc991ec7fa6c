"""Arrays as .npy files, written and read piece by piece in bounded memory."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from harness.challenge import ADC2021_BYTES, events_within
from harness.data.split import chunks
from harness.errors import DataError
from harness.files import check_space, writing

# numpy evaluates a header as Python would.
_HEADER_ERRORS = (ValueError, TypeError, SyntaxError, TokenError, EOFError)
# What is read of an array at a time: 15 MB, 65,536 events of ADC2021.
CHUNK_BYTES = 65_536 * ADC2021_BYTES


def write_npy_header(stream: BinaryIO, shape: tuple[int, ...], dtype: str) -> None:
    """Write the header of a .npy file that holds a C-ordered array."""
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)


def npy_bytes(shape: tuple[int, ...], dtype: str) -> int:
    """Count the bytes of a .npy file, with its header."""
    header = io.BytesIO()
    write_npy_header(header, shape, dtype)
    return len(header.getvalue()) + math.prod(shape) * np.dtype(dtype).itemsize


@contextmanager
def writing_npy(
    path: Path, shape: tuple[int, ...], dtype: str = "<f4", *, is_kept: bool = True
) -> Iterator[BinaryIO]:
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
