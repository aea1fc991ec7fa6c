"""What an entry does inside a trigger, in a terminal: what it adds, how stable its rate is."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType

from harness.card.figures import NotMeasured
from harness.card.in_trigger import (
    AddedPoint,
    AddedRate,
    Drift,
    MenuGain,
    MenuRow,
    MenuSummary,
    RatesByCondition,
    Stability,
    StablePoint,
)
from harness.card.physics import Physics
from harness.card.terminal import DASH, FittingTable, Heading, interval_text, rate_text
from harness.challenge import Merit, input_rate_khz, point_text

# The longest list of algorithms that a terminal shows.
_MAX_ALGORITHMS = 20


def trigger_view(
    physics: Physics, working_point: float | None, merit: Merit | None
) -> list[RenderableType]:
    """Draw what the scores add to the menu and how stable the rate is; nothing without either."""
    drawn: list[RenderableType] = []
    point = working_point
    if point is None:
        return drawn
    if physics.menu is not None:
        drawn += _added_table(physics.menu, point, merit)
    if physics.stability is not None:
        drawn += _stability_tables(physics.stability, point, merit)
    return drawn


def _added_table(menu: MenuGain, fpr: float, merit: Merit | None) -> list[RenderableType]:
    points = [one for one in menu.points if isinstance(one, AddedPoint) and one.fpr == fpr]
    if not points:
        return []
    named = point_text(merit, fpr)
    headings = [
        Heading(title="signal", is_text=True),
        *(Heading(title=f"{one.fixed} rate\nfixed") for one in points),
    ]
    rows = [[name, *(_cell(one.signals[name]) for one in points)] for name in points[0].signals]
    rows.append(["background", *(_cell(one.background) for one in points)])
    low = [one for one in points if one.is_low_statistics]
    caption = "efficiency of (menu or entry) minus that of the menu; 95 % intervals"
    if low:
        caption += f"\nlow statistics: {low[0].n_allowed} background events may pass"
    return [
        FittingTable(
            title=f"added to the menu at {named}", headings=headings, rows=rows, caption=caption
        )
    ]


def _cell(rate: AddedRate) -> str:
    return f"{rate_text(rate.value)}\n{interval_text(rate.interval)}"


def _stability_tables(
    stability: Stability, fpr: float, merit: Merit | None
) -> list[RenderableType]:
    found = [one for one in stability.points if isinstance(one, StablePoint) and one.fpr == fpr]
    if not found:
        return []
    (point,) = found
    khz = input_rate_khz(merit)
    drawn: list[RenderableType] = [
        FittingTable(
            title=f"rate at the threshold of {point_text(merit, fpr)}, by {one.title}",
            headings=(
                Heading(title=one.title + (f" [{one.unit}]" if one.unit else ""), is_text=True),
                Heading(title="FPR" if khz is None else "rate [kHz]"),
                Heading(title="drift"),
                Heading(title="passing", rank=1),
                Heading(title="events", rank=2),
            ),
            rows=[
                (
                    each.label,
                    _rate(each.rate, each.interval.lower, each.interval.upper, khz),
                    drift_text(each.drift),
                    f"{each.n_passing:,}",
                    f"{each.n_events:,}",
                )
                for each in one.bins
            ],
            caption="against all test background, on which the threshold was set; 95 %",
        )
        for one in point.conditions
    ]
    rows = [row for one in point.conditions for row in _transfer_rows(one, khz)]
    if rows:
        drawn.append(
            FittingTable(
                title="a threshold set under one condition and applied to another",
                headings=(
                    Heading(title="set on", is_text=True),
                    Heading(title="applied to", is_text=True),
                    Heading(title="FPR" if khz is None else "rate [kHz]"),
                    Heading(title="drift"),
                    Heading(title="passing", rank=1),
                ),
                rows=rows,
                caption="drift against the rate where it was set, uncertainty of the threshold "
                "included; 95 %",
            )
        )
    return drawn


def _transfer_rows(one: RatesByCondition, khz: float | None) -> Iterator[tuple[str, ...]]:
    for each in one.transfers:
        low = " (low statistics)" if each.is_low_statistics else ""
        yield (
            f"{one.title} {each.set_on}{low}",
            each.applied_to,
            _rate(each.rate, each.interval.lower, each.interval.upper, khz),
            drift_text(each.drift),
            f"{each.n_passing:,}",
        )


def _rate(value: float, lower: float, upper: float, khz: float | None) -> str:
    """Write a rate in kHz where 1 stands for one, else as a share."""
    scale = 1.0 if khz is None else khz
    write = rate_text if khz is None else three_digits
    return f"{write(value * scale)}\n[{write(lower * scale)}, {write(upper * scale)}]"


def three_digits(value: float) -> str:
    """Write a rate in kHz with three digits, never as a power of ten.

    Examples
    --------
    >>> three_digits(0.01234), three_digits(28608.8), three_digits(0.0)
    ('0.0123', '28,600', '0')
    """
    return f"{float(f'{value:.3g}'):,.6g}"


def drift_text(drift: Drift | NotMeasured) -> str:
    r"""Write a drift in per cent with its interval.

    Examples
    --------
    >>> from harness.card.figures import Interval
    >>> drift_text(Drift(value=0.1, interval=Interval(lower=-0.02, upper=0.2345, method="")))
    '+10 %\n[-2, +23.4]'
    """
    if isinstance(drift, NotMeasured):
        return DASH
    low, high = (f"{100 * edge:+.3g}" for edge in (drift.interval.lower, drift.interval.upper))
    return f"{100 * drift.value:+.3g} %\n[{low}, {high}]"


def menu_view(menu: MenuSummary, titles: dict[str, str]) -> RenderableType:
    """Draw what the menu and each of its algorithms accept of the test events."""
    khz = menu.input_rate_khz
    processes = list(menu.menu.shares)
    shown = menu.algorithms[:_MAX_ALGORITHMS]
    headings = [
        Heading(title="what accepts", is_text=True),
        *(
            Heading(title=titles.get(name, name), rank=0 if i == 0 else i + 1)
            for i, name in enumerate(processes)
        ),
        Heading(title="alone", rank=1),
    ]
    unit = "background in kHz" if khz is not None else "shares"
    rows = [_menu_row(row, processes, khz) for row in (menu.menu, *shown)]
    caption = f"{unit}; signals as efficiencies; alone: background that no other one accepts"
    if len(shown) < len(menu.algorithms):
        caption += f"; {len(menu.algorithms) - len(shown)} more are in the summary"
    return FittingTable(
        title="what the trigger accepts today", headings=headings, rows=rows, caption=caption
    )


def _menu_row(row: MenuRow, processes: list[str], khz: float | None) -> list[str]:
    background, *signals = (row.shares[name] for name in processes)
    scale = 1.0 if khz is None else khz
    alone = row.n_alone.get(processes[0])
    return [
        row.title,
        three_digits(background.value * scale),
        *(rate_text(one.value) for one in signals),
        DASH if alone is None else three_digits(alone / background.n_events * scale),
    ]
