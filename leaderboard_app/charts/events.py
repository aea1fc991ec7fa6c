"""Occupancy, and one event."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from leaderboard_app.blocks import Cell, Picture
from leaderboard_app.charts.base import Palette, axis, data_of, log_axis


def occupancy(shares: Mapping[str, Sequence[float]], palette: Palette, *, title: str) -> Picture:
    """Draw the share of events that fill each slot of one kind of object, for each process."""
    import altair as alt

    rows: list[dict[str, Cell]] = [
        {"name": name, "x": i + 1, "y": value}
        for name, values in shares.items()
        for i, value in enumerate(values)
    ]
    drawn = [row for row in rows if float(row["y"] or 0) > 0]
    chart = (
        alt.Chart(data_of(drawn))
        .mark_line(point={"size": 55, "filled": True}, strokeWidth=2)
        .encode(
            x=alt.X(
                "x:Q",
                axis=axis(f"Slot of the {title}", values=list(range(1, 21)), format="d"),
                scale=alt.Scale(nice=False),
            ),
            y=alt.Y("y:Q", scale=alt.Scale(type="log"), axis=log_axis("Share of events")),
            color=palette.colour(has_legend=False),
            strokeDash=palette.dash(has_legend=False),
            tooltip=[
                alt.Tooltip("name:N", title="events"),
                alt.Tooltip("x:Q", title="slot"),
                alt.Tooltip("y:Q", title="share", format=".3~g"),
            ],
        )
        .properties(height=230)
    )
    return Picture(
        chart=chart,
        alt=f"Share of events that fill each slot of the {title}, by process.",
        columns=("Events", "Slot", "Share"),
        rows=[tuple(row.values()) for row in rows],
    )


def event_display(objects: Sequence[tuple[str, float, float, float]]) -> Picture:
    """Draw the objects of one event (kind, pT, eta, phi) in the eta-phi plane.

    The area of a symbol goes with its pT. The missing transverse momentum has no eta: it is a
    line at its phi.
    """
    import altair as alt

    kinds = sorted({kind for kind, *_ in objects})
    palette = Palette(names=kinds)
    rows: list[dict[str, Cell]] = [
        {"name": kind, "pt": pt, "x": eta, "y": phi} for kind, pt, eta, phi in objects
    ]
    has_eta = [row for row in rows if row["name"] != "met"]
    missing = [row for row in rows if row["name"] == "met"]
    x = alt.X("x:Q", scale=alt.Scale(domain=[-4, 4]), axis=axis("eta", tickCount=9))
    y = alt.Y(
        "y:Q",
        scale=alt.Scale(domain=[-math.pi, math.pi], nice=False),
        axis=axis("phi [rad]", tickCount=7),
    )
    tooltip = [
        alt.Tooltip("name:N", title="object"),
        alt.Tooltip("pt:Q", title="pT [GeV]", format=".1f"),
        alt.Tooltip("x:Q", title="eta", format=".2f"),
        alt.Tooltip("y:Q", title="phi", format=".2f"),
    ]
    layers = [
        alt.Chart(data_of(missing))
        .mark_rule(strokeWidth=3, opacity=0.7)
        .encode(y=y, color=palette.colour(), tooltip=[tooltip[0], tooltip[1], tooltip[3]]),
        alt.Chart(data_of(has_eta))
        .mark_point(filled=True, opacity=0.8)
        .encode(
            x=x,
            y=y,
            color=palette.colour(),
            shape=palette.shape(),
            size=alt.Size(
                "pt:Q",
                scale=alt.Scale(domain=[0, 100], range=[20, 1100], clamp=False),
                legend=None,
            ),
            tooltip=tooltip,
        ),
    ]
    told = "; ".join(f"{kind} of {pt:.0f} GeV" for kind, pt, _, _ in objects)
    return Picture(
        chart=alt.layer(*layers).properties(height=430),
        alt=f"One event in the eta-phi plane: {told}.",
        columns=("Object", "pT [GeV]", "eta", "phi [rad]"),
        rows=[tuple(row.values()) for row in rows],
    )
