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
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from harness.board.classes import pareto_front, ranks_within, resource_class
from harness.board.comparison import Span, resolved_better
from harness.board.contest import Contest
from harness.board.eligibility import is_comparable, is_valid, reasons_against
from harness.board.entry import Entry, shown_physics
from harness.board.merit import mean_auc, merit_at, merit_replicates, span_of
from harness.card.records import Figure, Firmware, NotMeasured, Physics


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
        *older, latest = sorted(cards, key=lambda entry: _standing_order(entry, contest))
        counting.append(latest)
        superseded.extend(older)
    superseded.sort(key=lambda entry: (entry.card.created_at, entry.key), reverse=True)
    return tuple(counting), tuple(superseded)


def _standing_order(entry: Entry, contest: Contest) -> tuple[bool, bool, datetime, str]:
    """Sort a team's cards so that the one that counts comes last."""
    card, counts = entry.card, is_valid(entry, contest)
    return counts and is_comparable(card, contest), counts, card.created_at, entry.key


@dataclass(frozen=True, kw_only=True, slots=True)
class _Judged:
    """What decides the place of one eligible entry."""

    entry: Entry
    merit: float
    log_replicates: NDArray[np.float64]
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
    merit = merit_at(physics, contest)
    assert not isinstance(merit, NotMeasured)
    return _Judged(
        entry=entry,
        merit=merit,
        log_replicates=merit_replicates(physics, contest),
        mean_auc=mean_auc(physics, contest.signals),
        latency_ns=_value_or_infinity(firmware.latency_ns),
        lut=_value_or_infinity(firmware.lut),
    )


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
        np.array([one.log_replicates for one in judged]), np.log([one.merit for one in judged])
    )
    keys = [one.key for one in judged]
    ranks = ranks_within([""] * len(judged), keys)
    classes = [resource_class(one.lut, contest.rules) for one in judged]
    class_ranks = ranks_within(classes, keys)
    fronts = pareto_front([(one.merit, one.latency_ns, one.lut) for one in judged])
    return tuple(
        Ranked(
            entry=one.entry,
            rank=ranks[i],
            best_rank=1 + int(better[:, i].sum()),
            worst_rank=len(judged) - int(better[i].sum()),
            merit=one.merit,
            merit_span=span_of(one.log_replicates, one.merit),
            mean_auc=one.mean_auc,
            latency_ns=one.latency_ns,
            lut=one.lut,
            resource_class=classes[i],
            class_rank=class_ranks[i],
            is_pareto=fronts[i],
        )
        for i, one in enumerate(judged)
    )


def _unranked_order(item: Unranked, contest: Contest) -> tuple[bool, float, datetime, str]:
    """Trigger entries before open ones, then by the figure of merit that is there."""
    card = item.entry.card
    merit = merit_at(shown_physics(card), contest)
    known = 0.0 if isinstance(merit, NotMeasured) else merit
    return card.submission.division == "open", -known, card.created_at, item.entry.key
