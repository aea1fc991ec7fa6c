"""Reading what a run of a trigger wrote, whoever changed it since, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.challenge import Condition, events_within
from harness.data.level1.streams import opened
from harness.errors import DataError
from harness.trigger.folder import (
    ACCEPTED,
    SECTIONS,
    STATE,
    AcceptedEvents,
    bin_column,
    join_accepted,
    part_name,
)
from harness.trigger.records import TriggerRun

if TYPE_CHECKING:
    import pyarrow as pa

# Accepted events, or sections, that are read into memory at once.
_MAX_READ_BYTES = 2 * 1024**3
# A path of Linux; names of the cache are shorter.
_MAX_SOURCE = 4096
_SECTION_COLUMNS = ("section", "n_events", "n_accepted", "n_kept", "threshold", "prescale")
_WHOLE_COLUMNS = ("section", "n_events", "n_accepted", "n_kept", "prescale", "row")
_BATCH_ROWS, _BATCH_BYTES = 16_384, 64 * 1024**2


def read_accepted(folder: Path, run: TriggerRun) -> Iterator[AcceptedEvents]:
    """Read the accepted events of the sections that the state counts, in order.

    Raises
    ------
    DataError
        A file is missing or damaged, or does not hold what a trigger writes.
    """
    paths = _parts(folder / ACCEPTED, run)
    _check_rows(folder / ACCEPTED, paths, run.n_kept, "accepted events")
    known = read_sections(folder, run)["section"]
    n_rows = min(_BATCH_ROWS, events_within(_BATCH_BYTES, run.settings.layout.shape))
    last = -1
    for path in paths:
        with opened(path) as file:
            _check_accepted_columns(path, file, math.prod(run.settings.layout.shape))
            for batch in file.iter_batches(batch_size=n_rows, use_threads=False):
                part = _accepted(path, batch, run.settings.layout.shape)
                is_unknown = ~np.isin(part.sections, known)
                if is_unknown.any():
                    raise _another_file(
                        path,
                        f"an event is of section {part.sections[is_unknown][0]}",
                        f"one of the sections in {folder / SECTIONS}",
                    )
                if (np.diff(part.sections, prepend=last) < 0).any():
                    raise _another_file(path, "the section of an event falls", "events in order")
                last = int(part.sections[-1]) if len(part) else last
                yield part


def read_all(folder: Path, run: TriggerRun) -> AcceptedEvents:
    """Read all accepted events of a folder at once.

    Raises
    ------
    DataError
        They do not fit into memory; or see `read_accepted`.
    """
    n_bytes = max(run.n_kept, 1) * math.prod(run.settings.layout.shape) * np.float32().nbytes
    if n_bytes > _MAX_READ_BYTES:
        raise DataError(
            f"it holds {run.n_kept:,} accepted events, {n_bytes / 1e9:.1f} GB",
            where=str(folder),
            expected=f"at most {_MAX_READ_BYTES / 1e9:.1f} GB, which are read into memory",
            fix="harness trigger with a higher threshold or a larger --prescale",
        )
    return join_accepted(list(read_accepted(folder, run)), run.settings.layout.shape)


def read_sections(folder: Path, run: TriggerRun) -> dict[str, NDArray[np.float64]]:
    """Read the columns of all sections that the state counts, each of shape (n_sections,).

    Raises
    ------
    DataError
        A file is missing or damaged, or does not hold what a trigger writes.
    """
    paths = _parts(folder / SECTIONS, run)
    most = _MAX_READ_BYTES // (len(_SECTION_COLUMNS) * np.float64().nbytes)
    if run.n_sections > most:
        raise DataError(
            f"it holds {run.n_sections:,} sections",
            where=str(folder),
            expected=f"at most {most:,}",
            fix="cut larger sections by --section-events",
        )
    _check_rows(folder / SECTIONS, paths, run.n_sections, "sections")
    tables: list[dict[str, NDArray[np.float64]]] = [
        {name: np.zeros(0) for name in _SECTION_COLUMNS}
    ]
    for path in paths:
        with opened(path) as file:
            _check_numbers(path, file, _SECTION_COLUMNS)
            table = file.read(columns=list(_SECTION_COLUMNS), use_threads=False)
            found = {name: np.asarray(table[name], np.float64) for name in _SECTION_COLUMNS}
            for name, values in found.items():
                _check_finite(path, name, values)
            tables.append(found)
    every = {name: np.concatenate([one[name] for one in tables]) for name in _SECTION_COLUMNS}
    if (np.diff(every["section"]) <= 0).any():
        raise _another_file(folder / SECTIONS, "a section comes twice, or late", "rising sections")
    return every


def read_bins(folder: Path, run: TriggerRun, condition: Condition) -> NDArray[np.int64]:
    """Read the events of all sections, and the accepted ones, by the bins of a condition.

    Returns
    -------
    int64 array, shape (2, n_sections, n_bins)

    Raises
    ------
    DataError
        See `read_sections`.
    """
    import pyarrow as pa

    n_bins = len(condition.edges) - 1
    names = [bin_column(condition.name, is_accepted=each) for each in (False, True)]
    tables = [np.zeros((2, 0, n_bins), np.int64)]
    for path in _parts(folder / SECTIONS, run):
        with opened(path) as file:
            _check_columns(path, file, names)
            for name in names:
                kind = file.schema_arrow.field(name).type
                if kind != pa.list_(pa.field("element", pa.int64()), n_bins):
                    raise _another_file(path, f"{name} is of {kind}", f"lists of {n_bins} int64")
            table = file.read(columns=names, use_threads=False)
        flat = [table[name].combine_chunks().flatten() for name in names]
        counts = np.stack([np.asarray(one, np.int64) for one in flat])
        if sum(one.null_count for one in flat) or (counts < 0).any():
            raise _another_file(path, "a number of events is missing or negative", "numbers")
        tables.append(counts.reshape(2, -1, n_bins))
    every = np.concatenate(tables, axis=1)
    if every.shape[1] != run.n_sections or (every[1] > every[0]).any():
        what = "events of bins that do not fit the sections"
        raise _another_file(folder / SECTIONS, what, f"those of {run.n_sections:,} sections")
    return every


def _parts(folder: Path, run: TriggerRun) -> list[Path]:
    """List the files whose first section the state counts."""
    if run.last_section is None:
        return []
    return [path for path in sorted(folder.glob("section-*.parquet"))
            if path.name <= part_name(run.last_section)]  # fmt: skip


def _another_file(path: Path, what: str, expected: str) -> DataError:
    return DataError(
        what,
        where=str(path),
        expected=expected,
        fix="a file was removed or changed: run harness trigger into a new folder",
    )


def _check_rows(folder: Path, paths: Sequence[Path], n_rows: int, what: str) -> None:
    """Compare what the files say of their length with the state, before they are read."""
    n_found = 0
    for path in paths:
        with opened(path) as file:
            n_found += file.metadata.num_rows
    if n_found != n_rows:
        raise _another_file(
            folder, f"its files hold {n_found:,} {what}", f"{n_rows:,}, as {STATE} says"
        )


def _check_columns(path: Path, file: pa.parquet.ParquetFile, names: Sequence[str]) -> None:
    there = file.schema_arrow.names
    for name in names:
        if there.count(name) != 1:
            what = f"it has no column {name}" if name not in there else f"{name} is there twice"
            raise DataError(what, where=str(path), expected="a file that harness trigger wrote")


def _check_numbers(path: Path, file: pa.parquet.ParquetFile, names: Sequence[str]) -> None:
    """Check that columns are there, whole numbers and real ones."""
    import pyarrow as pa

    _check_columns(path, file, names)
    for name in names:
        wanted = pa.int64() if name in _WHOLE_COLUMNS else pa.float64()
        if (kind := file.schema_arrow.field(name).type) != wanted:
            raise _another_file(path, f"{name} is of {kind}", f"{wanted}")


def _check_accepted_columns(path: Path, file: pa.parquet.ParquetFile, n_values: int) -> None:
    import pyarrow as pa

    _check_numbers(path, file, ("section", "row", "score", "threshold"))
    _check_columns(path, file, ("source", "event"))
    kind = file.schema_arrow.field("source").type
    if not pa.types.is_dictionary(kind) or kind.value_type != pa.string():
        raise _another_file(path, f"source is of {kind}", "a dictionary of strings")
    # Of one width: that bounds what a batch holds.
    kind = file.schema_arrow.field("event").type
    is_right = pa.types.is_fixed_size_list(kind) and kind.value_type == pa.float32()
    if not is_right or kind.list_size != n_values:
        raise _another_file(path, f"event is of {kind}", f"lists of {n_values:,} float32")


def _check_finite(path: Path, name: str, values: NDArray[np.floating]) -> None:
    if not np.isfinite(values).all():
        raise _another_file(path, f"{name} is not finite, or missing", "a number in each row")


def _accepted(path: Path, batch: pa.RecordBatch, shape: tuple[int, ...]) -> AcceptedEvents:
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    for name, column in columns.items():
        if column.null_count:
            raise _another_file(path, f"{name} is missing in a row", "all columns in each row")
    flat = np.asarray(columns["event"].flatten(), np.float32)
    for name in ("score", "threshold"):
        _check_finite(path, name, np.asarray(columns[name], np.float64))
    _check_finite(path, "event", flat)
    return AcceptedEvents(
        events=flat.reshape(len(batch), *shape),
        sections=np.asarray(columns["section"], np.int64),
        rows=np.asarray(columns["row"], np.int64),
        scores=np.asarray(columns["score"], np.float64),
        thresholds=np.asarray(columns["threshold"], np.float64),
        sources=_sources(path, columns["source"]),
    )


def _sources(path: Path, column: pa.DictionaryArray) -> NDArray[np.object_]:
    """Return the source of each event; equal ones are one text."""
    import pyarrow.compute as pc

    # A text of other bytes than UTF-8, and a number of no text, are noticed here.
    column.validate(full=True)
    names = column.dictionary
    if names.null_count:
        raise _another_file(path, "source is missing in a row", "all columns in each row")
    if (pc.max(pc.binary_length(names)).as_py() or 0) > _MAX_SOURCE:
        raise _another_file(
            path, f"a source has a name of over {_MAX_SOURCE:,} bytes", "the path of a file"
        )
    return np.array(names.to_pylist(), np.object_)[np.asarray(column.indices, np.int64)]
