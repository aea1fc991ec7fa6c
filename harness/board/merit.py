"""The figure of merit of an entry: the TPRs of the signals in one number.

It is the weighted geometric mean over the signals of the TPR at the challenge's working point, each
TPR floored at that point's FPR, or another mean where the rules say so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.board.comparison import TAILS, PairedComparison, Span, compare, rate_replicates, tpr_of
from harness.board.contest import Contest
from harness.board.entry import point_at, shown_physics
from harness.card.records import NotMeasured, Physics, ScoreCard


def merit_of(tpr: Mapping[str, float], contest: Contest, *, floor: float | None = None) -> float:
    """Combine the signals' TPRs to the figure of merit.

    Each TPR counts as at least `floor`, the contest's working point where none is given.

    Examples
    --------
    A TPR of 0 counts as the working point's FPR, here 1e-5; the mean of 1e-5 and 1e-3 is 1e-4.

    >>> from harness.challenge import Budget, RankingRules, Target
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
            return _without_last_digits(math.exp(math.fsum(logs) / total))
        case "mean_tpr":
            return math.fsum(w * value for w, value in zip(weights, floored, strict=True)) / total
        case "lowest_tpr":
            return min(floored)


def _without_last_digits(value: float) -> float:
    """Round to 12 digits: the last of 17 hang on the processor's logarithms and exponentials."""
    return float(f"{value:.12g}")


def merit_at(
    physics: Physics | None, contest: Contest, *, fpr: float | None = None
) -> float | NotMeasured:
    """Return the merit of measured TPRs at `fpr`, the contest's working point if none is given."""
    fpr = contest.working_point if fpr is None else fpr
    point = point_at(physics, fpr)
    if isinstance(point, NotMeasured):
        return point
    tpr = {name: rate.tpr for name, rate in point.rates.items()}
    if not contest.signals or not set(contest.signals) <= set(tpr):
        return NotMeasured(not_measured="not every signal was scored")
    return merit_of(tpr, contest, floor=fpr)


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


def span_of(log_replicates: NDArray[np.float64], merit: float) -> Span:
    """Return the interval of one merit by itself, from its `merit_replicates`."""
    edges = np.exp(np.quantile(log_replicates, TAILS)).tolist()
    lower, upper = (_without_last_digits(edge) for edge in edges)
    return Span(lower=min(lower, merit), upper=max(upper, merit))


def merit_span(card: ScoreCard, merit: float, contest: Contest) -> Span | None:
    """Return the interval of a card's merit; None without replicates at the contest's rate."""
    physics = shown_physics(card)
    if physics is None or card.challenge.working_point != contest.working_point:
        return None
    if not all(physics.replicates.get(name) for name in contest.signals):
        return None
    return span_of(merit_replicates(physics, contest), merit)


def mean_auc(physics: Physics, signals: Sequence[str]) -> float:
    """Mean over `signals` of the AUC, whatever the order of the signals."""
    return math.fsum(physics.auc[name].value for name in signals) / len(signals)


def compare_merit(first: Physics, second: Physics, contest: Contest) -> PairedComparison:
    """Compare the figures of merit of two entries, this one pair at 95 %."""
    left, right = (_measured(physics, contest) for physics in (first, second))
    return compare(
        left,
        right,
        np.exp(merit_replicates(first, contest)),
        np.exp(merit_replicates(second, contest)),
    )


def _measured(physics: Physics, contest: Contest) -> float:
    point = contest.working_point
    return merit_of({name: tpr_of(physics, name, point) for name in contest.signals}, contest)
