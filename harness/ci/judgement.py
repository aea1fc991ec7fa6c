"""Where a new card would stand on a board: expected rank, and what changed against whom.

The card may have been forged by whoever opened the pull request, so it sets nothing: data, rules
and target are those of the board and its manifest, and a card that does not fit them is rejected.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.board.comparison import PairedComparison, compare_rate
from harness.board.contest import Contest, Rulebook
from harness.board.entry import Entry, may_be_paired, shown_physics
from harness.board.merit import compare_merit
from harness.board.order import Ranked, Unranked, rank
from harness.card.records import NotMeasured, Physics, ScoreCard, WorkingPoint

# The name under which a card is ranked that is in no results yet.
CANDIDATE = "this-pull-request"


@dataclass(frozen=True, kw_only=True, slots=True)
class Opponent:
    """Another entry that the card is compared with.

    Attributes
    ----------
    merit : PairedComparison or None
        Figure of merit of the card against the opponent's; None where one has none.
    rates : mapping of signal to PairedComparison
        TPRs at the working point.
    """

    entry: Entry
    merit: PairedComparison | None
    rates: Mapping[str, PairedComparison]


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """A card compared with a board.

    Attributes
    ----------
    place : Ranked or Unranked
        Where the card would be on the board now.
    n_ranked : int
        Entries that would be ranked, this one among them if it is.
    last : Opponent or None
        The team's entry that counts now.
    best : Opponent or None
        The best entry of another team.
    """

    card: ScoreCard
    contest: Contest
    place: Ranked | Unranked
    n_ranked: int
    last: Opponent | None
    best: Opponent | None


def judge(
    card: ScoreCard,
    board: Sequence[Entry],
    *,
    rulebook: Rulebook | None = None,
    renamed_from: str | None = None,
) -> Judgement:
    """Rank `card` among the entries of `board` in place of the cards of its team.

    Parameters
    ----------
    card : ScoreCard
        One without a flaw, see `flaw_of`.
    board : sequence of Entry
        Cards of the challenge; may be empty.
    rulebook : Rulebook, optional
        The board's; without it the rules in its newest card hold.
    renamed_from : str, optional
        Name of the team on the board, if the card brings it another one.
    """
    team = card.submission.team
    names = {team, renamed_from}
    candidate = Entry(key=f"{team}/{CANDIDATE}", card=card)
    contest = (rulebook or Rulebook()).contest_of(board or [candidate])
    others = [entry for entry in board if contest.team_of(entry) not in names]
    made = rank([*others, candidate], contest)
    place = next(item for item in made.listed if item.entry.key == candidate.key)
    now = rank(board, contest).listed if board else ()
    own = [item.entry for item in now if contest.team_of(item.entry) in names]
    rivals = [item.entry for item in made.ranked if item.entry.key != candidate.key]
    return Judgement(
        card=card,
        contest=contest,
        place=place,
        n_ranked=len(made.ranked),
        last=_opponent(card, own[0], contest) if own else None,
        best=_opponent(card, rivals[0], contest) if rivals else None,
    )


def _opponent(card: ScoreCard, other: Entry, contest: Contest) -> Opponent | None:
    """Compare two cards; None where they are of different data or have no figures in common."""
    first, second = shown_physics(card), shown_physics(other.card)
    if first is None or second is None or first.arithmetic != second.arithmetic:
        return None
    if card.challenge.working_point != contest.working_point or not may_be_paired(card, other.card):
        return None
    common = [
        name
        for name in contest.signals
        if _has(first, name, contest.working_point) and _has(second, name, contest.working_point)
    ]
    if any(len(first.replicates[name]) != len(second.replicates[name]) for name in common):
        return None
    is_whole = bool(common) and len(common) == len(contest.signals)
    return Opponent(
        entry=other,
        merit=compare_merit(first, second, contest) if is_whole else None,
        rates={name: compare_rate(first, second, name, contest.working_point) for name in common},
    )


def _has(physics: Physics, signal: str, fpr: float) -> bool:
    try:
        point = physics.at(fpr)
    except KeyError:
        return False
    return (
        isinstance(point, WorkingPoint)
        and signal in point.rates
        and bool(physics.replicates.get(signal))
    )


def flaw_of(card: ScoreCard, board: Sequence[Entry]) -> str:
    """Say why a card that anyone may have written cannot be ranked at all; empty if it can.

    Its form was checked when it was read. Here its figures are checked, so that the arithmetic of
    the ranking cannot fail: as many replicates as the board's cards have, and finite rates.
    """
    counts = {
        len(values)
        for one in (card, *(entry.card for entry in board[:1]))
        for physics in (one.firmware_physics, one.float_physics)
        if not isinstance(physics, NotMeasured)
        for values in physics.replicates.values()
        if values
    }
    if not 0 < card.challenge.working_point < 1:
        return "its working point is no rate"
    if len(counts) > 1:
        return "its bootstrap replicates are not as many as the board's"
    points = [
        point
        for physics in (card.firmware_physics, card.float_physics)
        if not isinstance(physics, NotMeasured)
        for point in physics.working_points
        if isinstance(point, WorkingPoint)
    ]
    return "" if all(map(_is_finite, points)) else "it holds figures that no scoring gives"


def _is_finite(point: WorkingPoint) -> bool:
    return all(
        math.isfinite(value) and abs(value) < 1e6
        for rate in point.rates.values()
        for value in (rate.interval.lower, rate.interval.upper, rate.significance_improvement)
    )
