"""What an entry accepts, and its gain over today's cuts."""

from __future__ import annotations

from collections.abc import Mapping

from harness.board.formats import percent
from harness.board.rows import titles_of
from harness.card.accepted import Accepted, Distribution, Gain
from harness.card.figures import NotMeasured
from harness.card.records import ScoreCard
from harness.card.text import visible
from harness.challenge import point_text
from leaderboard_app import charts
from leaderboard_app.blocks import Block, Section, Table
from leaderboard_app.charts import Palette
from leaderboard_app.views.common import (
    BACKGROUND,
    axis_title,
    drawn_signals,
    measured,
    palette_of,
    process_titles,
)


def accepted_sections(card: ScoreCard) -> list[Section]:
    """Lay out which events pass, of what they are made, and the gain over cuts."""
    sections = []
    if isinstance(card.accepted, Accepted):
        sections.append(_kinematics_section(card, card.accepted))
        if not isinstance(card.accepted.composition, NotMeasured):
            sections.append(_composition_section(card.accepted.composition))
    if not isinstance(card.cuts, NotMeasured):
        sections.append(_cuts_section(card))
    return sections


def _kinematics_section(card: ScoreCard, accepted: Accepted) -> Section:
    every = {one.name: one for one in accepted.every}
    titles = process_titles(card)
    pictures = []
    for one in (coarser(each) for each in accepted.passing):
        behind = coarser(every[one.name]) if one.name in every else None
        pictures.append(
            charts.distribution(
                one.edges,
                {
                    titles.get(name, visible(name)): values
                    for name, values in one.counts.items()
                    if name in {BACKGROUND, *drawn_signals(card)}
                },
                palette_of(card, background=True),
                title=axis_title(one),
                faint=() if behind is None else behind.counts.get(BACKGROUND, ()),
            )
        )
    return Section(
        title="What it accepts",
        lead=f"Events that pass at {point_text(card.challenge.merit, accepted.fpr)}, each process "
        "normalised to 1, with the errors of the counts (one standard deviation); all background "
        "lies behind in grey. Fewer than ten events are points. The outermost bins hold "
        "what lies beyond, too.",
        columns=2,
        blocks=tuple(pictures),
    )


def coarser(one: Distribution, n_bins: int = 14) -> Distribution:
    """Join neighbouring bins until about `n_bins` are left: few events need wide bins."""
    n = len(one.edges) - 1
    step = max(1, n // n_bins)
    if step == 1:
        return one
    edges = (*one.edges[:-1:step], one.edges[-1])
    counts = {
        name: tuple(sum(values[i : i + step]) for i in range(0, n, step))
        for name, values in one.counts.items()
    }
    return one.model_copy(update={"edges": edges, "counts": counts})


def _composition_section(composition: Mapping[str, object]) -> Section:
    from harness.card.accepted import Share

    shares = {name: share for name, share in composition.items() if isinstance(share, Share)}
    return Section(
        title="Of what the background is made",
        lead="Bars show one standard deviation of the counted events.",
        blocks=(
            charts.composition(
                {visible(name): (one.n_events, one.n_passing) for name, one in shares.items()},
                names=("all background", "accepted background"),
            ),
        ),
    )


def _cuts_section(card: ScoreCard) -> Section:
    cuts = card.cuts
    if isinstance(cuts, NotMeasured):
        return Section(title="")
    titles = titles_of(card, list(cuts.gain))
    values = [
        measured(titles[name], "gain", gain.ratio, gain.interval)
        for name, gain in cuts.gain.items()
        if isinstance(gain, Gain)
    ]
    rows = [
        [
            titles[name],
            percent(cuts.point.rates[name].tpr),
            f"{gain.ratio:.3g} [{gain.interval.lower:.3g}, {gain.interval.upper:.3g}]"
            if isinstance(gain, Gain)
            else gain.not_measured,
        ]
        for name, gain in cuts.gain.items()
    ]
    listed = ", ".join(
        f"{_cut_names(name)} > {value:.4g} GeV" for name, value in cuts.thresholds.items()
    )
    blocks: list[Block] = []
    if values:
        blocks.append(
            charts.dots(
                values,
                Palette(names=("gain",)),
                title="TPR of the entry / TPR of the cuts",
                reference=1.0,
            )
        )
    blocks.append(Table(columns=("Signal", "TPR of the cuts", "Gain"), rows=rows))
    return Section(
        title="Against today's cuts",
        lead=f"A trigger of simple cuts at the same rate: {listed}; one of them is enough. A gain "
        "over 1 is the network's.",
        columns=2,
        blocks=tuple(blocks),
    )


def _cut_names(name: str) -> str:
    titles = {"lepton_pt": "leading lepton pT", "met": "MET", "ht": "HT"}
    return titles.get(name, visible(name))
