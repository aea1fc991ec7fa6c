"""The check of simulated events, in a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from harness.card.figures import NotMeasured
from harness.card.terminal import table
from harness.card.text import plain
from harness.metrics.two_samples import SampleDistance
from harness.simulate.against import Compared, FeatureDistance
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


def compared_view(compared: Compared) -> RenderableType:
    """Draw how far two files of events are from each other."""
    drawn = table(
        f"{compared.source} ({compared.n_events:,} events) against {compared.other} "
        f"({compared.n_other:,})",
        ("feature", "mean", "mean of the other", "spread", "Wasserstein-1", "by chance"),
        [_feature_row(one) for one in compared.features],
        justify="right",
    )
    explained = (
        "Intervals are of 95 %. FPD and KPD (arXiv:2211.10295) are those of all features together, "
        "each over its largest magnitude: 0 where both files are alike, negative by chance alone."
    )
    lines = (
        f"FPD {_distance_text(compared.frechet)}",
        f"KPD {_distance_text(compared.kernel)}",
        explained,
    )
    return Group(drawn, *(Text(plain(line)) for line in lines))


def _feature_row(one: FeatureDistance) -> tuple[str, ...]:
    name = f"{one.name} [{one.unit}]" if one.unit else one.name
    means = (f"{one.mean:.4g}", f"{one.mean_other:.4g}", f"{one.spread:.4g}")
    if isinstance(one.distance, NotMeasured):
        return (name, *means, one.distance.not_measured, "")
    chance = one.distance.by_chance
    by_chance = "" if chance is None else f"{chance.lower:.2g} to {chance.upper:.2g}"
    return (name, *means, _distance_text(one.distance), by_chance)


def _distance_text(found: SampleDistance | NotMeasured) -> str:
    if isinstance(found, NotMeasured):
        return f"not measured: {found.not_measured}"
    return f"{found.value:.3g} [{found.interval.lower:.3g}, {found.interval.upper:.3g}]"
