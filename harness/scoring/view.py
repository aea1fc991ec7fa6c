"""What the audit of a card found, in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from harness.card.terminal import table
from harness.scoring.audit import ChangedFigure, Finding


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
