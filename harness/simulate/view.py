"""The check of simulated events, in a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from harness.card.terminal import table
from harness.card.text import plain
from harness.simulate.check import CAVEATS, Checked, QuantityCheck


def check_view(checked: Checked) -> RenderableType:
    """Draw every published figure of the real background beside that of a file."""
    within = f"within {checked.tolerance:.0%}"
    drawn = table(
        f"{checked.source}: {checked.n_events:,} events against the real background (v2)",
        ("quantity", "found", "published", "ratio", within),
        [_row(one) for one in checked.comparisons],
        justify="right",
    )
    binding = [one for one in checked.comparisons if one.is_binding]
    passed = f"{sum(one.passes for one in binding)} of {len(binding)} {within}"
    return Group(drawn, *(Text(plain(line)) for line in (passed, *CAVEATS, *checked.remarks)))


def _row(one: QuantityCheck) -> tuple[str | Text, ...]:
    verdict = "yes" if one.passes else "NO"
    return (
        f"{one.name} [{one.unit}]" if one.unit else one.name,
        f"{one.found:.4g}",
        f"{one.published:.4g}",
        f"{one.ratio:.2f}",
        Text(verdict if one.is_binding else "rare: not asked", "" if one.passes else "red"),
    )
