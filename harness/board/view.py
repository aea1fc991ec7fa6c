"""Whether one card can be ranked, its figure of merit, and answers to a box, in a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from harness.board.answers import (
    ANSWER_HEADER,
    CLUSTER_HEADER,
    OpenedBox,
    answer_row,
    cluster_rows,
    contents_text,
    remarks_of,
)
from harness.board.contest import Contest, Rulebook
from harness.board.eligibility import reasons_against
from harness.board.entry import Entry, shown_physics
from harness.board.formats import merit_text
from harness.board.merit import merit_at
from harness.card.figures import NotMeasured
from harness.card.records import ScoreCard
from harness.card.terminal import table
from harness.card.text import plain
from harness.challenge import AGGREGATE_TITLES


def standing_view(card: ScoreCard) -> RenderableType:
    """Write the figure that entries are ranked by, and why this card would not be ranked."""
    return Group(*_standing_lines(card))


def _aggregate(contest: Contest) -> str:
    title = AGGREGATE_TITLES[contest.rules.combines_by].lower()
    return f"{title} over the signals of the " if title else ""


def _standing_lines(card: ScoreCard) -> Iterator[Text]:
    entry = Entry(key=card.submission.team, card=card)
    contest = Rulebook().contest_of([entry])
    physics = shown_physics(card)
    merit = merit_at(physics, contest)
    if physics is not None and not isinstance(merit, NotMeasured):
        yield Text.assemble(
            (f"merit {merit_text(contest.merit, merit)}", "bold"),
            f": {_aggregate(contest)}{contest.merit.describe()} ({physics.arithmetic}), none "
            "counted as worse than by chance",
        )
    reasons = reasons_against(entry, contest)
    why = "; ".join(reasons) if reasons else "no rule is broken"
    yield Text.assemble(("not ranked: " if reasons else "can be ranked: ", "bold"), plain(why))


def opened_view(opened: OpenedBox) -> RenderableType:
    """Draw the answers to a box that was opened, and what was in it."""
    lines = [f"in the box of {opened.n_events:,} events: {contents_text(opened)}"]
    if opened.synthetic:
        lines.insert(0, "synthetic events: no prediction for the real data")
    lines += remarks_of(opened)
    rows = [answer_row(one) for one in opened.claims]
    drawn = table(f"{opened.challenge_title}, {opened.box_name}", ANSWER_HEADER, rows)
    clusters = cluster_rows(opened)
    also = [table("claimed clusters", CLUSTER_HEADER, clusters)] if clusters else []
    return Group(drawn, *also, *(Text(plain(line)) for line in lines))
