"""What of a card must fit together, beyond its form, so that it can be ranked and drawn.

A card whose parts contradict each other is the fault of that card: whoever reads cards for a board
leaves it out with the reason, and the board shows the others.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from harness.card.accepted import Accepted, Distribution, TriggerCuts
from harness.card.physics import Histogram, MeasuredMerit, Physics, SignalMerit, WorkingPoint
from harness.card.records import ScoreCard

# No scoring gives a TPR / sqrt(FPR) beyond this: that takes 10^18 events.
_MAX_FIGURE = 1e9


def flaw_of(card: ScoreCard) -> str:
    """Say what of a card does not fit together; empty if all does."""
    return next(_flaws(card), "")


def n_replicates(card: ScoreCard) -> set[int]:
    """Return how many bootstrap replicates the signals of a card have."""
    return {
        len(values)
        for physics in _measured(card)
        for replicates in (
            physics.replicates,
            physics.merit.replicates if physics.merit else {},
            *((physics.menu.replicates, physics.menu.pure_replicates) if physics.menu else ()),
        )
        for values in replicates.values()
        if values
    }


def _measured(card: ScoreCard) -> list[Physics]:
    beside = (card.rounded_physics, card.unrounded_physics)
    found = (card.firmware_physics, card.float_physics, *beside)
    return [one for one in found if isinstance(one, Physics)]


def _flaws(card: ScoreCard) -> Iterator[str]:
    if not 0 < card.challenge.working_point < 1:
        yield "its working point is no rate"
    if len(n_replicates(card)) > 1:
        yield "its signals have different numbers of bootstrap replicates"
    known = {file.process for file in card.challenge.files}
    for physics in _measured(card):
        yield from _physics_flaws(physics)
        if known and not set(physics.auc) <= known:
            yield "it has figures of signals that are none of its files"
    if len({frozenset(physics.auc) for physics in _measured(card)}) > 1:
        yield "its network and its firmware were scored on different signals"
    if isinstance(card.accepted, Accepted):
        shown = (*card.accepted.passing, *card.accepted.every)
        if not all(map(counts_fit, shown)):
            yield "an observable has not one count for each bin"
    if isinstance(card.cuts, TriggerCuts):
        if not set(card.cuts.gain) <= set(card.cuts.point.rates):
            yield "a gain is of a signal that the cuts have no rate of"
        yield from _point_flaws(card.cuts.point)


def _physics_flaws(physics: Physics) -> Iterator[str]:
    if any(len(points.fpr) != len(points.tpr) for points in physics.roc.values()):
        yield "a ROC curve has not one TPR for each FPR"
    if physics.scores is not None and not counts_fit(physics.scores):
        yield "the distribution of the scores has not one count for each bin"
    if physics.merit is not None:
        yield from _merit_flaws(physics.merit)
    for point in physics.working_points:
        if isinstance(point, WorkingPoint):
            yield from _point_flaws(point)
            if not set(physics.auc) <= set(point.rates):
                yield f"a signal has no rate at FPR {point.fpr:g}"


def _merit_flaws(found: MeasuredMerit) -> Iterator[str]:
    measured = [one for one in found.signals.values() if isinstance(one, SignalMerit)]
    if not all(math.isfinite(one.value) and 0 <= one.value < _MAX_FIGURE for one in measured):
        yield "it holds figures of merit that no scoring gives"
    values = (value for replicates in found.replicates.values() for value in replicates)
    if not all(math.isfinite(value) and value >= 0 for value in values):
        yield "it holds replicates of figures of merit that no scoring gives"


def _point_flaws(point: WorkingPoint) -> Iterator[str]:
    figures = (
        value
        for rate in point.rates.values()
        for value in (rate.interval.lower, rate.interval.upper, rate.significance_improvement)
    )
    if not all(math.isfinite(value) and abs(value) < _MAX_FIGURE for value in figures):
        yield "it holds figures that no scoring gives"


def counts_fit(drawn: Histogram | Distribution) -> bool:
    """Whether there is a count for each bin."""
    n_bins = len(drawn.edges) - 1
    return n_bins > 0 and all(len(counts) == n_bins for counts in drawn.counts.values())
