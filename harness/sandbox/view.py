"""The guards of the sandbox, in a terminal."""

from __future__ import annotations

from rich.table import Table

from harness.card.terminal import table
from harness.sandbox.doctor import Isolation


def isolation_view(isolation: Isolation) -> Table:
    """Draw which guards of the sandbox hold on this machine."""
    rows = [
        (finding.guard, "holds" if finding.is_held else "FAILS", finding.claim, finding.detail)
        for finding in isolation.findings
    ]
    return table("isolation, as tried on this machine", ("guard", "", "claim", "seen"), rows)
