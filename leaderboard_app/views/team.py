"""The cards of a team over time: merit, place, and what changed."""

from __future__ import annotations

from itertools import pairwise

from harness.board.entry import shown_on
from harness.board.formats import DASH, merit_text
from harness.board.history import changes
from harness.board.merit import merit_at, merit_span
from harness.card.figures import NotMeasured
from leaderboard_app import charts
from leaderboard_app.blocks import Block, Section, Table
from leaderboard_app.views.subject import Subject

# Older ones are in the files of the cards.
_MOST_CARDS = 12


def history_sections(subject: Subject) -> list[Section]:
    """Lay out the cards of a team, if it has more than one."""
    if len(subject.earlier) < 2:
        return []
    blocks: list[Block] = []
    moments = list(_moments(subject))
    if len(moments) > 1:
        blocks.append(charts.history(moments, title=f"Merit ({subject.contest.merit.title})"))
    blocks += [_cards_table(subject), *_changes_table(subject)]
    return [
        Section(
            title="History of the team",
            lead="The latest card counts, never the best.",
            blocks=tuple(blocks),
        )
    ]


def _moments(subject: Subject) -> list[charts.Moment]:
    found = []
    for entry in subject.earlier:
        merit = merit_at(shown_on(entry.card, subject.contest.target), subject.contest)
        if isinstance(merit, NotMeasured):
            continue
        span = merit_span(entry.card, merit, subject.contest)
        found.append(
            charts.Moment(
                when=entry.card.created,
                value=merit,
                lower=None if span is None else span.lower,
                upper=None if span is None else span.upper,
            )
        )
    return found


def _cards_table(subject: Subject) -> Table:
    places = {place.entry.key: place for place in subject.places}
    values = {one.when: one for one in _moments(subject)}
    rows = []
    for entry in reversed(subject.earlier[-_MOST_CARDS:]):
        place, moment = places.get(entry.key), values.get(entry.card.created)
        merit = span = DASH
        if moment is not None:
            merit = merit_text(subject.contest.merit, moment.value)
            if moment.lower is not None and moment.upper is not None:
                ends = (moment.lower, moment.upper)
                span = " to ".join(merit_text(subject.contest.merit, end) for end in ends)
        rank = DASH if place is None else f"{place.rank} of {place.n_ranked}"
        rows.append([entry.card.created, merit, span, rank])
    return Table(
        columns=("Scored", "Merit", "95 %", "Place then"),
        rows=rows,
        caption="Place then: by the merit as measured, among the latest cards of all teams at that "
        "time, by the rules of today",
    )


def _changes_table(subject: Subject) -> list[Table]:
    rows = [
        [f"{after.card.created}: {name}", old or DASH, new or DASH]
        for before, after in pairwise(subject.earlier[-_MOST_CARDS:])
        for name, old, new in changes(before.card, after.card, subject.contest)
    ]
    if not rows:
        return []
    return [
        Table(
            columns=("What changed", "Before", "After"),
            rows=rows,
            caption="From each card to the next",
            words=frozenset({1, 2}),
        )
    ]
