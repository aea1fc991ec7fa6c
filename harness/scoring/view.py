"""What the audit of a card found, what scores are worth, and how ready a challenge is."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.board.pair import HEADER, PAIRED_NOTE, Comparison
from harness.card.terminal import FittingTable, Heading, bytes_text, table
from harness.card.text import plain
from harness.card.trigger_view import trigger_view
from harness.card.view import physics_table
from harness.challenge import fpr_text, point_text
from harness.scoring.audit import ChangedFigure, Finding
from harness.scoring.declared import Evaluation
from harness.scoring.own_challenge import ImportedChallenge
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
        rows.append((f"{point_text(found.merit, cut.fpr)}{ranked}", k))
    rows += [
        ("signals", ", ".join(found.signals)),
        ("weights", weights or "equal"),
        ("part", found.part_text),
        ("deadline", found.deadline or "none"),
    ]
    return table(found.challenge, ("", ""), rows)


def evaluation_view(found: Evaluation) -> RenderableType:
    """Draw what scores from a file are worth, and how they compare with cards."""
    contest = found.contest
    drawn = physics_table(found.physics, found.name, contest.working_point, merit=contest.merit)
    merits = [] if found.physics.merit is None else [_merit_table(found)]
    comparisons = [comparison_view(one) for one in found.against]
    notes = [Text(plain(note)) for note in found.notes]
    inside = trigger_view(found.physics, contest.working_point, contest.merit)
    return Group(
        drawn, *merits, *inside, Text(plain(found.merit_line), style="bold"), *comparisons, *notes
    )


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


def imported_view(found: ImportedChallenge) -> RenderableType:
    """Draw what `harness data import` wrote, and what comes next."""
    layout = found.events.layout
    rows = [
        (one.name, one.role, f"{one.n_events:,}", bytes_text(one.n_bytes), "; ".join(one.remarks))
        for one in found.events.processes
    ]
    kinds = ", ".join(f"{group.n_slots} × {group.name}" for group in layout.objects)
    lines = [f"An event: {kinds}, each with {', '.join(layout.features)}."]
    if found.events.left_out:
        lines.append(f"Columns that were left out: {', '.join(found.events.left_out)}.")
    k = f"at least {found.n_allowed}" if found.is_ranked else f"only {found.n_allowed}"
    lines.append(
        f"Working point: FPR {fpr_text(found.working_point)}, where {k} background events of the "
        "test part may pass."
    )
    if not found.is_ranked:
        lines.append("Too few: nobody is ranked without more background.")
    lines += [f"Read and complete {found.manifest}, then:", *(f"  {one}" for one in found.todo)]
    header = ("file", "role", "events", "size", "remarks")
    return Group(table(found.challenge, header, rows), *(Text(line) for line in lines))
