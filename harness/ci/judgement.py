"""Where a new card would stand on a board: expected rank, and what changed against whom.

The card may have been forged by whoever opened the pull request, so it sets nothing: data, rules
and target are those of the board and its manifest, and a card that does not fit them is rejected.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.board.comparison import PairedComparison
from harness.board.contest import Contest, Rulebook, merit_of_rules
from harness.board.decisions import Decision
from harness.board.entry import Entry, may_be_paired, shown_physics
from harness.board.merit import (
    compare_merit,
    compare_signal,
    is_comparable_signal,
    signal_replicates,
)
from harness.board.order import Ranked, Unranked, rank
from harness.card.records import NotMeasured, Physics, ScoreCard, SignalMerit, WorkingPoint

# The name under which a card is ranked that is in no results yet.
CANDIDATE = "this-pull-request"


@dataclass(frozen=True, kw_only=True, slots=True)
class Opponent:
    """Another entry that the card is compared with.

    Attributes
    ----------
    merit : PairedComparison or None
        Figure of merit of the card against the opponent's; None where one has none.
    figures : mapping of signal to PairedComparison
        What is ranked of each signal, such as the TPR at the working point.
    """

    entry: Entry
    merit: PairedComparison | None
    figures: Mapping[str, PairedComparison]


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
    candidate = Entry(key=f"{team}/{CANDIDATE}", card=card)
    rules = _after_rename(rulebook or Rulebook(), renamed_from, team)
    contest = rules.contest_of(board or [candidate])
    others = [entry for entry in board if contest.team_of(entry) != team]
    made = rank([*others, candidate], contest)
    place = next(item for item in made.listed if item.entry.key == candidate.key)
    now = rank(board, contest).listed if board else ()
    own = [item.entry for item in now if contest.team_of(item.entry) == team]
    rivals = [item.entry for item in made.ranked if item.entry.key != candidate.key]
    return Judgement(
        card=card,
        contest=contest,
        place=place,
        n_ranked=len(made.ranked),
        last=_opponent(card, own[0], contest) if own else None,
        best=_opponent(card, rivals[0], contest) if rivals else None,
    )


def _after_rename(rulebook: Rulebook, old: str | None, new: str) -> Rulebook:
    """Return the rulebook as it is once the team called `old` is called `new`."""
    if old is None:
        return rulebook
    rename = Decision(kind="rename", decided=None, reason="this pull request", team=old, to=new)
    made = rulebook.decisions
    made = made.model_copy(update={"decisions": (*made.decisions, rename)})
    return replace(rulebook, decisions=made)


def _opponent(card: ScoreCard, other: Entry, contest: Contest) -> Opponent | None:
    """Compare two cards; None where they are of different data or have no figures in common."""
    first, second = shown_physics(card), shown_physics(other.card)
    if first is None or second is None or first.arithmetic != second.arithmetic:
        return None
    is_of_contest = merit_of_rules(card.challenge) == contest.merit
    if not is_of_contest or not may_be_paired(card, other.card):
        return None
    common = [
        name
        for name in contest.signals
        if all(is_comparable_signal(one, contest, name) for one in (first, second))
    ]
    if any(_n_replicates(first, contest, n) != _n_replicates(second, contest, n) for n in common):
        return None
    is_whole = bool(common) and len(common) == len(contest.signals)
    return Opponent(
        entry=other,
        merit=compare_merit(first, second, contest) if is_whole else None,
        figures={name: compare_signal(first, second, name, contest) for name in common},
    )


def _n_replicates(physics: Physics, contest: Contest, signal: str) -> int:
    return len(signal_replicates(physics, contest, signal))


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
        for replicates in (physics.replicates, physics.merit.replicates if physics.merit else {})
        for values in replicates.values()
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
    merits = [
        merit
        for physics in (card.firmware_physics, card.float_physics)
        if isinstance(physics, Physics) and physics.merit is not None
        for merit in physics.merit.signals.values()
        if isinstance(merit, SignalMerit)
    ]
    is_sound = all(map(_is_finite, points)) and all(merit.value >= 0 for merit in merits)
    return "" if is_sound else "it holds figures that no scoring gives"


def _is_finite(point: WorkingPoint) -> bool:
    return all(
        math.isfinite(value) and abs(value) < 1e6
        for rate in point.rates.values()
        for value in (rate.interval.lower, rate.interval.upper, rate.significance_improvement)
    )
