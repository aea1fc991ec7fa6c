"""Receiver operating characteristic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leaderboard_app.blocks import Cell, Picture
from leaderboard_app.charts.base import GREY, Palette, data_of, log_axis


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """A ROC curve, and its working points as (FPR, TPR, lower, upper)."""

    name: str
    fpr: Sequence[float]
    tpr: Sequence[float]
    points: Sequence[tuple[float, float, float, float]] = ()


LOWEST_FPR = 1e-6


def roc(curves: Sequence[Curve], palette: Palette, *, height: int = 420) -> Picture:
    """Draw ROC curves from FPR 1e-6 on log axes, with the intervals at the working points.

    The band joins the 95 % intervals of the working points, straight on log axes.
    """
    import altair as alt

    lowest = 1e-6
    line_rows: list[dict[str, Cell]] = [
        {"name": curve.name, "x": x, "y": y}
        for curve in curves
        for x, y in zip(curve.fpr, curve.tpr, strict=True)
        if x >= LOWEST_FPR and y >= lowest
    ]
    band_rows: list[dict[str, Cell]] = [
        {
            "name": curve.name,
            "x": x,
            "y": y,
            "lower": max(lower, lowest),
            "upper": max(upper, lowest),
        }
        for curve in curves
        for x, y, lower, upper in curve.points
        if x >= LOWEST_FPR
    ]
    x = alt.X(
        "x:Q",
        scale=alt.Scale(type="log", domain=[LOWEST_FPR, 1]),
        axis=log_axis("False positive rate"),
    )
    y = alt.Y(
        "y:Q",
        scale=alt.Scale(type="log", domain=[lowest, 1]),
        axis=log_axis("True positive rate"),
    )
    colour, dash = palette.colour(), palette.dash()
    chance = (
        alt.Chart(data_of([{"x": 1e-6, "y": 1e-6}, {"x": 1.0, "y": 1.0}]))
        .mark_line(color=GREY, strokeDash=[3, 3], strokeWidth=1)
        .encode(x=x, y=y)
    )
    band = (
        alt.Chart(data_of(band_rows))
        .mark_area(opacity=0.12)
        .encode(x=x, y=alt.Y("lower:Q"), y2="upper:Q", color=colour)
    )
    lines = (
        alt.Chart(data_of(line_rows))
        .mark_line(strokeWidth=2.2)
        .encode(
            x=x,
            y=y,
            color=colour,
            strokeDash=dash,
            tooltip=[
                alt.Tooltip("name:N", title="curve"),
                alt.Tooltip("x:Q", title="FPR", format=".2~e"),
                alt.Tooltip("y:Q", title="TPR", format=".3~e"),
            ],
        )
    )
    measured = alt.Chart(data_of(band_rows))
    whiskers = measured.mark_rule(strokeWidth=1.5).encode(
        x=x, y=alt.Y("lower:Q"), y2="upper:Q", color=colour
    )
    dots = (
        measured.transform_filter(f"datum.y >= {lowest}")
        .mark_point(filled=True, size=70, opacity=1)
        .encode(
            x=x,
            y=y,
            color=colour,
            shape=palette.shape(),
            tooltip=[
                alt.Tooltip("name:N", title="curve"),
                alt.Tooltip("x:Q", title="working point FPR", format=".0e"),
                alt.Tooltip("y:Q", title="TPR", format=".3~e"),
                alt.Tooltip("lower:Q", title="95 % from", format=".3~e"),
                alt.Tooltip("upper:Q", title="to", format=".3~e"),
            ],
        )
    )
    rows: list[tuple[Cell, ...]] = [
        (row["name"], row["x"], row["y"], None, None) for row in line_rows
    ]
    rows += [tuple(row.values()) for row in band_rows]
    return Picture(
        chart=alt.layer(chance, band, lines, whiskers, dots).properties(height=height),
        alt="ROC curves on logarithmic axes, from a false positive rate of 1e-6, one for each of "
        + ", ".join(curve.name for curve in curves)
        + ". The dotted diagonal is a score that tells nothing.",
        columns=("Curve", "FPR", "TPR", "95 % from", "to"),
        rows=rows,
    )
