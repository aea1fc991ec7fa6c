"""Tables with named columns, read by Arrow: CSV and Parquet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.data.tables.source import Block, Source, Table, check_unique, check_width, no_column
from harness.errors import DataError
from harness.files import decode_text, open_regular

if TYPE_CHECKING:
    import pyarrow as pa

# Bytes of text that are decoded at a time; one line must fit.
_BLOCK_BYTES = 4 * 1024**2
_HEADER_BYTES = 1024**2
_ROWS = 16_384
_DELIMITERS = (",", ";", "\t", " ")
_NUMBER = re.compile(
    r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+]?(nan|inf|infinity)", re.IGNORECASE
)


@contextmanager
def opened_csv(source: Source, class_column: str | None) -> Iterator[Table]:
    """Open a CSV file: numbers, and one column of text at most, the class.

    The delimiter is a comma, a semicolon, a tab or a space, as the first line has it. A first line
    of numbers is no header. Rows are numbered from 1, the header included.

    Raises
    ------
    DataError
        It is empty, ragged, not UTF-8, or holds text where a number should be.
    """
    import pyarrow as pa
    from pyarrow import csv

    where = str(source.path)
    delimiter, header = _first_line(source)
    has_header = header is not None
    parse = csv.ParseOptions(delimiter=delimiter, ignore_empty_lines=True)
    # One thread: only then does Arrow say in which row a fault is.
    read = csv.ReadOptions(
        use_threads=False, block_size=_BLOCK_BYTES, autogenerate_column_names=not has_header
    )
    with ExitStack() as stack:
        with _faults_of(where):
            names = _csv_names(where, read, parse)
            label = _label_of(where, names, class_column)
            # Every other column is numbers: text in one of them is refused where it stands.
            types = {name: pa.string() if name == label else pa.float64() for name in names}
            convert = csv.ConvertOptions(
                column_types=types, null_values=[""], strings_can_be_null=False
            )
            opened = stack.enter_context(
                csv.open_csv(where, read_options=read, parse_options=parse, convert_options=convert)
            )
        batches = (batch.slice(start, _ROWS) for batch in opened for start in _starts(batch))
        yield _table(where, names, label, batches, has_names=has_header)


def _starts(batch: pa.RecordBatch) -> range:
    return range(0, batch.num_rows, _ROWS)


def _csv_names(where: str, read: object, parse: object) -> list[str]:
    """Return the names of the columns as Arrow reads them from the first block."""
    from pyarrow import csv

    with csv.open_csv(where, read_options=read, parse_options=parse) as opened:
        return list(opened.schema.names)


def _first_line(source: Source) -> tuple[str, list[str] | None]:
    """Return the delimiter of a CSV file, and the cells of its header; None if it has none."""
    import gzip

    where = str(source.path)
    try:
        with open_regular(source.path) as stream:
            if source.path.name.lower().endswith(".gz"):
                with gzip.open(stream) as unpacked:
                    line = unpacked.readline(_HEADER_BYTES)
            else:
                line = stream.readline(_HEADER_BYTES)
    except (OSError, EOFError) as error:
        raise DataError(f"is not readable: {error}", where=where) from error
    if len(line) == _HEADER_BYTES:
        what = f"its first line is longer than {_HEADER_BYTES:,} bytes"
        raise DataError(what, where=where, expected="one event a line")
    text = decode_text(line, source=f"{where}, line 1").strip()
    if not text:
        raise DataError("its first line is empty", where=where, expected="a header, or numbers")
    delimiter = max(_DELIMITERS[:3], key=text.count)
    if not text.count(delimiter):
        delimiter = " " if " " in text else ","
    # Before Arrow takes seconds over it; the class column may come on top.
    check_width(where, (max(1, text.count(delimiter)),))
    cells = [cell.strip().strip('"') for cell in text.split(delimiter)]
    is_header = not any(_NUMBER.fullmatch(cell) for cell in cells)
    return delimiter, cells if is_header else None


@contextmanager
def opened_parquet(source: Source, class_column: str | None) -> Iterator[Table]:
    """Open a Parquet file with a column for each number of an event.

    Raises
    ------
    DataError
        It is damaged, or a column holds no numbers.
    """
    from pyarrow import parquet

    where = str(source.path)
    with ExitStack() as stack:
        with _faults_of(where):
            opened = stack.enter_context(parquet.ParquetFile(where, pre_buffer=False))
            schema = opened.schema_arrow
        names = [name for name in schema.names if not name.startswith("__index_level_")]
        label = _label_of(where, names, class_column)
        for name in names:
            if name != label:
                _check_numbers(where, name, schema.field(schema.names.index(name)).type)
        batches = opened.iter_batches(batch_size=_ROWS, columns=names, use_threads=False)
        yield _table(where, names, label, batches, has_names=True)


def _check_numbers(where: str, name: str, kind: pa.DataType) -> None:
    from pyarrow import types

    if types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind):
        return
    is_list = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    raise DataError(
        f"the column {name} holds {kind}",
        where=where,
        expected="numbers, and one column of text at most: that of --class-column",
        fix="write a column for each slot, such as pt_0, pt_1, with 0 where there is no object"
        if is_list
        else "leave the column out, or name it as the class",
    )


def _label_of(where: str, names: list[str], class_column: str | None) -> str | None:
    check_unique(where, names)
    if class_column is None or class_column in names:
        return class_column
    if class_column.lstrip("-").isdecimal() and -len(names) <= int(class_column) < len(names):
        return names[int(class_column)]
    raise no_column(where, class_column, ", ".join(names))


def _table(
    where: str,
    names: list[str],
    label: str | None,
    batches: Iterator[pa.RecordBatch],
    *,
    has_names: bool,
) -> Table:
    kept = [name for name in names if name != label]
    return Table(
        where=where,
        columns=tuple(kept) if has_names else None,
        shape=(len(kept),),
        blocks=_blocks(where, names, label, batches),
    )


def _blocks(
    where: str, names: list[str], label: str | None, batches: Iterator[pa.RecordBatch]
) -> Iterator[Block]:
    with _faults_of(where):
        for batch in batches:
            columns = dict(zip(names, batch.columns, strict=False))
            numbers = [_numbers(each) for name, each in columns.items() if name != label]
            classes = None if label is None else _texts(columns[label])
            yield Block(values=np.column_stack(numbers), classes=classes)


def _numbers(column: pa.Array) -> NDArray[np.float64]:
    """Return a column as float64, NaN where it is empty."""
    found = column.to_numpy(zero_copy_only=False)
    # Arrow gives booleans with gaps as objects: True, False and None.
    return np.asarray(found, dtype=np.float64)


def _texts(column: pa.Array) -> NDArray[np.str_]:
    from harness.data.tables.arrays import class_texts

    return class_texts(np.asarray(column.to_pylist(), dtype=object))


@contextmanager
def _faults_of(where: str) -> Iterator[None]:
    """Turn what Arrow says of a broken file into an error with its place."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, UnicodeDecodeError, OSError, ValueError, TypeError) as error:
        text = str(error).partition("\n")[0][:300]
        if "straddling object" in text:
            text = f"a line is longer than {_BLOCK_BYTES:,} bytes"
        raise DataError(
            f"is not readable: {text}",
            where=where,
            expected="a row of as many numbers for each event",
            fix="correct that row, or leave out columns of text",
        ) from error
