"""Who is ranked, in which order, and how sure that order is: pure functions of score cards.

An entry is ranked by its figure of merit: the weighted geometric mean over the signals of the
firmware's TPR at the challenge's working point, each TPR floored at that point's FPR. Only cards
of the same data and the same scorer version are compared. Every entry that is not ranked says
why, with all reasons at once.

How sure a rank is comes from the bootstrap replicates that each card keeps. Replicate b of two
cards of one challenge weighs every event alike, so the difference of two figures of merit is
paired: events that both entries accept cancel. A rank interval of n ranked entries is
``[1 + entries resolved to be better, n - entries resolved to be worse]``, and *resolved* is meant
for the whole board: all n (n - 1) / 2 comparisons hold together at 95 %, so that nobody wins by
being one of many. Such intervals hold the true ranks (Mogstad, Romano, Shaikh, Wilhelm,
"Inference for Ranks", Rev. Econ. Stud. 91 (2024) 476, doi:10.1093/restud/rdad006).
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.board.contest import Contest
from harness.board.entry import Entry, data_digest, shown_physics
from harness.card.records import (
    Figure,
    Firmware,
    NotMeasured,
    Physics,
    ScoreCard,
    UnreachedWorkingPoint,
    WorkingPoint,
)
from harness.challenge import Evidence, RankingRules, Target

# Confidence of every interval made here.
LEVEL = 0.95
# Standard normal quantiles of the 2.5 % tail and of the most extreme of 500 draws: they turn
# distances from the median into widths.
_TAIL_SIGMA = 1.96
_EXTREME_SIGMA = 3.04
# Events added to a replicate's count: Gamma(1/2), so that a Poisson-bootstrapped count x becomes
# about Gamma(x + 1/2), the Jeffreys posterior of a Poisson mean. A bootstrap of no passing event
# would claim to know the rate exactly. In toys of two equal entries (k = 10, 20, 50; 0.2 to 200
# expected passing events) it calls 0-5 % of pairs different, the plain bootstrap up to 7 %.
_JEFFREYS = 0.5

_RESOURCES = ("lut", "ff", "dsp", "bram18")
_RESOURCE_TITLES = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram18": "BRAM18"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Requirement:
    """One limit of the contest held against one figure of a firmware.

    Attributes
    ----------
    value : float or None
        None where it was not measured.
    evidence : str or None
        What is behind the value: of nanoseconds, what is behind the number of cycles.
    reason : str
        Why it is not met; empty where it is.
    """

    name: str
    value: float | None
    limit: float
    unit: str
    evidence: Evidence | None
    reason: str

    @property
    def is_met(self) -> bool:
        """Whether the value was measured, by accepted evidence, and is within the limit."""
        return not self.reason


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A confidence interval of `LEVEL`."""

    lower: float
    upper: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranked:
    """An entry with its place.

    Attributes
    ----------
    rank : int
        1 is best; equal entries share the rank.
    best_rank, worst_rank : int
        Hold the true rank between them, for all entries of the board together at 95 %.
    merit : float
        Figure of merit: a TPR.
    resource_class : str
        ``lut<=10000`` or ``budget``; `class_rank` is the place among the class's entries.
    is_pareto : bool
        No other ranked entry is at least as good in merit, latency and LUT and better in one.
    """

    entry: Entry
    rank: int
    best_rank: int
    worst_rank: int
    merit: float
    merit_span: Span
    mean_auc: float
    latency_ns: float
    lut: float
    resource_class: str
    class_rank: int
    is_pareto: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Unranked:
    """An entry that is listed without a rank, and every reason for it."""

    entry: Entry
    reasons: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranking:
    """A board: one card of each team, ranked or not, and the cards that no longer count."""

    contest: Contest
    ranked: tuple[Ranked, ...]
    unranked: tuple[Unranked, ...]
    superseded: tuple[Entry, ...]

    @property
    def listed(self) -> tuple[Ranked | Unranked, ...]:
        """The card of each team that counts, ranked ones first."""
        return (*self.ranked, *self.unranked)


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Two quantities compared over paired replicates.

    Attributes
    ----------
    difference, ratio : float
        First minus second, first over second (infinite where the second is 0).
    difference_span, ratio_span : Span
        Each for this one comparison at 95 %.
    is_resolved : bool
        The interval of the difference leaves 0 out.
    """

    difference: float
    difference_span: Span
    ratio: float
    ratio_span: Span
    is_resolved: bool


def merit_of(tpr: Mapping[str, float], contest: Contest, *, floor: float | None = None) -> float:
    """Combine the signals' TPRs to the figure of merit.

    Each TPR counts as at least `floor`, the contest's working point where none is given.

    Examples
    --------
    A TPR of 0 counts as the working point's FPR, here 1e-5; the mean of 1e-5 and 1e-3 is 1e-4.

    >>> from harness.board.contest import Contest
    from harness.board.entry import Entry, data_digest, shown_physics
    from harness.challenge import Budget
    >>> target = Target(part="p", clock_period_ns=5, max_latency_ns=1000, max_interval_ns=25,
    ...                 budget=Budget())
    >>> contest = Contest(challenge="c", data="", scorer_version=1, working_point=1e-5,
    ...                   signals=("a", "b"), target=target, rules=RankingRules())
    >>> round(merit_of({"a": 0.0, "b": 1e-3}, contest), 9)
    0.0001
    """
    least = contest.working_point if floor is None else floor
    floored = [max(tpr[name], least) for name in contest.signals]
    weights = [contest.rules.signal_weights.get(name, 1.0) for name in contest.signals]
    # fsum: the order of the signals must not break a tie.
    total = math.fsum(weights)
    match contest.rules.metric:
        case "geometric_mean_tpr":
            logs = (w * math.log(value) for w, value in zip(weights, floored, strict=True))
            return math.exp(math.fsum(logs) / total)
        case "mean_tpr":
            return math.fsum(w * value for w, value in zip(weights, floored, strict=True)) / total
        case "lowest_tpr":
            return min(floored)


def rate_replicates(physics: Physics, signal: str, working_point: float) -> NDArray[np.float64]:
    """TPR of `signal` in each bootstrap replicate, widened for the smallness of its count.

    The widening (see `_JEFFREYS`) is drawn from a generator seeded by the replicates themselves:
    equal cards stay equal, and every reader of a card gets the same.

    Returns
    -------
    float64 array of shape (n_replicates,)
    """
    replicates = np.array(physics.replicates[signal], dtype=np.float64)
    point = physics.at(working_point)
    if isinstance(point, UnreachedWorkingPoint):
        return replicates
    seed = hashlib.sha256(signal.encode() + replicates.tobytes()).digest()
    extra = np.random.default_rng(list(seed)).gamma(_JEFFREYS, size=replicates.size)
    return np.minimum(replicates + extra / max(point.rates[signal].n_events, 1), 1.0)


def merit_replicates(physics: Physics, contest: Contest) -> NDArray[np.float64]:
    """Logarithm of the figure of merit in each bootstrap replicate, shape (n_replicates,)."""
    rates = [rate_replicates(physics, name, contest.working_point) for name in contest.signals]
    floored = np.maximum(np.array(rates), contest.working_point)
    weights = np.array([contest.rules.signal_weights.get(name, 1.0) for name in contest.signals])
    shares = weights / weights.sum()
    match contest.rules.metric:
        case "geometric_mean_tpr":
            logs = shares @ np.log(floored)
        case "mean_tpr":
            logs = np.log(shares @ floored)
        case "lowest_tpr":
            logs = np.log(floored.min(axis=0))
    return np.asarray(logs, dtype=np.float64)


def requirements(firmware: Firmware, target: Target, rules: RankingRules) -> list[Requirement]:
    """Hold the firmware's figures against the contest's limits.

    Nanoseconds are cycles times the clock period. Their evidence is that of the cycles: without
    place and route every clock period is an estimate, and no entry would ever be ranked.
    """
    interval_ns = _product(firmware.interval_cycles, firmware.clock_period_ns)
    held = [
        _hold("latency", firmware.latency_ns, target.max_latency_ns, "ns", rules)
        if isinstance(firmware.latency_cycles, NotMeasured)
        else _hold(
            "latency",
            firmware.latency_ns,
            target.max_latency_ns,
            "ns",
            rules,
            evidence=firmware.latency_cycles.evidence,
        ),
        _hold("initiation interval", interval_ns, target.max_interval_ns, "ns", rules),
    ]
    for name in _RESOURCES:
        limit = getattr(target.budget, name)
        if limit is not None:
            held.append(
                _hold(_RESOURCE_TITLES[name], getattr(firmware, name), float(limit), "", rules)
            )
    return held


def _product(cycles: Figure | NotMeasured, period: Figure | NotMeasured) -> Figure | NotMeasured:
    if isinstance(cycles, NotMeasured):
        return cycles
    if isinstance(period, NotMeasured):
        return period
    return Figure(value=cycles.value * period.value, evidence=cycles.evidence, source=cycles.source)


def _hold(
    name: str,
    figure: Figure | NotMeasured,
    limit: float,
    unit: str,
    rules: RankingRules,
    *,
    evidence: Evidence | None = None,
) -> Requirement:
    if isinstance(figure, NotMeasured):
        reason = f"{name} was not measured: {figure.not_measured}"
        return Requirement(
            name=name, value=None, limit=limit, unit=unit, evidence=None, reason=reason
        )
    evidence = figure.evidence if evidence is None else evidence
    amount = f" {unit}" if unit else ""
    reason = ""
    if figure.value > limit:
        reason = f"{name} {figure.value:,.6g}{amount} is over the limit of {limit:,.6g}{amount}"
    elif evidence not in rules.accepted_evidence:
        accepted = ", ".join(rules.accepted_evidence)
        reason = f"{name} rests on {evidence}; this contest accepts {accepted}"
    return Requirement(
        name=name, value=figure.value, limit=limit, unit=unit, evidence=evidence, reason=reason
    )


def reasons_against(entry: Entry, contest: Contest) -> tuple[str, ...]:
    """Every reason why an entry cannot be ranked; empty if it can."""
    card = entry.card
    if card.submission.division == "open":
        return (*_standing(entry, contest), "open division: its physics is shown, never ranked")
    found = [
        *_standing(entry, contest),
        *_sameness(card, contest),
        *_physics_reasons(card, contest),
        *_firmware_reasons(card, contest),
        *_integrity_reasons(card),
    ]
    return tuple(dict.fromkeys(found))


def _standing(entry: Entry, contest: Contest) -> Iterator[str]:
    card, rules = entry.card, contest.rules
    if entry.key in rules.retracted:
        yield f"taken back by the organiser: {rules.retracted[entry.key]}"
    received = card.submission.received or card.created
    if rules.deadline is not None and received > rules.deadline:
        yield f"received {received}, after the deadline of {rules.deadline}"
    if card.submission.is_supervised:
        yield "declared as trained on the signals"
    if card.isolation.kind != "bwrap":
        yield f"scored without isolation ({card.isolation.kind})"
    if not card.is_official:
        why = "; ".join(card.unofficial_because) or "no reason recorded"
        yield f"unofficial: {why}"


def _sameness(card: ScoreCard, contest: Contest) -> Iterator[str]:
    if data_digest(card.challenge) != contest.data:
        yield (
            f"scored on other data ({card.challenge.name} {card.challenge.version}): "
            "score it again with `harness score`"
        )
    if card.scorer_version != contest.scorer_version:
        yield (
            f"scored with scorer version {card.scorer_version}, this board ranks version "
            f"{contest.scorer_version}: rescore it with `harness rescore`"
        )


def _physics_reasons(card: ScoreCard, contest: Contest) -> Iterator[str]:
    physics = card.firmware_physics
    if isinstance(physics, NotMeasured):
        yield f"the firmware's scores were not measured: {physics.not_measured}"
        return
    try:
        point = physics.at(contest.working_point)
    except KeyError:
        yield f"no working point at FPR {contest.working_point:.0e}"
        return
    if isinstance(point, UnreachedWorkingPoint):
        yield f"FPR {point.fpr:.0e} was not measured: {point.not_measured}"
        return
    if point.is_low_statistics:
        yield (
            f"low statistics: only {point.n_allowed} background events may pass at FPR "
            f"{point.fpr:.0e}"
        )
    for name in contest.signals:
        if name not in point.rates or name not in physics.auc:
            yield f"signal {name} was not scored"
        elif not physics.replicates.get(name):
            yield f"no bootstrap replicates of signal {name}: it cannot be compared"


def _firmware_reasons(card: ScoreCard, contest: Contest) -> Iterator[str]:
    firmware = card.firmware
    if isinstance(firmware, NotMeasured):
        yield f"the firmware was not measured: {firmware.not_measured}"
        return
    if firmware.is_handed_in and not contest.rules.accept_handed_in:
        yield "firmware reports were handed in, not made here"
    if firmware.target.part != contest.target.part:
        yield f"made for the part {firmware.target.part}, not {contest.target.part}"
    for requirement in requirements(firmware, contest.target, contest.rules):
        if not requirement.is_met:
            yield requirement.reason
    known = {"latency", "interval", *_RESOURCES}
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


def rank(entries: Sequence[Entry], contest: Contest) -> Ranking:
    """Rank the cards of one challenge: one card of each team.

    The card that counts is the team's latest that could be ranked together with others (official,
    same data and scorer version, in time, not taken back), never its best; over budget or not.
    """
    counting, superseded = _one_per_team(entries, contest)
    judged = [(entry, reasons_against(entry, contest)) for entry in counting]
    eligible = [entry for entry, reasons in judged if not reasons]
    unranked = [Unranked(entry=entry, reasons=reasons) for entry, reasons in judged if reasons]
    return Ranking(
        contest=contest,
        ranked=_in_order(eligible, contest),
        unranked=tuple(sorted(unranked, key=lambda item: _unranked_order(item, contest))),
        superseded=superseded,
    )


def _one_per_team(
    entries: Iterable[Entry], contest: Contest
) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    teams: dict[str, list[Entry]] = {}
    for entry in entries:
        teams.setdefault(entry.card.submission.team, []).append(entry)
    counting, superseded = [], []
    for cards in teams.values():
        *older, latest = sorted(cards, key=lambda entry: _standing_order(entry, contest))
        counting.append(latest)
        superseded.extend(older)
    superseded.sort(key=lambda entry: (entry.card.created, entry.key), reverse=True)
    return tuple(counting), tuple(superseded)


def _standing_order(entry: Entry, contest: Contest) -> tuple[bool, bool, str, str]:
    """Sort a team's cards so that the one that counts comes last."""
    card, rules = entry.card, contest.rules
    received = card.submission.received or card.created
    is_in_time = rules.deadline is None or received <= rules.deadline
    is_valid = is_in_time and card.is_official and entry.key not in rules.retracted
    return is_valid and not any(_sameness(card, contest)), is_valid, card.created, entry.key


@dataclass(frozen=True, slots=True)
class _Judged:
    """What the order of one eligible entry hangs on."""

    entry: Entry
    merit: float
    mean_auc: float
    latency_ns: float
    lut: float

    @property
    def key(self) -> tuple[float, float, float, float]:
        return -self.merit, -self.mean_auc, self.latency_ns, self.lut


def _judge(entry: Entry, contest: Contest) -> _Judged:
    physics, firmware = entry.card.firmware_physics, entry.card.firmware
    assert isinstance(physics, Physics)
    assert isinstance(firmware, Firmware)
    point = physics.at(contest.working_point)
    assert isinstance(point, WorkingPoint)
    return _Judged(
        entry=entry,
        merit=merit_of({name: rate.tpr for name, rate in point.rates.items()}, contest),
        mean_auc=mean_auc(physics, contest.signals),
        latency_ns=_value_or_infinity(firmware.latency_ns),
        lut=_value_or_infinity(firmware.lut),
    )


def mean_auc(physics: Physics, signals: Sequence[str]) -> float:
    """Mean over `signals` of the AUC, whatever the order of the signals."""
    return math.fsum(physics.auc[name].value for name in signals) / len(signals)


def _value_or_infinity(figure: Figure | NotMeasured) -> float:
    return math.inf if isinstance(figure, NotMeasured) else figure.value


def _in_order(eligible: Sequence[Entry], contest: Contest) -> tuple[Ranked, ...]:
    judged = [_judge(entry, contest) for entry in eligible]
    judged.sort(key=lambda one: (one.key, one.entry.card.created, one.entry.card.submission.digest))
    if not judged:
        return ()
    replicates = np.array(
        [merit_replicates(_firmware_physics(one.entry), contest) for one in judged]
    )
    better = resolved_better(replicates, np.log([one.merit for one in judged]))
    ranks = _shared_ranks([one.key for one in judged])
    classes = [resource_class(one.lut, contest.rules) for one in judged]
    class_ranks = _ranks_within(classes, [one.key for one in judged])
    fronts = pareto_front([(one.merit, one.latency_ns, one.lut) for one in judged])
    spans = [_merit_span(row, one.merit) for row, one in zip(replicates, judged, strict=True)]
    return tuple(
        Ranked(
            entry=one.entry,
            rank=ranks[i],
            best_rank=1 + int(better[:, i].sum()),
            worst_rank=len(judged) - int(better[i].sum()),
            merit=one.merit,
            merit_span=spans[i],
            mean_auc=one.mean_auc,
            latency_ns=one.latency_ns,
            lut=one.lut,
            resource_class=classes[i],
            class_rank=class_ranks[i],
            is_pareto=fronts[i],
        )
        for i, one in enumerate(judged)
    )


def _firmware_physics(entry: Entry) -> Physics:
    assert isinstance(entry.card.firmware_physics, Physics)
    return entry.card.firmware_physics


def _merit_span(log_replicates: NDArray[np.float64], merit: float) -> Span:
    tails = np.exp(np.quantile(log_replicates, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
    return Span(lower=min(float(tails[0]), merit), upper=max(float(tails[1]), merit))


def merit_span(physics: Physics, merit: float, contest: Contest) -> Span:
    """Interval of one entry's figure of merit, by itself."""
    return _merit_span(merit_replicates(physics, contest), merit)


def _shared_ranks(keys: Sequence[tuple[float, ...]]) -> list[int]:
    """Ranks of keys in rising order; equal keys share the first one's."""
    ranks: list[int] = []
    for i, key in enumerate(keys):
        ranks.append(ranks[-1] if i and key == keys[i - 1] else i + 1)
    return ranks


def _ranks_within(groups: Sequence[str], keys: Sequence[tuple[float, ...]]) -> list[int]:
    seen: Counter[str] = Counter()
    last: dict[str, tuple[tuple[float, ...], int]] = {}
    ranks = []
    for group, key in zip(groups, keys, strict=True):
        seen[group] += 1
        if group not in last or last[group][0] != key:
            last[group] = key, seen[group]
        ranks.append(last[group][1])
    return ranks


def resource_class(lut: float, rules: RankingRules) -> str:
    """Name of the smallest resource class that holds `lut`: ``lut<=1000``, ..., ``budget``."""
    for bound in rules.resource_classes_lut:
        if lut <= bound:
            return f"lut<={bound}"
    return "budget"


def pareto_front(points: Sequence[tuple[float, float, float]]) -> list[bool]:
    """Tell which of (merit, latency, LUT) no other dominates; equal points are all on the front.

    Examples
    --------
    >>> pareto_front([(0.2, 50, 900), (0.1, 50, 900), (0.1, 40, 900)])
    [True, False, True]
    """
    costs = np.array([(-merit, latency, lut) for merit, latency, lut in points], dtype=np.float64)
    costs = costs.reshape(len(points), 3)
    return [
        not bool(((costs <= cost).all(axis=1) & (costs < cost).any(axis=1)).any()) for cost in costs
    ]


def resolved_better(
    log_merits: NDArray[np.float64], point: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Tell which entries are better than which, at 95 % for all pairs together.

    Each pair's difference gets a band around its median over the replicates: `c` times a width to
    the left and one to the right (replicates of small counts are skewed). `c` is one for all
    pairs: the smallest for which 95 % of the replicates lie inside every pair's band at once. A
    pair is resolved if its band leaves out 0 and the measured figures agree on the sign.

    Parameters
    ----------
    log_merits : float64 array of shape (n, n_replicates)
        Logarithms of the figures of merit; column b was made with the same weights in every row.
    point : float64 array of shape (n,)
        Logarithms of the measured figures of merit.

    Returns
    -------
    bool array of shape (n, n)
        Element (i, j): i is resolved to be better than j.
    """
    n, n_replicates = log_merits.shape
    # float32 resolves 1e-6 of a TPR's relative difference and sorts six times as fast.
    rows = log_merits.astype(np.float32)
    worst = np.zeros(n_replicates, dtype=np.float32)
    median, left, right = (np.zeros((n, n), dtype=np.float32) for _ in range(3))
    for i in range(n - 1):
        differences = rows[i] - rows[i + 1 :]
        centre, lower, upper = _widths(differences)
        median[i, i + 1 :], left[i, i + 1 :], right[i, i + 1 :] = centre, lower, upper
        deviation = differences - centre[:, np.newaxis]
        width = np.where(deviation < 0, lower[:, np.newaxis], upper[:, np.newaxis])
        # A width of 0 goes with no deviation: both widths hold the most extreme replicate.
        scaled = np.divide(np.abs(deviation), width, out=np.zeros_like(deviation), where=width > 0)
        np.maximum(worst, scaled.max(axis=0), out=worst)
    critical = float(np.quantile(worst, LEVEL, method="higher")) if n > 1 else 0.0
    better = median - critical * left > 0
    worse = median + critical * right < 0
    agree = np.sign(point[:, np.newaxis] - point[np.newaxis, :])
    return (better & (agree > 0)) | (worse & (agree < 0)).T


def _widths(
    differences: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Median and the widths to its left and right, in standard deviations of a normal, by row."""
    ordered = np.sort(differences, axis=1)
    n = ordered.shape[1]
    at_lower, at_upper = int(np.floor(0.025 * (n - 1))), int(np.ceil(0.975 * (n - 1)))
    centre = (ordered[:, (n - 1) // 2] + ordered[:, n // 2]) * np.float32(0.5)
    left: NDArray[np.float32] = np.maximum(
        (centre - ordered[:, at_lower]) / _TAIL_SIGMA, (centre - ordered[:, 0]) / _EXTREME_SIGMA
    )
    right: NDArray[np.float32] = np.maximum(
        (ordered[:, at_upper] - centre) / _TAIL_SIGMA, (ordered[:, -1] - centre) / _EXTREME_SIGMA
    )
    return centre, left, right


def compare_merit(first: Physics, second: Physics, contest: Contest) -> Comparison:
    """Compare the figures of merit of two entries, this one pair at 95 %."""
    points = [
        merit_of(_rates(physics, contest.working_point), contest) for physics in (first, second)
    ]
    replicates = [np.exp(merit_replicates(physics, contest)) for physics in (first, second)]
    return _compare(points[0], points[1], replicates[0], replicates[1])


def compare_rate(first: Physics, second: Physics, signal: str, working_point: float) -> Comparison:
    """Compare the TPRs of two entries for one signal, this one pair at 95 %."""
    return _compare(
        _rates(first, working_point)[signal],
        _rates(second, working_point)[signal],
        rate_replicates(first, signal, working_point),
        rate_replicates(second, signal, working_point),
    )


def _rates(physics: Physics, working_point: float) -> dict[str, float]:
    point = physics.at(working_point)
    if isinstance(point, UnreachedWorkingPoint):
        raise KeyError(working_point)
    return {name: rate.tpr for name, rate in point.rates.items()}


def _compare(
    first: float, second: float, left: NDArray[np.float64], right: NDArray[np.float64]
) -> Comparison:
    tails = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    lower, upper = (float(edge) for edge in np.quantile(left - right, tails))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where((left == 0) & (right == 0), 1.0, left / right)
    low_ratio, high_ratio = (float(edge) for edge in np.quantile(ratios, tails, method="nearest"))
    difference = first - second
    ratio = 1.0 if first == second else (first / second if second else math.inf)
    return Comparison(
        difference=difference,
        difference_span=Span(lower=min(lower, difference), upper=max(upper, difference)),
        ratio=ratio,
        ratio_span=Span(lower=min(low_ratio, ratio), upper=max(high_ratio, ratio)),
        is_resolved=(lower > 0 and difference > 0) or (upper < 0 and difference < 0),
    )


def _unranked_order(item: Unranked, contest: Contest) -> tuple[bool, float, str, str]:
    """Trigger entries before open ones, then by the figure of merit that is there."""
    card = item.entry.card
    physics = shown_physics(card)
    merit = 0.0
    if physics is not None:
        try:
            merit = merit_of(_rates(physics, contest.working_point), contest)
        except KeyError:
            merit = 0.0
    return card.submission.division == "open", -merit, card.created, item.entry.key
