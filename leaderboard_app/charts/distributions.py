"""Scores and observables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Literal

from pydantic import JsonValue

from harness.board.counts import count_interval
from leaderboard_app.blocks import Cell, Picture
from leaderboard_app.charts.base import (
    ACCENT,
    ALERT,
    COUNTED,
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
    legend_of,
    log_axis,
    of,
    rule_text,
)
from leaderboard_app.charts.places import place_of, round_ticks, short_text

AxisKind = Literal["log", "count", "linear"]
# Bins whose outer edges have a larger ratio than this are drawn on a log axis.
_WIDE = 50.0


def score_histogram(
    edges: Sequence[float],
    counts: Mapping[str, Sequence[int]],
    palette: Palette,
    *,
    threshold: float | None,
) -> Picture:
    """Draw the shares of events in each bin of the score, on a log axis.

    The bins are of unequal width (linear near the bulk, logarithmic far from it), so they are set
    side by side and the axis shows where some round numbers lie among them.
    """
    n = len(edges) - 1
    place = None if threshold is None else place_of(edges, threshold)
    ticks = round_ticks(edges)
    marks: list[Row] = [] if place is None else [{"x": place, "text": "threshold"}]
    return Picture(
        spec=_score_spec(palette, n, place is not None and place > n / 2),
        datasets={
            "steps": [
                row
                for name, values in counts.items()
                for row in _outline(name, list(range(n + 1)), values, is_log=True)
            ],
            "marks": marks,
        },
        parameters={
            "edges": [short_text(edge) for edge in edges],
            "events": _totals(counts),
            "ticks": list(ticks),
            "labels": list(ticks.values()),
        },
        height=420,
        alt="Distribution of the score for " + ", ".join(counts) + ", each normalised to 1.",
        fields={"share": "Share", "name": "Events", "x": "Score from"},
    )


@lru_cache(maxsize=N_SPECS)
def _score_spec(palette: Palette, n_bins: int, is_left: bool) -> Spec:  # noqa: FBT001 - a key
    import altair as alt

    x_axis = axis(
        "Score (higher = more anomalous)",
        values=alt.ExprRef("ticks"),
        labelExpr="labels[indexof(ticks, datum.value)]",
    )
    steps = (
        of("steps")
        .transform_calculate(y=_HEIGHT)
        .mark_line(interpolate="step-after", strokeWidth=2)
        .encode(
            x=alt.X("x:Q", scale=alt.Scale(domain=[0, n_bins], nice=False), axis=x_axis),
            y=alt.Y(
                "y:Q",
                scale=alt.Scale(type="log", nice=True),
                axis=log_axis("Share of the events in the bin"),
            ),
            color=palette.colour(symbol="stroke", label=COUNTED),
            strokeDash=palette.dash(label=COUNTED),
            tooltip=[
                alt.Tooltip("name:N", title="events"),
                alt.Tooltip("y:Q", title="share", format=".2~e"),
            ],
        )
    )
    rule = (
        of("marks")
        .mark_rule(color=ALERT, strokeDash=[6, 4], strokeWidth=1.5)
        .encode(x=alt.X("x:Q"))
    )
    return finish(alt.layer(steps, rule, rule_text("marks", is_left=is_left)))


def _outline(
    name: str, edges: Sequence[float], counts: Sequence[int], *, is_log: bool
) -> list[Row]:
    """Shares of the bins at their left edges, and where each run of bins ends.

    On a log axis an empty bin interrupts the line; else it lies at 0. Rows that only end a run
    have ``end`` in place of ``share``: they are no figures.
    """
    total = sum(counts)
    filled = [i for i, count in enumerate(counts) if count]
    if not filled:
        return []
    rows: list[Row] = []
    for i in range(filled[0] if is_log else 0, filled[-1] + 1):
        if counts[i] or not is_log:
            rows.append({"name": name, "x": edges[i], "share": counts[i] / total, "end": None})
        elif counts[i - 1]:
            rows.append(_end(name, edges[i], counts[i - 1] / total))
            rows.append({"name": name, "x": edges[i], "share": None, "end": None})
    last = counts[filled[-1]] / total
    rows.append(_end(name, edges[filled[-1] + 1], last))
    if not is_log:
        rows.append(_end(name, edges[filled[-1] + 1], 0.0))
    return rows


def _end(name: str, x: float, y: float) -> Row:
    return {"name": name, "x": x, "share": None, "end": y}


# The height of a row of `_outline`; null breaks the line.
_HEIGHT = "isValid(datum.share) ? datum.share : datum.end"


def distribution(
    edges: Sequence[float],
    counts: Mapping[str, Sequence[int]],
    palette: Palette,
    *,
    title: str,
    faint: Sequence[int] = (),
    is_log: bool = False,
    height: int = 300,
) -> Picture:
    """Draw an observable of some events, each process normalised to 1, with its number of events.

    Fewer than `FEW` events are points with their errors, more are a line with them.

    Parameters
    ----------
    faint : sequence of int
        Counts of a process to lay behind in grey, such as all background.
    is_log : bool
        Draw the shares on a log axis, for the tails of many events: their errors cannot be seen.
    """
    rows = [
        row
        for name, values in counts.items()
        if is_log or sum(values) >= FEW
        for row in _outline(name, edges, values, is_log=is_log)
    ]
    kind = _axis_kind(edges)
    points = [] if is_log else [row for one in counts.items() for row in _bins(*one, edges, kind)]
    datasets = {"behind": _outline("", edges, faint, is_log=False), "lines": rows, "points": points}
    # Vega warns of a layer without data, which has no extent.
    filled = {name for name, drawn in datasets.items() if drawn}
    if any(row["few"] for row in points):
        filled.add("few")
    return Picture(
        spec=_distribution_spec(palette, title, kind, is_log, frozenset(filled)),
        datasets=datasets,
        parameters={"events": _totals(counts)},
        height=height,
        alt=f"Distribution of {title} for "
        + ", ".join(f"{name} ({sum(values):,} events)" for name, values in counts.items())
        + ", each normalised to 1.",
        fields={"share": "Share", "name": "Events", "x": "From"}
        if is_log
        else {"n": "Events in the bin", "name": "Of", "x": "Centre", "share": "Share"}
        | {"lower": "1 sigma from", "upper": "to"},
    )


# Below so many events a histogram is points with errors: a curve would show more than is known.
FEW = 10


def _totals(counts: Mapping[str, Sequence[int]]) -> dict[str, JsonValue]:
    return {name: sum(values) for name, values in counts.items()}


def _bins(name: str, counts: Sequence[int], edges: Sequence[float], kind: AxisKind) -> list[Row]:
    """Shares of the filled bins at their centres, with the errors of their counts."""
    total = sum(counts)
    rows: list[Row] = []
    for n, (low, high) in zip(counts, pairwise(edges), strict=True):
        if n:
            lower, upper = (min(edge / total, 1.0) for edge in count_interval(n))
            centre = math.sqrt(low * high) if kind == "log" else (low + high) / 2
            row: dict[str, Cell] = {"n": n, "name": name, "x": centre, "share": n / total}
            rows.append({**row, "lower": lower, "upper": upper, "few": total < FEW})
    return rows


def _axis_kind(edges: Sequence[float]) -> AxisKind:
    """Name the kind of bins: of equal ratios, around whole numbers, or others."""
    if edges[0] > 0 and edges[-1] / edges[0] > _WIDE:
        return "log"
    return "count" if all(edge % 1 == 0.5 for edge in edges) else "linear"


@lru_cache(maxsize=N_SPECS)
def _distribution_spec(
    palette: Palette,
    title: str,
    kind: AxisKind,
    is_log: bool,  # noqa: FBT001 - a key of the cache
    filled: frozenset[str],
) -> Spec:
    import altair as alt

    match kind:
        case "log":
            x = alt.X("x:Q", scale=alt.Scale(type="log", nice=False), axis=count_axis(title))
        case "count":
            whole = axis(title, tickMinStep=1, format="d")
            x = alt.X("x:Q", scale=alt.Scale(nice=False, zero=False), axis=whole)
        case "linear":
            plain = axis(title, tickCount=6)
            x = alt.X("x:Q", scale=alt.Scale(nice=False, zero=False), axis=plain)
    shares = axis("Share", format="~%", tickCount=4)
    y = (
        alt.Y("y:Q", scale=alt.Scale(type="log"), axis=log_axis("Share"))
        if is_log
        else alt.Y("y:Q", axis=shares)
    )
    behind = (
        of("behind")
        .transform_calculate(y=_HEIGHT)
        .mark_area(interpolate="step-after", color=GREY, opacity=0.22)
        .encode(x=x, y=y)
    )
    lines = (
        of("lines")
        .transform_calculate(y=_HEIGHT)
        .mark_line(interpolate="step-after", strokeWidth=2)
        .encode(
            x=x,
            y=y,
            color=palette.colour(symbol="stroke", label=COUNTED),
            strokeDash=palette.dash(label=COUNTED),
            tooltip=[
                alt.Tooltip("name:N", title="events"),
                alt.Tooltip("x:Q", title=title),
                alt.Tooltip("y:Q", title="share", format=".2~%"),
            ],
        )
    )
    if is_log:
        return finish(lines)
    colour = palette.colour(symbol="stroke", label=COUNTED)
    whiskers = (
        of("points")
        .mark_rule(strokeWidth=1.5, opacity=0.7)
        .encode(x=x, y=alt.Y("lower:Q", axis=shares), y2=alt.Y2("upper:Q"), color=colour)
    )
    symbols = (
        of("points")
        .transform_filter("datum.few")
        .mark_point(filled=True, size=60, opacity=1)
        .encode(
            x=x,
            y=alt.Y("share:Q", axis=shares),
            color=colour,
            tooltip=[
                alt.Tooltip("name:N", title="events"),
                alt.Tooltip("n:Q", title="events in the bin"),
                alt.Tooltip("x:Q", title=title),
                alt.Tooltip("share:Q", title="share", format=".2~%"),
                *interval_tips("1 sigma"),
            ],
        )
    )
    layers = {"behind": behind, "lines": lines, "points": whiskers, "few": symbols}
    shown = [layer for name, layer in layers.items() if name in filled]
    return finish(alt.layer(*(shown or [whiskers])))


def composition(counts: Mapping[str, tuple[int, int]], *, names: tuple[str, str]) -> Picture:
    """Draw of what two samples are made: shares of each origin in the one and in the other.

    Parameters
    ----------
    counts : mapping of str to pair of int
        Events of each origin in the two samples.
    """
    totals = [max(sum(pair[i] for pair in counts.values()), 1) for i in range(2)]
    rows: list[Row] = []
    for origin, pair in counts.items():
        for name, n, total in zip(names, pair, totals, strict=True):
            lower, upper = (min(edge / total, 1.0) for edge in count_interval(n))
            text = f"{n:,} of {total:,}"
            row: dict[str, Cell] = {"row": origin, "name": name, "x": n / total, "text": text}
            rows.append({**row, "lower": lower, "upper": upper})
    return Picture(
        spec=_composition_spec(names),
        datasets={"shares": rows},
        parameters={"events": dict(zip(names, totals, strict=True))},
        height=54 * len(counts) + 90,
        alt=f"Composition of {names[0]} and {names[1]} by process: "
        + "; ".join(f"{row['row']}, {row['name']}: {row['text']}" for row in rows)
        + ".",
        fields={"row": "Process", "name": "Of", "x": "Share", "text": "Events"}
        | {"lower": "1 sigma from", "upper": "to"},
    )


@lru_cache(maxsize=N_SPECS)
def _composition_spec(names: tuple[str, str]) -> Spec:
    import altair as alt

    y, offset = alt.Y("row:N", sort=None, axis=axis("")), alt.YOffset("name:N", sort=list(names))
    legend = legend_of(names, label=COUNTED)
    bars = (
        of("shares")
        .mark_bar()
        .encode(
            x=alt.X("x:Q", axis=axis("Share", format="~%", tickCount=5)),
            y=y,
            yOffset=offset,
            color=alt.Color(
                "name:N", scale=alt.Scale(domain=list(names), range=[GREY, ACCENT]), legend=legend
            ),
            tooltip=[
                alt.Tooltip("row:N", title="process"),
                alt.Tooltip("name:N", title="of"),
                alt.Tooltip("text:N", title="events"),
                alt.Tooltip("x:Q", title="share", format=".1%"),
                *interval_tips("1 sigma"),
            ],
        )
    )
    whiskers = (
        of("shares")
        .mark_rule(color=INK, opacity=0.6, strokeWidth=1.5)
        .encode(x=alt.X("lower:Q"), x2=alt.X2("upper:Q"), y=y, yOffset=offset)
    )
    return finish(alt.layer(bars, whiskers))
