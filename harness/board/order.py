"""Who is ranked, in which order, and how sure that order is: pure functions of score cards.

Entries are ranked by their figure of merit. Only cards of the same data and the same scorer version
are compared. Every entry that is not ranked says why, with all reasons at once.

A rank interval of n ranked entries is ``[1 + entries resolved to be better, n - entries resolved to
be worse]``, and *resolved* holds for the whole board: all n (n - 1) / 2 comparisons are right
together at 95 %, so that nobody wins by being one of many. Such intervals hold the true ranks
(Mogstad, Romano, Shaikh, Wilhelm, "Inference for Ranks", Rev. Econ. Stud. 91 (2024) 476,
doi:10.1093/restud/rdad006).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import numpy as np
from numpy.typing import NDArray

from harness.board.classes import pareto_front, ranks_within, resource_class
from harness.board.comparison import Span, resolved_better
from harness.board.contest import Contest
from harness.board.eligibility import is_comparable, is_valid, reasons_against
from harness.board.entry import Entry, counted_physics, shown_on
from harness.board.merit import mean_auc, merit_at, merit_replicates, span_of
from harness.card.costs import ProcessorUse
from harness.card.figures import NotMeasured
from harness.card.hardware import Figure, Firmware
from harness.card.physics import Physics
from harness.card.records import ScoreCard
from harness.card.run import DIVISIONS
from harness.challenge import CpuTarget, NoTarget, Target


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
        Figure of merit of the contest.
    costs : tuple of float
        On the gate: latency [ns] and LUT of an FPGA, processor time [ms], or nothing.
    resource_class : str
        ``lut<=10000`` or ``budget``, or empty where the gate is no FPGA; `class_rank` is the place
        among the class's entries.
    is_pareto : bool
        No other ranked entry is at least as good in merit and in what it costs on the gate
        (latency and LUT, or processor time) and better in one.
    """

    entry: Entry
    rank: int
    best_rank: int
    worst_rank: int
    merit: float
    merit_span: Span
    mean_auc: float
    costs: tuple[float, ...]
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
    """A board: one card of each team, ranked or not, and the cards that no longer count.

    A team that was renamed is one team, see `Contest.team_of`.
    """

    contest: Contest
    ranked: tuple[Ranked, ...]
    unranked: tuple[Unranked, ...]
    superseded: tuple[Entry, ...]

    @property
    def listed(self) -> tuple[Ranked | Unranked, ...]:
        """The card of each team that counts, ranked ones first."""
        return (*self.ranked, *self.unranked)

    def twins_of(self, entry: Entry) -> tuple[str, ...]:
        """Names of the other teams with a card of the very same network, older cards too."""
        digest = entry.card.model_digest
        if isinstance(digest, NotMeasured):
            return ()
        every = (*(item.entry for item in self.listed), *self.superseded)
        same = {self.contest.team_of(one) for one in every if one.card.model_digest == digest}
        return tuple(sorted(same - {self.contest.team_of(entry)}))


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
        teams.setdefault(contest.team_of(entry), []).append(entry)
    counting, superseded = [], []
    for cards in teams.values():
        by_receipt = all(entry.card.submission.received for entry in cards)
        key = partial(_standing_order, contest=contest, by_receipt=by_receipt)
        *older, latest = sorted(cards, key=key)
        counting.append(latest)
        superseded.extend(older)
    superseded.sort(key=lambda entry: (entry.card.order, entry.key), reverse=True)
    return tuple(counting), tuple(superseded)


def _standing_order(
    entry: Entry, contest: Contest, *, by_receipt: bool
) -> tuple[bool, bool, datetime, int, datetime, datetime, str]:
    """Sort a team's cards so that the one that counts comes last.

    The latest is the one handed in last, if an organiser received all of them; else the one
    written last, whatever the clock said. A rescoring keeps the place of what it is made from.
    """
    card, counts = entry.card, is_valid(entry, contest)
    is_first = counts and is_comparable(card, contest)
    received = card.received_at if by_receipt else datetime.min.replace(tzinfo=UTC)
    number, created = card.order
    return is_first, counts, received, number, card.received_at, created, entry.key


@dataclass(frozen=True, kw_only=True, slots=True)
class _Judged:
    """What decides the place of one eligible entry."""

    entry: Entry
    merit: float
    log_replicates: NDArray[np.float64]
    sign: int
    mean_auc: float
    costs: tuple[float, ...]
    received: float

    @property
    def goodness(self) -> float:
        """The merit, with a minus where smaller is better."""
        return self.sign * self.merit

    @property
    def key(self) -> tuple[float, ...]:
        return -self.goodness, -self.mean_auc, *self.costs, self.received


def _judge(entry: Entry, contest: Contest) -> _Judged:
    physics = counted_physics(entry.card, contest.target)
    assert isinstance(physics, Physics)
    merit = merit_at(physics, contest)
    assert not isinstance(merit, NotMeasured)
    return _Judged(
        entry=entry,
        merit=merit,
        log_replicates=merit_replicates(physics, contest),
        sign=contest.merit.sign,
        mean_auc=mean_auc(physics, contest.signals),
        costs=_costs(entry.card, contest),
        received=_time_of(entry, contest),
    )


def _time_of(entry: Entry, contest: Contest) -> float:
    """Return when an entry was received [s], where that breaks ties; else one time for all."""
    is_used = contest.rules.tie_break == "received"
    return entry.card.received_at.timestamp() if is_used else 0.0


def _costs(card: ScoreCard, contest: Contest) -> tuple[float, ...]:
    """Return what an entry costs on the gate: latency and LUT, processor time, or nothing."""
    match contest.target:
        case Target():
            assert isinstance(card.firmware, Firmware)
            latency, lut = card.firmware.latency_ns, card.firmware.lut
            return _value_or_infinity(latency), _value_or_infinity(lut)
        case CpuTarget():
            used = card.processor
            return (used.time_ms if isinstance(used, ProcessorUse) else math.inf,)
        case NoTarget():
            return ()


def _value_or_infinity(figure: Figure | NotMeasured) -> float:
    return math.inf if isinstance(figure, NotMeasured) else figure.value


def _in_order(eligible: Sequence[Entry], contest: Contest) -> tuple[Ranked, ...]:
    if not eligible:
        return ()
    judged = [_judge(entry, contest) for entry in eligible]
    judged.sort(
        key=lambda one: (one.key, one.entry.card.created_at, one.entry.card.submission.digest)
    )
    better = resolved_better(
        np.array([one.sign * one.log_replicates for one in judged]),
        np.array([one.sign * math.log(one.merit) for one in judged]),
    )
    keys = [one.key for one in judged]
    ranks = ranks_within([""] * len(judged), keys)
    is_fpga = isinstance(contest.target, Target)
    classes = [resource_class(one.costs[1], contest.rules) if is_fpga else "" for one in judged]
    class_ranks = ranks_within(classes, keys)
    fronts = pareto_front([(one.goodness, *one.costs) for one in judged])
    return tuple(
        Ranked(
            entry=one.entry,
            rank=ranks[i],
            best_rank=1 + int(better[:, i].sum()),
            worst_rank=len(judged) - int(better[i].sum()),
            merit=one.merit,
            merit_span=span_of(one.log_replicates, one.merit),
            mean_auc=one.mean_auc,
            costs=one.costs,
            resource_class=classes[i],
            class_rank=class_ranks[i],
            is_pareto=fronts[i],
        )
        for i, one in enumerate(judged)
    )


def _unranked_order(item: Unranked, contest: Contest) -> tuple[int, float, datetime, str]:
    """Trigger entries, then open ones, then declared ones; by the figure of merit that is there."""
    card = item.entry.card
    merit = merit_at(shown_on(card, contest.target), contest)
    known = -math.inf if isinstance(merit, NotMeasured) else contest.merit.sign * merit
    return DIVISIONS.index(card.submission.division), -known, card.created_at, item.entry.key
