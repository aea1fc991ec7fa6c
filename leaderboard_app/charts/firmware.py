"""Resources and latency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leaderboard_app.blocks import Cell, Picture
from leaderboard_app.charts.base import ACCENT, ALERT, axis, data_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """Share of the part that an entry uses of one resource, and the share that it may use."""

    name: str
    share: float
    limit: float | None
    text: str


def resources(usages: Sequence[Usage], *, part: str) -> Picture:
    """Draw the shares of the part as bars with a tick at the contest's budget."""
    import altair as alt

    rows: list[dict[str, Cell]] = [
        {"row": usage.name, "x": usage.share, "limit": usage.limit, "text": usage.text}
        for usage in usages
    ]
    order = [usage.name for usage in usages]
    base = alt.Chart(data_of(rows))
    y = alt.Y("row:N", sort=order, axis=axis(""))
    x = alt.X(
        "x:Q",
        scale=alt.Scale(domainMin=0, nice=True),
        axis=axis(f"Share of {part}", format="~%", tickCount=5),
    )
    bars = base.mark_bar(color=ACCENT, height=14).encode(
        x=x, y=y, tooltip=[alt.Tooltip("row:N", title=" "), alt.Tooltip("text:N", title="used")]
    )
    ticks = (
        base.transform_filter("isValid(datum.limit)")
        .mark_tick(color=ALERT, thickness=3, size=26)
        .encode(
            x=alt.X("limit:Q"), y=y, tooltip=[alt.Tooltip("limit:Q", title="budget", format=".1%")]
        )
    )
    return Picture(
        chart=alt.layer(bars, ticks).properties(height=44 * len(rows) + 30),
        alt=f"Share of the part {part} used: "
        + "; ".join(f"{usage.name} {usage.share:.2%}" for usage in usages)
        + ". Ticks mark the budget.",
        columns=("Resource", "Share", "Budget share", "Used"),
        rows=[tuple(row.values()) for row in rows],
    )


def stages(names: Sequence[str], cycles: Sequence[float], *, clock_ns: float | None) -> Picture:
    """Draw the cycles of each stage one after the other, as they pass."""
    import altair as alt

    scale = clock_ns or 1.0
    unit = "ns" if clock_ns else "clock cycles"
    rows: list[dict[str, Cell]] = []
    start = 0.0
    for name, count in zip(names, cycles, strict=True):
        rows.append(
            {"row": name, "x": start * scale, "x2": (start + count) * scale, "cycles": count}
        )
        start += count
    chart = (
        alt.Chart(data_of(rows))
        .mark_bar(color=ACCENT, height=14)
        .encode(
            x=alt.X("x:Q", axis=axis(f"Time since the event came in [{unit}]", tickCount=6)),
            x2="x2:Q",
            y=alt.Y("row:N", sort=list(names), axis=axis("", labelLimit=240)),
            tooltip=[alt.Tooltip("row:N", title="stage"), alt.Tooltip("cycles:Q", title="cycles")],
        )
        .properties(height=26 * len(rows) + 30)
    )
    return Picture(
        chart=chart,
        alt=f"Latency by stage: {len(rows)} stages take {start:g} clock cycles in all.",
        columns=("Stage", f"From [{unit}]", f"To [{unit}]", "Cycles"),
        rows=[tuple(row.values()) for row in rows],
    )
