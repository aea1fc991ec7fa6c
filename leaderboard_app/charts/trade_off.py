"""Efficiency against cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from leaderboard_app.blocks import Cell, Picture
from leaderboard_app.charts.base import (
    ALERT,
    GREY,
    INK,
    LABEL,
    N_SPECS,
    Row,
    Spec,
    count_axis,
    finish,
    interval_tips,
    legend_of,
    log_axis,
    of,
    rule_text,
)

if TYPE_CHECKING:
    import altair as alt

FRONT = "#009e73"
STATUS = ("on the Pareto front", "ranked", "not ranked")
# More names than these would overlap.
_MOST_LABELS = 14
# How far apart points of equal cost stand, as a part of the axis: seven pixels of a thousand.
_APART = 0.007


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


def trade_off(
    points: Sequence[TradePoint], *, x_title: str, y_title: str, marks: Sequence[Mark] = ()
) -> Picture:
    """Draw efficiency against cost on log axes with the Pareto front of the two.

    What is 0 stands on the edge: efficiencies and ends of intervals below, costs on the left.
    Entries of equal cost stand side by side, so that their intervals can be told apart.
    """
    across = [point.x for point in points] + [mark.x for mark in marks]
    places = _side_by_side([point.x for point in points], _domain(across))
    rows = [_row(point, place) for point, place in zip(points, places, strict=True)]
    front = _front(points, places)
    upward = [edge for point in points for edge in (point.y, point.lower or 0, point.upper or 0)]
    return Picture(
        spec=_spec(x_title, y_title, _domain(across), _domain(upward)),
        datasets={
            "points": rows,
            "front": front,
            "names": front[:_MOST_LABELS],
            "limits": [{"x": one.x, "text": one.text} for one in marks if one.is_limit],
            "published": [{"x": one.x, "text": one.text} for one in marks if not one.is_limit],
        },
        height=520,
        alt=f"{y_title} against {x_title} for {len(points)} entries, both axes logarithmic. "
        f"{len(front)} of them are on the front that no other entry beats in both.",
        fields={
            "status": "Status",
            "team": "Team",
            "title": "Title",
            "rank": "Rank",
            "x": x_title,
            "y": y_title,
            "lower": "95 % from",
            "upper": "to",
        },
    )


def _side_by_side(costs: Sequence[float], domain: tuple[float, float]) -> list[float]:
    """Return where points stand: those of equal cost a little apart, those of none on the left."""
    low, high = domain
    step = (high / low) ** _APART
    n_equal, n_placed = Counter(costs), Counter[float]()
    places = []
    for cost in costs:
        at = float(n_placed[cost])
        n_placed[cost] += 1
        if cost > 0:
            at -= (n_equal[cost] - 1) / 2
        places.append(max(cost, low) * step**at)
    return places


def _row(point: TradePoint, place: float) -> Row:
    return {
        "cost": place,
        "team": point.team,
        "title": point.title,
        "rank": point.rank,
        "x": point.x,
        "y": point.y,
        "lower": point.lower,
        "upper": point.upper,
        "status": STATUS[0] if point.is_front else STATUS[1] if point.is_ranked else STATUS[2],
    }


def _front(points: Sequence[TradePoint], places: Sequence[float]) -> list[Row]:
    """Ranked points that none beats in both axes, by rising cost."""
    front: list[dict[str, Cell]] = []
    best = 0.0
    placed = zip(points, places, strict=True)
    ranked = (pair for pair in placed if pair[0].is_ranked)
    for point, place in sorted(ranked, key=lambda pair: (pair[0].x, -pair[0].y)):
        if point.y > best:
            front.append({"x": place, "y": point.y, "team": point.team})
            best = point.y
    return list(front)


def _domain(values: Sequence[float]) -> tuple[float, float]:
    """Return a logarithmic domain with some room around the values."""
    positive = [value for value in values if value > 0]
    if not positive:
        return 1.0, 10.0
    low, high = min(positive), max(positive)
    room = max((high / low) ** 0.06, 1.25)
    return low / room, high * room


@lru_cache(maxsize=N_SPECS)
def _spec(
    x_title: str, y_title: str, across: tuple[float, float], upward: tuple[float, float]
) -> Spec:
    import altair as alt

    x_scale = alt.Scale(type="log", nice=False, domain=list(across))
    x_axis = count_axis(x_title)
    x = alt.X("x:Q", scale=x_scale, axis=x_axis)
    scale = alt.Scale(type="log", nice=False, domain=list(upward))
    y_axis = log_axis(y_title)
    y = alt.Y("y:Q", scale=scale, axis=y_axis)
    edge = upward[0]
    points = of("points").transform_calculate(
        low=f"max(datum.lower, {edge})",
        at=f"max(datum.y, {edge})",
    )
    x_of_point = alt.X("cost:Q", scale=x_scale, axis=x_axis)
    whiskers = (
        points.transform_filter("isValid(datum.lower)")
        .mark_rule(opacity=0.5, strokeWidth=1.5)
        .encode(x=x_of_point, y=alt.Y("low:Q"), y2=alt.Y2("upper:Q"), color=_status_colour())
    )
    symbols = points.mark_point(filled=True, size=110, opacity=0.95).encode(
        x=x_of_point,
        y=alt.Y("at:Q", scale=scale, axis=y_axis),
        color=_status_colour(),
        shape=alt.Shape(
            "status:N",
            scale=alt.Scale(domain=list(STATUS), range=["circle", "square", "cross"]),
            legend=legend_of(STATUS),
        ),
        tooltip=[
            alt.Tooltip("team:N", title="team"),
            alt.Tooltip("title:N", title="title"),
            alt.Tooltip("rank:N", title="rank"),
            alt.Tooltip("x:Q", title=x_title, format=",.6~g"),
            alt.Tooltip("y:Q", title=y_title, format=".3~g"),
            *interval_tips(),
        ],
    )
    front = (
        of("front")
        .mark_line(interpolate="step-after", color=FRONT, opacity=0.7, strokeWidth=2)
        .encode(x=x, y=y)
    )
    names = (
        of("names")
        .mark_text(align="left", dx=9, dy=-9, fontSize=LABEL, color=INK, opacity=0.8)
        .encode(x=x, y=y, text=alt.Text("team:N"))
    )
    limits = of("limits").mark_rule(color=ALERT, strokeDash=[6, 4], strokeWidth=1.5).encode(x=x)
    published = (
        of("published").mark_rule(color=GREY, strokeDash=[2, 3], strokeWidth=1.5).encode(x=x)
    )
    texts = (rule_text("limits", is_left=True), rule_text("published", is_left=False))
    return finish(alt.layer(whiskers, front, limits, published, symbols, names, *texts))


def _status_colour() -> alt.Color:
    import altair as alt

    return alt.Color(
        "status:N",
        scale=alt.Scale(domain=list(STATUS), range=[FRONT, "#56b4e9", GREY]),
        legend=legend_of(STATUS),
    )
