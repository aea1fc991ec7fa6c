"""What the audit of a card found, what scores are worth, and how ready a challenge is."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.board.pair import HEADER, PAIRED_NOTE, Comparison
from harness.card.terminal import FittingTable, Heading, table
from harness.card.text import plain
from harness.card.view import physics_table
from harness.challenge import fpr_text
from harness.scoring.audit import ChangedFigure, Finding
from harness.scoring.declared import Evaluation
from harness.scoring.readiness import Readiness


def findings_view(path: str, findings: Sequence[Finding]) -> Table:
    """Draw what `harness verify` found of one card."""
    rows = [(finding.name, finding.outcome, finding.detail) for finding in findings]
    return table(path, ("", "outcome", "detail"), rows)


def changes_view(changes: Sequence[ChangedFigure]) -> RenderableType:
    """Draw the figures that `harness rescore` found changed."""
    if not changes:
        return Text("nothing changed: the kept scores give the card's figures, digit for digit")
    rows = [(change.field, str(change.before), str(change.after)) for change in changes]
    return table(f"{len(changes)} figures changed", ("figure", "card", "now"), rows)


def readiness_view(found: Readiness) -> Table:
    """Draw what `harness data check` found of one challenge."""
    n_test = "not known before `harness fetch`" if found.n_test is None else f"{found.n_test:,}"
    weights = ", ".join(f"{name} {weight:g}" for name, weight in found.weights.items())
    rows = [
        ("files", "here" if found.is_here else f"not here: harness fetch {found.challenge}"),
        ("expected test background", n_test),
    ]
    for cut in found.cuts:
        ranked = ", ranked" if cut.is_ranked else ""
        k = "k not known" if cut.n_allowed is None else f"k = {cut.n_allowed:,}"
        rows.append((f"FPR {fpr_text(cut.fpr)}{ranked}", k))
    rows += [
        ("signals", ", ".join(found.signals)),
        ("weights", weights or "equal"),
        ("part", found.part or "none"),
        ("deadline", found.deadline or "none"),
    ]
    return table(found.challenge, ("", ""), rows)


def evaluation_view(found: Evaluation) -> RenderableType:
    """Draw what scores from a file are worth, and how they compare with cards."""
    drawn = physics_table(found.physics, found.name, found.contest.working_point)
    merits = [] if found.physics.merit is None else [_merit_table(found)]
    comparisons = [comparison_view(one) for one in found.against]
    notes = [Text(plain(note)) for note in found.notes]
    return Group(drawn, *merits, Text(plain(found.merit_line), style="bold"), *comparisons, *notes)


def _merit_table(found: Evaluation) -> Table:
    header = ("signal", found.contest.merit.describe(), "95 % interval")
    return table("what is ranked", header, found.merit_rows())


def comparison_view(found: Comparison) -> RenderableType:
    """Draw two sets of scores beside each other."""
    ranks = (0, 3, 4, 0, 1, 2)
    headings = [
        Heading(title=title, rank=rank, is_text=not i)
        for i, (title, rank) in enumerate(zip(HEADER, ranks, strict=True))
    ]
    return FittingTable(
        title=found.title, headings=headings, rows=found.rows(), caption=PAIRED_NOTE
    )
