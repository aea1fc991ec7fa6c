"""Which reader opens a table: by the ending of its file's name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from harness.data.tables import arrays, text
from harness.data.tables.source import Source, Table, check_width
from harness.errors import UsageError

Reader = Callable[[Source, str | None], AbstractContextManager[Table]]


# The reader of each ending of a file's name.
READERS: Mapping[str, Reader] = {
    ".csv": text.opened_csv,
    ".csv.gz": text.opened_csv,
    ".txt": text.opened_csv,
    ".tsv": text.opened_csv,
    ".parquet": text.opened_parquet,
    ".pq": text.opened_parquet,
    ".npy": arrays.opened_npy,
    ".npz": arrays.opened_npz,
    ".h5": arrays.opened_hdf5,
    ".hdf5": arrays.opened_hdf5,
}


@contextmanager
def opened_table(source: Source, class_column: str | None = None) -> Iterator[Table]:
    """Open a table by the reader of its file's ending.

    Parameters
    ----------
    class_column : str, optional
        The column that says the process of each event: its name, its number, or the name of an
        array of the same file.

    Raises
    ------
    UsageError
        There is no such file, or no reader for it.
    DataError
        It is not readable, holds no events, or events that are too wide.
    """
    name = source.path.name.lower()
    found = next((read for end, read in READERS.items() if name.endswith(end)), None)
    if found is None:
        raise UsageError(
            "no reader for this ending",
            where=str(source.path),
            expected=f"one of {', '.join(READERS)}",
            fix="write it in one of these formats, such as Parquet by pandas' `to_parquet`",
        )
    if not source.path.is_file():
        raise UsageError("there is no such file", where=str(source.path))
    with found(source, class_column) as table:
        check_width(table.where, table.shape)
        yield table
