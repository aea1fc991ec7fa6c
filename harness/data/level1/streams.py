"""Columns of Parquet files, read side by side in bounded memory.

What belongs to one part of a data set lies in several *streams*: all collections together on the
Hub, a folder for each in the Zenodo record. Row i of every stream is the same event, but the files
of two streams may end at different rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.data.level1.columns import TEXT_COLUMNS
from harness.data.locks import disk_failed, sharing
from harness.data.read_ahead import ahead
from harness.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

# Rows that Arrow decodes at a time, and the most that are handed on at once: 5 MB of events.
BATCH_ROWS = 65_536
CHUNK_ROWS = 8_192
# What is read of a column at a time; without it, a whole row group would be held.
_BUFFER_BYTES = 2**20
_MAX_NAMED = 12
GET_ANOTHER = "get the file again; keep this one until you have a whole copy"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stream:
    """Files whose rows follow each other.

    Attributes
    ----------
    name : str
        For messages.
    files : tuple of Path
        In their order; at least one.
    columns : mapping of str to str
        What is read: the column of the files by the name that the table of
        `harness.data.level1.columns` gives it on the Hub.
    """

    name: str
    files: tuple[Path, ...]
    columns: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """Some rows of all streams.

    Attributes
    ----------
    first : int
        Position of the first of them in the part.
    n_rows : int
    columns : mapping of str to pyarrow.Array
        By the names on the Hub.
    places : mapping of str to Path
        The file of each column.
    """

    first: int
    n_rows: int
    columns: Mapping[str, pa.Array]
    places: Mapping[str, Path]

    def wrong(self, name: str, row: int | None, what: str, expected: str, fix: str) -> DataError:
        """Return the fault of a column, at a row of this chunk."""
        where = f"{self.places[name]}, {name}"
        if row is not None:
            where += f", event {self.first + row:,}"
        return DataError(what, where=where, expected=expected, fix=fix)


@contextmanager
def opened(path: Path, texts: Sequence[str] = ()) -> Iterator[Any]:
    """Open a Parquet file (`pyarrow.parquet.ParquetFile`) that no program is writing.

    Parameters
    ----------
    texts : sequence of str
        Columns of few different texts, which are decoded as numbers and a dictionary.

    Raises
    ------
    DataError
        It is none, truncated or damaged, now or while it is read.
    """
    import pyarrow as pa
    from pyarrow import parquet

    with sharing(path):
        try:
            with parquet.ParquetFile(
                path, pre_buffer=False, buffer_size=_BUFFER_BYTES, read_dictionary=list(texts)
            ) as file:
                yield file
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> DataError:
    if isinstance(error, OSError) and error.errno is not None:
        return disk_failed(path, error)
    with path.open("rb") as stream:
        begin = stream.read(4)
    text = str(error).partition("\n")[0][:300] or type(error).__name__
    reason = f"it is damaged: {text}"
    if not begin:
        reason = "it is empty"
    elif begin != b"PAR1":
        reason = f"it is no Parquet file: it begins with {begin!r}"
    elif "magic bytes" in text or "footer" in text:
        reason = f"it is truncated: its end is missing ({text})"
    return DataError(
        f"Arrow cannot read it: {reason}",
        where=str(path),
        expected="a whole Parquet file",
        fix=GET_ANOTHER,
    )


def schema_of(path: Path) -> pa.Schema:
    """Return names and types of the columns of a Parquet file.

    Raises
    ------
    DataError
        It cannot be read.
    """
    with opened(path) as file:
        return file.schema_arrow


def count_rows(files: Sequence[Path]) -> int:
    """Count the rows of files, as their ends say.

    Raises
    ------
    DataError
        One cannot be read.
    """
    n_rows = 0
    for path in files:
        with opened(path) as file:
            n_rows += file.metadata.num_rows
    return n_rows


def check_rows(streams: Sequence[Stream]) -> int:
    """Return the number of events that all streams hold.

    Raises
    ------
    DataError
        They hold different numbers, or none.
    """
    counts = {stream.name: count_rows(stream.files) for stream in streams}
    numbers = set(counts.values())
    where = ", ".join(sorted({str(stream.files[0].parent) for stream in streams})[:3])
    if len(numbers) > 1:
        listed = ", ".join(f"{name} {count:,}" for name, count in counts.items())
        raise DataError(
            f"its rows are out of step: {listed}",
            where=where,
            expected="as many rows in each folder: row i of all of them is one event",
            fix="look for a file that is missing, or there twice; unpack or download them again",
        )
    (n_rows,) = numbers
    if n_rows == 0:
        raise DataError("it holds no events", where=where, expected="one event at least")
    return n_rows


def read_chunks(streams: Sequence[Stream], n_rows: int = CHUNK_ROWS) -> Iterator[Chunk]:
    """Read the columns of streams side by side, at most `n_rows` at a time.

    Raises
    ------
    DataError
        A file cannot be read, has not a column that it should have, or has gaps in it; or a stream
        ends before the others.
    """
    readers = [_Reader(stream) for stream in streams]
    first = 0
    while True:
        held = [reader.fill() for reader in readers]
        if not any(held):
            return
        if not all(held):
            check_rows(streams)
        count = min(*held, n_rows)
        columns: dict[str, pa.Array] = {}
        places: dict[str, Path] = {}
        for reader in readers:
            for name, column in reader.take(count).items():
                columns[name], places[name] = column, reader.path
        yield Chunk(first=first, n_rows=count, columns=columns, places=places)
        first += count


class _Reader:
    """The rows of one stream that were decoded and not yet taken.

    Arrow decodes the next batch in a thread while this one is made events of.
    """

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.path = stream.files[0]
        self._batches = ahead(self._read())
        self._batch: Any = None

    def _read(self) -> Iterator[tuple[Path, pa.RecordBatch]]:
        wanted = list(self.stream.columns.values())
        texts = [name for name in wanted if name in TEXT_COLUMNS]
        for path in self.stream.files:
            with opened(path, texts) as file:
                check_columns(path, file.schema_arrow.names, wanted)
                for batch in file.iter_batches(BATCH_ROWS, columns=wanted, use_threads=False):
                    yield path, batch

    def fill(self) -> int:
        """Wait for more rows if none is left; return how many there are, 0 at the end."""
        while self._batch is None or self._batch.num_rows == 0:
            found = next(self._batches, None)
            if found is None:
                return 0
            self.path, self._batch = found
        return int(self._batch.num_rows)

    def take(self, count: int) -> dict[str, pa.Array]:
        """Return the next rows, by the names on the Hub."""
        batch = self._batch
        taken = batch if batch.num_rows == count else batch.slice(0, count)
        self._batch = None if batch.num_rows == count else batch.slice(count)
        return {ours: taken.column(theirs) for ours, theirs in self.stream.columns.items()}


def check_columns(path: Path, names: Sequence[str], wanted: Sequence[str]) -> None:
    """Refuse a file that has not all columns that are read.

    Raises
    ------
    DataError
        Some are missing; it may be of a later release.
    """
    missing = [name for name in wanted if name not in names]
    if not missing:
        return
    held = ", ".join(sorted(set(names) - set(wanted))[:_MAX_NAMED]) or "no others"
    raise DataError(
        f"it has no column {', '.join(missing[:_MAX_NAMED])}",
        where=str(path),
        expected="the columns of version 1.0 of the release (Zenodo 21787779)",
        fix=f"beside those that are read it has {held}: is it of a later release, or of something "
        "else? `harness data check` lists every difference",
    )


def numbers_of(chunk: Chunk, name: str, kinds: str) -> NDArray[Any]:
    """Return a column of one number for each event, shape (n_rows,).

    Parameters
    ----------
    kinds : str
        Kinds of NumPy's types that it may have: ``iu`` integers, ``f``, ``b``.

    Raises
    ------
    DataError
        It has another type, gaps, or other than one number for each event.
    """
    column = chunk.columns[name]
    if is_list(column.type):
        counts, values = lists_of(chunk, name, kinds)
        if not (counts == 1).all():
            row = int(np.argmax(counts != 1))
            raise chunk.wrong(
                name, row, f"it has {counts[row]} values", "one for each event", GET_ANOTHER
            )
        return values
    return _to_numpy(chunk, name, column, kinds)


def bits_of(chunk: Chunk, name: str) -> NDArray[np.uint8]:
    """Return a column of one yes or no for each event as bits, the first event in the lowest one.

    Raises
    ------
    DataError
        As `numbers_of`.
    """
    column = chunk.columns[name]
    is_plain = kind_of(column.type) == "b" and not column.null_count and column.offset % 8 == 0
    if not is_plain:
        return np.packbits(numbers_of(chunk, name, "b"), bitorder="little")
    bits = np.frombuffer(column.buffers()[1], np.uint8)
    return bits[column.offset // 8 : -(-(column.offset + len(column)) // 8)]


def texts_of(chunk: Chunk, name: str) -> tuple[str | None, ...]:
    """Return the different values of a column of text."""
    column = chunk.columns[name]
    if is_list(column.type):
        column = column.flatten()
    if hasattr(column, "dictionary"):
        has_gap = (None,) if column.null_count else ()
        places = np.unique(column.indices.drop_null() if has_gap else column.indices.to_numpy())
        words = column.dictionary.to_pylist()
        return (*(words[int(place)] for place in places), *has_gap)
    return tuple(dict.fromkeys(column.to_pylist()))


def lists_of(chunk: Chunk, name: str, kinds: str) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return a column of lists as the length of each, and all values one after the other.

    Raises
    ------
    DataError
        It holds no lists, or of another type, or has gaps.
    """
    bounds, values = bounded_lists(chunk, name, kinds)
    return np.diff(bounds).astype(np.int64, copy=False), values


def bounded_lists(chunk: Chunk, name: str, kinds: str) -> tuple[NDArray[np.integer], NDArray[Any]]:
    """Return a column of lists as bounds, shape (n_rows + 1,), and all values.

    The values of list i are ``values[bounds[i]:bounds[i + 1]]``.

    Raises
    ------
    DataError
        As `lists_of`.
    """
    column = chunk.columns[name]
    if not is_list(column.type):
        raise chunk.wrong(
            name, None, f"it holds {column.type}", "a list for each event", GET_ANOTHER
        )
    if column.null_count:
        row = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
        raise chunk.wrong(name, row, "it has a gap", "a list for each event", GET_ANOTHER)
    size = getattr(column.type, "list_size", None)
    if size is not None and size >= 0:
        bounds = np.arange(len(column) + 1) * size
        return bounds, _to_numpy(chunk, name, column.flatten(), kinds)
    offsets = column.offsets.to_numpy()
    first, last = int(offsets[0]), int(offsets[-1])
    values = _to_numpy(chunk, name, column.values.slice(first, last - first), kinds)
    return offsets - offsets[0] if first else offsets, values


@cache
def is_list(kind: pa.DataType) -> bool:
    """Whether a column has a list for each event."""
    from pyarrow import types

    found: bool = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return found


def _to_numpy(chunk: Chunk, name: str, values: pa.Array, kinds: str) -> NDArray[Any]:
    if kind_of(values.type) not in kinds:
        expected = _expected(kinds)
        what = f"it holds {chunk.columns[name].type}"
        raise chunk.wrong(name, None, what, expected, "is it the right file, of this release?")
    if values.null_count:
        raise chunk.wrong(name, None, "it has gaps", f"{_expected(kinds)} everywhere", GET_ANOTHER)
    if kind_of(values.type) == "b":
        # Six times as fast as Arrow's own conversion.
        bits = np.frombuffer(values.buffers()[1], np.uint8)
        first, count = values.offset, len(values)
        found = np.unpackbits(bits[first // 8 :], count=first % 8 + count, bitorder="little")
        return found[first % 8 :].view(np.bool_)
    return np.asarray(values.to_numpy())


def _expected(kinds: str) -> str:
    words = {"i": "integers", "f": "floating-point numbers", "b": "true or false"}
    return " or ".join(words[kind] for kind in kinds if kind in words)


@cache
def kind_of(kind: pa.DataType) -> str:
    """Return the kind of NumPy's types that a type of Arrow is of; ``O`` where it is none."""
    from pyarrow import types

    if types.is_boolean(kind):
        return "b"
    if types.is_signed_integer(kind):
        return "i"
    if types.is_unsigned_integer(kind):
        return "u"
    return "f" if types.is_floating(kind) else "O"
