"""Receiver operating characteristic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from leaderboard_app.blocks import Picture
from leaderboard_app.charts.base import (
    FEW,
    GREY,
    N_SPECS,
    Palette,
    Row,
    Spec,
    finish,
    hollow_if_few,
    log_axis,
    of,
    own_symbol,
)

if TYPE_CHECKING:
    import altair as alt

LOWEST_FPR = 1e-6
LOWEST_TPR = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True)
class CurvePoint:
    """A working point of a curve; one of low statistics is hollow."""

    fpr: float
    tpr: float
    lower: float
    upper: float
    is_low: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """A ROC curve, and its working points."""

    name: str
    fpr: Sequence[float]
    tpr: Sequence[float]
    points: Sequence[CurvePoint] = ()


def roc(curves: Sequence[Curve], palette: Palette, *, height: int = 420) -> Picture:
    """Draw ROC curves from FPR 1e-6 on log axes, with the intervals at the working points.

    The band joins the 95 % intervals of the working points, straight on log axes.
    """
    lines: list[Row] = [
        {"name": curve.name, "x": x, "y": y}
        for curve in curves
        for x, y in zip(curve.fpr, curve.tpr, strict=True)
        if x >= LOWEST_FPR and y >= LOWEST_TPR
    ]
    points: list[Row] = [
        {
            "name": curve.name,
            "x": point.fpr,
            "y": point.tpr,
            "lower": point.lower,
            "upper": point.upper,
            "statistics": FEW if point.is_low else None,
            "symbol": palette.symbol_of(curve.name),
        }
        for curve in curves
        for point in curve.points
        if point.fpr >= LOWEST_FPR
    ]
    return Picture(
        spec=_spec(palette),
        datasets={
            "chance": [{"x": LOWEST_FPR, "y": LOWEST_FPR}, {"x": 1.0, "y": 1.0}],
            "lines": lines,
            "points": points,
        },
        height=height,
        alt="ROC curves on logarithmic axes, from a false positive rate of 1e-6, one for each of "
        + ", ".join(curve.name for curve in curves)
        + ". The dotted diagonal is a score that tells nothing. Hollow points have low statistics.",
        fields={
            "name": "Curve",
            "x": "FPR",
            "y": "TPR",
            "lower": "95 % from",
            "upper": "to",
            "statistics": "Statistics",
        },
    )


@lru_cache(maxsize=N_SPECS)
def _spec(palette: Palette) -> Spec:
    import altair as alt

    x = alt.X(
        "x:Q",
        scale=alt.Scale(type="log", domain=[LOWEST_FPR, 1]),
        axis=log_axis("False positive rate"),
    )
    y = alt.Y(
        "y:Q",
        scale=alt.Scale(type="log", domain=[LOWEST_TPR, 1]),
        axis=log_axis("True positive rate"),
    )
    colour = palette.colour(symbol="stroke")
    chance = of("chance").mark_line(color=GREY, strokeDash=[3, 3], strokeWidth=1).encode(x=x, y=y)
    points = of("points").transform_calculate(
        low=f"max(datum.lower, {LOWEST_TPR})", high=f"max(datum.upper, {LOWEST_TPR})"
    )
    span = {"x": x, "y": alt.Y("low:Q"), "y2": alt.Y2("high:Q"), "color": colour}
    band = points.mark_area(opacity=0.12).encode(**span)
    lines = (
        of("lines")
        .mark_line(strokeWidth=2.2)
        .encode(
            x=x,
            y=y,
            color=colour,
            strokeDash=palette.dash(),
            tooltip=[
                alt.Tooltip("name:N", title="curve"),
                alt.Tooltip("x:Q", title="FPR", format=".2~e"),
                alt.Tooltip("y:Q", title="TPR", format=".3~e"),
            ],
        )
    )
    whiskers = points.mark_rule(strokeWidth=1.5).encode(**span)
    dots = _dots(x, y, colour).encode(stroke=palette.stroke())
    return finish(alt.layer(chance, band, lines, whiskers, dots))


def _dots(x: alt.X, y: alt.Y, colour: alt.Color) -> alt.Chart:
    import altair as alt

    drawn: alt.Chart = (
        of("points")
        .transform_filter(f"datum.y >= {LOWEST_TPR}")
        .mark_point(filled=True, size=70, opacity=1)
        .encode(
            x=x,
            y=y,
            color=colour,
            shape=own_symbol(),
            fillOpacity=hollow_if_few(),
            tooltip=[
                alt.Tooltip("name:N", title="curve"),
                alt.Tooltip("x:Q", title="working point FPR", format=".0e"),
                alt.Tooltip("y:Q", title="TPR", format=".3~e"),
                alt.Tooltip("lower:Q", title="95 % from", format=".3~e"),
                alt.Tooltip("upper:Q", title="to", format=".3~e"),
                alt.Tooltip("statistics:N", title="statistics"),
            ],
        )
    )
    return drawn
