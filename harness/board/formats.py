"""A board as a terminal table, Markdown and JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from pydantic import JsonValue

from harness.board.added import AddedFigures
from harness.board.rows import (
    DECLARED_TITLE,
    AmountCell,
    Board,
    BoardRow,
    MeritCell,
    RateCell,
    SignalCell,
    describe_lead,
)
from harness.card.figures import NotMeasured
from harness.card.text import markdown_text, visible
from harness.challenge import (
    AGGREGATE_TITLES,
    MERIT_KINDS,
    RESOURCE_TITLES,
    CpuTarget,
    EfficiencyAtRate,
    Merit,
    NoTarget,
    Target,
    TprAtFpr,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

    from harness.card.terminal import FittingTable

DASH = "–"
EVIDENCE_TITLES = {
    "estimate": "estimate",
    "rtl": "RTL",
    "csynth": "C synthesis",
    "post_synth": "post-synthesis",
    "post_route": "post-route",
}


def percent(value: float) -> str:
    """Write a rate in per cent with three digits.

    Examples
    --------
    >>> percent(0.0), percent(0.000_123_4), percent(0.25), percent(1e-5)
    ('0 %', '0.0123 %', '25 %', '0.001 %')
    """
    text = f"{100 * value:.3g}"
    if "e" in text:
        text = f"{100 * value:.7f}".rstrip("0")
    return f"{text} %"


def amount(value: float) -> str:
    """Write a count or a time with its thousands set apart; parts of a unit to four digits.

    Examples
    --------
    >>> amount(394080.0), amount(2.5), amount(40.384)
    ('394,080', '2.5', '40.38')
    """
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.4g}"


def rank_text(row: BoardRow) -> str:
    """Write a rank with its interval: ``3 (1–6)``; a dash where there is none."""
    if row.rank is None:
        return DASH
    return f"{row.rank} ({row.best_rank}–{row.worst_rank})"


Cell = (
    AddedFigures | MeritCell | RateCell | SignalCell | AmountCell | NotMeasured | float | int | None
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column of every table of the board.

    Attributes
    ----------
    name : str
        In CSV and in the browser.
    title : str
        As printed.
    value : callable
        The figure for CSV and sorting: a number, text or None.
    text : callable
        As printed.
    is_text : bool
        It shows words, some of which others wrote, and no figure.
    """

    name: str
    title: str
    value: Callable[[BoardRow], str | float | int | None]
    text: Callable[[BoardRow], str]
    is_text: bool = False


def columns(board: Board) -> list[Column]:
    """Return the columns of a board's tables, in their order."""
    metric = METRIC_TITLES.get(board.metric, board.metric)
    write = partial(merit_text, board.ranked_merit)
    return [
        Column(name="rank", title="Rank", value=lambda row: row.rank, text=rank_text),
        _text_column("team", "Team", lambda row: row.team),
        _text_column("title", "Title", lambda row: row.title),
        _figure_column("merit", metric, lambda row: row.merit, write),
        *_added_columns(board),
        *(_signal_column(board, name, title) for name, title in board.signals.items()),
        _figure_column("mean_auc", "Mean AUC", lambda row: row.mean_auc, "{:.3f}".format),
        *_target_columns(board),
        _text_column("isolation", "Isolation", lambda row: row.isolation),
        _text_column("created", "Scored", lambda row: row.created),
    ]


def has_added(board: Board) -> bool:
    """Whether the entries of a board are compared with a menu."""
    return any(row.added is not None for row in board.rows)


def reach_signals(board: Board) -> tuple[str, ...]:
    """Return the signals of which some entry says how many events give 3 sigma."""
    return tuple(name for name in board.signals if any(name in row.reach for row in board.rows))


def _added_columns(board: Board) -> list[Column]:
    """Return the column of what an entry adds to the menu, where there is one."""
    if not has_added(board):
        return []
    return [_figure_column("added", "Added", lambda row: row.added, percent)]


def _target_columns(board: Board) -> list[Column]:
    """Return the columns of what an entry costs on the gate, and its FLOPs."""
    flops = _figure_column("flops", "FLOPs", lambda row: row.flops)
    match board.target:
        case Target():
            return [
                _figure_column("latency_ns", "Latency [ns]", lambda row: row.latency_ns),
                _figure_column("interval_cycles", "II [cycles]", lambda row: row.interval_cycles),
                *(_resource_column(name, title) for name, title in RESOURCE_TITLES.items()),
                flops,
                _text_column("evidence", "Evidence", _evidence),
            ]
        case CpuTarget():
            return [_figure_column("processor_ms", "CPU [ms]", lambda row: row.processor_ms), flops]
        case NoTarget():
            return [flops]


METRIC_TITLES = {
    f"{aggregate}_{kind.name}": f"{title} {kind.title}".strip()
    for aggregate, title in AGGREGATE_TITLES.items()
    for kind in MERIT_KINDS
}


def merit_text(merit: Merit, value: float) -> str:
    """Write a figure of merit: a share in per cent, another to four digits.

    Examples
    --------
    >>> from harness.challenge import MaxSic, MistagAtTpr
    >>> merit_text(MistagAtTpr(tpr=0.4), 0.0213), merit_text(MaxSic(), 13.6349)
    ('2.13 %', '13.63')
    """
    return percent(value) if merit.is_share else f"{value:.4g}"


def _evidence(row: BoardRow) -> str:
    return DASH if row.evidence is None else EVIDENCE_TITLES[row.evidence]


def _text_column(name: str, title: str, value: Callable[[BoardRow], str]) -> Column:
    return Column(
        name=name, title=title, value=value, text=lambda row: visible(value(row)), is_text=True
    )


def _figure_column(
    name: str, title: str, cell: Callable[[BoardRow], Cell], write: Callable[[float], str] = amount
) -> Column:
    def text(row: BoardRow) -> str:
        figure = figure_of(cell(row))
        return DASH if figure is None else write(figure)

    return Column(name=name, title=title, value=lambda row: figure_of(cell(row)), text=text)


def figure_of(cell: Cell) -> float | int | None:
    """Return the figure of a cell; None where nothing was measured."""
    match cell:
        case NotMeasured():
            return None
        case RateCell():
            return cell.tpr
        case MeritCell() | SignalCell() | AmountCell():
            return cell.value
        case AddedFigures():
            return cell.total
        case _:
            return cell


def _signal_column(board: Board, signal: str, title: str) -> Column:
    merit = board.ranked_merit
    return _figure_column(
        signal_column(board, signal),
        f"{merit.title} {visible(title)}",
        lambda row: signal_cell(row, signal),
        partial(merit_text, merit),
    )


def signal_column(board: Board, signal: str) -> str:
    """Name the column of one signal's figure: ``tpr_ato4l``."""
    return f"{board.ranked_merit.name}_{signal}"


def signal_cell(row: BoardRow, signal: str) -> RateCell | SignalCell | NotMeasured | None:
    """Return what is ranked of one signal."""
    return (row.merits or row.rates).get(signal)


def rests_on_few(row: BoardRow, signals: Iterable[str]) -> bool:
    """Tell whether the shown figure of one of `signals` has low statistics."""
    cells = (signal_cell(row, name) for name in signals)
    return any(isinstance(one, RateCell | SignalCell) and one.is_low_statistics for one in cells)


def figures_text(board: Board) -> str:
    """Say what a board's columns of signals show: ``TPR at FPR 1e-5``."""
    merit = board.ranked_merit
    if isinstance(merit, TprAtFpr | EfficiencyAtRate):
        return merit.describe_at(board.shown_point)
    return merit.describe()


def _resource_column(name: str, title: str) -> Column:
    return _figure_column(name, title, lambda row: getattr(row, name))


def to_json(board: Board) -> str:
    """Write the whole board as JSON; its schema is that of `Board`."""
    return board.model_dump_json()


def json_schema() -> dict[str, JsonValue]:
    """JSON Schema of `to_json`'s document."""
    schema: dict[str, JsonValue] = json.loads(json.dumps(Board.model_json_schema()))
    return schema


def to_markdown(board: Board) -> str:
    """Write the board as a Markdown table with the reasons of the unranked below it."""
    shown = columns(board)
    lines = [
        f"**{markdown_text(board.title)}**, {figures_text(board)}. "
        + markdown_text(describe_lead(board)),
        "",
        "| " + " | ".join(markdown_text(column.title) for column in shown) + " |",
        "|" + " --- |" * len(shown),
    ]
    lines += _markdown_rows(shown, board.measured)
    if board.declared:
        lines += ["", DECLARED_TITLE + ":", "", *lines[2:4]]
        lines += _markdown_rows(shown, board.declared)
    without = [row for row in board.rows if row.reasons]
    if without:
        lines += ["", "Not ranked:", ""]
        lines += [
            f"- {markdown_text(row.team)}: {markdown_text('; '.join(row.reasons))}"
            for row in without
        ]
    return "\n".join([*lines, "", *(markdown_text(note) for note in board.notes), ""])


def _markdown_rows(shown: Sequence[Column], rows: Iterable[BoardRow]) -> list[str]:
    return [
        "| " + " | ".join(_markdown_cell(column, row) for column in shown) + " |" for row in rows
    ]


def _markdown_cell(column: Column, row: BoardRow) -> str:
    text = column.text(row)
    return markdown_text(text) if column.is_text else text


def terminal_view(board: Board) -> RenderableType:
    """Draw the board for a terminal: a table, the reasons, and what the ranks promise."""
    from rich.console import Group
    from rich.text import Text

    reasons = [
        Text(f"{row.team} is not ranked: " + visible("; ".join(row.reasons)), style="dim")
        for row in board.rows
        if row.reasons
    ]
    closing = [Text(describe_lead(board), style="bold"), *(Text(note) for note in board.notes)]
    apart = []
    if board.declared:
        apart = [_terminal_table(board, board.declared, DECLARED_TITLE)]
    title = f"{visible(board.title)}: {_in_percent(board)}"
    shown = _terminal_table(board, board.measured, title)
    return Group(shown, *apart, *reasons, *closing)


def _terminal_table(board: Board, rows: Sequence[BoardRow], title: str) -> FittingTable:
    from harness.card.terminal import FittingTable, Heading

    shown = [column for column in columns(board) if column.name not in TERMINAL_SKIPS]
    prefix = f"{board.ranked_merit.title} "
    return FittingTable(
        title=title,
        headings=[
            Heading(
                title=_TERMINAL_TITLES.get(column.name, column.title).removeprefix(prefix),
                rank=_TERMINAL_RANKS.get(column.name, _SIGNAL_RANK),
                is_text=column.is_text and column.name not in _TERMINAL_WHOLE,
                justify="left" if column.is_text else "right",
            )
            for column in shown
        ],
        rows=[[column.text(row).removesuffix(" %") for column in shown] for row in rows],
        styles=["" if row.rank is not None else "dim" for row in rows],
        is_simple=True,
    )


def _in_percent(board: Board) -> str:
    """Say what the signals' columns show, whose cells leave out the sign of per cent."""
    merit = board.ranked_merit
    title = f"{merit.title} in %" if merit.is_share else merit.title
    return title + figures_text(board).removeprefix(merit.title)


# A terminal of 120 columns holds these; the rest is in --csv and --json.
TERMINAL_SKIPS = {"title", "isolation", "created", "ff", "bram18", "flops"}
_TERMINAL_TITLES = {
    "merit": "Merit",
    "mean_auc": "AUC",
    "interval_cycles": "II",
    "latency_ns": "ns",
}
_TERMINAL_WHOLE = {"rank", "team", "evidence"}
# What a narrower one leaves out first has the highest rank; rank, team and merit always stay.
_TERMINAL_RANKS = {
    "rank": 0,
    "team": 0,
    "merit": 0,
    "added": 1,
    "latency_ns": 1,
    "lut": 2,
    "mean_auc": 3,
    "processor_ms": 1,
    "dsp": 6,
    "interval_cycles": 7,
    "evidence": 8,
}
_SIGNAL_RANK = 5
