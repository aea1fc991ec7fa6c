"""A board as plain values: CSV, and what tables of pandas are made of."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from harness.board.added import AddedFigures
from harness.board.formats import (
    columns,
    has_added,
    reach_signals,
    rests_on_few,
    signal_cell,
    signal_column,
)
from harness.board.rows import Board, BoardRow, RateCell, SignalCell
from harness.card.figures import NotMeasured
from harness.card.text import spreadsheet_text


def to_csv(board: Board) -> str:
    """Write the rows as CSV: plain numbers, empty where not measured, text that is no formula.

    Beside the columns of the table it has the intervals and the reasons; of a board with details,
    also who handed an entry in, when, and what was decided of it.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    header, rows = table_values(board)
    writer.writerow(header)
    for row in rows:
        writer.writerow([_csv_cell(value) for value in row])
    return out.getvalue()


def table_values(board: Board) -> tuple[list[str], list[list[str | float | int | None]]]:
    """Return the names of all columns, and each row's values: plain numbers, None, raw text."""
    shown = columns(board)
    intervals = [
        f"{signal_column(board, name)}_{edge}"
        for name in board.signals
        for edge in ("lower", "upper")
    ]
    extra = ["best_rank", "worst_rank", "division", "card", *intervals, "reasons", "same_network"]
    extra += ["learning", "method", "signals_seen", "merit_lower", "merit_upper", "low_statistics"]
    extra += _added_names(board) + _rate_names(board) + _reach_names(board)
    details = board.details
    extra += list(_DETAILS) if details is not None else []
    rows: list[list[str | float | int | None]] = []
    for place, row in enumerate(board.rows):
        values: list[str | float | int | None] = [column.value(row) for column in shown]
        values += [row.best_rank, row.worst_rank, row.division, row.card]
        values += _interval_values(row, board.signals)
        values += ["; ".join(row.reasons), "; ".join(row.same_network)]
        values += [row.learning, row.method, row.signals_seen, *_merit_values(row)]
        values.append(rests_on_few(row, board.signals))
        values += _added_values(row, board) + _rate_values(board) + _reach_values(row, board)
        if details is not None:
            known = details.entries[place]
            values += ["; ".join(known.authors), known.description, "; ".join(known.references)]
            values += [known.received, known.scorer_version, details.deadline]
            values += ["; ".join(known.decisions)]
        rows.append(values)
    return [*(column.name for column in shown), *extra], rows


_DETAILS = (
    *("authors", "description", "references"),
    *("received", "scorer_version", "deadline", "decisions"),
)


def _merit_values(row: BoardRow) -> list[float | None]:
    """Return the interval of the merit."""
    merit = row.merit
    return [None, None] if isinstance(merit, NotMeasured) else [merit.lower, merit.upper]


def _interval_values(row: BoardRow, signals: Iterable[str]) -> list[float | None]:
    edges: list[float | None] = []
    for name in signals:
        cell = signal_cell(row, name)
        if isinstance(cell, RateCell | SignalCell):
            edges += [cell.lower, cell.upper]
        else:
            edges += [None, None]
    return edges


_ADDED = (
    *("added_lower", "added_upper"),
    *("added_pure", "added_pure_lower", "added_pure_upper"),
    "fpr_added",
)


def _added_names(board: Board) -> list[str]:
    """Name the columns of what is added to the menu beside the one that tables show."""
    if not has_added(board):
        return []
    edges = ("", "_lower", "_upper")
    return [*_ADDED, *(f"added_{name}{edge}" for name in board.signals for edge in edges)]


def _added_values(row: BoardRow, board: Board) -> list[str | float | int | None]:
    found = row.added
    if not isinstance(found, AddedFigures):
        return [None for _ in _added_names(board)]
    pure = None if isinstance(found.added, NotMeasured) else found.added
    cells = [found.signals[name] for name in board.signals]
    edges = [edge for cell in cells for edge in (cell.value, cell.lower, cell.upper)]
    spans = [found.lower, found.upper, pure, found.added_lower, found.added_upper]
    return [*spans, found.fpr_added, *edges]


def _rate_names(board: Board) -> list[str]:
    """Name the columns of the rate that the rows are shown at, where it is one in kHz."""
    return [] if board.shown_rate_khz is None else ["rate_khz", "fpr"]


def _rate_values(board: Board) -> list[str | float | int | None]:
    return [] if board.shown_rate_khz is None else [board.shown_rate_khz, board.shown_point]


def _reach_names(board: Board) -> list[str]:
    """Name the columns of the injected events that evidence (3 sigma, global) takes."""
    edges = ("", "_lower", "_upper")
    return [f"reach_{name}{edge}" for name in reach_signals(board) for edge in edges]


def _reach_values(row: BoardRow, board: Board) -> list[str | float | int | None]:
    """Return numbers and intervals; of a number that is not reached, how many are too few."""
    values: list[str | float | int | None] = []
    for name in reach_signals(board):
        cell = row.reach.get(name)
        if cell is None:
            values += [None, None, None]
        else:
            least = cell.n_events if cell.lower is None else cell.lower
            values += [cell.value, least, cell.upper]
    return values


def _csv_cell(value: str | float | None) -> str:
    if value is None:
        return ""
    return spreadsheet_text(value) if isinstance(value, str) else repr(value)
