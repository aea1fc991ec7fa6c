"""Firmware and cost of one card."""

from __future__ import annotations

from collections.abc import Sequence

from harness.board.eligibility import (
    Requirement,
    judge_against,
    processor_requirements,
    requirements,
)
from harness.board.formats import DASH, EVIDENCE_TITLES, amount, percent
from harness.card.compression import compression_rows
from harness.card.costs import ProcessorUse
from harness.card.figures import NotMeasured
from harness.card.hardware import Figure, Firmware
from harness.card.in_hardware import hardware_rows
from harness.card.records import ScoreCard
from harness.card.text import visible
from harness.challenge import RESOURCE_TITLES, Budget, CpuTarget, Target
from leaderboard_app import charts
from leaderboard_app.blocks import Block, Facts, Note, Section, Table
from leaderboard_app.charts import PartUse
from leaderboard_app.views.common import not_measured, process_titles, with_unit
from leaderboard_app.views.subject import Subject


def firmware_sections(subject: Subject) -> list[Section]:
    """Lay out the firmware: verdicts, resources, stages, and the evidence of each figure."""
    firmware = subject.card.firmware
    if isinstance(firmware, NotMeasured):
        is_asked = isinstance(subject.contest.target, Target)
        if subject.card.submission.division != "trigger" or not is_asked:
            return []
        return [Section(title="Firmware", blocks=(not_measured("Firmware", firmware),))]
    target, rules = subject.contest.target, subject.contest.rules
    blocks: list[Block] = []
    if isinstance(target, Target):
        required = requirements(firmware, target, rules)
        blocks.append(_verdict_table(required, "Compared with the contest's limits"))
    uses = _part_uses(firmware, target.budget if isinstance(target, Target) else Budget())
    if uses:
        blocks.append(charts.resources(uses, part=visible(firmware.target.part)))
    maker = ", handed in by the team." if firmware.is_handed_in else "."
    return [
        Section(
            title="Firmware",
            lead=f"For {firmware.target.part} by {firmware.backend}{maker}",
            columns=2,
            blocks=tuple(blocks),
        ),
        *_stages_section(firmware),
        Section(
            title="",
            blocks=(
                _figures_table(firmware),
                *_in_hardware(subject.card, firmware),
                *_compared_scores(subject.card),
                *_witnesses(firmware),
            ),
        ),
    ]


def target_sections(subject: Subject) -> list[Section]:
    """Lay out what one event costs a processor, and how the entry stands on every other target."""
    card, contest = subject.card, subject.contest
    sections = []
    if card.processor is not None:
        blocks: list[Block] = [_processor_facts(card.processor)]
        if isinstance(contest.target, CpuTarget):
            required = processor_requirements(card, contest.target)
            blocks.append(_verdict_table(required, "Compared with the contest's limits"))
        sections.append(Section(title="Processor", blocks=tuple(blocks)))
    for other in contest.other_targets:
        found = judge_against(card, other.limits, contest.rules)
        block: Block = (
            not_measured(other.name, found)
            if isinstance(found, NotMeasured)
            else _verdict_table(found, f"Compared with the limits of {visible(other.name)}")
        )
        lead = "Judged as well; it decides no rank."
        sections.append(Section(title=f"On {visible(other.name)}", lead=lead, blocks=(block,)))
    return sections


def _processor_facts(used: ProcessorUse | NotMeasured) -> Block:
    if isinstance(used, NotMeasured):
        return not_measured("Processor time", used)
    ends = f"{used.lowest_ms:.4g} to {used.highest_ms:.4g} ms in {used.repeats} measurements"
    return Facts(
        rows=[
            ("Processor time of one event", f"{used.time_ms:.4g} ms ({ends})"),
            ("A fixed calculation on this machine", f"{used.reference_ms:.4g} ms"),
            ("Ratio of the two", f"{used.in_references:.3g}"),
            *_wall_time(used),
            ("Memory of the process", f"{used.peak_memory_mb:,.0f} MB"),
        ]
    )


def _wall_time(used: ProcessorUse) -> list[tuple[str, str]]:
    """Say how long one event took by the clock on the wall: weaker evidence."""
    if used.wall_ms is None:
        return []
    return [("Time that passed", f"{used.wall_ms:.4g} ms; other work on the machine is in it")]


def _verdict_table(required: Sequence[Requirement], caption: str) -> Table:
    return Table(
        columns=("Requirement", "Value", "Limit", "Evidence", "Verdict"),
        rows=[
            [
                one.name,
                DASH if one.value is None else f"{amount(one.value)} {one.unit}".strip(),
                f"{amount(one.limit)} {one.unit}".strip(),
                EVIDENCE_TITLES[one.evidence] if one.evidence else DASH,
                "passed" if one.is_met else "undecided" if one.is_undecided else "failed",
            ]
            for one in required
        ],
        caption=caption,
        words=frozenset({3, 4}),
    )


def _stages_section(firmware: Firmware) -> list[Section]:
    if not firmware.stages:
        return []
    clock = firmware.clock_period_ns
    picture = charts.stages(
        [visible(stage.stage) for stage in firmware.stages],
        [stage.cycles for stage in firmware.stages],
        clock_ns=None if isinstance(clock, NotMeasured) else clock.value,
    )
    return [Section(title="Latency by stage", blocks=(picture,))]


def _part_uses(firmware: Firmware, limits: Budget) -> list[PartUse]:
    found = []
    for name, title in RESOURCE_TITLES.items():
        figure, available = getattr(firmware, name), firmware.available.get(name)
        if isinstance(figure, NotMeasured) or not available:
            continue
        budget = getattr(limits, name)
        found.append(
            PartUse(
                name=title,
                share=figure.value / available,
                limit=None if budget is None else budget / available,
                text=f"{amount(figure.value)} of {available:,}",
            )
        )
    return found


def _figures_table(firmware: Firmware) -> Table:
    figures: list[tuple[str, Figure | NotMeasured, str]] = [
        ("Latency", firmware.latency_cycles, "cycles"),
        ("Latency", firmware.latency_ns, "ns"),
        ("Initiation interval", firmware.interval_cycles, "cycles"),
        ("Clock period", firmware.clock_period_ns, "ns"),
        *((title, getattr(firmware, name), "") for name, title in RESOURCE_TITLES.items()),
    ]
    rows = [
        [name, DASH, DASH, f"not measured: {figure.not_measured}"]
        if isinstance(figure, NotMeasured)
        else [name, with_unit(figure.value, unit), EVIDENCE_TITLES[figure.evidence], figure.source]
        for name, figure, unit in figures
    ]
    rows += [[name, f"{count:,}", DASH, DASH] for name, count in firmware.other_cells.items()]
    return Table(
        columns=("Figure", "Value", "Evidence", "Source"),
        rows=rows,
        caption="Every figure and what is behind it",
        words=frozenset({2, 3}),
    )


def _in_hardware(card: ScoreCard, firmware: Firmware) -> list[Block]:
    rows = hardware_rows(firmware, card.firmware_physics, card.challenge.merit)
    drawn = Table(
        columns=("Figure", "Value", "Follows from"),
        rows=[[name[0].upper() + name[1:], value, source] for name, value, source in rows],
        caption="As a global trigger counts it",
        words=frozenset({2}),
    )
    return [drawn] if rows else []


def _compared_scores(card: ScoreCard) -> list[Block]:
    compared, titles = card.compared, process_titles(card)
    if isinstance(compared, NotMeasured):
        return []
    drawn = Table(
        columns=("Events", "Compared", "Different", "Largest difference"),
        rows=[
            [
                titles.get(name, visible(name)),
                f"{one.n_events:,}",
                f"{one.n_different:,}",
                amount(one.max_difference),
            ]
            for name, one in compared.by_process.items()
        ],
        caption="Every score: network and firmware",
    )
    why = compared.explanation
    return [drawn, *([Note(text=f"{why[0].upper()}{why[1:]}.")] if why else [])]


def _witnesses(firmware: Firmware) -> list[Block]:
    blocks: list[Block] = []
    if firmware.agreements:
        blocks.append(
            Table(
                columns=("Witnesses", "Events", "Different", "Independent"),
                rows=[
                    [
                        " and ".join(one.witnesses),
                        f"{one.n_events:,}",
                        f"{one.n_different:,}",
                        "yes" if one.is_independent else "no",
                    ]
                    for one in firmware.agreements
                ],
                caption="Scores compared bit for bit",
            )
        )
    if firmware.overflow:
        listed = ", ".join(f"{name} {percent(share)}" for name, share in firmware.overflow.items())
        blocks.append(Note(text=f"Events whose inputs overflow the declared precision: {listed}."))
    blocks += [Note(text=note) for note in firmware.notes]
    return blocks


def cost_section(card: ScoreCard) -> Section:
    """Lay out what one event costs the network."""
    cost = card.cost
    if isinstance(cost, NotMeasured):
        if card.submission.division != "trigger":
            return Section(title="")
        return Section(title="Cost", blocks=(not_measured("Cost", cost),))
    rows = [
        ("Parameters", _count(cost.n_parameters)),
        ("FLOPs per event", _count(cost.flops)),
        ("Multiply-accumulates", _count(cost.macs)),
        ("Bit operations", _count(cost.bops)),
        ("Weight bits", _count(cost.weight_bits)),
        *((name.capitalize(), value) for name, value in compression_rows(cost)),
    ]
    if cost.uncounted_operations:
        listed = ", ".join(f"{name} ×{n:,}" for name, n in cost.uncounted_operations.items())
        rows.append(("Operations without a FLOPs formula", listed))
    return Section(title="Cost per event", blocks=(Facts(rows=rows),))


def _count(value: int | NotMeasured) -> str:
    return f"not measured: {value.not_measured}" if isinstance(value, NotMeasured) else f"{value:,}"
