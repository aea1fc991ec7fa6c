"""The yields of a run beside the published efficiencies, in a terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.text import Text

from harness.card.terminal import table
from harness.challenge import Value
from harness.metrics.intervals import clopper_pearson
from harness.simulate.suep.events import SuepYield
from harness.simulate.suep.images import LAYOUT
from harness.simulate.suep.processes import MIN_HT_GEV, MIN_PT_HAT_GEV, QCD, find

CAVEAT = (
    f"QCD here has no weights and begins at a pT of {MIN_PT_HAT_GEV:g} GeV; the published "
    "efficiency of QCD belongs to a flattened spectrum. Nothing was fitted to these numbers."
)


class SuepEfficiency(Value):
    """One process: what passed the selection, with a 95 % interval, and what is published."""

    process: str
    n_generated: int
    n_accepted: int
    efficiency: float
    lowest: float
    highest: float
    published: float
    filled: float


class SuepEfficiencies(Value):
    """All processes of a run."""

    rows: tuple[SuepEfficiency, ...]


def yields_of(made: Mapping[str, SuepYield]) -> SuepEfficiencies:
    """Put the yields beside the published efficiencies."""
    n_values = LAYOUT.height * LAYOUT.width * len(LAYOUT.channels)
    rows = []
    for name, one in made.items():
        interval = clopper_pearson(one.n_accepted, one.n_generated)
        rows.append(
            SuepEfficiency(
                process=name,
                n_generated=one.n_generated,
                n_accepted=one.n_accepted,
                efficiency=one.efficiency,
                lowest=interval.lower,
                highest=interval.upper,
                published=find(name).published,
                filled=one.n_pixels / max(one.n_accepted, 1) / n_values,
            )
        )
    return SuepEfficiencies(rows=tuple(rows))


def yields_view(found: SuepEfficiencies) -> RenderableType:
    """Draw the yields of a run."""
    drawn = table(
        f"H_T > {MIN_HT_GEV:g} GeV",
        ("process", "generated", "passed", "efficiency", "95 % interval", "published", "pixels"),
        [
            (
                one.process,
                f"{one.n_generated:,}",
                f"{one.n_accepted:,}",
                f"{one.efficiency:.2%}",
                f"{one.lowest:.2%} to {one.highest:.2%}",
                f"{one.published:.1%}" + (" (flattened)" if one.process == QCD.name else ""),
                f"{one.filled:.2%}",
            )
            for one in found.rows
        ],
        justify="right",
    )
    return Group(drawn, Text(CAVEAT))
