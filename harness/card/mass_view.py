"""What cuts on the score do to the mass of the events, in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich.console import RenderableType

from harness.card.figures import Interval, NotMeasured
from harness.card.mass import HuntAtCut, InjectedScan, MassFigures, Region, Scan, SicAt, Spectrum
from harness.card.physics import Auc
from harness.card.stress import Stress, Variation
from harness.card.terminal import DASH, FittingTable, Heading, with_interval

# A smooth function that fewer toys than this fit worse does not describe the spectrum.
POOR_FIT = 0.01
REGION_TITLES: Mapping[str, str] = {
    "all": "all events",
    "inside": "in the window",
    "outside": "outside the window",
}


def mass_view(mass: MassFigures) -> list[RenderableType]:
    """Draw sculpting, bump hunt and significance improvement."""
    unit = f" [{mass.unit}]" if mass.unit else ""
    drawn: list[RenderableType] = [
        FittingTable(
            title=f"{mass.title} behind the cut",
            headings=(
                Heading(title="background\nthat passes"),
                Heading(title="events"),
                Heading(title="Jensen-Shannon\ndistance"),
                Heading(title="by chance", rank=1),
                Heading(title="p", rank=1),
            ),
            rows=[_distance_row(one) for one in mass.spectra if one.background_efficiency < 1.0],
            caption="of the spectrum of background to that without a cut: 0 alike, 1 apart; what "
            "chance adds is taken off; 95 % intervals",
        ),
        FittingTable(
            title=f"mean {mass.title.lower()}{unit} of background in bins of the score",
            headings=(
                Heading(title="background\nabove"),
                Heading(title="events", rank=1),
                Heading(title="mean"),
            ),
            rows=[
                (
                    f"{share_text(one.loose)} to {share_text(one.tight)}",
                    f"{one.n_events:,}",
                    DASH if one.interval is None else mean_text(one.mean, one.interval),
                )
                for one in mass.profile
            ],
        ),
    ]
    if mass.hunts:
        drawn.append(_hunt_table(mass))
    drawn.append(_sic_table(mass.regions))
    return drawn


def share_text(share: float) -> str:
    """Write a share of background in per cent.

    Examples
    --------
    >>> share_text(1.0), share_text(0.01), share_text(0.0004)
    ('100 %', '1 %', '0.04 %')
    """
    return f"{100 * share:.3g} %"


def mean_text(mean: float | NotMeasured, interval: Interval) -> str:
    """Write a mean mass with its interval."""
    if isinstance(mean, NotMeasured):
        return DASH
    return f"{mean:.4g} [{interval.lower:.4g}, {interval.upper:.4g}]"


def _distance_row(one: Spectrum) -> tuple[str, ...]:
    start = (share_text(one.background_efficiency), f"{one.n_passing:,}")
    if isinstance(one.distance, NotMeasured):
        return (*start, one.distance.not_measured, DASH, DASH)
    found = one.distance
    chance = f"{found.by_chance.lower:.2g} to {found.by_chance.upper:.2g}"
    return (*start, distance_text(found.value, found.interval), chance, f"{found.p_value:.2g}")


def distance_text(value: float, interval: Interval) -> str:
    """Write a distance with its interval.

    Examples
    --------
    >>> distance_text(0.0, Interval(lower=0.0, upper=0.0341, method=""))
    '0.000 [0.000, 0.034]'
    """
    return f"{value:.3f} [{interval.lower:.3f}, {interval.upper:.3f}]"


def _hunt_table(mass: MassFigures) -> FittingTable:
    low, high = mass.window or (0.0, 0.0)
    rows = [row for hunt in mass.hunts for row in _hunt_rows(hunt)]
    return FittingTable(
        title=f"bump hunt in the {mass.title.lower()}, window {low:g} to {high:g} {mass.unit}",
        headings=(
            Heading(title="background\nthat passes"),
            Heading(title="data", is_text=True),
            Heading(title="S/B"),
            Heading(title="local Z"),
            Heading(title="expected Z", rank=1),
            Heading(title="global Z"),
            Heading(title="largest at", rank=2),
            Heading(title="fit", rank=1),
        ),
        rows=rows,
        caption="S/B and Z in the window; global: of the largest Z in any window, by toys; "
        "expected: Asimov; fit: share of toys that fit worse. A bump in background alone is "
        "sculpted",
    )


def _hunt_rows(hunt: HuntAtCut) -> Iterator[tuple[str, ...]]:
    share = share_text(hunt.background_efficiency)
    yield (share, "background", DASH, *scan_cells(hunt.background, None))
    for name, one in hunt.injected.items():
        if isinstance(one, NotMeasured):
            yield ("", f"with {name}: {one.not_measured}", DASH, *scan_cells(one, None))
            continue
        yield ("", f"with {name}", purity_text(one), *scan_cells(one.scan, one.expected_z))


def purity_text(one: InjectedScan) -> str:
    """Write S/B in the window with its interval."""
    if isinstance(one.signal_to_background, NotMeasured) or one.interval is None:
        return DASH
    ends = one.interval
    return f"{one.signal_to_background:.3g} [{ends.lower:.3g}, {ends.upper:.3g}]"


def scan_cells(scan: Scan | NotMeasured, expected_z: float | None) -> tuple[str, ...]:
    """Write local, expected and global significance, where the largest is, and how the fit is."""
    if isinstance(scan, NotMeasured):
        return DASH, DASH, DASH, DASH, DASH
    poor = " (poor)" if scan.goodness < POOR_FIT else ""
    return (
        f"{scan.stated.z:+.2f}",
        DASH if expected_z is None else f"{expected_z:.2f}",
        f"{scan.global_z:.2f}",
        f"{scan.largest.lower:.4g} to {scan.largest.upper:.4g}",
        f"{scan.goodness:.2g}{poor}",
    )


def _sic_table(regions: tuple[Region, ...]) -> FittingTable:
    least = next((region.min_background for region in regions), 0)
    shown = sorted(
        {at.fpr for region in regions for signal in region.signals.values() for at in signal.at},
        reverse=True,
    )
    rows = [
        (
            f"{name}, {REGION_TITLES[region.name]}",
            DASH if isinstance(signal.auc, NotMeasured) else f"{signal.auc:.4f}",
            *(sic_text(next((one for one in signal.at if one.fpr == fpr), None)) for fpr in shown),
            sic_text(signal.largest),
        )
        for region in regions
        for name, signal in region.signals.items()
    ]
    return FittingTable(
        title="significance improvement TPR / √FPR",
        headings=(
            Heading(title="signal", is_text=True),
            Heading(title="AUC", rank=2),
            *(Heading(title=f"at FPR {fpr:.0e}".replace("e-0", "e-"), rank=1) for fpr in shown),
            Heading(title="largest"),
        ),
        rows=rows,
        caption=f"cuts set on background of the region; the largest with at least {least} "
        "background events; 95 % intervals",
    )


def sic_text(one: SicAt | NotMeasured | None) -> str:
    """Write a significance improvement with its interval."""
    if one is None or isinstance(one, NotMeasured):
        return DASH
    low = " (low statistics)" if one.is_low_statistics else ""
    return f"{one.value:.3g} [{one.interval.lower:.3g}, {one.interval.upper:.3g}]{low}"


def second_simulation_view(stress: Stress) -> list[RenderableType]:
    """Draw what a second simulation changes; nothing without one."""
    rows = [row for one in second_simulations(stress) for row in second_rows(one)]
    if not rows:
        return []
    return [
        FittingTable(
            title="second simulation",
            headings=(
                Heading(title="of", is_text=True),
                Heading(title="figure", is_text=True),
                Heading(title="nominal"),
                Heading(title="second"),
                Heading(title="change"),
            ),
            rows=rows,
            caption="thresholds are frozen on nominal background; change of an FPR: relative, with "
            "the uncertainty of the threshold; of a TPR: difference; 95 % intervals",
        )
    ]


def second_simulations(stress: Stress | NotMeasured) -> list[Variation]:
    """Return the second simulations of processes that were measured."""
    if isinstance(stress, NotMeasured):
        return []
    made = [one for one in stress.variations if isinstance(one, Variation)]
    return [one for one in made if one.variation_of is not None]


def second_rows(one: Variation) -> Iterator[tuple[str, str, str, str, str]]:
    """Write a row for each figure of a second simulation."""
    for rate in one.rates:
        change = DASH
        if rate.drift is not None and not isinstance(rate.drift, NotMeasured):
            ends = rate.drift.interval
            change = f"{100 * rate.drift.value:+.3g} % [{100 * ends.lower:+.3g}, "
            change += f"{100 * ends.upper:+.3g}]"
        nominal = DASH
        if not isinstance(rate.ratio, NotMeasured) and rate.ratio > 0:
            nominal = f"{rate.fpr_realised / rate.ratio:.3g}"
        realised = with_interval(rate.fpr_realised, rate.interval)
        yield one.title, f"FPR at {rate.fpr:g}", nominal, realised, change
    for fpr, changed in one.signal_rates.items():
        ends = changed.difference
        change = f"{changed.after - changed.before:+.3f} [{ends.lower:+.3f}, {ends.upper:+.3f}]"
        figure = f"TPR at FPR {fpr}"
        yield one.title, figure, f"{changed.before:.3f}", f"{changed.after:.3f}", change
    for name, area in one.auc.items():
        before, after = area.before, area.after
        change = f"{after.value - before.value:+.4f}"
        yield one.title, f"AUC of {name}", area_text(before), area_text(after), change


def area_text(auc: Auc) -> str:
    """Write an area under the ROC curve with its interval."""
    return f"{auc.value:.4f} [{auc.interval.lower:.4f}, {auc.interval.upper:.4f}]"
