"""What an entry adds to the menu of the trigger, beside the figure that is ranked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.board.aggregate import aggregate, aggregate_logs
from harness.board.comparison import Span
from harness.board.contest import Contest
from harness.board.merit import span_of, weights_of
from harness.card.figures import NotMeasured
from harness.card.in_trigger import AddedPoint, AddedRate, UnreachedAddedPoint
from harness.card.physics import Physics
from harness.challenge import Aggregate, Name, Value


class AddedCell(Value):
    """What one signal gains on the menu, at a fixed total rate, with its 95 % interval."""

    value: float
    lower: float
    upper: float
    n_added: int
    n_events: int


class AddedFigures(Value):
    """What an entry adds to the menu at one working point.

    Attributes
    ----------
    total : float
        Over the signals, combined as the merit, where the entry's whole rate is fixed; a signal
        counts for no less than the rate.
    lower, upper : float or None
        Its 95 % interval, at the challenge's working point alone.
    added : float or NotMeasured
        The same where the rate that the entry adds is fixed.
    added_lower, added_upper : float or None
        Its 95 % interval, at the challenge's working point alone; cards of older scorers have none.
    fpr_added : float
        Share of background that the entry adds at the fixed total rate.
    """

    total: float
    lower: float | None
    upper: float | None
    added: float | NotMeasured
    added_lower: float | None = None
    added_upper: float | None = None
    fpr_added: float
    signals: dict[Name, AddedCell]


def added_at(physics: Physics | None, contest: Contest, fpr: float) -> AddedFigures | NotMeasured:
    """Return what an entry adds to the menu at `fpr`, or why that was not measured."""
    if physics is None or physics.menu is None:
        return NotMeasured(not_measured="scored without a menu")
    total, added = _point(physics, fpr, "total"), _point(physics, fpr, "added")
    if isinstance(total, NotMeasured):
        return total
    if not contest.signals or not set(contest.signals) <= set(total.signals):
        return NotMeasured(not_measured="not every signal was scored")
    own = _combine(total.signals, contest, fpr)
    own_span = _span(physics, contest, fpr, "total", own)
    pure = added if isinstance(added, NotMeasured) else _combine(added.signals, contest, fpr)
    span = None if isinstance(pure, NotMeasured) else _span(physics, contest, fpr, "added", pure)
    return AddedFigures(
        total=own,
        lower=None if own_span is None else own_span.lower,
        upper=None if own_span is None else own_span.upper,
        added=pure,
        added_lower=None if span is None else span.lower,
        added_upper=None if span is None else span.upper,
        fpr_added=total.background.value,
        signals={name: _cell(total.signals[name]) for name in contest.signals},
    )


def _span(
    physics: Physics, contest: Contest, fpr: float, fixed: Literal["total", "added"], value: float
) -> Span | None:
    """Return the interval of a combined figure; None where there are no replicates of it."""
    assert physics.menu is not None
    replicates = physics.menu.replicates_of(fixed)
    if fpr != contest.working_point or not set(contest.signals) <= set(replicates):
        return None
    return combined_span(
        np.array([replicates[name] for name in contest.signals]),
        contest.rules.combines_by,
        np.array(weights_of(contest)),
        fpr=fpr,
        value=value,
    )


def combined_span(
    replicates: NDArray[np.float64],
    kind: Aggregate,
    weights: NDArray[np.float64],
    *,
    fpr: float,
    value: float,
) -> Span:
    """Return the 95 % interval of what is added, combined over the signals.

    Parameters
    ----------
    replicates : float64 array, shape (n_signals, n_replicates)
        What is added to each signal.
    weights : float64 array, shape (n_signals,)
    fpr : float
        For no less than this a signal counts.
    value : float
        The combined figure itself.
    """
    floored = np.maximum(replicates, fpr)
    return span_of(aggregate_logs(kind, floored, weights, smaller_is_better=False), value)


def _point(
    physics: Physics, fpr: float, fixed: Literal["total", "added"]
) -> AddedPoint | NotMeasured:
    assert physics.menu is not None
    try:
        point = physics.menu.at(fpr, fixed)
    except KeyError:
        return NotMeasured(not_measured="not measured at this working point")
    if isinstance(point, UnreachedAddedPoint):
        return NotMeasured(not_measured=point.not_measured)
    return point


def _combine(rates: Mapping[str, AddedRate], contest: Contest, fpr: float) -> float:
    return aggregate(
        contest.rules.combines_by,
        [max(rates[name].value, fpr) for name in contest.signals],
        weights_of(contest),
        smaller_is_better=False,
    )


def _cell(rate: AddedRate) -> AddedCell:
    return AddedCell(
        value=rate.value,
        lower=rate.interval.lower,
        upper=rate.interval.upper,
        n_added=rate.n_added,
        n_events=rate.n_events,
    )
