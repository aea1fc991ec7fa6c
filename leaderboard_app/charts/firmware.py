"""Resources and latency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from leaderboard_app.blocks import Picture
from leaderboard_app.charts.base import ACCENT, ALERT, N_SPECS, Row, Spec, axis, finish, of


@dataclass(frozen=True, kw_only=True, slots=True)
class PartUse:
    """Share of the part that an entry uses of one resource, and the share that it may use."""

    name: str
    share: float
    limit: float | None
    text: str


def resources(uses: Sequence[PartUse], *, part: str) -> Picture:
    """Draw the shares of the part as bars with a tick at the contest's budget."""
    rows: list[Row] = [
        {"row": one.name, "x": one.share, "limit": one.limit, "text": one.text} for one in uses
    ]
    return Picture(
        spec=_resources_spec(part),
        datasets={"usages": rows},
        height=44 * len(rows) + 30,
        alt=f"Share of the part {part} used: "
        + "; ".join(f"{one.name} {one.share:.2%}" for one in uses)
        + ". Ticks mark the budget.",
        fields={"row": "Resource", "x": "Share", "limit": "Budget share", "text": "Used"},
    )


@lru_cache(maxsize=N_SPECS)
def _resources_spec(part: str) -> Spec:
    import altair as alt

    y = alt.Y("row:N", sort=None, axis=axis(""))
    x = alt.X(
        "x:Q",
        scale=alt.Scale(domainMin=0, nice=True),
        axis=axis(f"Share of {part}", format="~%", tickCount=5),
    )
    bars = (
        of("usages")
        .mark_bar(color=ACCENT, height=14)
        .encode(
            x=x, y=y, tooltip=[alt.Tooltip("row:N", title=" "), alt.Tooltip("text:N", title="used")]
        )
    )
    ticks = (
        of("usages")
        .transform_filter("isValid(datum.limit)")
        .mark_tick(color=ALERT, thickness=3, size=26)
        .encode(
            x=alt.X("limit:Q"), y=y, tooltip=[alt.Tooltip("limit:Q", title="budget", format=".1%")]
        )
    )
    return finish(alt.layer(bars, ticks))


def stages(names: Sequence[str], cycles: Sequence[float], *, clock_ns: float | None) -> Picture:
    """Draw the cycles of each stage one after the other, as they pass."""
    scale = clock_ns or 1.0
    unit = "ns" if clock_ns else "clock cycles"
    ends = list(accumulate(cycles))
    # Numbered, so that two stages of one name are two bars.
    labels = [f"{i}. {name}" for i, name in enumerate(names, start=1)]
    rows: list[Row] = [
        {"row": label, "x": (end - count) * scale, "x2": end * scale, "cycles": count}
        for label, count, end in zip(labels, cycles, ends, strict=True)
    ]
    return Picture(
        spec=_stages_spec(unit),
        datasets={"stages": rows},
        height=24 * len(rows) + 70,
        alt=f"Latency by stage: {len(rows)} stages take {ends[-1]:g} clock "
        f"cycle{'s' * (ends[-1] != 1)} in all.",
        fields={"row": "Stage", "x": f"From [{unit}]", "x2": f"To [{unit}]", "cycles": "Cycles"},
    )


@lru_cache(maxsize=N_SPECS)
def _stages_spec(unit: str) -> Spec:
    import altair as alt

    return finish(
        of("stages")
        .mark_bar(color=ACCENT, height=14)
        .encode(
            x=alt.X("x:Q", axis=axis(f"Time since the event came in [{unit}]", tickCount=6)),
            x2=alt.X2("x2:Q"),
            y=alt.Y("row:N", sort=None, axis=axis("", labelLimit=240)),
            tooltip=[alt.Tooltip("row:N", title="stage"), alt.Tooltip("cycles:Q", title="cycles")],
        )
    )
