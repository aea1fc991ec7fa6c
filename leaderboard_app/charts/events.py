"""Occupancy, and one event."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

from leaderboard_app.blocks import Picture
from leaderboard_app.charts.base import (
    N_SPECS,
    Palette,
    Row,
    Spec,
    axis,
    finish,
    log_axis,
    of,
    own_symbol,
)

MISSING = "met"


def occupancy(shares: Mapping[str, Sequence[float]], palette: Palette, *, title: str) -> Picture:
    """Draw the share of events that fill each slot of one kind of object, for each process."""
    rows: list[Row] = [
        {"name": name, "x": i, "y": value, "symbol": palette.symbol_of(name)}
        for name, values in shares.items()
        for i, value in enumerate(values, start=1)
    ]
    return Picture(
        spec=_occupancy_spec(palette, title),
        datasets={"slots": rows},
        height=270,
        alt=f"Share of events that fill each slot of the {title}, by process.",
        fields={"name": "Events", "x": "Slot", "y": "Share"},
    )


@lru_cache(maxsize=N_SPECS)
def _occupancy_spec(palette: Palette, title: str) -> Spec:
    import altair as alt

    x = alt.X(
        "x:Q",
        axis=axis(f"Slot of the {title}", tickMinStep=1, format="d"),
        scale=alt.Scale(nice=False, zero=False),
    )
    y = alt.Y("y:Q", scale=alt.Scale(type="log"), axis=log_axis("Share of events"))
    filled = of("slots").transform_filter("datum.y > 0")
    colour = palette.colour(symbol="stroke")
    lines = filled.mark_line(strokeWidth=2).encode(
        x=x, y=y, color=colour, strokeDash=palette.dash()
    )
    points = filled.mark_point(filled=True, size=60, opacity=1).encode(
        x=x,
        y=y,
        color=colour,
        shape=own_symbol(),
        tooltip=[
            alt.Tooltip("name:N", title="events"),
            alt.Tooltip("x:Q", title="slot"),
            alt.Tooltip("y:Q", title="share", format=".3~g"),
        ],
    )
    return finish(alt.layer(lines, points))


def event_display(
    objects: Sequence[tuple[str, float, float, float]], *, kinds: Sequence[str]
) -> Picture:
    """Draw the objects of one event (kind, pT, eta, phi) in the eta-phi plane.

    Each of `kinds` has its colour and symbol, the same in every event.

    The area of a symbol goes with its pT. The missing transverse momentum has no eta: it is a
    line at its phi.
    """
    rows: list[Row] = [
        {"name": kind, "pt": pt, "x": eta, "y": phi} for kind, pt, eta, phi in objects
    ]
    listed = "; ".join(f"{kind} of {pt:.0f} GeV" for kind, pt, _, _ in objects)
    return Picture(
        spec=_event_spec(tuple(kinds)),
        datasets={
            "missing": [row for row in rows if row["name"] == MISSING],
            "objects": [row for row in rows if row["name"] != MISSING],
        },
        height=430,
        alt=f"One event in the eta-phi plane: {listed}.",
        fields={"name": "Object", "pt": "pT [GeV]", "x": "eta", "y": "phi [rad]"},
    )


@lru_cache(maxsize=N_SPECS)
def _event_spec(kinds: tuple[str, ...]) -> Spec:
    import altair as alt

    palette = Palette(names=kinds)
    y = alt.Y(
        "y:Q",
        scale=alt.Scale(domain=[-math.pi, math.pi], nice=False),
        axis=axis("φ [rad]", values=[-3, -2, -1, 0, 1, 2, 3]),
    )
    name, pt = (
        alt.Tooltip("name:N", title="object"),
        alt.Tooltip("pt:Q", title="pT [GeV]", format=".1f"),
    )
    phi = alt.Tooltip("y:Q", title="φ", format=".2f")
    missing = (
        of("missing")
        .mark_rule(strokeWidth=3, opacity=0.7)
        .encode(y=y, color=palette.colour(), tooltip=[name, pt, phi])
    )
    objects = (
        of("objects")
        .mark_point(filled=True, opacity=0.8)
        .encode(
            x=alt.X("x:Q", scale=alt.Scale(domain=[-4, 4]), axis=axis("η", tickCount=9)),
            y=y,
            color=palette.colour(),
            shape=palette.shape(),
            size=alt.Size("pt:Q", scale=alt.Scale(domain=[0, 100], range=[20, 1100]), legend=None),
            tooltip=[name, pt, alt.Tooltip("x:Q", title="η", format=".2f"), phi],
        )
    )
    return finish(alt.layer(missing, objects))
