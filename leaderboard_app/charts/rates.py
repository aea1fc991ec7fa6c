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


def by_condition(
    values: Sequence[Measured], *, condition: str, title: str, nominal: float
) -> Picture:
    """Draw the rate in each bin of a condition with its interval; a dashed line is that of all."""
    return Picture(
        spec=_condition_spec(condition, title),
        datasets={
            "bins": [
                {"bin": one.row, "y": one.value, "lower": one.lower, "upper": one.upper}
                for one in values
            ],
            "references": [{"nominal": nominal}],
        },
        height=260,
        alt=f"{title} by {condition}, with 95 % intervals: "
        + "; ".join(f"{one.row} {one.value:.3g}" for one in values)
        + f". A dashed line marks that of all events, {nominal:.3g}.",
        fields={"bin": condition, "y": title, "lower": "95 % from", "upper": "to"},
    )


@lru_cache(maxsize=N_SPECS)
def _condition_spec(condition: str, title: str) -> Spec:
    import altair as alt

    x = alt.X("bin:N", sort=None, axis=axis(condition, labelAngle=0, labelOverlap=True))
    y = alt.Y("y:Q", scale=alt.Scale(domainMin=0, nice=True), axis=axis(title, tickCount=5))
    whiskers = (
        of("bins")
        .mark_rule(color=ACCENT, strokeWidth=2.5, opacity=0.6)
        .encode(x=x, y=alt.Y("lower:Q"), y2=alt.Y2("upper:Q"))
    )
    dots = (
        of("bins")
        .mark_point(filled=True, color=ACCENT, size=80, opacity=1)
        .encode(
            x=x,
            y=y,
            tooltip=[
                alt.Tooltip("bin:N", title=condition),
                alt.Tooltip("y:Q", title="rate", format=".3~g"),
                *interval_tips(),
            ],
        )
    )
    nominal = (
        of("references")
        .mark_rule(color=GREY, strokeDash=[4, 3], strokeWidth=1.5)
        .encode(y=alt.Y("nominal:Q"))
    )
    return finish(alt.layer(dots, whiskers, nominal))
