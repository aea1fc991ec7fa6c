"""How stable the rate of one entry is."""

from __future__ import annotations

from harness.board.entry import point_at, shown_physics
from harness.board.formats import DASH
from harness.card.figures import NotMeasured
from harness.card.records import ScoreCard
from harness.card.stress import SkippedVariation, Stress, StressedRate, Variation
from harness.challenge import Merit, input_rate_khz, point_text
from leaderboard_app import charts
from leaderboard_app.blocks import Block, Note, Section, Table
from leaderboard_app.views.common import interval_text, measured


def stress_section(card: ScoreCard) -> Section:
    """Show what the threshold lets pass of varied background; empty where it was not measured."""
    if isinstance(card.stress, NotMeasured):
        return Section(title="")
    fpr, merit = card.challenge.working_point, card.challenge.merit
    variations = [one for one in card.stress.variations if not _is_second(one)]
    made = [one for one in variations if isinstance(one, Variation)]
    if not variations:
        return Section(title="")
    at_point = {one.name: _at(one, fpr) for one in made}
    point = point_at(shown_physics(card), fpr)
    blocks: list[Block] = []
    bars = [
        measured(one.title, "rate", rate.fpr_realised, rate.interval)
        for one in made
        if (rate := at_point[one.name]) is not None
    ]
    if bars and not isinstance(point, NotMeasured):
        blocks.append(
            charts.rates(
                bars,
                title="FPR realised at the threshold for "
                + point_text(merit, fpr).removeprefix("FPR "),
                nominal=point.fpr_realised,
            )
        )
    if made:
        blocks.append(_table(made, merit))
    blocks += [
        Note(text=f"{one.title}: not measured: {one.not_measured}", tone="warn")
        for one in variations
        if isinstance(one, SkippedVariation)
    ]
    if made:
        blocks.append(Note(text=_what(card.stress, made)))
    return Section(
        title="Rate stability",
        lead="The thresholds are those of nominal background; what passes is other background. "
        "Rates are per nominal event: events that a variation loses are among those counted.",
        columns=2,
        blocks=tuple(blocks),
    )


def _is_second(one: Variation | SkippedVariation) -> bool:
    """Whether it is a second simulation of a process, which has a section of its own."""
    return isinstance(one, Variation) and one.variation_of is not None


def _at(variation: Variation, fpr: float) -> StressedRate | None:
    return next((rate for rate in variation.rates if rate.fpr == fpr), None)


def _table(made: list[Variation], merit: Merit | None) -> Table:
    rows = [
        [
            one.title,
            point_text(merit, rate.fpr).removeprefix("FPR "),
            interval_text(rate.fpr_realised, rate.interval.lower, rate.interval.upper),
            DASH if isinstance(rate.ratio, NotMeasured) else f"{rate.ratio:.3g}",
            DASH if rate.n_gained is None else f"+{rate.n_gained:,} −{rate.n_lost:,}",
        ]
        for one in made
        for rate in one.rates
    ]
    return Table(
        columns=(
            "Background",
            "FPR aimed at" if input_rate_khz(merit) is None else "Rate aimed at",
            "Realised",
            "/ nominal",
            "Events",
        ),
        rows=rows,
        caption="95 % intervals for a fixed threshold; events that pass now and did not, and the "
        "other way round",
    )


def _what(stress: Stress, made: list[Variation]) -> str:
    whose = "the firmware's" if stress.arithmetic == "firmware" else "the float network's"
    listed = "; ".join(
        f"{one.title}: {one.what} ({one.n_selected / max(one.n_events, 1):.2%} still selected)"
        for one in made
    )
    return f"From {whose} scores. {listed}."
