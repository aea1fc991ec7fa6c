"""What an entry does inside a trigger: profile over the signals, what it adds, stability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.board.entry import point_at, shown_physics
from harness.board.formats import DASH
from harness.board.merit import measured_merits, rests_on_few
from harness.board.rows import Board, titles_of
from harness.card.figures import Interval, NotMeasured
from harness.card.in_trigger import (
    AddedPoint,
    Drift,
    MenuRow,
    MenuSummary,
    RatesByCondition,
    StablePoint,
)
from harness.card.physics import Physics, SignalMerit
from harness.card.records import ScoreCard
from harness.card.summary import DataSummary
from harness.card.text import visible
from harness.card.trigger_view import drift_text, three_digits
from harness.challenge import input_rate_khz, point_text
from leaderboard_app import charts
from leaderboard_app.blocks import Block, Note, Section, Table
from leaderboard_app.charts import Measured, Palette
from leaderboard_app.views.common import MANY_SIGNALS, interval_text, measured
from leaderboard_app.views.subject import Subject

_LOW = " (low statistics)"
# The longest list of algorithms on a page.
_MAX_ALGORITHMS = 30


def profile_section(subject: Subject) -> Section:
    """Show what is ranked of every signal, best first, where there are several."""
    card, contest = subject.card, subject.contest
    physics = shown_physics(card)
    values = {} if physics is None else _figures(physics, subject)
    if physics is None or len(values) < 2:
        return Section(title="")
    titles = titles_of(card, list(values))
    first = 1 if contest.merit.smaller_is_better else -1
    order = sorted(values, key=lambda name: first * values[name][0])
    dots = [
        Measured(
            row=visible(titles[name]),
            name="ranked",
            value=value,
            lower=low,
            upper=high,
            is_low=rests_on_few(physics, contest, [name]),
        )
        for name in order
        for value, low, high in [values[name]]
    ]
    names = ["ranked"]
    point = _added_point(physics, card.challenge.working_point)
    if point is not None:
        names.append("added to the menu")
        dots += [
            measured(titles[name], names[1], rate.value, rate.interval)
            for name in order
            if (rate := point.signals.get(name)) is not None
        ]
    is_log = contest.merit.is_share
    return Section(
        title="Profile over the signals",
        lead=f"{contest.merit.describe()}, sorted, with 95 % intervals.",
        blocks=(
            charts.dots(
                dots, Palette(names=tuple(names)), title=contest.merit.title, is_log=is_log
            ),
        ),
    )


def _figures(physics: Physics, subject: Subject) -> dict[str, tuple[float, float, float]]:
    """Return value and interval of what is ranked, of each signal that was measured."""
    contest = subject.contest
    if contest.merit.at_working_point:
        point = point_at(physics, contest.working_point)
        rates = {} if isinstance(point, NotMeasured) else point.rates
        return {
            name: (one.tpr, one.interval.lower, one.interval.upper) for name, one in rates.items()
        }
    found = measured_merits(physics, contest)
    if isinstance(found, NotMeasured):
        return {}
    return {
        name: (one.value, one.interval.lower, one.interval.upper)
        for name, one in found.items()
        if isinstance(one, SignalMerit)
    }


def _added_point(physics: Physics, fpr: float) -> AddedPoint | None:
    if physics.menu is None:
        return None
    found = [one for one in physics.menu.points if isinstance(one, AddedPoint) and one.fpr == fpr]
    return next((one for one in found if one.fixed == "total"), None)


def added_section(card: ScoreCard) -> Section:
    """Show what the entry adds to the menu; empty where the challenge has none."""
    physics, fpr = shown_physics(card), card.challenge.working_point
    if physics is None or physics.menu is None:
        return Section(title="")
    points = [one for one in physics.menu.points if isinstance(one, AddedPoint) and one.fpr == fpr]
    if not points:
        unreached = (one for one in physics.menu.points if not isinstance(one, AddedPoint))
        why = next(one.not_measured for one in unreached)
        return Section(title="What it adds to the menu", blocks=(Note(text=why, tone="warn"),))
    titles = titles_of(card, list(points[0].signals))
    rows = [
        [
            title,
            *(
                interval_text(rate.value, rate.interval.lower, rate.interval.upper)
                for rate in (point.signals[name] for point in points)
            ),
        ]
        for name, title in titles.items()
    ]
    khz = input_rate_khz(card.challenge.merit)
    rates = [_rate_text(one.background.value, one.background.interval, khz) for one in points]
    rows.append(["Background", *rates])
    low = " Low statistics: fewer than ten events may pass." if points[0].is_low_statistics else ""
    return Section(
        title="What it adds to the menu",
        lead="Efficiency of (menu or entry) minus that of the menu, at "
        f"{point_text(card.challenge.merit, fpr)}: as the entry's total rate, and as the rate that "
        f"it adds.{low}",
        blocks=(
            Table(
                columns=("Process", *(f"{one.fixed.capitalize()} rate fixed" for one in points)),
                rows=rows,
                caption="95 % intervals; of the background the rate that is added",
            ),
        ),
    )


def stability_sections(card: ScoreCard) -> list[Section]:
    """Show the rate of the threshold under each condition, and from run to run."""
    physics, fpr = shown_physics(card), card.challenge.working_point
    if physics is None or physics.stability is None:
        return []
    found = [one for one in physics.stability.points if one.fpr == fpr]
    point = next((one for one in found if isinstance(one, StablePoint)), None)
    if point is None:
        return []
    khz = input_rate_khz(card.challenge.merit)
    return [_condition_section(card, point, one, khz) for one in point.conditions]


def _condition_section(
    card: ScoreCard, point: StablePoint, one: RatesByCondition, khz: float | None
) -> Section:
    scale, unit = (1.0, "FPR") if khz is None else (khz, "Rate [kHz]")
    title = f"{one.title} [{one.unit}]" if one.unit else one.title
    blocks: list[Block] = [
        charts.by_condition(
            [_scaled(each.label, each.rate, each.interval, scale) for each in one.bins],
            condition=visible(title),
            title=unit,
            nominal=point.n_passing / point.n_events * scale,
        ),
        Table(
            columns=(title, "Rate", "Drift", "Background"),
            rows=[
                [
                    each.label,
                    _rate_text(each.rate, each.interval, khz),
                    _drift(each.drift),
                    f"{each.n_passing:,} of {each.n_events:,}",
                ]
                for each in one.bins
            ],
            caption="Drift against the rate of all test background; 95 % intervals",
        ),
    ]
    if one.transfers:
        blocks.append(
            Table(
                columns=("Set on", "Applied to", "Rate", "Drift"),
                rows=[
                    [
                        each.set_on,
                        each.applied_to,
                        _rate_text(each.rate, each.interval, khz),
                        _drift(each.drift)
                        + (" (low statistics)" if each.is_low_statistics else ""),
                    ]
                    for each in one.transfers
                ],
                caption="Drift against the rate where the threshold was set, whose uncertainty the "
                "95 % interval holds",
            )
        )
    named = point_text(card.challenge.merit, point.fpr)
    low = " Low statistics: fewer than ten events may pass." if point.is_low_statistics else ""
    return Section(
        title=f"Rate by {one.title}",
        lead=f"The threshold is that of {named} on all test background.{low}",
        columns=2,
        blocks=tuple(blocks),
    )


def _scaled(label: str, value: float, interval: Interval, scale: float) -> Measured:
    return Measured(
        row=label,
        name="rate",
        value=value * scale,
        lower=interval.lower * scale,
        upper=interval.upper * scale,
    )


def _rate_text(value: float, interval: Interval, khz: float | None) -> str:
    """Write a rate of background in kHz, or in per cent where no rate stands for 1."""
    if khz is None:
        return interval_text(value, interval.lower, interval.upper)
    low, high = (three_digits(edge * khz) for edge in (interval.lower, interval.upper))
    return f"{three_digits(value * khz)} kHz [{low}, {high}]"


def _drift(drift: Drift | NotMeasured) -> str:
    return drift_text(drift).replace("\n", " ")


def known_menu(board: Board, summary: DataSummary | None) -> list[Table]:
    """Show what the trigger has today below a board, where the summary of the data says it."""
    if summary is None or summary.menu is None:
        return []
    return menu_tables(summary.menu, board.signals)


def menu_tables(menu: MenuSummary, titles: Mapping[str, str]) -> list[Table]:
    """Show what the trigger has today: its menu and each algorithm at its own rate.

    Parameters
    ----------
    titles : mapping of process to str
        How signals are printed.
    """
    rows = [menu.menu, *menu.algorithms[:_MAX_ALGORITHMS]]
    names = [name for name in menu.menu.shares if name != "background"]
    is_short = len(names) <= MANY_SIGNALS
    signals = [visible(titles.get(name, name)) for name in names] if is_short else list(_SPREAD)
    more = len(menu.algorithms) - _MAX_ALGORITHMS
    rest = f"; {more} more are in the summary of the data" if more > 0 else ""
    return [
        Table(
            columns=("Decision", "Background", "Alone", *signals),
            rows=[_menu_cells(row, names, menu.input_rate_khz, is_short=is_short) for row in rows],
            caption="What the trigger has today: test events that are accepted, with 95 % "
            f"intervals; alone: background that no other algorithm accepts{rest}",
        )
    ]


_SPREAD = ("Mean of the signals", "Lowest", "Highest")


def _menu_cells(
    row: MenuRow, names: Sequence[str], khz: float | None, *, is_short: bool
) -> list[str]:
    background = row.shares["background"]
    n_alone = row.n_alone.get("background")
    alone = DASH if n_alone is None else _plain_rate(n_alone / background.n_events, khz)
    shares = [row.shares[name] for name in names]
    if is_short:
        cells = [interval_text(s.value, s.interval.lower, s.interval.upper) for s in shares]
    else:
        values = [share.value for share in shares]
        spread = (sum(values) / len(values), min(values), max(values))
        cells = [f"{100 * value:.3g} %" for value in spread]
    return [row.title, _rate_text(background.value, background.interval, khz), alone, *cells]


def _plain_rate(value: float, khz: float | None) -> str:
    return f"{100 * value:.3g} %" if khz is None else f"{three_digits(value * khz)} kHz"
