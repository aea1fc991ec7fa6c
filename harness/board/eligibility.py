"""Why an entry is not ranked: every reason at once, and the limits that its firmware must keep."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.board.contest import Contest, merit_of_rules
from harness.board.entry import Entry, counted_physics, data_digest
from harness.board.merit import has_replicates, measured_merits
from harness.card.costs import ProcessorUse
from harness.card.figures import NotMeasured, UnreachedWorkingPoint
from harness.card.hardware import NO_SECOND_TRANSLATOR, SECOND_TRANSLATOR, Figure, Firmware
from harness.card.physics import Physics
from harness.card.records import ScoreCard
from harness.card.run import Submitted
from harness.challenge import (
    LEARNING_TITLES,
    NOT_SUPERVISED,
    RESOURCE_TITLES,
    AnyTarget,
    CpuTarget,
    Evidence,
    NoTarget,
    RankingRules,
    Target,
    instant,
    point_text,
    utc,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Requirement:
    """One limit of the contest, and the figure of a firmware that must keep it.

    Attributes
    ----------
    value : float or None
        None where it was not measured.
    evidence : str or None
        What is behind the value: of nanoseconds, what is behind the number of cycles.
    reason : str
        Why it is not met; empty where it is.
    is_undecided : bool
        Whether the limit lies within the band of an estimate.
    """

    name: str
    value: float | None
    limit: float
    unit: str
    evidence: Evidence | None
    reason: str
    is_undecided: bool = False

    @property
    def is_met(self) -> bool:
        """Whether the value was measured, by accepted evidence, and is within the limit."""
        return not self.reason


def requirements(firmware: Firmware, target: Target, rules: RankingRules) -> list[Requirement]:
    """Compare the firmware's figures with the contest's limits.

    Nanoseconds are cycles times the clock period, and are shown with the weaker evidence of the
    two. What counts is that of the cycles: without place and route every clock period is an
    estimate, and no entry would ever be ranked.
    """
    cycles, interval = firmware.latency_cycles, firmware.interval_cycles
    period = firmware.clock_period_ns
    timed = (
        ("latency", firmware.latency_ns, cycles, target.max_latency_ns),
        ("initiation interval", _product(interval, period), interval, target.max_interval_ns),
    )
    found = [
        _check(name, figure, limit, rules.accepted_evidence, of=of, unit="ns")
        for name, figure, of, limit in timed
    ]
    for name, title in RESOURCE_TITLES.items():
        limit, figure = getattr(target.budget, name), getattr(firmware, name)
        held = firmware.available.get(name)
        if limit is None and held is not None and isinstance(figure, Figure):
            # Without a budget there is still no more of it than the part has.
            limit = held if figure.value > held else None
        if limit is not None:
            found.append(_check(title, figure, float(limit), rules.accepted_for_resources))
    return found


def _product(cycles: Figure | NotMeasured, period: Figure | NotMeasured) -> Figure | NotMeasured:
    if isinstance(cycles, NotMeasured):
        return cycles
    if isinstance(period, NotMeasured):
        return period
    return cycles.times(period)


def _check(
    name: str,
    figure: Figure | NotMeasured,
    limit: float,
    accepted: Sequence[Evidence],
    *,
    of: Figure | NotMeasured | None = None,
    unit: str = "",
) -> Requirement:
    """Compare a figure with its limit; what counts as its evidence is that of `of`, if given."""
    if isinstance(figure, NotMeasured):
        value, evidence, is_undecided = None, None, False
        reason = f"{name} was not measured: {figure.not_measured}"
    else:
        is_undecided = figure.compare(limit) == "undecided"
        value, evidence = figure.value, figure.evidence
        counted = of.evidence if isinstance(of, Figure) else evidence
        reason = _shortfall(name, figure, limit, accepted, evidence=counted, unit=unit)
    return Requirement(
        name=name,
        value=value,
        limit=limit,
        unit=unit,
        evidence=evidence,
        reason=reason,
        is_undecided=is_undecided,
    )


def _shortfall(
    name: str,
    figure: Figure,
    limit: float,
    accepted: Sequence[Evidence],
    *,
    evidence: Evidence,
    unit: str,
) -> str:
    after = f" {unit}" if unit else ""
    outcome = figure.compare(limit)
    if outcome == "undecided" and figure.band is not None:
        low, high = figure.band.lower, figure.band.upper
        return (
            f"{name} {figure.value:,.6g}{after} is undecided: it is an estimate, {low:,.4g} to "
            f"{high:,.4g}{after}, and the limit of {limit:,.6g}{after} lies within"
        )
    if outcome == "failed":
        return f"{name} {figure.value:,.6g}{after} is over the limit of {limit:,.6g}{after}"
    if evidence not in accepted:
        return f"{name} rests on {evidence}; this contest accepts {', '.join(accepted)}"
    return ""


def reasons_against(entry: Entry, contest: Contest) -> tuple[str, ...]:
    """Every reason why an entry cannot be ranked; empty if it can."""
    card = entry.card
    found = [*_standing(entry, contest), *_sameness(card, contest)]
    if card.submission.division == "declared":
        return (*found, "declared division: its scores come from a file; shown apart, never ranked")
    is_fpga = isinstance(contest.target, Target)
    if is_fpga and card.submission.division == "open":
        return (*found, "open division: its physics is shown, never ranked")
    found += [*_physics_reasons(card, contest), *_target_reasons(card, contest)]
    found += _integrity_reasons(card)
    if is_fpga:
        found += _translator_reasons(card, contest)
    return tuple(dict.fromkeys(found))


def _standing(entry: Entry, contest: Contest) -> Iterator[str]:
    card, rules = entry.card, contest.rules
    standing = contest.teams.of_card(card)
    if standing.disqualification is not None:
        yield f"the team was disqualified: {standing.disqualification.reason}"
    if standing.withdrawal is not None:
        yield f"the team was withdrawn: {standing.withdrawal.reason}"
    if entry.key in rules.retracted:
        yield f"taken back by the organiser: {rules.retracted[entry.key]}"
    if _is_late(card, rules):
        yield f"received {utc(card.received_at)}, after the deadline of {rules.deadline}"
    yield from _declared_reasons(card.submission, rules)
    if card.isolation.kind != "bwrap":
        yield f"scored without isolation ({card.isolation.kind})"
    if not card.is_official:
        why = "; ".join(card.unofficial_because) or "no reason recorded"
        yield f"unofficial: {why}"


def _declared_reasons(said: Submitted, rules: RankingRules) -> Iterator[str]:
    """Compare what the team declares with the kinds of learning and methods that are ranked."""
    possible = NOT_SUPERVISED if said.stated_learning is None else (said.stated_learning,)
    accepted = ", ".join(LEARNING_TITLES[kind] for kind in rules.learning)
    if not set(possible) <= set(rules.learning):
        match said.stated_learning:
            case None:
                yield (
                    f"its kind of learning is not stated; this contest ranks {accepted}: state it "
                    "by `learning` in submission.yaml"
                )
            case "supervised":
                yield "declared as trained on the signals"
            case kind:
                yield f"declared as {LEARNING_TITLES[kind]}; this contest ranks {accepted}"
    if said.method in rules.reference_methods:
        yield "a reference of this contest, not ranked"


def _is_late(card: ScoreCard, rules: RankingRules) -> bool:
    return rules.deadline is not None and card.received_at > instant(rules.deadline)


def is_valid(entry: Entry, contest: Contest) -> bool:
    """Whether a card is official, in time, not taken back, and its team not out."""
    rules = contest.rules
    is_out = contest.teams.of_card(entry.card).is_out or entry.key in rules.retracted
    return entry.card.is_official and not is_out and not _is_late(entry.card, rules)


def is_comparable(card: ScoreCard, contest: Contest) -> bool:
    """Whether a card is of the same data, working point and scorer version as the others."""
    return not any(_sameness(card, contest))


def _sameness(card: ScoreCard, contest: Contest) -> Iterator[str]:
    if data_digest(card.challenge) != contest.data:
        yield (
            f"scored on other data ({card.challenge.name} {card.challenge.version}): "
            "score it again with `harness score`"
        )
    if card.challenge.working_point != contest.working_point:
        yield (
            f"scored at {point_text(card.challenge.merit, card.challenge.working_point)}; this "
            f"board ranks {point_text(contest.merit, contest.working_point).removeprefix('FPR ')}: "
            "run `harness ci rescore-all`"
        )
    elif merit_of_rules(card.challenge) != contest.merit:
        yield (
            f"scored for {merit_of_rules(card.challenge).describe()}; this board ranks "
            f"{contest.merit.describe()}: run `harness ci rescore-all`"
        )
    if card.scorer_version != contest.scorer_version:
        yield (
            f"scored with scorer version {card.scorer_version}, this board ranks version "
            f"{contest.scorer_version}: rescore it with `harness rescore`"
        )


def _physics_reasons(card: ScoreCard, contest: Contest) -> Iterator[str]:
    physics = counted_physics(card, contest.target)
    if isinstance(physics, NotMeasured):
        whose = "the firmware's" if isinstance(contest.target, Target) else "its"
        yield f"{whose} scores were not measured: {physics.not_measured}"
        return
    if not contest.signals:
        yield "its signals are hidden until the organiser opens this challenge"
    if contest.merit.at_working_point:
        yield from _rate_reasons(card, physics, contest)
    else:
        yield from _merit_reasons(physics, contest)


def _rate_reasons(card: ScoreCard, physics: Physics, contest: Contest) -> Iterator[str]:
    """Say what is missing of the TPRs at the contest's working point."""
    try:
        point = physics.at(contest.working_point)
    except KeyError:
        if card.challenge.working_point == contest.working_point:
            yield f"no working point at {point_text(contest.merit, contest.working_point)}"
        return
    if isinstance(point, UnreachedWorkingPoint):
        yield f"{point_text(contest.merit, point.fpr)} was not measured: {point.not_measured}"
        return
    if point.is_low_statistics:
        yield (
            f"low statistics: only {point.n_allowed} background events may pass at "
            f"{point_text(contest.merit, point.fpr)}"
        )
    for name in contest.signals:
        if name not in point.rates or name not in physics.auc:
            yield f"signal {name} was not scored"
        elif not physics.replicates.get(name):
            yield f"no bootstrap replicates of signal {name}: it cannot be compared"
        elif (n := len(physics.replicates[name])) != contest.n_replicates:
            yield f"{n:,} bootstrap replicates; this board compares {contest.n_replicates:,}"


def _merit_reasons(physics: Physics, contest: Contest) -> Iterator[str]:
    """Say what is missing of a merit that is no rate at a working point."""
    found = measured_merits(physics, contest)
    if isinstance(found, NotMeasured):
        yield found.not_measured
        return
    what = contest.merit.describe()
    for name in contest.signals:
        merit = found.get(name)
        if merit is None:
            yield f"signal {name} was not scored"
        elif isinstance(merit, NotMeasured):
            yield f"{what} of signal {name} was not measured: {merit.not_measured}"
        elif merit.is_low_statistics:
            yield (
                f"low statistics: {what} of signal {name} rests on {merit.n_background:,} "
                f"background and {merit.n_signal:,} signal events"
            )
        elif not has_replicates(physics, contest, name):
            yield f"no bootstrap replicates of signal {name}: it cannot be compared"


def _target_reasons(card: ScoreCard, contest: Contest) -> Iterator[str]:
    """Say which limits of the gate are not kept."""
    match contest.target:
        case Target() as target:
            yield from _firmware_reasons(card, target, contest.rules)
        case CpuTarget() as target:
            for requirement in processor_requirements(card, target):
                if not requirement.is_met:
                    yield requirement.reason
        case NoTarget():
            return


def processor_requirements(card: ScoreCard, target: CpuTarget) -> list[Requirement]:
    """Compare what one event costs a processor with a target's limits; none where it has none."""
    used, found = card.processor, []
    for name, limit, unit in (
        ("processor time", target.max_time_ms, "ms"),
        ("memory", target.max_memory_mb, "MB"),
    ):
        if limit is None:
            continue
        if not isinstance(used, ProcessorUse):
            why = "not recorded by this scoring" if used is None else used.not_measured
            value, reason = None, f"{name} was not measured: {why}"
        else:
            value = used.time_ms if unit == "ms" else used.peak_memory_mb
            is_over = value > limit
            reason = (
                f"{name} {value:,.4g} {unit} is over the limit of {limit:,.6g} {unit}" * is_over
            )
        found.append(
            Requirement(
                name=name, value=value, limit=limit, unit=unit, evidence=None, reason=reason
            )
        )
    return found


def judge_against(
    card: ScoreCard, target: AnyTarget, rules: RankingRules
) -> list[Requirement] | NotMeasured:
    """Compare a card with any target of its challenge, the gate or another."""
    match target:
        case CpuTarget():
            return processor_requirements(card, target)
        case NoTarget():
            return []
    firmware = card.firmware
    if isinstance(firmware, NotMeasured):
        return firmware
    made = firmware.target
    if (made.part, made.clock_period_ns) != (target.part, target.clock_period_ns):
        clock = f"{made.clock_period_ns:g} ns"
        return NotMeasured(not_measured=f"the firmware was made for {made.part} at {clock}")
    return requirements(firmware, target, rules)


def _firmware_reasons(card: ScoreCard, target: Target, rules: RankingRules) -> Iterator[str]:
    firmware = card.firmware
    if isinstance(firmware, NotMeasured):
        yield f"the firmware was not measured: {firmware.not_measured}"
        return
    if firmware.is_handed_in and not rules.accept_handed_in:
        yield "firmware reports were handed in, not made here"
    elif firmware.is_handed_in and (firmware.unchecked is None or firmware.unchecked):
        what = "; ".join(firmware.unchecked or ("the design",))
        yield f"handed-in reports that were not compared with the submission in all: {what}"
    if firmware.target.part != target.part:
        yield f"made for the part {firmware.target.part}, not {target.part}"
    for requirement in requirements(firmware, target, rules):
        if not requirement.is_met:
            yield requirement.reason
    known = {"latency", "interval", *RESOURCE_TITLES}
    for verdict in firmware.verdicts:
        if not verdict.is_passed and not any(name in verdict.requirement for name in known):
            yield f"{verdict.requirement} {verdict.value:,.6g} is over {verdict.limit:,.6g}"


def _integrity_reasons(card: ScoreCard) -> Iterator[str]:
    if isinstance(card.checks, NotMeasured):
        yield f"the integrity checks were not made: {card.checks.not_measured}"
    else:
        for check in card.checks:
            if check.outcome == "leak":
                yield f"integrity check {check.name}: scores depend on more than their own event"
    if isinstance(card.firmware, NotMeasured):
        return
    for agreement in card.firmware.agreements:
        if agreement.n_different:
            first, second = agreement.witnesses
            yield (
                f"{first} and {second} disagree on {agreement.n_different:,} of "
                f"{agreement.n_events:,} events"
            )


def _translator_reasons(card: ScoreCard, contest: Contest) -> Iterator[str]:
    firmware = card.firmware
    if not contest.rules.require_second_translator or isinstance(firmware, NotMeasured):
        return
    found = [one for one in firmware.agreements if SECOND_TRANSLATOR in one.witnesses]
    if not found:
        notes = (note for note in firmware.notes if note.startswith(NO_SECOND_TRANSLATOR))
        yield next(notes, NO_SECOND_TRANSLATOR)
    for agreement in found:
        if not agreement.is_independent:
            yield f"no second translator checked all layers on its own: {agreement.note}"
