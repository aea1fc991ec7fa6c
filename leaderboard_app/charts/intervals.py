"""Values with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from harness.challenge import instant
from leaderboard_app.blocks import Picture
from leaderboard_app.charts.base import (
    ACCENT,
    FEW,
    GREY,
    N_SPECS,
    Palette,
    Row,
    Spec,
    axis,
    finish,
    hollow_if_few,
    interval_tips,
    log_axis,
    of,
    zero_x,
)

if TYPE_CHECKING:
    import altair as alt


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """A value with its interval: one dot in a row named `row`, of the kind `name`.

    Attributes
    ----------
    is_low : bool
        It rests on so few events that it is hardly known: its dot is hollow.
    """

    row: str
    name: str
    value: float
    lower: float
    upper: float
    is_low: bool = False


def dots(
    values: Sequence[Measured],
    palette: Palette,
    *,
    title: str,
    reference: float | None = None,
    is_log: bool = True,
) -> Picture:
    """Draw values with their intervals as dots in rows; `reference` is a vertical line.

    On a log axis a value of 0 stands at the left end, which is labelled 0 and set apart. A dot of
    low statistics is hollow.
    """
    order = tuple(dict.fromkeys(value.row for value in values))
    room = 110 if len(palette.names) > 1 else 70
    floor = _floor(values)
    has_zero = is_log and any(value.value <= 0 for value in values)
    has_few = any(value.is_low for value in values)
    return Picture(
        spec=_dots_spec(palette, title, is_log, reference is not None, has_zero),
        datasets={
            "values": [_row(value, has_few=has_few) for value in values],
            **({} if reference is None else {"references": [{"x": reference}]}),
            **({"zeros": [{"x": floor}]} if has_zero else {}),
        },
        height=len(order) * max(34, 20 * len(palette.names)) + room,
        alt=f"{title} with 95 % intervals for "
        + ", ".join(order)
        + (". Hollow dots have low statistics." if has_few else "."),
        parameters={"floor": floor if is_log else -1e300},
        fields={
            "row": "Row",
            "name": "Of",
            "x": "Value",
            "lower": "95 % from",
            "upper": "to",
            **({"statistics": "Statistics"} if has_few else {}),
        },
    )


def _row(value: Measured, *, has_few: bool) -> Row:
    few = {"statistics": FEW if value.is_low else "enough"} if has_few else {}
    return {
        **few,
        "row": value.row,
        "name": value.name,
        "x": value.value,
        "lower": value.lower,
        "upper": value.upper,
    }


def _floor(values: Sequence[Measured]) -> float:
    """Where intervals that reach 0 end on a log axis: left of all positive values."""
    edges = [edge for value in values for edge in (value.value, value.lower, value.upper)]
    return min((edge for edge in edges if edge > 0), default=1e-6) / 2


@lru_cache(maxsize=N_SPECS)
def _dots_spec(
    palette: Palette,
    title: str,
    is_log: bool,  # noqa: FBT001 - keys of the cache
    has_reference: bool,  # noqa: FBT001
    has_zero: bool,  # noqa: FBT001
) -> Spec:
    import altair as alt

    has_legend = len(palette.names) > 1
    scale = alt.Scale(type="log", nice=not has_zero) if is_log else alt.Scale(zero=False)
    x_axis = log_axis(title) if is_log else axis(title, tickCount=6)
    y = alt.Y("row:N", sort=None, axis=axis("", labelLimit=240))
    offset = alt.YOffset("name:N", sort=list(palette.names))
    colour = palette.colour(has_legend=has_legend)
    references = (
        of("references")
        .mark_rule(color=GREY, strokeDash=[4, 3], strokeWidth=1.5)
        .encode(x=alt.X("x:Q", scale=scale))
    )
    whiskers = (
        of("values")
        .transform_filter("datum.upper > floor")
        .transform_calculate(low="max(datum.lower, floor)")
        .mark_rule(strokeWidth=2.5, opacity=0.6)
        .encode(
            x=alt.X("low:Q", scale=scale, axis=x_axis),
            x2=alt.X2("upper:Q"),
            y=y,
            yOffset=offset,
            color=colour,
        )
    )
    shape = palette.shape(has_legend=has_legend)
    symbols = _symbols(
        x=alt.X("at:Q", scale=scale),
        y=y,
        yOffset=offset,
        color=colour,
        shape=shape,
        stroke=palette.stroke(has_legend=has_legend),
        fillOpacity=hollow_if_few(),
    )
    behind = [references] * has_reference + [zero_x("zeros")] * has_zero
    return finish(alt.layer(*behind, whiskers, symbols))


def _symbols(**channels: Any) -> alt.Chart:  # noqa: ANN401 - as Altair types them
    import altair as alt

    drawn: alt.Chart = (
        of("values")
        .transform_calculate(at="max(datum.x, floor)")
        .mark_point(filled=True, size=80, opacity=1)
        .encode(
            **channels,
            tooltip=[
                alt.Tooltip("row:N", title=" "),
                alt.Tooltip("name:N", title="of"),
                alt.Tooltip("x:Q", title="value", format=".3~g"),
                *interval_tips(),
            ],
        )
    )
    return drawn


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """A value at a time in UTC, with its interval where there is one."""

    when: str
    value: float
    lower: float | None
    upper: float | None


def history(moments: Sequence[Moment], *, title: str) -> Picture:
    """Draw a figure of merit over time."""
    rows: list[Row] = [
        {"x": one.when, "y": one.value, "lower": one.lower, "upper": one.upper}
        for one in moments
        if one.value > 0
    ]
    return Picture(
        spec=_history_spec(title, _date_format([one.when for one in moments])),
        datasets={"moments": rows},
        height=240,
        alt=f"{title} of {len(rows)} scorings over time.",
        fields={"x": "Scored", "y": title, "lower": "95 % from", "upper": "to"},
    )


def _date_format(times: Sequence[str]) -> str:
    """Show hours only where all moments lie within a few days."""
    moments = [instant(time) for time in times]
    is_short = max(moments) - min(moments) < timedelta(days=4)
    return "%d %b %H:%M" if is_short else "%d %b %Y"


@lru_cache(maxsize=N_SPECS)
def _history_spec(title: str, form: str) -> Spec:
    import altair as alt

    x = alt.X("x:T", axis=axis("", format=form, labelOverlap=True, tickCount=6))
    scale = alt.Scale(type="log", nice=True)
    line = (
        of("moments")
        .mark_line(color=ACCENT, opacity=0.5)
        .encode(x=x, y=alt.Y("y:Q", scale=scale, axis=log_axis(title)))
    )
    whiskers = (
        of("moments")
        .transform_filter("isValid(datum.lower)")
        .mark_rule(color=ACCENT, opacity=0.5, strokeWidth=2)
        .encode(x=x, y=alt.Y("lower:Q", scale=scale), y2=alt.Y2("upper:Q"))
    )
    symbols = (
        of("moments")
        .mark_point(filled=True, color=ACCENT, size=80, opacity=1)
        .encode(
            x=x,
            y=alt.Y("y:Q", scale=scale),
            tooltip=[
                alt.Tooltip("x:N", title="scored"),
                alt.Tooltip("y:Q", title=title, format=".3~g"),
                *interval_tips(),
            ],
        )
    )
    return finish(alt.layer(line, whiskers, symbols))
