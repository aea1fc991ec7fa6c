"""Efficiency against cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.board.formats import (
    METRIC_TITLES,
    amount,
    figure_of,
    figures_text,
    rests_on_few,
    signal_cell,
)
from harness.board.published import firmware_of_collisions
from harness.board.rows import Board, BoardRow
from harness.card.figures import NotMeasured
from harness.card.text import visible
from harness.challenge import Budget, CpuTarget, NoTarget, Target
from leaderboard_app import charts
from leaderboard_app.blocks import Note, Picture
from leaderboard_app.charts import Mark, TradePoint
from leaderboard_app.views.common import Href, rank_words


@dataclass(frozen=True, kw_only=True, slots=True)
class CostAxis:
    """A cost that is drawn: its name, the title of its axis, and the field of a row with it."""

    name: str
    title: str
    field: str


COSTS: Mapping[str, CostAxis] = {
    "latency": CostAxis(name="Latency", title="Latency [ns]", field="latency_ns"),
    "lut": CostAxis(name="LUT", title="LUT", field="lut"),
    "cpu": CostAxis(name="CPU time", title="CPU time per event [ms]", field="processor_ms"),
    "flops": CostAxis(name="FLOPs", title="FLOPs per event", field="flops"),
    "bops": CostAxis(name="Bit operations", title="Bit operations per event", field="bops"),
}


def costs_of(board: Board) -> list[str]:
    """Names of the `COSTS` that entries have on the board's target."""
    match board.target:
        case Target():
            return ["latency", "lut", "flops", "bops"]
        case CpuTarget():
            return ["cpu", "flops", "bops"]
        case NoTarget():
            return ["flops", "bops"]


def efficiencies(board: Board) -> dict[str, str]:
    """How each efficiency that can be drawn is printed: the merit, then each signal's TPR."""
    return {
        "merit": "Merit",
        **{
            name: f"{board.ranked_merit.title} {visible(title)}"
            for name, title in board.signals.items()
        },
    }


def trade_off_picture(board: Board, cost: str, efficiency: str, href: Href) -> Picture:
    """Draw an efficiency (``merit`` or a signal) against a cost of `COSTS`.

    Parameters
    ----------
    href : callable
        Address of the page of ``(team, card)``, where a point leads.
    """
    points = [
        point
        for row in board.rows
        if (point := _trade_point(row, board, cost, efficiency, href)) is not None
    ]
    name = efficiencies(board)[efficiency]
    if efficiency == "merit":
        name = METRIC_TITLES.get(board.metric, board.metric)
    return charts.trade_off(
        points,
        x_title=COSTS[cost].title,
        y_title=name + figures_text(board).removeprefix(board.ranked_merit.title),
        marks=_marks(board, cost),
    )


def _marks(board: Board, cost: str) -> list[Mark]:
    """Return the limits of a cost, and what was published of it for ADC2021."""
    match board.target, cost:
        case Target(max_latency_ns=limit), "latency":
            mark = Mark(x=limit, text=f"limit {amount(limit)} ns", is_limit=True)
            return [mark, *_published_marks()] if board.is_of_collisions else [mark]
        case Target(budget=Budget(lut=int(budget))), "lut":
            return [Mark(x=float(budget), text=f"budget {budget:,} LUT", is_limit=True)]
        case CpuTarget(max_time_ms=float(limit)), "cpu":
            return [Mark(x=limit, text=f"limit {amount(limit)} ms", is_limit=True)]
    return []


def _published_marks() -> list[Mark]:
    return [
        Mark(x=one.latency_ns, text=f"published: {one.title}", is_limit=False)
        for one in firmware_of_collisions()
    ]


def trade_off_notes(board: Board) -> list[Note]:
    """Say how the charts of `trade_off_picture` are read."""
    notes = [
        Note(
            text="The line joins the ranked entries that no other beats in both figures drawn. A "
            "circle is on the Pareto front of merit and all costs together, so it may lie off "
            "the line. Bars are 95 % intervals; a TPR of 0 lies on the lower edge, below its "
            "upper limit, and a cost of 0 on the left edge. Entries of equal cost are drawn up to "
            "1.5 % apart, so that their bars can be seen; the line is drawn at the costs "
            "themselves. A hollow symbol has low statistics. A point leads to its entry's page."
        )
    ]
    if not isinstance(board.target, Target):
        return notes
    limit = amount(board.target.max_latency_ns)
    if not board.is_of_collisions:
        return [*notes, Note(text=f"Latency: dashed, the contest's limit of {limit} ns.")]
    return [
        *notes,
        Note(
            text=f"Latency: dashed, the contest's limit of {limit} ns; dotted, the latencies of "
            "published firmware, which the table below names. They have no efficiency here."
        ),
    ]


def _trade_point(
    row: BoardRow, board: Board, cost: str, efficiency: str, href: Href
) -> TradePoint | None:
    x = figure_of(getattr(row, COSTS[cost].field))
    cell = row.merit if efficiency == "merit" else signal_cell(row, efficiency)
    if x is None or cell is None or isinstance(cell, NotMeasured):
        return None
    return TradePoint(
        team=visible(row.team),
        title=visible(row.title),
        rank=rank_words(row),
        x=float(x),
        y=float(figure_of(cell) or 0.0),
        lower=cell.lower,
        upper=cell.upper,
        is_ranked=row.rank is not None,
        is_front=row.is_pareto,
        is_supervised=row.learning == "supervised",
        is_low=rests_on_few(row, board.signals if efficiency == "merit" else (efficiency,)),
        href=href(row.team, row.card),
    )
