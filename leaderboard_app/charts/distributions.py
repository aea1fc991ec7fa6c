"""Scores and observables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Literal

from leaderboard_app.blocks import Picture
from leaderboard_app.charts.base import (
    ACCENT,
    ALERT,
    GREY,
    N_SPECS,
    Palette,
    Row,
    Spec,
    axis,
    count_axis,
    finish,
    legend_of,
    log_axis,
    of,
    rule_text,
)

_N_TICKS = 8
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
    side by side and the axis shows the score at some of their edges.
    """
    n = len(edges) - 1
    place = None if threshold is None else _place(edges, threshold)
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
        parameters={"edges": [_short(edge) for edge in edges]},
        height=420,
        alt="Distribution of the score for " + ", ".join(counts) + ", each normalised to 1.",
        fields={"share": "Share", "name": "Events", "x": "Score from"},
    )


@lru_cache(maxsize=N_SPECS)
def _score_spec(palette: Palette, n_bins: int, is_left: bool) -> Spec:  # noqa: FBT001 - a key
    import altair as alt

    ticks = list(range(0, n_bins + 1, max(1, n_bins // _N_TICKS)))
    x_axis = axis("Score (higher = more anomalous)", values=ticks, labelExpr="edges[datum.value]")
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
            color=palette.colour(symbol="stroke"),
            strokeDash=palette.dash(),
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


def _short(value: float) -> str:
    text = f"{value:.3g}" if 100 <= abs(value) < 10_000 else f"{value:.2g}"
    return text.replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")


def _place(edges: Sequence[float], value: float) -> float:
    """Where `value` lies among the bins, as a fraction of their number."""
    if value <= edges[0]:
        return 0.0
    for i, (low, high) in enumerate(pairwise(edges)):
        if value <= high:
            return i + (value - low) / (high - low)
    return float(len(edges) - 1)


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
    """Draw an observable of some events, each process normalised to 1.

    Parameters
    ----------
    faint : sequence of int
        Counts of a process to lay behind in grey, such as all background.
    is_log : bool
        Draw the shares on a log axis, for the tails of many events.
    """
    rows = [
        row
        for name, values in counts.items()
        for row in _outline(name, edges, values, is_log=is_log)
    ]
    return Picture(
        spec=_distribution_spec(palette, title, _axis_kind(edges), is_log),
        datasets={"behind": _outline("", edges, faint, is_log=False), "lines": rows},
        height=height,
        alt=f"Distribution of {title} for " + ", ".join(counts) + ", each normalised to 1.",
        fields={"share": "Share", "name": "Events", "x": "From"},
    )


def _axis_kind(edges: Sequence[float]) -> Literal["log", "count", "linear"]:
    """Name the kind of bins: of equal ratios, around whole numbers, or others."""
    if edges[0] > 0 and edges[-1] / edges[0] > _WIDE:
        return "log"
    return "count" if all(edge % 1 == 0.5 for edge in edges) else "linear"


@lru_cache(maxsize=N_SPECS)
def _distribution_spec(
    palette: Palette,
    title: str,
    kind: Literal["log", "count", "linear"],
    is_log: bool,  # noqa: FBT001 - a key of the cache
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
    y = (
        alt.Y("y:Q", scale=alt.Scale(type="log"), axis=log_axis("Share"))
        if is_log
        else alt.Y("y:Q", axis=axis("Share", format="~%", tickCount=4))
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
            color=palette.colour(symbol="stroke"),
            strokeDash=palette.dash(),
            tooltip=[
                alt.Tooltip("name:N", title="events"),
                alt.Tooltip("x:Q", title=title),
                alt.Tooltip("y:Q", title="share", format=".2~%"),
            ],
        )
    )
    return finish(lines if is_log else alt.layer(behind, lines))


def composition(shares: Mapping[str, tuple[float, float]], *, names: tuple[str, str]) -> Picture:
    """Draw of what two samples are made: shares of each origin in the one and in the other."""
    rows: list[Row] = [
        {"row": origin, "name": name, "x": share}
        for origin, pair in shares.items()
        for name, share in zip(names, pair, strict=True)
    ]
    return Picture(
        spec=_composition_spec(names),
        datasets={"shares": rows},
        height=54 * len(shares) + 90,
        alt=f"Composition of {names[0]} and {names[1]} by process.",
        fields={"row": "Process", "name": "Of", "x": "Share"},
    )


@lru_cache(maxsize=N_SPECS)
def _composition_spec(names: tuple[str, str]) -> Spec:
    import altair as alt

    return finish(
        of("shares")
        .mark_bar()
        .encode(
            x=alt.X("x:Q", axis=axis("Share", format="~%", tickCount=5)),
            y=alt.Y("row:N", sort=None, axis=axis("")),
            yOffset=alt.YOffset("name:N", sort=list(names)),
            color=alt.Color(
                "name:N",
                scale=alt.Scale(domain=list(names), range=[GREY, ACCENT]),
                legend=legend_of(names),
            ),
            tooltip=[
                alt.Tooltip("row:N", title="process"),
                alt.Tooltip("name:N", title="of"),
                alt.Tooltip("x:Q", title="share", format=".1%"),
            ],
        )
    )
