"""What the literature says: gains beside ours, tables and firmware by themselves."""

from __future__ import annotations

from harness.board.formats import DASH, amount
from harness.board.order import Ranking
from harness.board.published import (
    MeasuredGain,
    PublishedFirmware,
    firmware_of_collisions,
    gains_of,
    published_of,
)
from harness.board.rows import Board
from harness.card.figures import NotMeasured
from harness.challenge import Target
from leaderboard_app.blocks import Table

_OTHER_JETS = "of other jets and other trainings, so no entry is ranked against it"


def published_tables(made: Ranking) -> list[Table]:
    """Return the tables below a board; none where the literature has nothing of its challenge."""
    gains = gains_of(made)
    tables = [table for one in published_of(made.contest.challenge) for table in one.tables]
    of_gains = [_gains(gains, made)] if gains else []
    return [
        *of_gains,
        *(
            Table(
                columns=one.columns,
                rows=one.rows,
                caption=f"Published, {_OTHER_JETS}. {one.title}, {one.source}: {one.note}",
            )
            for one in tables
        ),
    ]


def published_firmware(board: Board) -> list[Table]:
    """Return the table of published firmware below a trade-off; none where none is like it."""
    target = board.target
    if not (board.is_of_collisions and isinstance(target, Target)):
        return []
    limits = (
        f"latency at most {amount(target.max_latency_ns)} ns, interval at most "
        f"{amount(target.max_interval_ns)} ns"
    )
    return [
        Table(
            columns=("Published network", "Latency [ns]", "Interval [ns]", "Here", "Source"),
            rows=[
                (
                    one.title,
                    amount(one.latency_ns),
                    DASH if one.interval_ns is None else amount(one.interval_ns),
                    _in_limits(one, target),
                    one.source,
                )
                for one in firmware_of_collisions()
            ],
            caption="Published firmware on a VU9P at 200 MHz, dotted in the chart of latency. "
            f"Here: with this contest's limits, {limits}. The figures were read off an abstract "
            "and a slide; which network has which was not compared with the paper's table. They "
            "are by other tools and of networks trained on version 1 of the ADC2021 data: no entry "
            "is ranked against them, and no efficiency here compares with theirs.",
            words=frozenset({3, 4}),
        )
    ]


def _in_limits(one: PublishedFirmware, target: Target) -> str:
    missed = one.missed(target)
    if missed:
        return f"fails: {missed}"
    return "latency passes" if one.interval_ns is None else "passes"


def _gains(gains: tuple[MeasuredGain, ...], made: Ranking) -> Table:
    return Table(
        columns=("What", "Best entry", "Over", "Ratio here, 95 %", "Published", "Source"),
        rows=[
            (
                gain.said.title,
                gain.first or DASH,
                gain.second or DASH,
                _ratio(gain),
                f"about {gain.said.about:g}",
                gain.said.source,
            )
            for gain in gains
        ],
        caption=f"Ratios of the figure that is ranked, {made.contest.merit.describe()}, over the "
        "same test events (paired). Which entries are the best is read from the same figures; the "
        f"interval does not count that choice. What is published is {_OTHER_JETS}.",
        words=frozenset({1, 2}),
    )


def _ratio(gain: MeasuredGain) -> str:
    found = gain.found
    if isinstance(found, NotMeasured):
        return f"not measured: {found.not_measured}"
    span = found.ratio_span
    verdict = "" if found.is_resolved else ", not resolved"
    return f"{found.ratio:.2g} [{span.lower:.2g}, {span.upper:.2g}]{verdict}"
