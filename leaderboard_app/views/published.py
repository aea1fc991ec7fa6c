"""What the literature says, below a board: its gains beside ours, and its tables by themselves."""

from __future__ import annotations

from harness.board.formats import DASH
from harness.board.order import Ranking
from harness.board.published import MeasuredGain, gains_of, published_of
from harness.card.records import NotMeasured
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
