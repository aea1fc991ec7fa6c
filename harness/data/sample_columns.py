"""Columns beside the events of an embedded sample: parts, decisions of the menu, conditions.

Each is one array with a row for each event, compressed by zstd as a whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from harness.challenge import Value
from harness.data.beside import MAX_ALGORITHMS, Algorithms

_COMPRESSION_LEVEL = 19
_MAX_BYTES = 64 * 1024**2
_MAX_WIDTH = -(-MAX_ALGORITHMS // 8)
# Names of the columns, before the names of conditions.
PARTS, MENU, ALGORITHMS, CONDITION = "parts", "menu", "algorithms", "condition:"


class SampleColumn(Value):
    """One column in the file of a sample.

    Attributes
    ----------
    name : str
        ``parts``, ``menu``, ``algorithms``, or ``condition:`` and the column of a condition.
    dtype : str
        Little endian.
    width : int
        Values of each event.
    labels : tuple of str
        Names of the algorithms, which are eight to a byte.
    checksum : str
        ``sha256:`` of the values.
    """

    name: str
    dtype: Literal["|i1", "|b1", "|u1", "<f8"]
    width: int = Field(default=1, ge=1, le=_MAX_WIDTH)
    labels: tuple[str, ...] = ()
    offset: int = Field(ge=0, le=2**62)
    n_bytes: int = Field(ge=0, le=_MAX_BYTES)
    checksum: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleBeside:
    """What a sample knows of the events of one process beside their objects.

    Attributes
    ----------
    parts : ndarray of int8, shape (n,), or None
        Index in `PARTS` of the part of each event.
    menu : ndarray of bool, shape (n,), or None
        Which events the menu of the trigger accepts.
    conditions : mapping of str to ndarray of float64, shape (n,)
        By the name of the column that the challenge states.
    algorithms : mapping of str to ndarray of bool, shape (n,)
        Decisions of the single algorithms of the menu.
    """

    parts: NDArray[np.int8] | None = None
    menu: NDArray[np.bool_] | None = None
    conditions: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    algorithms: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)


def write_columns(stream: BinaryIO, beside: SampleBeside) -> tuple[SampleColumn, ...]:
    """Write the columns at the place of `stream`."""
    found = []
    if beside.parts is not None:
        found.append(_write(stream, PARTS, "|i1", beside.parts))
    if beside.menu is not None:
        found.append(_write(stream, MENU, "|b1", beside.menu))
    for name, values in beside.conditions.items():
        found.append(_write(stream, CONDITION + name, "<f8", values))
    if beside.algorithms:
        packed = np.packbits(np.stack(list(beside.algorithms.values()), axis=1), axis=1)
        found.append(_write(stream, ALGORITHMS, "|u1", packed, tuple(beside.algorithms)))
    return tuple(found)


def _write(
    stream: BinaryIO,
    name: str,
    dtype: Literal["|i1", "|b1", "|u1", "<f8"],
    values: NDArray[Any],
    labels: tuple[str, ...] = (),
) -> SampleColumn:
    import zstandard

    raw = np.ascontiguousarray(values, dtype).tobytes()
    blob = zstandard.ZstdCompressor(level=_COMPRESSION_LEVEL).compress(raw)
    offset = stream.tell()
    stream.write(blob)
    return SampleColumn(
        name=name,
        dtype=dtype,
        width=1 if values.ndim == 1 else values.shape[1],
        labels=labels,
        offset=offset,
        n_bytes=len(blob),
        checksum=f"sha256:{hashlib.sha256(raw).hexdigest()}",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadBeside:
    """The columns of one process, as `SampleBeside`, with the algorithms in one table."""

    parts: NDArray[np.int8] | None
    menu: NDArray[np.bool_] | None
    conditions: Mapping[str, NDArray[np.float64]]
    algorithms: Algorithms | None


def read_columns(path: Path, columns: tuple[SampleColumn, ...], n_events: int) -> ReadBeside:
    """Read all columns of one process.

    Raises
    ------
    ValueError
        A column is damaged.
    OSError
        The file cannot be read.
    """
    found = {column.name: _read(path, column, n_events) for column in columns}
    labels = next((column.labels for column in columns if column.name == ALGORITHMS), ())
    return ReadBeside(
        parts=found.get(PARTS),
        menu=found.get(MENU),
        conditions={
            name.removeprefix(CONDITION): values
            for name, values in found.items()
            if name.startswith(CONDITION)
        },
        algorithms=Algorithms(names=labels, chunks=_unpacked(found[ALGORITHMS], len(labels)))
        if labels
        else None,
    )


def _read(path: Path, column: SampleColumn, n_events: int) -> NDArray[Any]:
    """Read a column, shape (n_events,) or (n_events, width)."""
    import zstandard

    dtype = np.dtype(column.dtype)
    n_bytes = n_events * column.width * dtype.itemsize
    with path.open("rb") as stream:
        stream.seek(column.offset)
        blob = stream.read(column.n_bytes)
    try:
        raw = zstandard.ZstdDecompressor().decompress(blob, max_output_size=n_bytes)
    except zstandard.ZstdError as error:
        raise ValueError(f"column {column.name}: {error}") from error
    if f"sha256:{hashlib.sha256(raw).hexdigest()}" != column.checksum:
        raise ValueError(f"checksum of column {column.name} does not match")
    shape = (n_events, column.width) if column.labels else (n_events,)
    return np.frombuffer(raw, dtype).reshape(shape)


def _unpacked(packed: NDArray[np.uint8], n_labels: int) -> Iterator[NDArray[np.bool_]]:
    yield np.unpackbits(packed, axis=1, count=n_labels).astype(np.bool_)
