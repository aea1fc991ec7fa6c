"""What a board says first: what is ranked, who leads, by how much, whether that is sure."""

from __future__ import annotations

from dataclasses import dataclass

from harness.board.formats import merit_text
from harness.board.merit import merit_of
from harness.board.order import Ranking
from harness.board.rows import Board, BoardRow, MeritCell, describe_lead
from harness.card.figures import NotMeasured
from harness.card.records import ScoreCard
from harness.challenge import AGGREGATE_TITLES, AnyTarget, CpuTarget, NoTarget, Target


@dataclass(frozen=True, kw_only=True, slots=True)
class Headline:
    """The sentences above a board.

    Attributes
    ----------
    ranked : str
        What is ranked, in words for who does not know the terms.
    leader : str
        Who leads, with which figure, and by what factor.
    certainty : str
        What the statistics lets one say of that.
    entries : str
        How many there are, and who made them.
    deadline : str or None
        Until when entries are taken, in UTC; None: there is no deadline.
    """

    ranked: str
    leader: str
    certainty: str
    entries: str
    deadline: str | None


def headline_of(made: Ranking, board: Board, leading: ScoreCard | None) -> Headline:
    """Put together what stands above a board.

    Parameters
    ----------
    leading : ScoreCard or None
        The whole card of the first place, which knows what today's cuts would keep.
    """
    return Headline(
        ranked=ranked_text(made, board),
        leader=_leader_text(made, board, leading),
        certainty=_certainty_text(board),
        entries=_entries_text(board),
        deadline=made.contest.rules.deadline,
    )


def ranked_text(made: Ranking, board: Board) -> str:
    """Say what is ranked."""
    what, where = board.ranked_merit.in_words()
    n, title = len(board.signals), AGGREGATE_TITLES[made.contest.rules.combines_by]
    over = f"{title[0].lower()}{title[1:]} over {n} signals" if n > 1 and title else ""
    parts = (what, over, where, _target_text(board.target))
    return ", ".join(part for part in parts if part)


def _target_text(target: AnyTarget) -> str:
    match target:
        case Target(max_latency_ns=limit):
            within = f"{limit / 1000:g} µs" if limit >= 1000 else f"{limit:g} ns"
            return f"by firmware within {within}"
        case CpuTarget(max_time_ms=float(limit)):
            return f"by a processor within {limit:g} ms"
        case CpuTarget() | NoTarget():
            return ""


def _leader_text(made: Ranking, board: Board, leading: ScoreCard | None) -> str:
    ranked = [row for row in board.rows if row.rank is not None]
    if not ranked or not isinstance(ranked[0].merit, MeritCell):
        return "No entry is ranked yet."
    first = ranked[0]
    merit = board.ranked_merit
    value = ranked[0].merit.value
    words = f"{first.team} leads with {merit_text(merit, value)}"
    factors = []
    if len(ranked) > 1 and (second := _times(value, ranked[1], board)):
        factors.append(f"{second} the second ({ranked[1].team})")
    cuts = None if leading is None else _cuts_merit(made, leading)
    if cuts:
        factors.append(f"{value / cuts:.3g} times today's simple cuts")
    return ": ".join(part for part in (words, " and ".join(factors)) if part)


def _times(value: float, other: BoardRow, board: Board) -> str:
    if not isinstance(other.merit, MeritCell) or min(value, other.merit.value) <= 0:
        return ""
    ratio = value / other.merit.value
    return f"{ratio:.3g} times" if not board.ranked_merit.smaller_is_better else f"{ratio:.3g} of"


def _cuts_merit(made: Ranking, card: ScoreCard) -> float | None:
    """Return the merit of a trigger of simple cuts at the same rate; None: it was not measured."""
    contest = made.contest
    if isinstance(card.cuts, NotMeasured) or not contest.merit.at_working_point:
        return None
    rates = card.cuts.point.rates
    if card.cuts.point.fpr != contest.working_point or not set(contest.signals) <= set(rates):
        return None
    return merit_of({name: rates[name].tpr for name in contest.signals}, contest)


def _certainty_text(board: Board) -> str:
    """Say whether the lead is sure, and what the statistics leaves open."""
    rivals = sum(row.best_rank == 1 for row in board.rows if row.rank is not None)
    if board.n_ranked < 2:
        return describe_lead(board)
    return f"{'Sure' if rivals == 1 else 'Not sure'}: {describe_lead(board)}"


def _entries_text(board: Board) -> str:
    n = len(board.rows)
    n_own = sum(row.is_baseline for row in board.rows)
    # Where it stands above, "among 4 of 10 entries" is of the ranked ones.
    ranked = "" if board.n_ranked == n else f", {board.n_ranked} of them ranked"
    if not n_own:
        return f"{n} entr{'y' if n == 1 else 'ies'}{ranked}"
    teams = f"{n - n_own} of teams" if n > n_own else "none of a team yet"
    return f"{n} entries{ranked}: {n_own} baselines of the maintainers, {teams}"
