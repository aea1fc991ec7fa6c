"""Efficiency against cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leaderboard_app.blocks import Cell, Picture
from leaderboard_app.charts.base import (
    ACCENT,
    ALERT,
    GREY,
    LABEL,
    count_axis,
    data_of,
    legend_of,
    log_axis,
    rule_text,
)

if TYPE_CHECKING:
    import altair as alt


@dataclass(frozen=True, kw_only=True, slots=True)
class TradePoint:
    """One entry: a cost on x, an efficiency on y with its interval."""

    team: str
    title: str
    rank: str
    x: float
    y: float
    lower: float | None
    upper: float | None
    is_ranked: bool
    is_front: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """A vertical line at `x` with its text: a limit of the contest, or a published figure."""

    x: float
    text: str
    is_limit: bool


STATUS = ("on the Pareto front", "ranked", "not ranked")


def trade_off(
    points: Sequence[TradePoint], *, x_title: str, y_title: str, marks: Sequence[Mark] = ()
) -> Picture:
    """Draw efficiency against cost on log axes with the Pareto front of the two.

    Points with a value of 0 can't be drawn on log axes; they are in the table.
    """
    import altair as alt

    rows = [_trade_row(point) for point in points]
    drawn = [row for row, point in zip(rows, points, strict=True) if point.x > 0 and point.y > 0]
    base = alt.Chart(data_of(drawn))
    across = [point.x for point in points] + [mark.x for mark in marks]
    upward = [edge for point in points for edge in (point.y, point.lower or 0, point.upper or 0)]
    x = alt.X(
        "x:Q",
        scale=alt.Scale(type="log", nice=False, domain=_domain(across)),
        axis=count_axis(x_title),
    )
    y = alt.Y(
        "y:Q",
        scale=alt.Scale(type="log", nice=False, domain=_domain(upward)),
        axis=log_axis(y_title),
    )
    tooltip = [
        alt.Tooltip("team:N", title="team"),
        alt.Tooltip("title:N", title="title"),
        alt.Tooltip("rank:N", title="rank"),
        alt.Tooltip("x:Q", title=x_title, format=",.6~g"),
        alt.Tooltip("y:Q", title=y_title, format=".3~g"),
        alt.Tooltip("lower:Q", title="95 % from", format=".3~g"),
        alt.Tooltip("upper:Q", title="to", format=".3~g"),
    ]
    whiskers = (
        base.transform_filter("isValid(datum.lower) && datum.lower > 0")
        .mark_rule(opacity=0.35, strokeWidth=1.5)
        .encode(x=x, y=alt.Y("lower:Q"), y2="upper:Q", color=_status_colour())
    )
    symbols = base.mark_point(filled=True, size=110, opacity=0.95).encode(
        x=x,
        y=y,
        color=_status_colour(),
        shape=alt.Shape(
            "status:N",
            scale=alt.Scale(domain=list(STATUS), range=["circle", "square", "cross"]),
            legend=legend_of(STATUS),
        ),
        tooltip=tooltip,
    )
    front = list(_front(points))
    layers: list[alt.Chart] = [whiskers]
    if len(front) > 1:
        layers.append(
            alt.Chart(data_of(front))
            .mark_line(interpolate="step-after", color=ACCENT, opacity=0.6, strokeWidth=2)
            .encode(x="x:Q", y="y:Q")
        )
    layers.append(symbols)
    layers.append(
        alt.Chart(data_of(front[:14]))
        .mark_text(align="left", dx=9, dy=-9, fontSize=LABEL, color=GREY)
        .encode(x="x:Q", y="y:Q", text="team:N")
    )
    layers += [layer for mark in marks for layer in _vertical(mark)]
    columns = ("Team", "Title", "Rank", x_title, y_title, "95 % from", "to", "Status")
    return Picture(
        chart=alt.layer(*layers).properties(height=520),
        alt=f"{y_title} against {x_title} for {len(points)} entries, both axes logarithmic. "
        f"{len(front)} of them are on the front that no other entry beats in both.",
        columns=columns,
        rows=[tuple(row.values()) for row in rows],
    )


def _trade_row(point: TradePoint) -> dict[str, Cell]:
    status = STATUS[0] if point.is_front else STATUS[1] if point.is_ranked else STATUS[2]
    return {
        "team": point.team,
        "title": point.title,
        "rank": point.rank,
        "x": point.x,
        "y": point.y,
        "lower": point.lower,
        "upper": point.upper,
        "status": status,
    }


def _status_colour() -> alt.Color:
    import altair as alt

    return alt.Color(
        "status:N",
        scale=alt.Scale(domain=list(STATUS), range=[ACCENT, "#56b4e9", GREY]),
        legend=legend_of(STATUS),
    )


def _front(points: Sequence[TradePoint]) -> list[dict[str, Cell]]:
    """Ranked points that none beats in both axes, by rising cost."""
    front: list[dict[str, Cell]] = []
    best = 0.0
    ranked = (point for point in points if point.is_ranked and point.x > 0)
    for point in sorted(ranked, key=lambda one: (one.x, -one.y)):
        if point.y > best:
            front.append({"x": point.x, "y": point.y, "team": point.team})
            best = point.y
    return front


def _vertical(mark: Mark) -> list[alt.Chart]:
    import altair as alt

    line = (
        alt.Chart(data_of([{"x": mark.x}]))
        .mark_rule(
            color=ALERT if mark.is_limit else GREY,
            strokeDash=[6, 4] if mark.is_limit else [2, 3],
            strokeWidth=1.5,
        )
        .encode(x="x:Q")
    )
    return [line, rule_text(mark.x, mark.text, is_left=mark.is_limit)]


def _domain(values: Sequence[float]) -> list[float]:
    """Return a logarithmic domain with some room around the values."""
    positive = [value for value in values if value > 0]
    if not positive:
        return [1.0, 10.0]
    low, high = min(positive), max(positive)
    room = max((high / low) ** 0.06, 1.25)
    return [low / room, high * room]
