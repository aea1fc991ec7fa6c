"""Values with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leaderboard_app.blocks import Cell, Picture
from leaderboard_app.charts.base import ACCENT, GREY, Palette, axis, data_of, log_axis


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """A value with its interval: one dot in a row named `row`, of the kind `name`."""

    row: str
    name: str
    value: float
    lower: float
    upper: float


def dots(
    values: Sequence[Measured],
    palette: Palette,
    *,
    title: str,
    reference: float | None = None,
    is_log: bool = True,
    alt_text: str = "",
) -> Picture:
    """Draw values with their intervals as dots in rows; `reference` is a vertical line."""
    import altair as alt

    rows: list[dict[str, Cell]] = [
        {
            "row": value.row,
            "name": value.name,
            "x": value.value,
            "lower": value.lower,
            "upper": value.upper,
        }
        for value in values
    ]
    drawn = rows
    if is_log:
        positive = [float(row["upper"] or 0) for row in rows if float(row["upper"] or 0) > 0]
        lows = [float(row[key] or 0) for row in rows for key in ("x", "lower")]
        positive += [low for low in lows if low > 0]
        floor = min(positive, default=1e-6) / 2
        drawn = [
            {**row, "lower": max(float(row["lower"] or 0), floor)}
            for row in rows
            if float(row["upper"] or 0) > 0
        ]
    order = list(dict.fromkeys(value.row for value in values))
    x_scale = alt.Scale(type="log", nice=True) if is_log else alt.Scale(zero=False)
    x_axis = log_axis(title) if is_log else axis(title, tickCount=6)
    y = alt.Y("row:N", sort=order, axis=axis("", labelLimit=240))
    offset = alt.YOffset("name:N", sort=list(palette.names))
    has_legend = len(palette.names) > 1
    base = alt.Chart(data_of(drawn))
    whiskers = base.mark_rule(strokeWidth=2.5, opacity=0.6).encode(
        x=alt.X("lower:Q", scale=x_scale, axis=x_axis),
        x2="upper:Q",
        y=y,
        yOffset=offset,
        color=palette.colour(has_legend=has_legend),
    )
    symbols = (
        base.transform_filter("datum.x > 0" if is_log else "true")
        .mark_point(filled=True, size=80, opacity=1)
        .encode(
            x=alt.X("x:Q", scale=x_scale),
            y=y,
            yOffset=offset,
            color=palette.colour(has_legend=has_legend),
            shape=palette.shape(has_legend=has_legend),
            tooltip=[
                alt.Tooltip("row:N", title=" "),
                alt.Tooltip("name:N", title="of"),
                alt.Tooltip("x:Q", title="value", format=".3~g"),
                alt.Tooltip("lower:Q", title="95 % from", format=".3~g"),
                alt.Tooltip("upper:Q", title="to", format=".3~g"),
            ],
        )
    )
    layers = [whiskers, symbols]
    if reference is not None:
        layers.insert(
            0,
            alt.Chart(data_of([{"x": reference}]))
            .mark_rule(color=GREY, strokeDash=[4, 3], strokeWidth=1.5)
            .encode(x=alt.X("x:Q", scale=x_scale)),
        )
    height = len(order) * max(34, 20 * len(palette.names)) + (110 if has_legend else 70)
    return Picture(
        chart=alt.layer(*layers).properties(height=height),
        alt=alt_text or f"{title} with 95 % intervals for " + ", ".join(order) + ".",
        columns=("Row", "Of", "Value", "95 % from", "to"),
        rows=[tuple(row.values()) for row in rows],
    )


def history(
    times: Sequence[str],
    values: Sequence[float],
    lowers: Sequence[float | None],
    uppers: Sequence[float | None],
    *,
    title: str,
) -> Picture:
    """Draw a team's figure of merit over time."""
    import altair as alt

    rows: list[dict[str, Cell]] = [
        {"x": when, "y": value, "lower": lower, "upper": upper}
        for when, value, lower, upper in zip(times, values, lowers, uppers, strict=True)
        if value > 0
    ]
    base = alt.Chart(data_of(rows))
    x = alt.X("x:T", axis=axis("", format="%d %b", labelOverlap=True, tickCount=8))
    y_scale = alt.Scale(type="log", nice=True)
    layers = [
        base.mark_line(color=ACCENT, opacity=0.5).encode(
            x=x, y=alt.Y("y:Q", scale=y_scale, axis=log_axis(title))
        ),
        base.transform_filter("isValid(datum.lower)")
        .mark_rule(color=ACCENT, opacity=0.5, strokeWidth=2)
        .encode(x=x, y=alt.Y("lower:Q", scale=y_scale), y2="upper:Q"),
        base.mark_point(filled=True, color=ACCENT, size=80, opacity=1).encode(
            x=x,
            y=alt.Y("y:Q", scale=y_scale),
            tooltip=[
                alt.Tooltip("x:N", title="scored"),
                alt.Tooltip("y:Q", title=title, format=".3~g"),
            ],
        ),
    ]
    return Picture(
        chart=alt.layer(*layers).properties(height=240),
        alt=f"{title} of {len(rows)} scorings over time.",
        columns=("Scored", title, "95 % from", "to"),
        rows=[tuple(row.values()) for row in rows],
    )
