"""Rates of one threshold on several backgrounds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from leaderboard_app.blocks import Picture
from leaderboard_app.charts.base import ACCENT, GREY, N_SPECS, Spec, axis, finish, interval_tips, of
from leaderboard_app.charts.intervals import Measured


def rates(values: Sequence[Measured], *, title: str, nominal: float) -> Picture:
    """Draw a bar with its interval for each background; a dashed line is the nominal rate."""
    return Picture(
        spec=_rates_spec(title),
        datasets={
            "rates": [
                {"row": one.row, "x": one.value, "lower": one.lower, "upper": one.upper}
                for one in values
            ],
            "references": [{"nominal": nominal}],
        },
        height=34 * len(values) + 70,
        alt=f"{title}, with 95 % intervals, for "
        + "; ".join(f"{one.row} {one.value:.3g}" for one in values)
        + f". A dashed line marks the nominal rate, {nominal:.3g}.",
        fields={"row": "Background", "x": "Rate", "lower": "95 % from", "upper": "to"},
    )


@lru_cache(maxsize=N_SPECS)
def _rates_spec(title: str) -> Spec:
    import altair as alt

    x_axis = axis(title, format="~e", tickCount=5)
    y = alt.Y("row:N", sort=None, axis=axis("", labelLimit=240))
    bars = (
        of("rates")
        .mark_bar(color=ACCENT, height=14, opacity=0.75)
        .encode(
            x=alt.X("x:Q", scale=alt.Scale(domainMin=0, nice=True), axis=x_axis),
            y=y,
            tooltip=[
                alt.Tooltip("row:N", title=" "),
                alt.Tooltip("x:Q", title="rate", format=".3~g"),
                *interval_tips(),
            ],
        )
    )
    whiskers = (
        of("rates")
        .mark_rule(color=GREY, strokeWidth=2.5)
        .encode(x=alt.X("lower:Q"), x2=alt.X2("upper:Q"), y=y)
    )
    nominal = (
        of("references")
        .mark_rule(color=GREY, strokeDash=[4, 3], strokeWidth=1.5)
        .encode(x=alt.X("nominal:Q"))
    )
    return finish(alt.layer(bars, whiskers, nominal))
