"""Constituents in tables of pandas: columns become events, labels say of which process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.challenge import (
    PARTS,
    Challenge,
    ConstituentLayout,
    DataFile,
    EventLayout,
    TableColumns,
)
from harness.data.cache import check_count, has_parts
from harness.data.cache_record import ReadingReport
from harness.data.event_source import EventSource
from harness.data.forms import rows_at_a_time, wrong
from harness.data.pandas_hdf5 import PandasTable, Place, Rows, opened_table
from harness.data.split import chunks
from harness.errors import DataError
from harness.submission.events import used_values

# Of whole HDF5 chunks at a time. As numbers of the file 4 MB, which all that is done with them
# finds in a processor's cache, and no more than 64 MB.
_ROW_BYTES = 4 * 1024**2
_MAX_ROW_BYTES = 64 * 1024**2
# Momenta in float32 give pT to about 1e-7: equal ones may be in either order.
_SAME_PT = 1e-6
# By how much of its energy a momentum may exceed it: components in float32 give 1e-7 each.
_SAME_ENERGY = 1e-4


def open_table_source(
    challenge: Challenge, piece: DataFile, file: DataFile, path: Path, checksum: str
) -> EventSource:
    """Read everything of a table but its events, which are read later, chunk by chunk.

    Raises
    ------
    DataError
        It is no such table, or of other columns than the challenge says, or has no event of the
        process.
    """
    assert challenge.columns is not None
    labels = {label for one in challenge.files for label in one.labels if label is not None}
    reading = _Reading(
        path=path,
        layout=challenge.layout,
        columns=challenge.columns,
        piece=piece,
        labels=frozenset(labels),
    )
    n_events = reading.count()
    check_count(piece, n_events)
    part = PARTS.index(piece.part or "test")
    return EventSource(
        chunks=((events, None) for events in reading.events(n_events)),
        n_events=n_events,
        checksum=checksum,
        # A result names the events of a box by their rows.
        ids=np.arange(n_events, dtype=np.int64) if file.role == "blackbox" else None,
        parts=np.full(n_events, part, np.int8) if has_parts(challenge, file) else None,
        reading=lambda: reading.report(piece, n_events),
    )


def read_rows(challenge: Challenge, path: Path, rows: slice) -> NDArray[np.float32]:
    """Read rows of a table as events, whatever their process and with all their constituents.

    Returns
    -------
    float32 array, shape (m, n_constituents of the file, 3)
    """
    assert challenge.columns is not None
    piece = DataFile(name=path.name, role="background", process="any", title="any")
    layout = ConstituentLayout(n_constituents=challenge.columns.n_constituents)
    reading = _Reading(
        path=path, layout=layout, columns=challenge.columns, piece=piece, labels=frozenset()
    )
    with opened_table(path) as table:
        return reading.of_rows(table, rows)


@dataclass(kw_only=True, slots=True)
class _Reading:
    """One file, and what was done to its events."""

    path: Path
    layout: EventLayout
    columns: TableColumns
    piece: DataFile
    labels: frozenset[int]
    format: str = ""
    n_sorted: int = field(default=0)

    def count(self) -> int:
        """Check the columns, and count the events of the process."""
        with opened_table(self.path) as table:
            self.format = table.format
            self._check(table)
            label = self._label(table)
            if label is None:
                return table.n_rows
            if self.piece.n_events is not None:
                # Counted when they are read: each pass decompresses the whole file.
                return self.piece.n_events
            counts = (
                int((self._labels(table.read_column(label, rows)) == self.piece.label).sum())
                for rows in self._steps(table)
            )
            n_events = sum(counts)
        if not n_events:
            raise self._no_events()
        return n_events

    def events(self, n_events: int) -> Iterator[NDArray[np.float32]]:
        """Read the events of the process; float32, shape (m, *layout.shape)."""
        n_read = first = 0
        with opened_table(self.path) as table:
            start, label = self._check(table), self._label(table)
            for rows in self._steps(table):
                blocks = table.read(rows)
                found = self._used(blocks[start.block], start)
                if label is not None:
                    values = self._labels(blocks[label.block][:, label.column])
                    is_chosen = values == self.piece.label
                    found = found if is_chosen.all() else found[is_chosen]
                if len(found):
                    yield self._events(found, first)
                n_read += len(found)
                first = rows.stop
        if not n_read:
            raise self._no_events()
        if n_read != n_events:
            check_count(self.piece, n_read)

    def of_rows(self, table: PandasTable, rows: slice) -> NDArray[np.float32]:
        """Read rows of any process."""
        start = self._check(table)
        return self._events(self._used(table.read(rows)[start.block], start), rows.start)

    def _used(self, block: Rows, start: Place) -> Rows:
        """Return the columns of constituents, without those that are empty in all of some rows."""
        found = block[:, start.column : start.column + self.columns.n_values]
        n_features = self.columns.n_values // self.columns.n_constituents
        n_used = -(-used_values(found) // n_features) if found.dtype.kind == "f" else len(found[0])
        return found[:, : max(1, n_used) * n_features]

    def report(self, piece: DataFile, n_events: int) -> ReadingReport:
        """Say what was done to the events."""
        return ReadingReport(
            layout=f"pandas, {self.format} format",
            n_read={piece.part or "test": n_events},
            changed={"sort constituent": self.n_sorted} if self.n_sorted else {},
        )

    def _check(self, table: PandasTable) -> Place:
        """Refuse a table of other columns; return the place of the first constituent."""
        columns = self.columns
        widths = " or ".join(f"{width:,}" for width in columns.widths)
        if table.width not in columns.widths:
            raise wrong(self.path, f"a row has {table.width:,} columns", f"{widths} columns")
        start = table.find(columns.first)
        if start is None:
            raise wrong(self.path, f"there is no column {columns.first}", _held(table))
        block = table.blocks[start.block]
        places = block.places[start.column : start.column + columns.n_values]
        if len(places) < columns.n_values or places[-1] - places[0] != columns.n_values - 1:
            what = f"{len(places):,} columns of one type of number begin at {columns.first}"
            raise wrong(self.path, what, f"{columns.n_values:,} columns of constituents")
        return start

    def _label(self, table: PandasTable) -> Place | None:
        """Return the place of the label; None where the process is the whole file."""
        if self.piece.label is None:
            return None
        name = self.columns.label
        found = None if name is None else table.find(name)
        if found is None:
            raise DataError(
                f"there is no column {name}, which says the process of each event",
                where=str(self.path),
                expected=f"{name}, of which {self.piece.label} is {self.piece.process}",
                fix="is it a file without truth, such as a black box? Then leave `label` out, so "
                "that all its events are of one process",
            )
        return found

    def _steps(self, table: PandasTable) -> Iterator[slice]:
        """Cut the rows into pieces of whole HDF5 chunks."""
        row_bytes = 8 * table.width
        least = max(1, _ROW_BYTES // row_bytes)
        most = max(least, _MAX_ROW_BYTES // row_bytes)
        return chunks(table.n_rows, rows_at_a_time(table.hdf5_chunks, least, most))

    def _events(self, values: NDArray[np.floating], first: int) -> NDArray[np.float32]:
        """Make events of rows of columns, of which the first is the row `first` or behind it."""
        n_features = self.columns.n_values // self.columns.n_constituents
        # A value too large for float32 becomes inf and is then refused as not finite.
        with np.errstate(over="ignore", invalid="ignore"):
            if self.columns.coordinates == "e_px_py_pz":
                momenta = values.reshape(len(values), -1, n_features)
                self._check_momenta(momenta, first)
                filled = pt_eta_phi(momenta).astype(np.float32)
            else:
                filled = values.astype(np.float32).reshape(len(values), -1, n_features)
        self._check_filled(filled, first)
        self._order(filled, first)
        events = np.zeros((len(filled), *self.layout.shape), np.float32)
        events[:, : filled.shape[1]] = filled[:, : self.layout.n_objects]
        return events

    def _check_momenta(self, momenta: NDArray[np.floating], first: int) -> None:
        """Refuse energies that are negative, or too small for a mass that is real."""
        energy = momenta[..., 0].astype(np.float64)
        momentum = np.linalg.norm(momenta[..., 1:].astype(np.float64), axis=-1)
        # Not a number is neither: it is refused when all values are checked.
        is_bad = (energy < 0) | (momentum > energy * (1 + _SAME_ENERGY) + _SAME_ENERGY)
        if is_bad.any():
            event, row = (int(index[0]) for index in np.nonzero(is_bad))
            found, size = energy[event, row], momentum[event, row]
            what = "negative" if found < 0 else f"below the momentum, {size:g} GeV"
            raise self._bad(
                f"the energy of constituent {row}, {found:g} GeV, is {what}",
                first,
                "E >= |p|, so that masses are real",
            )

    def _check_filled(self, events: NDArray[np.float32], first: int) -> None:
        """Refuse events without constituents."""
        # Most files have the hardest one first.
        if events[:, 0, 0].all():
            return
        if not (events[..., 0] != 0).any(axis=1).all():
            raise self._bad("an event has no constituents", first, "one constituent at least")

    def _bad(self, what: str, first: int, expected: str) -> DataError:
        return DataError(
            what,
            where=f"{self.path}, at row {first:,} or behind it",
            expected=expected,
            fix="get the file again, or ask its publisher to correct it",
        )

    def _labels(self, values: NDArray[np.generic]) -> NDArray[np.int64]:
        """Return labels as integers; refuse those of no process where several are stated."""
        with np.errstate(invalid="ignore"):
            labels = values.astype(np.int64)
        is_known = labels == values
        expected = "whole numbers, such as 0 and 1"
        if len(self.labels) > 1:
            is_known &= np.logical_or.reduce([labels == label for label in self.labels])
            stated = " or ".join(str(label) for label in sorted(self.labels))
            expected = f"{stated}, the labels in the manifest"
        if not is_known.all():
            bad = values[np.argmin(is_known)]
            raise wrong(self.path, f"the label of an event is {bad}", expected)
        return labels

    def _order(self, events: NDArray[np.float32], first: int) -> None:
        """Bring constituents into the order of falling pT in place, or refuse others."""
        pt = np.ascontiguousarray(events[..., 0])
        is_rising = pt[:, 1:] > pt[:, :-1] * np.float32(1 + _SAME_PT)
        unsorted = np.flatnonzero(is_rising.any(axis=1))
        if not len(unsorted):
            return
        if not self.columns.sort_by_pt:
            row = int(np.argmax(is_rising[unsorted[0]]))
            low, high = pt[unsorted[0], row : row + 2]
            raise DataError(
                f"pT rises from {low:g} to {high:g} GeV at constituent {row + 1}",
                where=f"{self.path}, at row {first:,} or behind it",
                expected="constituents by falling pT, then zeros",
                fix="sort them in the file, or state `sort_by_pt: true` in `columns` of the "
                "manifest",
            )
        order = np.argsort(-pt[unsorted], axis=1, kind="stable")
        events[unsorted] = np.take_along_axis(events[unsorted], order[..., None], axis=1)
        self.n_sorted += len(unsorted)

    def _no_events(self) -> DataError:
        return DataError(
            f"no event has {self.piece.label} in the column {self.columns.label}",
            where=str(self.path),
            expected=f"events of {self.piece.process}",
            fix="is it the right file, and the right `label` in the manifest?",
        )


def pt_eta_phi(momenta: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return pT, eta and phi of four-momenta; zeros where there is no pT.

    Parameters
    ----------
    momenta : float array, shape (..., 4)
        E, px, py, pz [GeV]; E is not looked at: pT and the angles are those of the momentum.

    Returns
    -------
    float64 array, shape (..., 3)
        pT [GeV], pseudorapidity, phi [rad] from -pi to pi.

    Examples
    --------
    >>> pt_eta_phi(np.array([[5.0, 3.0, 0.0, 4.0], [0.0, 0.0, 0.0, 0.0]])).round(4).tolist()
    [[3.0, 1.0986, 0.0], [0.0, 0.0, 0.0]]
    """
    px, py, pz = (momenta[..., axis].astype(np.float64) for axis in (1, 2, 3))
    pt = np.hypot(px, py)
    ratio = np.divide(pz, pt, out=np.zeros_like(pt), where=pt != 0)
    return np.stack([pt, np.arcsinh(ratio), np.arctan2(py, px)], axis=-1)


def _held(table: PandasTable) -> str:
    names = [name for block in table.blocks for name in block.names or ()]
    listed = ", ".join(names[:5]) if names else "without names that can be read"
    return f"one of its {table.width:,} columns: {listed}"[:200]
