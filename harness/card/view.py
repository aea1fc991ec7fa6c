"""A score card in a terminal, in the field's own notation."""

from __future__ import annotations

import math
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from harness.card.compression import compression_rows
from harness.card.costs import Cost
from harness.card.declared import declared_facts
from harness.card.figures import NotMeasured, UnreachedWorkingPoint
from harness.card.hardware import Figure, Firmware, Verdict
from harness.card.in_hardware import hardware_rows
from harness.card.mass_view import mass_view, second_simulation_view
from harness.card.physics import Accuracy, Auc, Physics, WorkingPoint
from harness.card.records import ScoreCard
from harness.card.rounding_view import rounding_view
from harness.card.stress import SkippedVariation, Variation
from harness.card.terminal import (
    DASH,
    FittingTable,
    Heading,
    interval_text,
    not_measured,
    rate_text,
    remark,
    table,
    with_interval,
)
from harness.card.text import plain
from harness.card.trigger_view import trigger_view
from harness.challenge import RESOURCE_TITLES, Merit, Target, fpr_text, input_rate_khz, point_text

# The smallest rate at which a part of the events says something.
_QUICK_FPR = 1e-3


def card_view(card: ScoreCard) -> RenderableType:
    """Draw a whole card."""
    firmware, network = card.firmware_physics, card.float_physics
    parts: list[RenderableType] = [_heading(card)]
    if not isinstance(firmware, NotMeasured):
        parts.append(_scored_table(card, firmware, "firmware"))
    if not isinstance(network, NotMeasured):
        parts.append(_network_view(card, network))
    parts += rounding_view(card)
    is_asked = isinstance(card.challenge.target, Target)
    if is_asked and isinstance(firmware, NotMeasured) and card.submission.division == "trigger":
        parts.append(not_measured("firmware scores", firmware))
    parts += _trigger_view(card)
    parts.append(_cost_view(card.cost))
    if isinstance(card.challenge.target, Target) or not isinstance(card.firmware, NotMeasured):
        parts += [firmware_view(card.firmware), *_hardware_view(card), *_compared_view(card)]
    parts += _processor_view(card)
    parts.append(_checks_view(card))
    parts += _stress_view(card)
    parts += [remark("warning", warning) for warning in card.warnings]
    return Group(*parts)


def _trigger_view(card: ScoreCard) -> list[RenderableType]:
    """Draw what the scores that count do inside the trigger, and to the mass."""
    scores = (card.firmware_physics, card.float_physics)
    physics = next((one for one in scores if not isinstance(one, NotMeasured)), None)
    if physics is None:
        return []
    shown = trigger_view(physics, card.challenge.working_point, card.challenge.merit)
    return [*shown, *([] if physics.mass is None else mass_view(physics.mass))]


def _heading(card: ScoreCard) -> Panel:
    submission, challenge = card.submission, card.challenge
    lines = [
        f"{submission.title} · team {submission.team} · {submission.division} division",
        f"{challenge.title} · {challenge.name}, version {challenge.version}",
    ]
    declared = declared_facts(submission).items()
    lines.append(" · ".join(f"{title.lower()}: {value}" for title, value in declared))
    if challenge.synthetic:
        lines.append("synthetic events: no prediction for the real data")
    if not card.is_official:
        lines.append("UNOFFICIAL: " + "; ".join(card.unofficial_because))
    lines.append(f"isolation {card.isolation.kind} · {card.created} · {submission.digest[:19]}…")
    text = Text(plain("\n".join(lines)))
    return Panel(text, title="score card", title_align="left", expand=False)


def _network_view(card: ScoreCard, physics: Physics) -> RenderableType:
    """Draw the float scores' table, unless the firmware's holds the same figures."""
    if card.submission.division != "trigger":
        return _scored_table(card, physics, "scores")
    if card.firmware_physics == physics.model_copy(update={"arithmetic": "firmware"}):
        return Text("float network: the same figures as the firmware's, digit for digit")
    return _scored_table(card, physics, "float network")


def _scored_table(card: ScoreCard, physics: Physics, name: str) -> FittingTable:
    events = "per preselected event" if card.challenge.is_of_collisions else "per event"
    return physics_table(
        physics, name, card.challenge.working_point, events=events, merit=card.challenge.merit
    )


def synthesis_view(
    firmware: Firmware | NotMeasured, physics: Physics | NotMeasured
) -> RenderableType:
    """Draw firmware that was made without a card, and the physics of its scores of some events."""
    if isinstance(physics, NotMeasured):
        return firmware_view(firmware)
    rates = [point.fpr for point in physics.working_points]
    shown = _QUICK_FPR if _QUICK_FPR in rates else max(rates)
    points = tuple(point for point in physics.working_points if point.fpr == shown)
    few = physics.model_copy(update={"working_points": points})
    drawn = physics_table(few, "firmware, a part of the events")
    return Group(drawn, firmware_view(firmware))


def physics_table(
    physics: Physics,
    name: str,
    working_point: float | None = None,
    *,
    events: str = "per event",
    merit: Merit | None = None,
) -> FittingTable:
    """Draw AUC and TPR of each signal with their 95 % intervals.

    Parameters
    ----------
    working_point : float, optional
        The challenge's, which is marked and never left out.
    events : str
        Of what a TPR is a share.
    merit : Merit, optional
        What the challenge ranks: at a rate, working points are written in kHz.
    """
    points = physics.working_points
    stars = {} if working_point is None else {working_point: "*"}
    # Of the other rates those next to the challenge's matter most, if they were measured well.
    distance = {
        one.fpr: (_is_weak(one), abs(math.log10(one.fpr / (working_point or 1.0))))
        for one in points
    }
    nearest = sorted(distance, key=lambda fpr: distance[fpr])
    return FittingTable(
        title=f"{name}: {physics.n_background:,} test background events",
        headings=(
            Heading(title="signal", is_text=True),
            Heading(title="AUC", rank=1),
            *([] if physics.accuracy is None else [Heading(title="accuracy", rank=1)]),
            *(
                Heading(
                    title=_point_heading(merit, point.fpr, stars.get(point.fpr, "")),
                    rank=0 if point.fpr in stars else 2 + nearest.index(point.fpr),
                )
                for point in points
            ),
        ),
        rows=[
            (
                signal,
                _four_digits(auc),
                *([] if physics.accuracy is None else [_four_digits(physics.accuracy.get(signal))]),
                *(_rate_cell(point, signal) for point in points),
            )
            for signal, auc in physics.auc.items()
        ],
        caption="\n".join(_working_point_notes(physics, events, merit, has_star=bool(stars))),
    )


def _four_digits(found: Auc | Accuracy | None) -> str:
    if found is None:
        return DASH
    return f"{found.value:.4f}\n[{found.interval.lower:.4f}, {found.interval.upper:.4f}]"


def _point_heading(merit: Merit | None, fpr: float, star: str) -> str:
    if input_rate_khz(merit) is None:
        return f"TPR at FPR\n{fpr_text(fpr)}{star}"
    khz, _, rest = point_text(merit, fpr).partition(" (")
    return f"TPR at\n{khz}{star}\n{rest.removesuffix(')')}"


def _is_weak(point: WorkingPoint | UnreachedWorkingPoint) -> bool:
    return isinstance(point, UnreachedWorkingPoint) or point.is_low_statistics


def _rate_cell(point: WorkingPoint | UnreachedWorkingPoint, signal: str) -> str:
    if isinstance(point, UnreachedWorkingPoint):
        return DASH
    rate = point.rates[signal]
    return f"{rate_text(rate.tpr)}\n{interval_text(rate.interval)}"


def _working_point_notes(
    physics: Physics, of_events: str, merit: Merit | None, *, has_star: bool
) -> Iterator[str]:
    is_rate = input_rate_khz(merit) is not None
    for point in physics.working_points:
        named = point_text(merit, point.fpr) if is_rate else f"FPR {point.fpr:.0e}"
        if isinstance(point, UnreachedWorkingPoint):
            yield f"{named}: not measured, {point.not_measured}"
        elif point.is_low_statistics:
            events = "event" if point.n_allowed == 1 else "events"
            yield (f"{named}: low statistics, {point.n_allowed} background {events} may pass")
    star = "; * the challenge's working point" if has_star else ""
    yield f"95 % intervals; {of_events}{star}"


def _cost_view(cost: Cost | NotMeasured) -> RenderableType:
    if isinstance(cost, NotMeasured):
        return not_measured("cost", cost)
    rows = [
        ("parameters", _count(cost.n_parameters)),
        ("FLOPs", _count(cost.flops)),
        ("MACs", _count(cost.macs)),
        ("bit operations", _count(cost.bops)),
        ("weight bits", _count(cost.weight_bits)),
        *compression_rows(cost),
    ]
    if cost.uncounted_operations:
        names = ", ".join(f"{name} x{n}" for name, n in cost.uncounted_operations.items())
        rows.append(("operations without a FLOPs formula", names))
    return table("cost per event", ("", "value"), rows)


def _count(value: int | NotMeasured) -> str:
    if isinstance(value, NotMeasured):
        return f"not measured: {value.not_measured}"
    return f"{value:,}"


def firmware_view(firmware: Firmware | NotMeasured) -> RenderableType:
    """Draw timing, resources and verdicts with the evidence of each figure."""
    if isinstance(firmware, NotMeasured):
        return not_measured("firmware", firmware)
    figures = (
        ("latency", firmware.latency_cycles, "cycles"),
        ("latency", firmware.latency_ns, "ns"),
        ("initiation interval", firmware.interval_cycles, "cycles"),
        ("clock period", firmware.clock_period_ns, "ns"),
        *((title, getattr(firmware, name), "") for name, title in RESOURCE_TITLES.items()),
    )
    drawn = table(
        f"firmware for {firmware.target.part} ({firmware.backend})",
        ("", "value", "evidence"),
        [(name, *_figure(figure, unit)) for name, figure, unit in figures],
    )
    verdicts = (_verdict_line(verdict) for verdict in firmware.verdicts)
    notes = (Text(plain(note)) for note in firmware.notes)
    return Group(drawn, *_tried_depths(firmware), *verdicts, *notes)


def _tried_depths(firmware: Firmware) -> list[RenderableType]:
    """Draw the pipelines that were synthesised for the smallest latency; nothing without them."""
    if not firmware.tried_depths:
        return []
    least_ns = min(one.latency_ns for one in firmware.tried_depths)
    rows = [
        (
            f"{one.latency_cycles}",
            f"{one.clock_period_ns:.3g}",
            f"{one.latency_ns:.3g}{'*' if one.latency_ns == least_ns else ''}",
            *(f"{count:,}" for count in (one.lut, one.ff, one.dsp)),
        )
        for one in firmware.tried_depths
    ]
    header = ("cycles", "shortest period [ns]", "latency [ns]", "LUT", "FF", "DSP")
    caption = "* the smallest; periods are estimates. Ranked is the design of the table above alone"
    return [table("pipelines of other depths", header, rows, caption=caption)]


def _hardware_view(card: ScoreCard) -> list[RenderableType]:
    """Draw bunch crossings and integers; nothing if there is no firmware."""
    if isinstance(card.firmware, NotMeasured):
        return []
    rows = hardware_rows(card.firmware, card.firmware_physics, card.challenge.merit)
    title = "as a global trigger counts it"
    return [table(title, ("", "value", "follows from"), rows)] if rows else []


def _figure(figure: Figure | NotMeasured, unit: str) -> tuple[str, str]:
    if isinstance(figure, NotMeasured):
        return DASH, figure.not_measured
    shown = unit.removesuffix("s") if unit == "cycles" and figure.value == 1 else unit
    band = figure.band
    span = "" if band is None else f"\n({band.lower:,.4g} to {band.upper:,.4g})"
    return f"{figure.value:,.6g} {shown}".rstrip() + span, f"{figure.evidence}: {figure.source}"


def _verdict_line(verdict: Verdict) -> Text:
    mark, style = ("passed", "green") if verdict.is_passed else ("FAILED", "bold red")
    if verdict.is_undecided:
        mark, style = "undecided", "bold yellow"
    share = verdict.value / verdict.limit if verdict.limit else float("inf")
    text = (
        f"{verdict.requirement}: {verdict.value:,.6g} of {verdict.limit:,.6g} {verdict.unit} "
        f"({share:.1%}, {verdict.evidence}) "
    )
    return Text.assemble(plain(text), (mark, style))


def _compared_view(card: ScoreCard) -> list[RenderableType]:
    """Draw how many scores of network and firmware differ; nothing if there is no firmware."""
    if isinstance(card.compared, NotMeasured):
        return []
    rows = [
        (name, f"{one.n_events:,}", f"{one.n_different:,}", f"{one.max_difference:.4g}")
        for name, one in card.compared.by_process.items()
    ]
    header = ("", "events", "different", "largest difference")
    title, caption = "every score: network and firmware", card.compared.explanation
    return [table(title, header, rows, caption=caption)]


def _processor_view(card: ScoreCard) -> list[RenderableType]:
    """Draw what one event costs a processor; nothing if none is a target."""
    used = card.processor
    if used is None:
        return []
    if isinstance(used, NotMeasured):
        return [not_measured("processor time", used)]
    rows = [
        ("processor time of one event", f"{used.time_ms:.4g} ms"),
        ("lowest and highest", f"{used.lowest_ms:.4g}, {used.highest_ms:.4g} ms"),
        ("a fixed calculation", f"{used.reference_ms:.4g} ms"),
        ("ratio of the two", f"{used.in_references:.3g}"),
        *([] if used.wall_ms is None else [("time that passed", f"{used.wall_ms:.4g} ms")]),
        ("memory", f"{used.peak_memory_mb:,.0f} MB"),
    ]
    return [table("processor", ("", "value"), rows)]


def _checks_view(card: ScoreCard) -> RenderableType:
    if isinstance(card.checks, NotMeasured):
        return not_measured("integrity checks", card.checks)
    rows = [
        (
            check.name,
            check.outcome,
            f"{check.n_events:,}",
            f"{check.max_difference:.2g}" if check.n_events else check.detail,
        )
        for check in card.checks
        if not check.is_of_other_events
    ]
    return table("integrity checks", ("check", "outcome", "events", "largest difference"), rows)


def _stress_view(card: ScoreCard) -> list[RenderableType]:
    """Draw what the thresholds let pass of varied background; nothing if it was not asked for."""
    if isinstance(card.stress, NotMeasured):
        return []
    merit = card.challenge.merit
    aimed = "FPR" if input_rate_khz(merit) is None else "rate"
    headings = (
        Heading(title="background", is_text=True),
        Heading(title=f"{aimed}\naimed at"),
        Heading(title="FPR realised"),
        Heading(title="/ nominal"),
        Heading(title="events", rank=2),
        Heading(title="selected", rank=1),
    )
    variations = card.stress.variations
    others = [one for one in variations if getattr(one, "variation_of", None) is None]
    rows = [row for variation in others for row in _variation_rows(variation, merit)]
    title = f"rate at fixed thresholds ({card.stress.arithmetic})"
    rates = [FittingTable(title=title, headings=headings, rows=rows)] if rows else []
    return [*rates, *second_simulation_view(card.stress)]


def _variation_rows(
    variation: Variation | SkippedVariation, merit: Merit | None
) -> Iterator[tuple[str, ...]]:
    if isinstance(variation, SkippedVariation):
        yield variation.title, DASH, variation.not_measured, DASH, DASH, DASH
        return
    is_fpr = input_rate_khz(merit) is None
    kept = f"{variation.n_selected / max(variation.n_events, 1):.2%}"
    for index, rate in enumerate(variation.rates):
        yield (
            variation.title if index == 0 else "",
            f"{rate.fpr:.0e}" if is_fpr else point_text(merit, rate.fpr).partition(" (")[0],
            with_interval(rate.fpr_realised, rate.interval),
            DASH if isinstance(rate.ratio, NotMeasured) else f"{rate.ratio:.3g}",
            DASH if rate.n_gained is None else f"+{rate.n_gained:,} −{rate.n_lost:,}",
            kept if index == 0 else "",
        )
