"""What `harness ci` did, in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.card.terminal import DASH, table
from harness.card.text import quoted
from harness.ci.documents import Plan, Scoring, Summary
from harness.errors import Problem

if TYPE_CHECKING:
    from harness.ci.rescore import Redone


def receipts_view(received: Mapping[str, str | None]) -> RenderableType:
    """Draw when the submissions of a folder were received."""
    rows = [(team, moment or "not valid: not received") for team, moment in received.items()]
    return table("received", ("team", "at"), rows)


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


def plan_view(plan: Plan) -> RenderableType:
    """Draw what a pushed branch brings, or why it is not accepted; for who pushed it."""
    match plan.kind:
        case "submissions":
            names = ", ".join(f"{one.team} ({one.change})" for one in plan.submissions)
            return Text(f"accepted: {names}")
        case "other" | "empty":
            return Text("not accepted: it changes no submission")
    told = (Problem(**one.model_dump()) for one in plan.problems)
    return Text("\n".join(["not accepted:", *(quoted(str(one)) for one in told)]))


def summaries_view(summaries: Sequence[Summary]) -> RenderableType:
    """Draw the results of publishing, one challenge after the other."""
    parts = ((f"{one.challenge}:", scorings_view(one.scorings)) for one in summaries)
    return Group(*(part for pair in parts for part in pair))


def redone_view(redone: Sequence[Redone]) -> Table:
    """Draw what `harness ci rescore-all` did."""
    rows = [(one.challenge, one.card, one.outcome, one.detail) for one in redone]
    return table("cards scored again", ("challenge", "card", "outcome", "detail"), rows)
