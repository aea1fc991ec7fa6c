"""Occupancy, and one event."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

from harness.card.images import ExampleImage
from leaderboard_app.blocks import Picture
from leaderboard_app.charts.base import (
    GREY,
    N_SPECS,
    Palette,
    Row,
    Spec,
    axis,
    count_axis,
    finish,
    log_axis,
    of,
    own_symbol,
)

MISSING = "met"
# What the field writes for a kind of object; others by their names.
SYMBOLS = {MISSING: "MET", "electron": "e", "muon": "μ", "tau": "τ", "photon": "γ", "egamma": "e/γ"}


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

    Each of `kinds` has its colour and symbol, the same in every event. The first are in front, such
    as electrons before jets, as the same electron is often a jet as well.

    The area of a symbol goes with its pT. The missing transverse momentum has no eta: it is a
    line at its phi.
    """
    from_behind = sorted(objects, key=lambda one: -kinds.index(one[0]))
    rows: list[Row] = [
        {"name": SYMBOLS.get(kind, kind), "pt": pt, "x": eta, "y": phi}
        for kind, pt, eta, phi in from_behind
    ]
    listed = "; ".join(f"{kind} of {pt:.0f} GeV" for kind, pt, _, _ in objects)
    return Picture(
        spec=_event_spec(tuple(SYMBOLS.get(kind, kind) for kind in kinds)),
        datasets={
            "missing": [row for row in rows if row["name"] == SYMBOLS[MISSING]],
            "objects": [row for row in rows if row["name"] != SYMBOLS[MISSING]],
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


def image_display(panels: Sequence[tuple[str, ExampleImage]]) -> Picture:
    """Draw images one below the other, such as an event and its reconstruction.

    The channels of an image are beside each other, each in its colour. The fuller a square, the
    darker it is, by the logarithm of its energy.

    Parameters
    ----------
    panels : sequence of pairs
        What an image is, and the image; all of one size.
    """
    first = panels[0][1]
    width, height = first.n_columns * first.side, first.n_rows * first.side
    rows: list[Row] = []
    for number, (title, image) in enumerate(panels):
        for place, channel in enumerate(image.channels):
            rows += [
                {
                    "name": channel.channel,
                    "panel": title,
                    "x": (column + 0.5) * image.side + place * width * _PANEL_STEP,
                    "y": (row + 0.5) * image.side - number * height * _PANEL_STEP,
                    "value": value,
                }
                for row, column, value in zip(
                    channel.row, channel.column, channel.value, strict=True
                )
            ]
    names = tuple(channel.channel for channel in first.channels)
    sums = ", ".join(f"{one.channel} {sum(one.value):.0f}" for one in first.channels)
    return Picture(
        spec=_image_spec(names, (width, height), len(panels), first.side),
        datasets={"squares": rows},
        height=300 * len(panels),
        alt=f"{' above '.join(title for title, _ in panels)}: {sums} in all.",
        fields={
            "name": "Channel", "panel": "Image", "x": "Column", "y": "Row", "value": "Energy",
        },
    )  # fmt: skip


# From the beginning of one image to that of the next one, in images.
_PANEL_STEP = 1.06


@lru_cache(maxsize=N_SPECS)
def _image_spec(names: tuple[str, ...], size: tuple[int, int], n_panels: int, side: int) -> Spec:
    import altair as alt

    palette = Palette(names=names)
    (width, height) = size
    across = width * (1 + (len(names) - 1) * _PANEL_STEP)
    down = height * (1 - (n_panels - 1) * _PANEL_STEP - 1)
    beside = " | ".join(names)
    x = alt.X(
        "x:Q",
        scale=alt.Scale(domain=[0, across], nice=False),
        axis=axis(f"columns: {beside}", labels=False, ticks=False, grid=False),
    )
    y = alt.Y(
        "y:Q",
        scale=alt.Scale(domain=[down, height], nice=False),
        axis=axis("rows", labels=False, ticks=False, grid=False),
    )
    shade = alt.Opacity(
        "value:Q", scale=alt.Scale(type="log", range=[0.25, 1.0], clamp=True), legend=None
    )
    squares = (
        of("squares")
        .mark_square(filled=True, size=max(4.0, 1.5 * side**2))
        .encode(
            x=x,
            y=y,
            color=palette.colour(),
            opacity=shade,
            tooltip=[
                alt.Tooltip("name:N", title="channel"),
                alt.Tooltip("panel:N", title="image"),
                alt.Tooltip("value:Q", title="energy", format=".3~g"),
            ],
        )
    )
    return finish(alt.layer(squares))


def sums_of_images(sums: Mapping[str, Sequence[tuple[float, float]]], palette: Palette) -> Picture:
    """Draw the sum over each reconstruction against that over its image; equal on the line."""
    rows: list[Row] = [
        {"name": name, "x": true, "y": again, "symbol": palette.symbol_of(name)}
        for name, pairs in sums.items()
        for true, again in pairs
        if min(true, again) > 0
    ]
    n_lost = sum(len(pairs) for pairs in sums.values()) - len(rows)
    drawn = [value for pairs in sums.values() for pair in pairs for value in pair if min(pair) > 0]
    ends = drawn or [1.0, 10.0]
    line: list[Row] = [{"x": end, "y": end} for end in (min(ends), max(ends))]
    lost = f" {n_lost} with nothing in them are left out." if n_lost else ""
    return Picture(
        spec=_sums_spec(palette),
        datasets={"sums": rows, "line": line},
        height=360,
        alt=f"Sum over the reconstruction against that over the image, {len(rows)} events.{lost}",
        fields={"name": "Events", "x": "Image", "y": "Reconstruction"},
    )


@lru_cache(maxsize=N_SPECS)
def _sums_spec(palette: Palette) -> Spec:
    import altair as alt

    x = alt.X("x:Q", scale=alt.Scale(type="log"), axis=count_axis("sum over the image"))
    y = alt.Y("y:Q", scale=alt.Scale(type="log"), axis=count_axis("sum over the reconstruction"))
    equal = of("line").mark_line(color=GREY, strokeDash=[4, 4]).encode(x=x, y=y)
    points = (
        of("sums")
        .mark_point(filled=True, size=50, opacity=0.8)
        .encode(
            x=x,
            y=y,
            color=palette.colour(symbol="fill"),
            shape=own_symbol(),
            tooltip=[
                alt.Tooltip("name:N", title="events"),
                alt.Tooltip("x:Q", title="image", format=".4~g"),
                alt.Tooltip("y:Q", title="reconstruction", format=".4~g"),
            ],
        )
    )
    return finish(alt.layer(equal, points))
