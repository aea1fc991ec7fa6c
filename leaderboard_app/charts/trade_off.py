"""Efficiency against cost."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from leaderboard_app.blocks import Picture
from leaderboard_app.charts.base import (
    ALERT,
    FEW,
    GREY,
    INK,
    LABEL,
    N_SPECS,
    Row,
    Spec,
    count_axis,
    finish,
    hollow_if_few,
    interval_tips,
    legend_of,
    log_axis,
    of,
    rule_text,
    zero_y,
)

if TYPE_CHECKING:
    import altair as alt

FRONT = "#009e73"
STATUS = ("on the Pareto front", "ranked", "not ranked", "supervised control")
# How far apart points of equal cost are drawn, as a part of the axis, and the farthest from their
# cost: their intervals can be seen, and no point seems to have another cost.
_APART = 0.004
_FARTHEST = 0.015
# Charts of a wide window, of a small one and of a phone, from which width on each is meant, and
# labels, in pixels: labels that would overlap are left out.
_WIDTHS = {720: 1000.0, 420: 560.0, 0: 250.0}
_HEIGHT = 390.0
_LETTER, _LINE, _ASIDE, _ABOVE, _SYMBOL = 7.5, 16.0, 9.0, 9.0, 6.0


@dataclass(frozen=True, kw_only=True, slots=True)
class TradePoint:
    """One entry: a cost on x, an efficiency on y with its interval; hollow if `is_low`."""

    team: str
    title: str
    rank: str
    x: float
    y: float
    lower: float | None
    upper: float | None
    is_ranked: bool
    is_front: bool
    is_supervised: bool = False
    is_low: bool = False
    href: str = ""


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

    What is 0 is drawn on the edge: efficiencies and ends of intervals below, costs on the left.
    Entries of equal cost are drawn a little apart, so that their intervals can be seen; the front
    is drawn at the costs themselves.
    """
    across = _domain([point.x for point in points] + [mark.x for mark in marks])
    line = _front(points)
    places = _side_by_side(points, line, across)
    rows = [_row(point, place) for point, place in zip(points, places, strict=True)]
    front = [_corner(point, across[0]) for point in line]
    upward = _domain(
        [edge for point in points for edge in (point.y, point.lower or 0, point.upper or 0)],
        has_zero=any(point.y <= 0 for point in points),
    )
    # Names that would lie on others are left out: of the front and of controls come first.
    named = [*line, *(point for point in points if point not in line)]
    named.sort(key=lambda point: (point not in line, not point.is_supervised, not point.is_front))
    return Picture(
        spec=_spec(x_title, y_title, across, upward),
        datasets={
            "points": rows,
            "front": front,
            "names": [
                {**row, "from": least, "to": most}
                for least, most in _spans()
                for row in _names(named, points, across, upward, width=_WIDTHS[least])
            ],
            "limits": [{"x": one.x, "text": one.text} for one in marks if one.is_limit],
            "zeros": [{"y": upward[0]}] if any(point.y <= 0 for point in points) else [],
            "published": [{"x": one.x, "text": one.text} for one in marks if not one.is_limit],
        },
        height=520,
        alt=f"{y_title} against {x_title} for {len(points)} entries, both axes logarithmic. "
        f"{len(front)} of them are on the front that no other entry beats in both.",
        fields={
            "status": "Status",
            "statistics": "Statistics",
            "team": "Team",
            "title": "Title",
            "rank": "Rank",
            "x": x_title,
            "y": y_title,
            "lower": "95 % from",
            "upper": "to",
        },
    )


def _side_by_side(
    points: Sequence[TradePoint], line: Sequence[TradePoint], domain: tuple[float, float]
) -> list[float]:
    """Return where points are drawn: those of equal cost a little apart, those of none on the left.

    One that the line goes through is drawn at its cost, the others on either side of it.
    """
    low, high = domain
    n_equal = Counter(point.x for point in points)
    n_placed = Counter(point.x for point in line)
    places = []
    for point in points:
        place = 0 if point in line else n_placed[point.x]
        n_placed[point.x] += point not in line
        outermost = max(1, n_equal[point.x] // 2)
        step = min(_APART * math.log(high / low), math.log1p(_FARTHEST) / outermost)
        away = (place + 1) // 2 * (1 if place % 2 else -1)
        places.append(max(point.x, low) * math.exp(step * away))
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
        "status": _status(point),
        "statistics": FEW if point.is_low else "enough",
        "href": point.href,
    }


def _status(point: TradePoint) -> str:
    if point.is_supervised:
        return STATUS[3]
    return STATUS[0] if point.is_front else STATUS[1] if point.is_ranked else STATUS[2]


def _front(points: Sequence[TradePoint]) -> list[TradePoint]:
    """Ranked points that none beats in both axes, by rising cost."""
    front: list[TradePoint] = []
    best = 0.0
    ranked = (point for point in points if point.is_ranked)
    for point in sorted(ranked, key=lambda point: (point.x, -point.y)):
        if point.y > best:
            front.append(point)
            best = point.y
    return front


def _corner(point: TradePoint, left: float) -> Row:
    return {"x": max(point.x, left), "y": point.y, "team": point.team}


def _spans() -> list[tuple[int, int]]:
    """Return from which width on labels are placed for a chart, and below which."""
    ends = sorted(_WIDTHS)
    return list(zip(ends, [*ends[1:], 100_000], strict=True))


def _names(
    named: Sequence[TradePoint],
    points: Sequence[TradePoint],
    across: tuple[float, float],
    upward: tuple[float, float],
    *,
    width: float,
) -> list[Row]:
    """Label points to the right or to the left, where no other label or, if it can be, point is."""
    symbols = [_pixels(point, across, upward, width) for point in points]
    taken: list[_Box] = []
    rows: list[Row] = []
    for point in named:
        at = _pixels(point, across, upward, width)
        boxes = {
            side: _Box.of_label(at, len(point.team), is_left=is_left)
            for side, is_left in (("right", False), ("left", True))
        }
        free = {
            side: box
            for side, box in boxes.items()
            if box.left > 0 and box.right < width and not any(box.meets(one) for one in taken)
        }
        if not free:
            continue
        side = min(free, key=lambda side: sum(free[side].holds(*one) for one in symbols))
        taken.append(free[side])
        rows.append({**_corner(point, across[0]), "y": max(point.y, upward[0]), "side": side})
    return rows


@dataclass(frozen=True, kw_only=True, slots=True)
class _Box:
    """Where a label lies, in pixels from the chart's lower left corner."""

    left: float
    right: float
    bottom: float

    @classmethod
    def of_label(cls, at: tuple[float, float], n_letters: int, *, is_left: bool) -> _Box:
        x, y = at
        start = x - _ASIDE - n_letters * _LETTER if is_left else x + _ASIDE
        return cls(left=start, right=start + n_letters * _LETTER, bottom=y + _ABOVE - _LINE / 2)

    def meets(self, other: _Box) -> bool:
        across = self.left < other.right and other.left < self.right
        return across and abs(self.bottom - other.bottom) < _LINE

    def holds(self, x: float, y: float) -> bool:
        across = self.left - _SYMBOL < x < self.right + _SYMBOL
        return across and self.bottom - _SYMBOL < y < self.bottom + _LINE + _SYMBOL


def _pixels(
    point: TradePoint, across: tuple[float, float], upward: tuple[float, float], width: float
) -> tuple[float, float]:
    x, y = (
        math.log(max(value, low) / low) / math.log(high / low)
        for value, (low, high) in ((point.x, across), (point.y, upward))
    )
    return x * width, y * _HEIGHT


def _domain(values: Sequence[float], *, has_zero: bool = False) -> tuple[float, float]:
    """Return a logarithmic domain with some room around the values, and more below for a 0."""
    positive = [value for value in values if value > 0]
    if not positive:
        return 1.0, 10.0
    low, high = min(positive), max(positive)
    room = max((high / low) ** 0.06, 1.25)
    return low / (3 * room if has_zero else room), high * room


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
        low=f"max(datum.lower, {edge})", at=f"max(datum.y, {edge})"
    )
    x_of_point = alt.X("cost:Q", scale=x_scale, axis=x_axis)
    whiskers = (
        points.transform_filter("isValid(datum.lower)")
        .mark_rule(opacity=0.5, strokeWidth=1.5)
        .encode(x=x_of_point, y=alt.Y("low:Q"), y2=alt.Y2("upper:Q"), color=_status_colour())
    )
    symbols = _symbols(points, x_title, y_title).encode(
        x=x_of_point, y=alt.Y("at:Q", scale=scale, axis=y_axis)
    )
    front = (
        of("front")
        .mark_line(interpolate="step-after", color=FRONT, opacity=0.7, strokeWidth=2)
        .encode(x=x, y=y)
    )
    names = (_names_on("right", x, y), _names_on("left", x, y))
    limits = of("limits").mark_rule(color=ALERT, strokeDash=[6, 4], strokeWidth=1.5).encode(x=x)
    published = (
        of("published").mark_rule(color=GREY, strokeDash=[2, 3], strokeWidth=1.5).encode(x=x)
    )
    texts = (
        rule_text("limits", is_left=True),
        rule_text("published", is_left=False, least_width=720),
    )
    zero = zero_y("zeros")
    return finish(alt.layer(zero, whiskers, front, limits, published, symbols, *names, *texts))


def _symbols(points: alt.Chart, x_title: str, y_title: str) -> alt.Chart:
    import altair as alt

    drawn: alt.Chart = points.mark_point(
        filled=True, size=110, opacity=0.65, cursor="pointer"
    ).encode(
        color=_status_colour(),
        stroke=alt.Stroke("status:N", scale=_status_scale(), legend=legend_of(STATUS)),
        fillOpacity=hollow_if_few(),
        shape=alt.Shape(
            "status:N",
            scale=alt.Scale(domain=list(STATUS), range=["circle", "square", "cross", "diamond"]),
            legend=legend_of(STATUS),
        ),
        href=alt.Href("href:N"),
        tooltip=[
            alt.Tooltip("team:N", title="team"),
            alt.Tooltip("title:N", title="title"),
            alt.Tooltip("rank:N", title="rank"),
            alt.Tooltip("x:Q", title=x_title, format=",.6~g"),
            alt.Tooltip("y:Q", title=y_title, format=".3~g"),
            *interval_tips(),
            alt.Tooltip("statistics:N", title="statistics"),
        ],
    )
    return drawn


def _names_on(side: Literal["left", "right"], x: alt.X, y: alt.Y) -> alt.Chart:
    import altair as alt

    drawn: alt.Chart = (
        of("names")
        .transform_filter(f"datum.side == '{side}' && width >= datum.from && width < datum.to")
        .mark_text(
            align="left" if side == "right" else "right",
            dx=_ASIDE if side == "right" else -_ASIDE,
            dy=-_ABOVE,
            fontSize=LABEL,
            color=INK,
            opacity=0.8,
        )
        .encode(x=x, y=y, text=alt.Text("team:N"))
    )
    return drawn


def _status_colour() -> alt.Color:
    import altair as alt

    return alt.Color("status:N", scale=_status_scale(), legend=legend_of(STATUS))


def _status_scale() -> alt.Scale:
    import altair as alt

    return alt.Scale(domain=list(STATUS), range=[FRONT, "#56b4e9", GREY, ALERT])
