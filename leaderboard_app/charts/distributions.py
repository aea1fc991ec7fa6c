"""Scores and observables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

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
    finish,
    legend_of,
    log_axis,
    number,
    of,
    rule_text,
)

_N_TICKS = 8


def score_histogram(
    edges: Sequence[float],
    counts: Mapping[str, Sequence[int]],
    palette: Palette,
    *,
    threshold: float | None,
) -> Picture:
    """Draw the shares of events in each bin of the score, on a log axis.

    The bins are of unequal width (linear near the bulk, logarithmic far from it), so they are set
    side by side and the axis tells the score at some of their edges.
    """
    n = len(edges) - 1
    place = None if threshold is None else _place(edges, threshold)
    marks: list[Row] = [] if place is None else [{"x": place, "text": "threshold"}]
    return Picture(
        spec=_score_spec(palette, n, place is not None and place > n / 2),
        datasets={
            "steps": [row for name, values in counts.items() for row in _steps(name, values)],
            "marks": marks,
        },
        parameters={"edges": [_short(edge) for edge in edges]},
        height=420,
        alt="Distribution of the score for " + ", ".join(counts) + ", each normalised to 1.",
        fields={"name": "Events", "x": "Score from", "y": "Share"},
    )


@lru_cache(maxsize=N_SPECS)
def _score_spec(palette: Palette, n_bins: int, is_left: bool) -> Spec:  # noqa: FBT001 - a key
    import altair as alt

    ticks = list(range(0, n_bins + 1, max(1, n_bins // _N_TICKS)))
    x_axis = axis("Score (higher = more anomalous)", values=ticks, labelExpr="edges[datum.value]")
    steps = (
        of("steps")
        .mark_line(interpolate="step-after", strokeWidth=2)
        .encode(
            x=alt.X("x:Q", scale=alt.Scale(domain=[0, n_bins], nice=False), axis=x_axis),
            y=alt.Y(
                "y:Q",
                scale=alt.Scale(type="log", nice=True),
                axis=log_axis("Share of the events in the bin"),
            ),
            color=palette.colour(),
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


def _steps(name: str, counts: Sequence[int]) -> list[Row]:
    """Shares of the filled bins by their number, and the right edge of the last one."""
    total = sum(counts)
    rows: list[Row] = [
        {"name": name, "x": i, "y": count / total} for i, count in enumerate(counts) if count
    ]
    if rows:
        rows.append({"name": name, "x": int(number(rows[-1]["x"])) + 1, "y": rows[-1]["y"]})
    return rows


def _short(value: float) -> str:
    text = f"{value:.2g}"
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
    height: int = 250,
) -> Picture:
    """Draw an observable of some events, each process normalised to 1.

    Parameters
    ----------
    faint : sequence of int
        Counts of a process to lay behind in grey, such as all background.
    is_log : bool
        Draw the shares on a log axis, for the tails of many events.
    """
    rows = [row for name, values in counts.items() for row in _shares(name, edges, values)]
    if is_log:
        rows = [row for row in rows if number(row["y"]) > 0]
    return Picture(
        spec=_distribution_spec(palette, title, is_log),
        datasets={"behind": _shares("", edges, faint), "lines": rows},
        height=height,
        alt=f"Distribution of {title} for " + ", ".join(counts) + ", each normalised to 1.",
        fields={"name": "Events", "x": "From", "y": "Share"},
    )


@lru_cache(maxsize=N_SPECS)
def _distribution_spec(
    palette: Palette,
    title: str,
    is_log: bool,  # noqa: FBT001 - a key of the cache
) -> Spec:
    import altair as alt

    x = alt.X("x:Q", scale=alt.Scale(nice=False, zero=False), axis=axis(title, tickCount=6))
    y = (
        alt.Y("y:Q", scale=alt.Scale(type="log"), axis=log_axis("Share"))
        if is_log
        else alt.Y("y:Q", axis=axis("Share", format="~%", tickCount=4))
    )
    behind = (
        of("behind").mark_area(interpolate="step-after", color=GREY, opacity=0.22).encode(x=x, y=y)
    )
    lines = (
        of("lines")
        .mark_line(interpolate="step-after", strokeWidth=2)
        .encode(
            x=x,
            y=y,
            color=palette.colour(),
            strokeDash=palette.dash(),
            tooltip=[
                alt.Tooltip("name:N", title="events"),
                alt.Tooltip("x:Q", title=title),
                alt.Tooltip("y:Q", title="share", format=".2~%"),
            ],
        )
    )
    return finish(lines if is_log else alt.layer(behind, lines))


def _shares(name: str, edges: Sequence[float], counts: Sequence[int]) -> list[Row]:
    """Share of each bin at its left edge; empty bins at the end are left out."""
    total = sum(counts)
    if not total:
        return []
    last = max(i for i, count in enumerate(counts) if count)
    rows: list[Row] = [
        {"name": name, "x": edges[i], "y": counts[i] / total} for i in range(last + 1)
    ]
    rows.append({"name": name, "x": edges[last + 1], "y": 0.0})
    return rows


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
