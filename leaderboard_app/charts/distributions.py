"""Scores and observables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from leaderboard_app.blocks import Cell, Picture
from leaderboard_app.charts.base import (
    ACCENT,
    ALERT,
    GREY,
    LABEL,
    Palette,
    Row,
    axis,
    data_of,
    log_axis,
)


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
    import altair as alt

    n = len(edges) - 1
    rows: list[dict[str, Cell]] = [
        {"name": name, "x": i, "x2": i + 1, "y": count / max(sum(values), 1)}
        for name, values in counts.items()
        for i, count in enumerate(values)
    ]
    drawn = [row for row in rows if float(row["y"] or 0) > 0]
    labels = [_short(edge) for edge in edges]
    ticks = list(range(0, n + 1, max(1, n // 8)))
    expression = f"{labels!r}[datum.value]".replace('"', "'")
    x_axis = axis("Score (higher = more anomalous)", values=ticks, labelExpr=expression)
    x = alt.X("x:Q", scale=alt.Scale(domain=[0, n], nice=False), axis=x_axis)
    lowest = min((float(row["y"] or 1) for row in drawn), default=1e-6)
    steps = (
        alt.Chart(data_of(_closing(drawn)))
        .mark_line(interpolate="step-after", strokeWidth=2)
        .encode(
            x=x,
            y=alt.Y(
                "y:Q",
                scale=alt.Scale(type="log", domain=[lowest / 2, 1], clamp=True),
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
    layers = [steps]
    if threshold is not None:
        place = _place(edges, threshold)
        layers.append(
            alt.Chart(data_of([{"x": place}]))
            .mark_rule(color=ALERT, strokeDash=[6, 4], strokeWidth=1.5)
            .encode(x="x:Q")
        )
        layers.append(
            alt.Chart(data_of([{"x": place, "y": 1.0, "text": "threshold"}]))
            .mark_text(align="left", dx=5, baseline="top", fontSize=LABEL, color=GREY)
            .encode(x="x:Q", y="y:Q", text="text:N")
        )
    table = [
        (name, edges[i], edges[i + 1], values[i])
        for name, values in counts.items()
        for i in range(n)
        if values[i]
    ]
    return Picture(
        chart=alt.layer(*layers).properties(height=420),
        alt="Distribution of the score for " + ", ".join(counts) + ", each normalised to 1.",
        columns=("Events", "Score from", "to", "Number"),
        rows=table,
    )


def _closing(rows: Sequence[Row]) -> list[Row]:
    """Close the last step of each name at the right edge of its bin."""
    closed: list[Row] = []
    for i, row in enumerate(rows):
        closed.append({"name": row["name"], "x": row["x"], "y": row["y"]})
        following = rows[i + 1] if i + 1 < len(rows) else None
        if following is None or following["name"] != row["name"]:
            closed.append({"name": row["name"], "x": row["x2"], "y": row["y"]})
    return closed


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
    faint: Sequence[int] | None = None,
    faint_name: str = "",
    legend: bool = False,
    is_log: bool = False,
    height: int = 250,
) -> Picture:
    """Draw an observable of some events, each process normalised to 1.

    Parameters
    ----------
    faint : sequence of int, optional
        Counts of a process to lay behind in grey, such as all background.
    is_log : bool
        Draw the shares on a log axis, for the tails of many events.
    """
    import altair as alt

    rows = [row for name, values in counts.items() for row in _share_rows(name, edges, values)]
    if is_log:
        rows = [row for row in rows if float(row["y"] or 0) > 0]
    encodings = {
        "x": alt.X("x:Q", scale=alt.Scale(nice=False, zero=False), axis=axis(title, tickCount=6)),
        "y": alt.Y("y:Q", scale=alt.Scale(type="log"), axis=log_axis("Share"))
        if is_log
        else alt.Y("y:Q", axis=axis("Share", format="~%", tickCount=4)),
    }
    layers = []
    if faint is not None and any(faint):
        behind = _share_rows(faint_name, edges, faint)
        layers.append(
            alt.Chart(data_of(behind))
            .mark_area(interpolate="step-after", color=GREY, opacity=0.22)
            .encode(**encodings)
        )
    layers.append(
        alt.Chart(data_of(rows))
        .mark_line(interpolate="step-after", strokeWidth=2)
        .encode(
            **encodings,
            color=palette.colour(has_legend=legend),
            strokeDash=palette.dash(has_legend=legend),
            tooltip=[
                alt.Tooltip("name:N", title="events"),
                alt.Tooltip("x:Q", title=title),
                alt.Tooltip("y:Q", title="share", format=".2~%"),
            ],
        )
    )
    table = [
        (name, edges[i], edges[i + 1], values[i])
        for name, values in counts.items()
        for i in range(len(values))
        if values[i]
    ]
    return Picture(
        chart=alt.layer(*layers).properties(height=height),
        alt=f"Distribution of {title} for " + ", ".join(counts) + ", each normalised to 1.",
        columns=("Events", "From", "To", "Number"),
        rows=table,
    )


def _share_rows(name: str, edges: Sequence[float], counts: Sequence[int]) -> list[Row]:
    total = sum(counts)
    if not total:
        return []
    last = max(i for i, count in enumerate(counts) if count)
    # Trailing empty bins are left out; a 0 behind the last one closes the line.
    rows: list[Row] = [
        {"name": name, "x": edges[i], "y": counts[i] / total} for i in range(last + 1)
    ]
    rows.append({"name": name, "x": edges[last + 1], "y": 0.0})
    return rows


def composition(shares: Mapping[str, tuple[float, float]], *, names: tuple[str, str]) -> Picture:
    """Draw of what all background and the accepted background is made, in per cent."""
    import altair as alt

    rows: list[dict[str, Cell]] = [
        {"row": origin, "name": name, "x": share}
        for origin, pair in shares.items()
        for name, share in zip(names, pair, strict=True)
    ]
    chart = (
        alt.Chart(data_of(rows))
        .mark_bar(height={"band": 0.9})
        .encode(
            x=alt.X("x:Q", axis=axis("Share", format="~%", tickCount=5)),
            y=alt.Y("row:N", sort=list(shares), axis=axis("")),
            yOffset=alt.YOffset("name:N", sort=list(names)),
            color=alt.Color(
                "name:N",
                scale=alt.Scale(domain=list(names), range=[GREY, ACCENT]),
                legend=alt.Legend(title=None, orient="top", labelFontSize=LABEL),
            ),
            tooltip=[
                alt.Tooltip("row:N", title="process"),
                alt.Tooltip("name:N", title="of"),
                alt.Tooltip("x:Q", title="share", format=".1%"),
            ],
        )
        .properties(height=54 * len(shares) + 90)
    )
    return Picture(
        chart=chart,
        alt="Composition of all and of the accepted background by process.",
        columns=("Process", "Of", "Share"),
        rows=[tuple(row.values()) for row in rows],
    )
