"""What cuts on the score do to the mass: sculpting, bump hunt, significance improvement."""

from __future__ import annotations

from harness.board.entry import shown_physics
from harness.board.rows import titles_of
from harness.card.figures import NotMeasured
from harness.card.mass import Distance, HuntAtCut, InjectedScan, MassFigures, Scan
from harness.card.mass_view import (
    POOR_FIT,
    REGION_TITLES,
    distance_text,
    purity_text,
    scan_cells,
    second_rows,
    second_simulations,
    share_text,
    sic_text,
)
from harness.card.records import ScoreCard
from harness.card.text import visible
from leaderboard_app import charts
from leaderboard_app.blocks import Block, Note, Section, Table
from leaderboard_app.charts import Band, Palette
from leaderboard_app.views.common import BACKGROUND, drawn_signals, few_drawn, palette_of


def mass_sections(card: ScoreCard) -> list[Section]:
    """Show what cuts on the score do to the mass; nothing where the challenge states none."""
    physics = shown_physics(card)
    if physics is None or physics.mass is None:
        return []
    mass = physics.mass
    return [_sculpting(mass), *_hunts(card, mass), *_improvement(card, mass)]


def axis_of(mass: MassFigures) -> str:
    """Title of the mass with its unit."""
    title = visible(mass.title)
    return f"{title} [{visible(mass.unit)}]" if mass.unit else title


def _sculpting(mass: MassFigures) -> Section:
    shown = {
        _cut_text(one.background_efficiency): one.counts[BACKGROUND]
        for one in mass.spectra
        if any(one.counts[BACKGROUND])
    }
    blocks: list[Block] = [
        charts.distribution(
            mass.edges, shown, Palette(names=tuple(shown)), title=axis_of(mass), is_log=True
        ),
        _mean_picture(mass),
        Table(
            columns=("Background that passes", "Events", "Distance", "By chance", "p"),
            rows=[
                _distance_cells(one.background_efficiency, one.n_passing, one.distance)
                for one in mass.spectra
                if one.background_efficiency < 1.0
            ],
            caption="Jensen-Shannon distance to the spectrum without a cut: 0 alike, 1 apart. What "
            "chance adds to a cut of this size is taken off; its 95 % range, and how often it is "
            "as far, stand beside",
        ),
    ]
    lost = sum(mass.without_mass.values())
    if lost:
        blocks.append(Note(text=f"{lost:,} events have no mass and are left out."))
    return Section(
        title="Mass behind the cut",
        lead="A cut that leaves the spectrum of the background as it is makes no bump of its own.",
        columns=2,
        blocks=tuple(blocks),
    )


def _mean_picture(mass: MassFigures) -> Block:
    values = [
        {"x": one.loose, "y": one.mean, "lower": one.interval.lower, "upper": one.interval.upper}
        for one in mass.profile
        if one.interval is not None and isinstance(one.mean, float)
    ]
    overall = mass.overall.mean if isinstance(mass.overall.mean, float) else None
    return charts.means(values, title=axis_of(mass), overall=overall)


def _distance_cells(share: float, n_passing: int, distance: Distance | NotMeasured) -> list[str]:
    start = [share_text(share), f"{n_passing:,}"]
    if isinstance(distance, NotMeasured):
        return [*start, f"not measured: {distance.not_measured}", "", ""]
    chance = f"{distance.by_chance.lower:.2g} to {distance.by_chance.upper:.2g}"
    p = f"{distance.p_value:.2g}"
    return [*start, distance_text(distance.value, distance.interval), chance, p]


def _hunts(card: ScoreCard, mass: MassFigures) -> list[Section]:
    if not mass.hunts or mass.window is None:
        return []
    titles = titles_of(card, list(mass.injected))
    injected = [name for name in drawn_signals(card) if name in mass.injected]
    stated = "; ".join(f"{visible(titles[name])} S/B {mass.injected[name]:g}" for name in injected)
    low, high = (f"{end:g}" for end in mass.window)
    blocks: list[Block] = []
    for name in injected:
        for hunt in (mass.hunts[0], mass.hunts[-1]):
            found = hunt.injected.get(name)
            if isinstance(found, InjectedScan):
                cut = _cut_text(hunt.background_efficiency)
                title = f"{axis_of(mass)}, {visible(titles[name])}, {cut}"
                blocks.append(
                    charts.spectrum(
                        mass.edges, found.counts, found.scan.fitted, title=title, window=mass.window
                    )
                )
    rows = [row for hunt in mass.hunts for row in _hunt_rows(hunt, titles, injected)]
    blocks.append(
        Table(
            columns=(
                "Cut",
                "Data",
                "S/B",
                "Local Z",
                "Expected Z",
                "Global Z",
                "Largest at",
                "Fit",
            ),
            rows=rows,
            caption="In the window; S/B with its 95 % interval. Expected: of the Asimov data set. "
            "Global: of the largest Z in any window as wide, by toys. Fit: share of toys that "
            "their fit describes worse",
        )
    )
    blocks += [Note(text=text, tone="warn") for text in _warnings(mass)]
    return [
        Section(
            title="Bump hunt",
            lead=f"Injected before the cut: {stated}. A smooth function is fitted outside "
            f"{low} to {high} {visible(mass.unit)}; the hunt in background alone shows what "
            "the cut makes by itself.",
            columns=2,
            blocks=tuple(blocks),
        )
    ]


def _cut_text(efficiency: float) -> str:
    return "no cut" if efficiency >= 1.0 else f"{share_text(efficiency)} pass"


def _hunt_rows(hunt: HuntAtCut, titles: dict[str, str], injected: list[str]) -> list[list[str]]:
    rows = [
        [
            _cut_text(hunt.background_efficiency),
            "Background",
            "",
            *scan_cells(hunt.background, None),
        ]
    ]
    for name in injected:
        found = hunt.injected.get(name, NotMeasured(not_measured="not recorded"))
        is_measured = isinstance(found, InjectedScan)
        purity = purity_text(found) if isinstance(found, InjectedScan) else ""
        cells = scan_cells(
            found.scan if isinstance(found, InjectedScan) else found,
            found.expected_z if isinstance(found, InjectedScan) else None,
        )
        what = visible(titles[name]) if is_measured else f"{visible(titles[name])}: not measured"
        rows.append(["", f"with {what}", purity, *cells])
    return rows


def _warnings(mass: MassFigures) -> list[str]:
    found = []
    for hunt in mass.hunts:
        alone, cut = hunt.background, _cut_text(hunt.background_efficiency)
        if not isinstance(alone, Scan):
            found.append(f"{cut}: no hunt, {alone.not_measured}.")
        elif alone.goodness < POOR_FIT:
            found.append(
                f"{cut}: no smooth function describes the background behind the cut, so that no "
                "significance there means anything."
            )
        elif alone.global_p < POOR_FIT:
            found.append(f"{cut}: the cut makes a bump in the background alone.")
    return found


def _improvement(card: ScoreCard, mass: MassFigures) -> list[Section]:
    palette, names = palette_of(card), drawn_signals(card)
    titles = {name: visible(title) for name, title in titles_of(card, list(names)).items()}
    blocks: list[Block] = []
    for region in mass.regions:
        curves = [
            Band(name=titles[name], x=sic.tpr, y=sic.value, lower=sic.lower, upper=sic.upper)
            for name in names
            if name in region.signals and (sic := region.signals[name].sic) is not None
        ]
        if curves:
            y_title = f"TPR / √FPR, {REGION_TITLES[region.name]}"
            blocks.append(charts.bands(curves, palette, x_title="TPR", y_title=y_title))
    rows = [
        [
            f"{titles[name]}, {REGION_TITLES[region.name]}",
            f"{region.signals[name].n_events:,} / {region.n_background:,}",
            *(sic_text(next((at for at in region.signals[name].at if at.fpr == fpr), None))
              for fpr in (1e-2, 1e-3)),
            sic_text(region.signals[name].largest),
        ]
        for region in mass.regions
        for name in names
        if name in region.signals
    ]  # fmt: skip
    if not rows:
        return []
    least = mass.regions[0].min_background
    blocks.append(
        Table(
            columns=("Signal", "Signal / background", "At FPR 1e-2", "At FPR 1e-3", "Largest"),
            rows=rows,
            caption="Cuts are set on the background of the region. The largest has at least "
            f"{least:,} background events; 95 % intervals",
        )
    )
    return [
        Section(
            title="Significance improvement",
            lead="What a cut gains in S/√B. Bands cover 95 % at each FPR by itself, with the "
            f"uncertainty of the threshold. {few_drawn(card)}".strip(),
            columns=2,
            blocks=tuple(blocks),
        )
    ]


def second_section(card: ScoreCard) -> Section:
    """Show what a second simulation of background and signals changes; empty without one."""
    rows = [list(row) for one in second_simulations(card.stress) for row in second_rows(one)]
    if not rows:
        return Section(title="")
    return Section(
        title="Second simulation",
        lead="The same figures with background and signals of another Monte Carlo; thresholds are "
        "frozen on the nominal one.",
        blocks=(
            Table(
                columns=("Of", "Figure", "Nominal", "Second", "Change"),
                rows=rows,
                words=frozenset({1}),
                caption="Change of an FPR: relative, with the uncertainty of the threshold; of a "
                "TPR: the difference; 95 % intervals",
            ),
        ),
    )
