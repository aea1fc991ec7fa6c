"""The rows of the board: every table of the project shows these values and no others."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import Field

from harness.board.added import AddedFigures, added_at
from harness.board.comparison import Span
from harness.board.contest import Contest
from harness.board.details import BoardDetails, details_of
from harness.board.entry import Entry, data_digest, point_at, shown_on, shown_physics
from harness.board.merit import mean_auc, measured_merits, merit_at, merit_span
from harness.board.order import Ranked, Ranking, Unranked
from harness.card.costs import Cost, ProcessorUse
from harness.card.declared import MAINTAINERS
from harness.card.figures import NotMeasured
from harness.card.files import CLOCK_TOLERANCE, CLOCK_WARNING
from harness.card.hardware import Figure, Firmware
from harness.card.physics import Physics, SignalMerit
from harness.card.records import ScoreCard
from harness.card.run import Division, IsolationKind
from harness.challenge import (
    AnyTarget,
    CpuTarget,
    Evidence,
    Learning,
    Merit,
    Method,
    Name,
    SignalsSeen,
    TprAtFpr,
    Value,
    input_rate_khz,
    weakest,
    without_last_digits,
)

SCHEMA_VERSION = 1
# What the intervals of ranks promise; shown wherever ranks are shown.
RANK_NOTE = (
    "Rank intervals hold together: with 95 % confidence every true rank of this board lies inside "
    "its interval."
)
SYNTHETIC_NOTE = (
    "These events are synthetic. The figures compare entries with each other on them and are no "
    "prediction for the ADC2021 data."
)
DECLARED_TITLE = "Declared: scores from a file, not computed by harness, never ranked"
OTHER_SYNTHETIC_NOTE = (
    "These events are synthetic. The figures compare entries with each other on them and are no "
    "prediction for real data."
)
EVENT_NOTE = "TPR is per event; intervals of single figures are 95 % each."
RATE_NOTE = "TPR is per preselected event; intervals of single figures are 95 % each."
ADDED_NOTE = (
    "Added: efficiency of (menu or entry) minus that of the menu, combined over the signals as the "
    "merit, where the entry's total rate is fixed. The files also say it where the rate that it "
    "adds is fixed."
)
FIGURE_NOTE = "Intervals of single figures are 95 % each."


class RateCell(Value):
    """TPR of one signal at the board's working point, with its 95 % interval.

    Attributes
    ----------
    is_low_statistics : bool
        So few background events may pass that the threshold is hardly known.
    """

    tpr: float
    lower: float
    upper: float
    n_passing: int
    n_events: int
    is_low_statistics: bool = Field(default=False, exclude_if=lambda is_low: not is_low)


class SignalCell(Value):
    """What is ranked of one signal, with its 95 % interval, where that is no TPR."""

    value: float
    lower: float
    upper: float
    n_background: int
    n_signal: int
    is_low_statistics: bool = Field(default=False, exclude_if=lambda is_low: not is_low)


class MeritCell(Value):
    """Figure of merit; the interval is there at the challenge's working point only."""

    value: float
    lower: float | None
    upper: float | None


class AmountCell(Value):
    """One figure of the firmware.

    Attributes
    ----------
    share : float or None
        Share of what the part has; None where that is not known or makes no sense.
    """

    value: float
    share: float | None = None
    evidence: Evidence


class ReachCell(Value):
    """Injected events of one signal that give 3 sigma in half of the trials, with the interval.

    Attributes
    ----------
    value, lower, upper : float or None
        None: more than `n_events`.
    n_events : int
        Events of the signal that trials draw from.
    """

    value: float | None
    lower: float | None
    upper: float | None
    n_events: int


class BoardRow(Value):
    """One entry as the board shows it.

    Attributes
    ----------
    rank, best_rank, worst_rank : int or None
        None for an entry that is not ranked; `reasons` then says why.
    scored_as : str
        Name of the team on the card: another one where the team was renamed since.
    card : str
        Name of the card's file without its ending.
    arithmetic : str or None
        Whose scores the physics is of; None where there is none.
    merits : mapping of signal to SignalCell or NotMeasured
        Empty where `rates` are what is ranked.
    learning, signals_seen, method : str or None
        As the team declares them; None: not stated.
    is_baseline : bool
        It is signed by the maintainers of harness alone.
    same_network : tuple of str
        Other teams that handed in the very same network.
    added : AddedFigures, NotMeasured or None
        What it adds to the menu; None where its card does not say it.
    reach : mapping of signal to ReachCell
        What evidence (3 sigma, global) takes; empty where `harness reach` did not measure it.
    processor_ms : float, NotMeasured or None
        Processor time of one event; None where the gate is no processor.
    evidence : str or None
        The weakest evidence among latency (cycles and ns), interval and resources.
    """

    rank: int | None
    best_rank: int | None
    worst_rank: int | None
    resource_class: str | None
    class_rank: int | None
    is_pareto: bool
    team: str
    scored_as: str = ""
    title: str
    card: str
    division: Division
    learning: Learning | None = Field(default=None, exclude_if=lambda kind: kind is None)
    signals_seen: SignalsSeen | None = Field(default=None, exclude_if=lambda seen: seen is None)
    is_baseline: bool = Field(default=False, exclude_if=lambda is_so: not is_so)
    method: Method | None = Field(default=None, exclude_if=lambda method: method is None)
    created: str
    arithmetic: Literal["float", "firmware"] | None
    merit: MeritCell | NotMeasured
    rates: dict[Name, RateCell | NotMeasured]
    merits: dict[Name, SignalCell | NotMeasured] = Field(
        default_factory=dict, exclude_if=lambda merits: not merits
    )
    added: AddedFigures | NotMeasured | None = Field(
        default=None, exclude_if=lambda found: found is None
    )
    reach: dict[Name, ReachCell] = Field(default_factory=dict, exclude_if=lambda found: not found)
    mean_auc: float | NotMeasured
    mean_accuracy: float | None = Field(default=None, exclude_if=lambda found: found is None)
    latency_ns: AmountCell | NotMeasured
    latency_cycles: AmountCell | NotMeasured
    interval_cycles: AmountCell | NotMeasured
    lut: AmountCell | NotMeasured
    ff: AmountCell | NotMeasured
    dsp: AmountCell | NotMeasured
    bram18: AmountCell | NotMeasured
    processor_ms: float | NotMeasured | None = Field(
        default=None, exclude_if=lambda found: found is None
    )
    flops: Annotated[int, Field(ge=0)] | NotMeasured
    bops: Annotated[int, Field(ge=0)] | NotMeasured
    n_parameters: Annotated[int, Field(ge=0)] | NotMeasured
    part: str | None
    evidence: Evidence | None
    isolation: IsolationKind
    reasons: tuple[str, ...]
    same_network: tuple[Name, ...] = Field(default=(), exclude_if=lambda teams: not teams)


class Board(Value):
    """A whole board: what its challenge is, its rows in order, and what the figures mean.

    Attributes
    ----------
    working_point : float
        FPR of the ranking; `shown_point` is that of the TPRs shown.
    merit : Merit or None
        What is ranked of each signal; None: the TPR at `working_point`.
    shown_rate_khz : float or None
        The rate that `shown_point` stands for, where the merit is at a rate.
    signals : mapping of signal to str
        How each is printed, in the challenge's order.
    is_final : bool
        It was opened, with its hidden signals: the title says so.
    is_of_collisions : bool
        The events are collisions, so texts may speak of ADC2021 and of a preselection.
    n_superseded : int
        Older cards of the same teams, which no longer count.
    details : BoardDetails or None
        Authors, times and decisions, where they were asked for.
    """

    schema_version: Literal[1] = 1
    challenge: Name
    title: str
    is_final: bool = False
    is_of_collisions: bool = Field(default=True, exclude_if=lambda is_so: is_so)
    version: str
    synthetic: bool
    data: str
    scorer_version: int
    working_point: float
    shown_point: float
    metric: str
    merit: Merit | None = Field(default=None, exclude_if=lambda merit: merit is None)
    shown_rate_khz: float | None = Field(default=None, exclude_if=lambda rate: rate is None)
    signals: dict[Name, str]
    target: AnyTarget
    rows: tuple[BoardRow, ...]
    n_ranked: int
    n_superseded: int
    notes: tuple[str, ...]
    details: BoardDetails | None = Field(default=None, exclude_if=lambda found: found is None)

    @property
    def measured(self) -> tuple[BoardRow, ...]:
        """Entries whose scores harness computed."""
        return tuple(row for row in self.rows if row.division != "declared")

    @property
    def declared(self) -> tuple[BoardRow, ...]:
        """Entries whose scores came from a file: shown apart."""
        return tuple(row for row in self.rows if row.division == "declared")

    @property
    def ranked_merit(self) -> Merit:
        """What is ranked of each signal."""
        return self.merit or TprAtFpr(fpr=self.working_point)


def board_of(
    made: Ranking,
    *,
    shown_point: float | None = None,
    has_details: bool = False,
    now: datetime | None = None,
) -> Board:
    """Make the rows of a ranking, with the TPRs at `shown_point` or where it ranks.

    Ranks are always those of the challenge's working point. A note names each card with a date that
    cannot be right, such as one after `now`.
    """
    contest = made.contest
    point = contest.working_point if shown_point is None else shown_point
    listed = made.listed
    newest = max((item.entry.card for item in listed), key=lambda card: card.order)
    reference = _reference_card(listed, contest, newest)
    notes = [*(f"A decision of the organiser: {flaw}." for flaw in contest.flaws)]
    notes += _twin_notes(made)
    notes += [
        f"{contest.team_of(item.entry)}: {flag}."
        for item in listed
        for flag in clock_flags(item.entry.card, now or datetime.now(UTC))
    ]
    is_of_collisions = reference.challenge.is_of_collisions
    rate_note = RATE_NOTE if is_of_collisions else EVENT_NOTE
    if any(_has_menu(item.entry.card, contest) for item in listed):
        notes.append(ADDED_NOTE)
    notes += [RANK_NOTE, rate_note if contest.merit.at_working_point else FIGURE_NOTE]
    if reference.challenge.synthetic:
        notes.insert(0, synthetic_note(is_of_collisions=is_of_collisions))
    return Board(
        challenge=contest.challenge,
        title=contest.title_of(reference.challenge.title),
        is_final=contest.is_final,
        is_of_collisions=is_of_collisions,
        version=reference.challenge.version,
        synthetic=reference.challenge.synthetic,
        data=contest.data,
        scorer_version=contest.scorer_version,
        working_point=contest.working_point,
        shown_point=point,
        metric=f"{contest.rules.combines_by}_{contest.merit.name}",
        merit=None if isinstance(contest.merit, TprAtFpr) else contest.merit,
        shown_rate_khz=_rate_khz(contest.merit, point),
        signals=titles_of(reference, contest.signals),
        target=contest.target,
        rows=tuple(row_of(item, made, point) for item in listed),
        n_ranked=len(made.ranked),
        n_superseded=len(made.superseded),
        notes=tuple(notes),
        details=details_of(made) if has_details else None,
    )


def _rate_khz(merit: Merit, fpr: float) -> float | None:
    khz = input_rate_khz(merit)
    return None if khz is None else without_last_digits(fpr * khz)


def synthetic_note(*, is_of_collisions: bool) -> str:
    """Say that the events are synthetic, and what no figure on them predicts."""
    return SYNTHETIC_NOTE if is_of_collisions else OTHER_SYNTHETIC_NOTE


def clock_flags(card: ScoreCard, now: datetime) -> Iterator[str]:
    """Say what is wrong with the date of a card: what its scoring found, and a date after `now`."""
    told = [one for one in card.warnings if one.startswith(CLOCK_WARNING)]
    yield from told
    if not told and card.created_at > now + CLOCK_TOLERANCE:
        yield f"{CLOCK_WARNING}: its card is dated {card.created}, in the future"


def _reference_card(
    listed: Sequence[Ranked | Unranked], contest: Contest, newest: ScoreCard
) -> ScoreCard:
    for item in listed:
        if data_digest(item.entry.card.challenge) == contest.data:
            return item.entry.card
    return newest


def titles_of(card: ScoreCard, signals: Sequence[str]) -> dict[str, str]:
    """How each signal is printed, by its name where the card has no title."""
    titles = {file.process: file.title for file in card.challenge.files}
    return {name: titles.get(name) or name for name in signals}


def working_points(entries: Sequence[Entry]) -> tuple[float, ...]:
    """Every FPR that any of the cards has a working point at, rising."""
    found = set()
    for entry in entries:
        physics = shown_physics(entry.card)
        if physics is not None:
            found |= {point.fpr for point in physics.working_points}
    return tuple(sorted(found))


def twin_text(teams: Sequence[str]) -> str:
    """Say which teams handed in the very same network."""
    return f"{' and '.join(teams)} handed in the same network: the same graph and weights."


def _twin_notes(made: Ranking) -> list[str]:
    found = {
        tuple(sorted({made.contest.team_of(item.entry), *made.twins_of(item.entry)}))
        for item in made.listed
    }
    return [twin_text(teams) for teams in sorted(found) if len(teams) > 1]


def row_of(item: Ranked | Unranked, made: Ranking, point: float) -> BoardRow:
    """Return the row of one entry of a ranking, with TPRs at `point`."""
    card, contest = item.entry.card, made.contest
    place = item if isinstance(item, Ranked) else None
    physics = shown_on(card, contest.target)
    firmware = card.firmware
    return BoardRow(
        rank=place.rank if place else None,
        best_rank=place.best_rank if place else None,
        worst_rank=place.worst_rank if place else None,
        resource_class=place.resource_class if place else None,
        class_rank=place.class_rank if place else None,
        is_pareto=place.is_pareto if place else False,
        team=contest.team_of(item.entry),
        scored_as=card.submission.team,
        title=card.submission.title,
        card=item.entry.key.partition("/")[2],
        division=card.submission.division,
        learning=card.submission.stated_learning,
        signals_seen=card.submission.signals_seen,
        is_baseline=card.submission.authors == (MAINTAINERS,),
        method=card.submission.method,
        created=card.created,
        arithmetic=physics.arithmetic if physics else None,
        merit=_merit(card, contest, point, place),
        rates={name: rate_cell(physics, name, point) for name in contest.signals},
        merits={} if contest.merit.at_working_point else merit_cells(physics, contest),
        added=added_at(physics, contest, point) if _has_menu(card, contest) else None,
        reach=_reach_cells(item.entry, contest),
        mean_auc=_mean_auc(physics, contest.signals),
        mean_accuracy=_mean_accuracy(physics, contest.signals),
        latency_ns=_amount(firmware, "latency_ns"),
        latency_cycles=_amount(firmware, "latency_cycles"),
        interval_cycles=_amount(firmware, "interval_cycles"),
        lut=_amount(firmware, "lut"),
        ff=_amount(firmware, "ff"),
        dsp=_amount(firmware, "dsp"),
        bram18=_amount(firmware, "bram18"),
        processor_ms=_processor_ms(card, contest),
        flops=_cost(card.cost, "flops"),
        bops=_cost(card.cost, "bops"),
        n_parameters=_cost(card.cost, "n_parameters"),
        part=None if isinstance(firmware, NotMeasured) else firmware.target.part,
        evidence=weakest_evidence(firmware),
        isolation=card.isolation.kind,
        reasons=item.reasons if isinstance(item, Unranked) else (),
        same_network=made.twins_of(item.entry),
    )


def _reach_cells(entry: Entry, contest: Contest) -> dict[str, ReachCell]:
    """Return what evidence (3 sigma, global) takes of the signals that are shown."""
    measured = {} if entry.reach is None else entry.reach.signals
    return {
        name: ReachCell(
            value=found.n_injected, lower=found.lower, upper=found.upper, n_events=found.n_events
        )
        for name in contest.signals
        if (found := measured.get(name)) is not None
    }


def _has_menu(card: ScoreCard, contest: Contest) -> bool:
    physics = shown_on(card, contest.target)
    return physics is not None and physics.menu is not None


def rate_cell(physics: Physics | None, signal: str, fpr: float) -> RateCell | NotMeasured:
    """Return the TPR of a signal at `fpr`, or why there is none."""
    point = point_at(physics, fpr)
    if isinstance(point, NotMeasured):
        return point
    if signal not in point.rates:
        return NotMeasured(not_measured="this signal was not scored")
    rate = point.rates[signal]
    return RateCell(
        tpr=rate.tpr,
        lower=rate.interval.lower,
        upper=rate.interval.upper,
        n_passing=rate.n_passing,
        n_events=rate.n_events,
        is_low_statistics=point.is_low_statistics,
    )


def merit_cells(physics: Physics | None, contest: Contest) -> dict[str, SignalCell | NotMeasured]:
    """Return what is ranked of each signal, where that is no TPR at a working point."""
    found = measured_merits(physics, contest)
    if isinstance(found, NotMeasured):
        return dict.fromkeys(contest.signals, found)
    missing = NotMeasured(not_measured="this signal was not scored")
    return {name: _signal_cell(found.get(name, missing)) for name in contest.signals}


def _signal_cell(merit: SignalMerit | NotMeasured) -> SignalCell | NotMeasured:
    if isinstance(merit, NotMeasured):
        return merit
    return SignalCell(
        value=merit.value,
        lower=merit.interval.lower,
        upper=merit.interval.upper,
        n_background=merit.n_background,
        n_signal=merit.n_signal,
        is_low_statistics=merit.is_low_statistics,
    )


def _merit(
    card: ScoreCard, contest: Contest, fpr: float, place: Ranked | None
) -> MeritCell | NotMeasured:
    is_own = fpr == contest.working_point or not contest.merit.at_working_point
    if is_own and place is not None:
        return _merit_cell(place.merit, place.merit_span)
    value = merit_at(shown_on(card, contest.target), contest, fpr=fpr)
    if isinstance(value, NotMeasured):
        return value
    if not is_own:
        return _merit_cell(value, None)
    return _merit_cell(value, merit_span(card, value, contest))


def _merit_cell(value: float, span: Span | None) -> MeritCell:
    return MeritCell(
        value=value,
        lower=None if span is None else span.lower,
        upper=None if span is None else span.upper,
    )


def _mean_accuracy(physics: Physics | None, signals: Sequence[str]) -> float | None:
    """Return the mean accuracy of a tagger; None where none was measured."""
    measured = {} if physics is None else physics.accuracy or {}
    if not signals or not set(signals) <= set(measured):
        return None
    return math.fsum(measured[name].value for name in signals) / len(signals)


def _mean_auc(physics: Physics | None, signals: Sequence[str]) -> float | NotMeasured:
    if physics is None:
        return NotMeasured(not_measured="no scores")
    if not signals or not set(signals) <= set(physics.auc):
        return NotMeasured(not_measured="not every signal was scored")
    return mean_auc(physics, signals)


def _processor_ms(card: ScoreCard, contest: Contest) -> float | NotMeasured | None:
    if not isinstance(contest.target, CpuTarget):
        return None
    if card.processor is None:
        return NotMeasured(not_measured="not recorded by this scoring")
    return card.processor.time_ms if isinstance(card.processor, ProcessorUse) else card.processor


def _amount(firmware: Firmware | NotMeasured, name: str) -> AmountCell | NotMeasured:
    if isinstance(firmware, NotMeasured):
        return firmware
    figure: Figure | NotMeasured = getattr(firmware, name)
    if isinstance(figure, NotMeasured):
        return figure
    available = firmware.available.get(name)
    share = figure.value / available if available else None
    return AmountCell(value=figure.value, share=share, evidence=figure.evidence)


def _cost(cost: Cost | NotMeasured, name: str) -> int | NotMeasured:
    if isinstance(cost, NotMeasured):
        return cost
    value: int | NotMeasured = getattr(cost, name)
    return value


def weakest_evidence(firmware: Firmware | NotMeasured) -> Evidence | None:
    """Return the weakest evidence among the figures that are shown and that an entry is judged by.

    Nanoseconds are among them: without place and route the clock period is an estimate.
    """
    if isinstance(firmware, NotMeasured):
        return None
    figures = (
        firmware.latency_ns,
        firmware.latency_cycles,
        firmware.interval_cycles,
        firmware.lut,
        firmware.ff,
        firmware.dsp,
        firmware.bram18,
    )
    found = [one.evidence for one in figures if isinstance(one, Figure)]
    return weakest(found) if found else None


def describe_lead(board: Board) -> str:
    """Say in a sentence or two what the statistics lets one say of the first place."""
    ranked = [row for row in board.rows if row.rank is not None]
    if not ranked:
        return "No entry is ranked yet."
    if len(ranked) == 1:
        return f"{ranked[0].team} is the only ranked entry."
    leaders = [row for row in ranked if row.rank == 1]
    rivals = [row for row in ranked if row.best_rank == 1]
    first = " and ".join(row.team for row in leaders)
    shared = "share the first place" if len(leaders) > 1 else "leads"
    if len(rivals) <= 1:
        return f"{first} {shared}, and the lead is resolved at 95 %."
    return (
        f"{first} {shared}, but the statistics leaves the first place open among "
        f"{len(rivals)} of {len(ranked)} entries."
    )
