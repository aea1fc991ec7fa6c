"""What `harness ci` did, in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.card.terminal import DASH, table
from harness.card.text import quoted
from harness.ci.documents import Scoring, Summary
from harness.ci.rescore import Redone


def scorings_view(scorings: Sequence[Scoring]) -> RenderableType:
    """Draw the results of scoring many submissions, with the reasons of those that failed."""
    rows = [
        (one.team, one.status, str(one.exit_code), f"{one.wall_s:.1f}", one.card or DASH)
        for one in scorings
    ]
    reasons = [
        Text(f"{one.team}:\n{quoted(one.message)}", style="dim")
        for one in scorings
        if one.message and one.status != "scored"
    ]
    header = ("team", "status", "exit code", "seconds", "card")
    return Group(table("scorings", header, rows), *reasons)


def summaries_view(summaries: Sequence[Summary]) -> RenderableType:
    """Draw the results of publishing, one challenge after the other."""
    parts = ((f"{one.challenge}:", scorings_view(one.scorings)) for one in summaries)
    return Group(*(part for pair in parts for part in pair))


def redone_view(redone: Sequence[Redone]) -> Table:
    """Draw what `harness ci rescore-all` did."""
    rows = [(one.challenge, one.card, one.outcome, one.detail) for one in redone]
    return table("cards scored again", ("challenge", "card", "outcome", "detail"), rows)
