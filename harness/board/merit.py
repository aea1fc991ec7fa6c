"""The figure of merit of an entry: those of the signals in one number.

Each signal has a figure, the TPR at the challenge's working point or another that the manifest
chooses (`harness.challenge.Merit`); none counts for less than chance gives. They become one by the
aggregate of the rules, the weighted geometric mean where they say nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.board.aggregate import aggregate, aggregate_logs
from harness.board.comparison import TAILS, PairedComparison, Span, compare, rate_replicates
from harness.board.contest import Contest, merit_of_rules
from harness.board.entry import point_at, shown_on
from harness.card.figures import NotMeasured
from harness.card.physics import Physics, SignalMerit
from harness.card.records import ScoreCard
from harness.challenge import without_last_digits


def merit_of(values: Mapping[str, float], contest: Contest, *, fpr: float | None = None) -> float:
    """Combine the signals' figures to the figure of merit.

    None counts for less than by chance: a TPR is at least the FPR that it is measured at, `fpr`,
    the contest's working point where none is given.

    Examples
    --------
    A TPR of 0 counts as the working point's FPR, here 1e-5; the mean of 1e-5 and 1e-3 is 1e-4.

    >>> from harness.challenge import Budget, RankingRules, Target, TprAtFpr
    >>> target = Target(part="p", clock_period_ns=5, max_latency_ns=1000, max_interval_ns=25,
    ...                 budget=Budget())
    >>> contest = Contest(challenge="c", data="", scorer_version=1, working_point=1e-5,
    ...                   signals=("a", "b"), target=target, rules=RankingRules(),
    ...                   merit=TprAtFpr(fpr=1e-5))
    >>> round(merit_of({"a": 0.0, "b": 1e-3}, contest), 9)
    0.0001
    """
    merit = contest.merit
    least = fpr if merit.at_working_point and fpr is not None else merit.by_chance
    better = min if merit.smaller_is_better else max
    return aggregate(
        contest.rules.combines_by,
        [better(values[name], least) for name in contest.signals],
        weights_of(contest),
        smaller_is_better=merit.smaller_is_better,
    )


def weights_of(contest: Contest) -> list[float]:
    """Return the weight of each signal of a contest, in their order."""
    return [contest.rules.signal_weights.get(name, 1.0) for name in contest.signals]


def signal_figures(
    physics: Physics | None, contest: Contest, *, fpr: float | None = None
) -> dict[str, float] | NotMeasured:
    """Return the figure of each signal that was measured; rates are those at `fpr`."""
    merit = contest.merit
    if merit.at_working_point:
        point = point_at(physics, contest.working_point if fpr is None else fpr)
        if isinstance(point, NotMeasured):
            return point
        return {name: rate.tpr for name, rate in point.rates.items()}
    found = measured_merits(physics, contest)
    if isinstance(found, NotMeasured):
        return found
    return {name: one.value for name, one in found.items() if isinstance(one, SignalMerit)}


def measured_merits(
    physics: Physics | None, contest: Contest
) -> Mapping[str, SignalMerit | NotMeasured] | NotMeasured:
    """Return what a card says of the contest's merit, one that is no rate at a working point."""
    if physics is None:
        return NotMeasured(not_measured="no scores")
    if physics.merit is None or physics.merit.merit != contest.merit:
        return NotMeasured(not_measured=f"scored without {contest.merit.describe()}")
    return physics.merit.signals


def merit_at(
    physics: Physics | None, contest: Contest, *, fpr: float | None = None
) -> float | NotMeasured:
    """Return the merit; of rates that at `fpr`, the contest's working point if none is given."""
    values = signal_figures(physics, contest, fpr=fpr)
    if isinstance(values, NotMeasured):
        return values
    if not contest.signals or not set(contest.signals) <= set(values):
        return NotMeasured(not_measured="not every signal was scored")
    return merit_of(values, contest, fpr=fpr)


def signal_replicates(physics: Physics, contest: Contest, signal: str) -> NDArray[np.float64]:
    """Return the figure of one signal in each bootstrap replicate, shape (n_replicates,)."""
    if contest.merit.at_working_point:
        return rate_replicates(physics, signal, contest.working_point)
    assert physics.merit is not None
    return np.array(physics.merit.replicates[signal], dtype=np.float64)


def merit_replicates(physics: Physics, contest: Contest) -> NDArray[np.float64]:
    """Logarithm of the figure of merit in each bootstrap replicate, shape (n_replicates,)."""
    merit = contest.merit
    figures = np.array([signal_replicates(physics, contest, name) for name in contest.signals])
    better = np.minimum if merit.smaller_is_better else np.maximum
    return aggregate_logs(
        contest.rules.combines_by,
        better(figures, merit.by_chance),
        np.array(weights_of(contest)),
        smaller_is_better=merit.smaller_is_better,
    )


def span_of(log_replicates: NDArray[np.float64], merit: float) -> Span:
    """Return the interval of one merit by itself, from its `merit_replicates`."""
    edges = np.exp(np.quantile(log_replicates, TAILS)).tolist()
    lower, upper = (without_last_digits(edge) for edge in edges)
    return Span(lower=min(lower, merit), upper=max(upper, merit))


def merit_span(card: ScoreCard, merit: float, contest: Contest) -> Span | None:
    """Return the interval of a card's merit; None without replicates of the contest's merit."""
    physics = shown_on(card, contest.target)
    if physics is None or merit_of_rules(card.challenge) != contest.merit:
        return None
    if not all(has_replicates(physics, contest, name) for name in contest.signals):
        return None
    return span_of(merit_replicates(physics, contest), merit)


def has_replicates(physics: Physics, contest: Contest, signal: str) -> bool:
    """Tell whether the card holds replicates of a signal's figure."""
    if contest.merit.at_working_point:
        return bool(physics.replicates.get(signal))
    return physics.merit is not None and bool(physics.merit.replicates.get(signal))


def is_comparable_signal(physics: Physics, contest: Contest, signal: str) -> bool:
    """Tell whether a signal's figure was measured, with replicates."""
    figures = signal_figures(physics, contest)
    is_measured = not isinstance(figures, NotMeasured) and signal in figures
    return is_measured and has_replicates(physics, contest, signal)


def rests_on_few(physics: Physics, contest: Contest, signals: Sequence[str]) -> bool:
    """Tell whether the figure of one of `signals` has low statistics: it is hardly known."""
    if contest.merit.at_working_point:
        point = point_at(physics, contest.working_point)
        return not isinstance(point, NotMeasured) and point.is_low_statistics
    found = measured_merits(physics, contest)
    if isinstance(found, NotMeasured):
        return False
    merits = (found.get(name) for name in signals)
    return any(isinstance(one, SignalMerit) and one.is_low_statistics for one in merits)


def is_better(found: PairedComparison, contest: Contest) -> bool:
    """Tell whether the first of two compared figures is the better one."""
    return (found.difference < 0) == contest.merit.smaller_is_better


def mean_auc(physics: Physics, signals: Sequence[str]) -> float:
    """Mean over `signals` of the AUC, whatever the order of the signals."""
    return math.fsum(physics.auc[name].value for name in signals) / len(signals)


def compare_merit(first: Physics, second: Physics, contest: Contest) -> PairedComparison:
    """Compare the figures of merit of two entries, this one pair at 95 %."""
    left, right = (merit_at(physics, contest) for physics in (first, second))
    assert not isinstance(left, NotMeasured)
    assert not isinstance(right, NotMeasured)
    return compare(
        left,
        right,
        np.exp(merit_replicates(first, contest)),
        np.exp(merit_replicates(second, contest)),
    )


def compare_signal(
    first: Physics, second: Physics, signal: str, contest: Contest
) -> PairedComparison:
    """Compare the figures of two entries for one signal, this one pair at 95 %.

    Raises
    ------
    KeyError
        One of them was not measured.
    """
    left, right = (_figure_of(physics, contest, signal) for physics in (first, second))
    return compare(
        left,
        right,
        signal_replicates(first, contest, signal),
        signal_replicates(second, contest, signal),
    )


def _figure_of(physics: Physics, contest: Contest, signal: str) -> float:
    figures = signal_figures(physics, contest)
    if isinstance(figures, NotMeasured):
        raise KeyError(signal)
    return figures[signal]
