"""Spectra of the mass with their smooth fit, significance improvement, means in bins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from leaderboard_app.blocks import Picture
from leaderboard_app.charts.base import (
    ACCENT,
    ALERT,
    GREY,
    INK,
    N_SPECS,
    Palette,
    Row,
    Spec,
    axis,
    count_axis,
    finish,
    interval_tips,
    log_axis,
    of,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Band:
    """A curve with an interval at each of its points."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    lower: Sequence[float]
    upper: Sequence[float]


def bands(curves: Sequence[Band], palette: Palette, *, x_title: str, y_title: str) -> Picture:
    """Draw curves over a share of signal, each with its 95 % band; a dashed line is at 1."""
    rows: list[Row] = [
        {"name": curve.name, "x": x, "y": y, "lower": lower, "upper": upper}
        for curve in curves
        for x, y, lower, upper in zip(curve.x, curve.y, curve.lower, curve.upper, strict=True)
    ]
    return Picture(
        spec=_bands_spec(palette, x_title, y_title),
        datasets={"bands": rows, "references": [{"y": 1.0}]},
        height=340,
        alt=f"{y_title} against {x_title}, with 95 % bands, for "
        + ", ".join(curve.name for curve in curves),
        fields={"name": "Curve", "x": x_title, "y": y_title, "lower": "95 % from", "upper": "to"},
    )


@lru_cache(maxsize=N_SPECS)
def _bands_spec(palette: Palette, x_title: str, y_title: str) -> Spec:
    import altair as alt

    x = alt.X("x:Q", scale=alt.Scale(domain=[0, 1]), axis=axis(x_title, tickCount=6))
    y = alt.Y("y:Q", scale=alt.Scale(domainMin=0, nice=True), axis=axis(y_title, tickCount=6))
    colour = palette.colour(symbol="stroke")
    area = (
        of("bands")
        .mark_area(opacity=0.15)
        .encode(x=x, y=alt.Y("lower:Q"), y2=alt.Y2("upper:Q"), color=colour)
    )
    lines = (
        of("bands")
        .mark_line(strokeWidth=2.2)
        .encode(
            x=x,
            y=y,
            color=colour,
            strokeDash=palette.dash(),
            tooltip=[
                alt.Tooltip("name:N", title="curve"),
                alt.Tooltip("x:Q", title=x_title, format=".3~g"),
                alt.Tooltip("y:Q", title=y_title, format=".3~g"),
                *interval_tips(),
            ],
        )
    )
    one = (
        of("references")
        .mark_rule(color=GREY, strokeDash=[4, 3], strokeWidth=1.5)
        .encode(y=alt.Y("y:Q"))
    )
    return finish(alt.layer(one, area, lines))


def spectrum(
    edges: Sequence[float],
    counts: Sequence[int],
    fitted: Sequence[float],
    *,
    title: str,
    window: tuple[float, float] | None,
    height: int = 260,
) -> Picture:
    """Draw counts in bins with their Poisson errors, a smooth fit, and the window."""
    rows: list[Row] = [
        {
            "x": (low + high) / 2,
            "y": count,
            "lower": max(count - count**0.5, 0.5),
            "upper": count + count**0.5,
            "fit": fit,
        }
        for low, high, count, fit in zip(edges[:-1], edges[1:], counts, fitted, strict=True)
    ]
    shades: list[Row] = [] if window is None else [{"from": window[0], "to": window[1]}]
    return Picture(
        spec=_spectrum_spec(title),
        datasets={"bins": rows, "windows": shades},
        height=height,
        alt=f"Counts by {title} with the smooth fit outside the window.",
        fields={"x": title, "y": "Events", "fit": "Fit"},
    )


@lru_cache(maxsize=N_SPECS)
def _spectrum_spec(title: str) -> Spec:
    import altair as alt

    x = alt.X("x:Q", scale=alt.Scale(nice=False, zero=False), axis=axis(title, tickCount=6))
    log = alt.Scale(type="log", domainMin=0.5, clamp=True)
    y = alt.Y("y:Q", scale=log, axis=count_axis("Events in the bin"))
    shade = (
        of("windows")
        .mark_rect(color=ALERT, opacity=0.12)
        .encode(x=alt.X("from:Q"), x2=alt.X2("to:Q"))
    )
    errors = (
        of("bins")
        .transform_filter("datum.y > 0")
        .mark_rule(color=INK, opacity=0.5)
        .encode(x=x, y=alt.Y("lower:Q"), y2=alt.Y2("upper:Q"))
    )
    dots = (
        of("bins")
        .transform_filter("datum.y > 0")
        .mark_point(filled=True, color=INK, size=28, opacity=0.9)
        .encode(
            x=x,
            y=y,
            tooltip=[
                alt.Tooltip("x:Q", title=title, format=".4~g"),
                alt.Tooltip("y:Q", title="events"),
                alt.Tooltip("fit:Q", title="fit", format=".4~g"),
            ],
        )
    )
    line = (
        of("bins")
        .transform_filter("datum.fit >= 0.5")
        .mark_line(color=ACCENT, strokeWidth=2)
        .encode(x=x, y=alt.Y("fit:Q"))
    )
    return finish(alt.layer(shade, errors, line, dots))


def means(values: Sequence[Mapping[str, float]], *, title: str, overall: float | None) -> Picture:
    """Draw means in bins of the score with their intervals, tightest cut on the right.

    Parameters
    ----------
    values : sequence of mapping
        ``x``, the share of background above the bin's lower end; ``y``, ``lower``, ``upper``.
    overall : float or None
        A dashed line.
    """
    return Picture(
        spec=_means_spec(title),
        datasets={
            "bins": [dict(one) for one in values],
            "references": [] if overall is None else [{"y": overall}],
        },
        height=260,
        alt=f"Mean {title} of background in bins of the score, with 95 % intervals.",
        fields={"x": "Background above", "y": title, "lower": "95 % from", "upper": "to"},
    )


@lru_cache(maxsize=N_SPECS)
def _means_spec(title: str) -> Spec:
    import altair as alt

    scale = alt.Scale(type="log", reverse=True)
    x = alt.X("x:Q", scale=scale, axis=log_axis("Share of background above the bin's lower end"))
    y = alt.Y("y:Q", scale=alt.Scale(zero=False, nice=True), axis=axis(f"Mean {title}"))
    whiskers = (
        of("bins")
        .mark_rule(color=ACCENT, strokeWidth=2.5, opacity=0.6)
        .encode(x=x, y=alt.Y("lower:Q"), y2=alt.Y2("upper:Q"))
    )
    dots = (
        of("bins")
        .mark_point(filled=True, color=ACCENT, size=70, opacity=1)
        .encode(
            x=x, y=y, tooltip=[alt.Tooltip("y:Q", title="mean", format=".4~g"), *interval_tips()]
        )
    )
    line = (
        of("references")
        .mark_rule(color=GREY, strokeDash=[4, 3], strokeWidth=1.5)
        .encode(y=alt.Y("y:Q"))
    )
    return finish(alt.layer(line, whiskers, dots))
