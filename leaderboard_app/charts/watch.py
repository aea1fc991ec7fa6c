"""What is watched in a stream: a count over the sections, and a map of occupancy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from leaderboard_app.blocks import Picture
from leaderboard_app.charts.base import ACCENT, GREY, N_SPECS, Row, Spec, axis, finish, number, of

# Blue for less, white for as expected, red for more; the page's text says what is where.
_LESS, _AS_EXPECTED, _MORE = "#2166ac", "#f7f7f7", "#b2182b"


def trend(values: Sequence[float], *, expected: float, n_sections: int, what: str) -> Picture:
    """Draw counts per event over groups of consecutive sections; the dashed line is expected."""
    step = n_sections / max(len(values), 1)
    rows: list[Row] = [{"x": round(i * step, 1), "y": value} for i, value in enumerate(values)]
    return Picture(
        spec=_trend_spec(),
        datasets={"trend": rows, "expected": [{"level": expected}]},
        height=220,
        alt=f"{what}: counts per event over {n_sections} sections, from {min(values):.3g} to "
        f"{max(values):.3g}. A dashed line marks what the reference leads to expect, "
        f"{expected:.3g}.",
        fields={"x": "Sections after the first", "y": "Counts per event"},
    )


@lru_cache(maxsize=N_SPECS)
def _trend_spec() -> Spec:
    import altair as alt

    x = alt.X("x:Q", scale=alt.Scale(nice=False), axis=axis("Sections after the first"))
    y = alt.Y("y:Q", scale=alt.Scale(zero=False), axis=axis("Counts per event", tickCount=5))
    line = (
        of("trend")
        .mark_line(interpolate="step-after", color=ACCENT, strokeWidth=2)
        .encode(x=x, y=y)
    )
    points = (
        of("trend")
        .mark_point(filled=True, color=ACCENT, size=25, opacity=1)
        .encode(
            x=x,
            y=y,
            tooltip=[
                alt.Tooltip("x:Q", title="sections after the first"),
                alt.Tooltip("y:Q", title="counts per event", format=".3~g"),
            ],
        )
    )
    level = (
        of("expected")
        .mark_rule(color=GREY, strokeDash=[6, 4], strokeWidth=1.5)
        .encode(y=alt.Y("level:Q"))
    )
    return finish(alt.layer(line, points, level))


def occupancy_map(
    ratios: Sequence[float], *, n_eta: int, eta: tuple[float, float], what: str
) -> Picture:
    """Draw counts over expected ones in cells of eta and phi.

    Parameters
    ----------
    ratios : sequence of float
        Row by row in eta; phi goes once round in a row, from -pi.
    """
    n_phi = len(ratios) // n_eta
    low, high = eta
    step, turn = (high - low) / n_eta, 2 * math.pi / n_phi
    rows: list[Row] = []
    for place, ratio in enumerate(ratios):
        row, column = divmod(place, n_phi)
        rows.append(
            {
                "x": round(low + row * step, 3),
                "x2": round(low + (row + 1) * step, 3),
                "y": round(-math.pi + column * turn, 3),
                "y2": round(-math.pi + (column + 1) * turn, 3),
                "ratio": ratio,
            }
        )
    worst = max(rows, key=lambda one: abs(number(one["ratio"]) - 1))
    return Picture(
        spec=_map_spec(),
        datasets={"cells": rows},
        height=320,
        alt=f"Occupancy of {what} in eta and phi over what is expected; furthest off is eta from "
        f"{worst['x']}, phi from {worst['y']}, with {worst['ratio']} times as many.",
        fields={"ratio": "Over expected", "x": "eta from", "y": "phi from"},
    )


@lru_cache(maxsize=N_SPECS)
def _map_spec() -> Spec:
    import altair as alt

    colour = alt.Color(
        "ratio:Q",
        scale=alt.Scale(
            domain=[0, 1, 2], range=[_LESS, _AS_EXPECTED, _MORE], clamp=True, type="linear"
        ),
        legend=alt.Legend(title=None, orient="right", labelColor="currentColor"),
    )
    cells = (
        of("cells")
        .mark_rect(stroke=GREY, strokeWidth=0.3)
        .encode(
            x=alt.X("x:Q", scale=alt.Scale(nice=False), axis=axis("η", tickCount=9)),
            x2=alt.X2("x2:Q"),
            y=alt.Y("y:Q", scale=alt.Scale(nice=False), axis=axis("φ [rad]", tickCount=7)),
            y2=alt.Y2("y2:Q"),
            color=colour,
            tooltip=[
                alt.Tooltip("x:Q", title="η from"),
                alt.Tooltip("y:Q", title="φ from"),
                alt.Tooltip("ratio:Q", title="over expected", format=".2f"),
            ],
        )
    )
    return finish(alt.layer(cells))
