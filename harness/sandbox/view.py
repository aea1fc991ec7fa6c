"""The guards of the sandbox, in a terminal."""

from __future__ import annotations

from rich.table import Table

from harness.card.terminal import table
from harness.sandbox.doctor import Isolation


def isolation_view(isolation: Isolation) -> Table:
    """Draw which guards of the sandbox hold on this machine."""
    rows = [
        (tried.guard, "holds" if tried.is_held else "FAILS", tried.claim, tried.detail)
        for tried in isolation.guards
    ]
    return table("isolation, as tried on this machine", ("guard", "", "claim", "seen"), rows)
