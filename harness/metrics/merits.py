"""The challenge's figure of merit for each signal, where it is no rate at a working point.

One function for each kind of merit gives the figure, its interval and its replicates; how well the
intervals cover is in docs/statistics.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.card import figures, physics
from harness.challenge import (
    AddedEfficiencyAtRate,
    AreaUnderCurve,
    MaxSic,
    Merit,
    MistagAtTpr,
    RejectionAtTpr,
)
from harness.metrics.dealt import Dealt, area_replicates, deal_background, deal_whole_signal
from harness.metrics.halves import halves_of
from harness.metrics.intervals import bootstrap_interval, clopper_pearson, threshold_ranks
from harness.metrics.menu import Unaccepted, measure_added
from harness.metrics.rates import BACKGROUND
from harness.metrics.replicates import N_REPLICATES
from harness.metrics.roc import CONFIDENCE_LEVEL, measure_auc, place
from harness.metrics.scores import RankedScores, Sample
from harness.metrics.working_point import LOW_STATISTICS

# Cuts at which the largest SIC is looked for in replicates: as many to the decade of the FPR.
_PER_DECADE = 30
# The bootstrap of a mistag is used from here on: background events that pass, and signal events
# on the rarer side of the cut (docs/statistics.md).
_MIN_PASSING, _MIN_SIGNAL = 20, 20


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    """The figure of one signal."""

    merit: physics.SignalMerit | figures.NotMeasured
    replicates: NDArray[np.float64] | None = None


def measure_merit(
    merit: Merit, samples: Mapping[str, Sample], *, seed: int, unaccepted: Unaccepted | None = None
) -> physics.MeasuredMerit | None:
    """Measure the figure of merit of every signal.

    Parameters
    ----------
    merit : Merit
        What is measured.
    samples : mapping of str to Sample
        The signals, and the test background as `BACKGROUND`.
    seed : int
        The challenge's: replicates of two entries weigh every event alike.
    unaccepted : Unaccepted, optional
        The same samples without what the menu of the trigger accepts, which some merits need.

    Returns
    -------
    physics.MeasuredMerit or None
        None for a merit that is a rate at a working point.
    """
    if isinstance(merit, AddedEfficiencyAtRate):
        if unaccepted is None:
            raise ValueError("what is added to a menu needs its decisions")
        found = _added(merit, unaccepted, seed)
    elif measure := _KINDS.get(type(merit)):
        background = samples[BACKGROUND]
        found = {
            name: measure(merit, background, sample, seed)
            for name, sample in samples.items()
            if name != BACKGROUND
        }
    else:
        return None
    return physics.MeasuredMerit(
        merit=merit,
        signals={name: one.merit for name, one in found.items()},
        replicates={
            name: tuple(one.replicates.tolist())
            for name, one in found.items()
            if one.replicates is not None
        },
    )


def _added(merit: AddedEfficiencyAtRate, found: Unaccepted, seed: int) -> dict[str, _Found]:
    """Measure the TPR at the FPR of the rate, where no event of the menu passes any cut."""
    added = measure_added(found, [merit.fpr], fixed=merit.fixed, kept=merit.fpr, seed=seed)
    (made,) = added.points
    if isinstance(made, figures.UnreachedWorkingPoint):
        reason = figures.NotMeasured(not_measured=made.not_measured)
        return {name: _Found(merit=reason) for name in found.every if name != BACKGROUND}
    return {
        name: _Found(
            merit=physics.SignalMerit(
                value=rate.tpr,
                interval=rate.interval,
                n_background=made.n_passing,
                n_signal=rate.n_passing,
                is_low_statistics=made.is_low_statistics,
            ),
            replicates=added.replicates[merit.fpr, name],
        )
        for name, rate in made.rates.items()
    }


def _mistag(merit: MistagAtTpr, background: Sample, signal: Sample, seed: int) -> _Found:
    """Measure the share of background above the highest cut that keeps `merit.tpr` of a signal."""
    n_background, n_signal = background.n_events, signal.n_events
    # The decimal number that is written, not its binary rounding, as for false positive rates.
    n_kept = math.ceil(round(merit.tpr * n_signal, 9))
    threshold = signal.ranked.from_top(n_kept)
    n_passing = background.ranked.n_at_least(threshold)
    dealt = deal_whole_signal(signal, seed=seed)
    thresholds = dealt.thresholds(merit.tpr)
    lowest = min(float(thresholds.min()), threshold)
    rates = deal_background(background, seed=seed, lowest=lowest).rates(thresholds)
    n_rarer = min(n_kept, n_signal - n_kept)
    if n_passing >= _MIN_PASSING and n_rarer >= _MIN_SIGNAL:
        interval = bootstrap_interval(rates, tpr=n_passing / n_background)
    else:
        interval = _conservative_mistag(merit.tpr, background.ranked, signal.ranked, n_passing)
    return _Found(
        merit=physics.SignalMerit(
            value=n_passing / n_background,
            interval=interval,
            n_background=n_passing,
            n_signal=signal.ranked.n_at_least(threshold),
            is_low_statistics=min(n_passing, n_rarer) < LOW_STATISTICS,
        ),
        # A rate of 0 has no logarithm; a replicate without any event counts half of one.
        replicates=np.maximum(rates, 0.5 / n_background),
    )


def _conservative_mistag(
    tpr: float, background: RankedScores, signal: RankedScores, n_passing: int
) -> figures.Interval:
    """Return an interval of the mistag that covers at least 95 % always.

    Half of the allowed error goes to the threshold (order statistics of the signal), half to the
    background counts at its two ends (Clopper-Pearson).
    """
    part_level = (1.0 + CONFIDENCE_LEVEL) / 2.0
    ranks = threshold_ranks(tpr, signal.n_events, level=part_level)
    n_tight = background.n_above(signal.from_top(ranks.tight)) if ranks.tight > 0 else 0
    is_bounded = ranks.loose <= signal.n_events
    n_loose = (
        background.n_at_least(signal.from_top(ranks.loose)) if is_bounded else background.n_events
    )
    n_events = background.n_events
    lower = clopper_pearson(min(n_tight, n_passing), n_events, level=part_level).lower
    upper = clopper_pearson(max(n_loose, n_passing), n_events, level=part_level).upper
    return figures.Interval(
        lower=lower,
        upper=upper,
        level=CONFIDENCE_LEVEL,
        method="order statistics x Clopper-Pearson",
    )


def _rejection(merit: RejectionAtTpr, background: Sample, signal: Sample, seed: int) -> _Found:
    """Measure one over the mistag; where no background passes, as if one event did."""
    found = _mistag(MistagAtTpr(tpr=merit.tpr), background, signal, seed)
    assert isinstance(found.merit, physics.SignalMerit)
    assert found.replicates is not None
    mistag, least = found.merit, 1 / background.n_events
    interval = mistag.interval.model_copy(
        update={
            "lower": 1 / max(mistag.interval.upper, least),
            "upper": 1 / max(mistag.interval.lower, least / 1e3),
        }
    )
    value = 1 / max(mistag.value, least)
    return _Found(
        merit=mistag.model_copy(update={"value": value, "interval": interval}),
        replicates=1 / found.replicates,
    )


def _max_sic(merit: MaxSic, background: Sample, signal: Sample, seed: int) -> _Found:
    """Measure the largest TPR / sqrt(FPR) over the cuts that enough background passes.

    The largest of many noisy values is too large. So the events are shared out in two halves by
    their hashes; each half says which cut is best and the other what it gives. The figure is the
    mean of the two, which is on average at most the largest SIC. The lower end of the interval is
    that of this mean. The upper end is that of the largest SIC of each replicate, which is on
    average at least the true one.
    """
    if background.n_events < 2 * merit.min_background:
        why = f"{background.n_events:,} background events, of which {merit.min_background:,} pass"
        return _Found(merit=figures.NotMeasured(not_measured=f"{why} in a half of them at least"))
    halves = list(zip(halves_of(background, seed), halves_of(signal, seed), strict=True))
    if min(half.n_events for pair in halves for half in pair) == 0:
        return _Found(merit=figures.NotMeasured(not_measured="a half of the events is empty"))
    cuts = [_best_cut(merit, *half) for half in reversed(halves)]
    found = [_sic(*half, cut) for half, cut in zip(halves, cuts, strict=True)]
    replicates = np.mean(
        [_sic_replicates(*half, cut, seed) for half, cut in zip(halves, cuts, strict=True)], axis=0
    )
    value = (found[0] + found[1]) / 2
    n_passing = [
        sum(half[side].ranked.n_at_least(cut) for half, cut in zip(halves, cuts, strict=True))
        for side in (0, 1)
    ]
    return _Found(
        merit=physics.SignalMerit(
            value=value,
            interval=_sic_interval(
                value, replicates, _largest_sics(merit, background, signal, seed)
            ),
            n_background=n_passing[0],
            n_signal=n_passing[1],
            is_low_statistics=min(n_passing) < LOW_STATISTICS,
        ),
        replicates=replicates,
    )


def _best_cut(merit: MaxSic, background: Sample, signal: Sample) -> float:
    """Return the cut of the largest SIC: one of the signal's scores, or the tightest allowed."""
    n_least = math.ceil(merit.min_background / 2)
    ordered = background.ranked.ascending
    scores = np.unique(signal.ranked.ascending).astype(np.float64)
    enough = len(ordered) - np.searchsorted(ordered, scores, "left") >= n_least
    cuts = np.append(scores[enough], background.ranked.from_top(min(n_least, len(ordered))))
    n_background = len(ordered) - np.searchsorted(ordered, cuts, "left")
    n_signal = signal.n_events - np.searchsorted(signal.ranked.ascending, cuts, "left")
    return float(cuts[np.argmax(n_signal / np.sqrt(n_background))])


def _sic(background: Sample, signal: Sample, cut: float) -> float:
    """Return TPR / sqrt(FPR) at a cut; a cut that no background passes counts as if one did."""
    n_background = max(background.ranked.n_at_least(cut), 1)
    n_signal = signal.ranked.n_at_least(cut)
    return float(n_signal / signal.n_events / math.sqrt(n_background / background.n_events))


def _sic_replicates(
    background: Sample, signal: Sample, cut: float, seed: int
) -> NDArray[np.float64]:
    """Return TPR / sqrt(FPR) at a cut in each replicate."""
    cuts = np.full(N_REPLICATES, cut)
    dealt = deal_background(background, seed=seed, lowest=cut)
    fprs = np.maximum(dealt.rates(cuts), 0.5 / background.n_events)
    tprs = deal_whole_signal(signal, seed=seed).rates(cuts)
    return np.asarray(tprs / np.sqrt(fprs), dtype=np.float64)


def _largest_sics(
    merit: MaxSic, background: Sample, signal: Sample, seed: int
) -> NDArray[np.float64]:
    """Return the largest SIC of all events in each replicate, over cuts log-spaced in the FPR."""
    n_events = background.n_events
    decades = math.log10(n_events / merit.min_background)
    n_steps = math.ceil(decades * _PER_DECADE) + 1
    ranks = np.geomspace(merit.min_background, n_events, n_steps).round().astype(int)
    cuts = np.unique([background.ranked.from_top(rank) for rank in ranks.tolist()])[::-1]
    least = float(cuts[-1])
    dealt = deal_background(background, seed=seed, lowest=least)
    tprs = deal_whole_signal(signal, seed=seed).shares(cuts)
    fprs = np.maximum(dealt.shares(cuts), 0.5 / n_events)
    return np.asarray((tprs / np.sqrt(fprs)).max(axis=1), dtype=np.float64)


def _sic_interval(
    value: float, chosen: NDArray[np.float64], largest: NDArray[np.float64]
) -> figures.Interval:
    ends = bootstrap_interval(chosen, tpr=value), bootstrap_interval(largest, tpr=value)
    return figures.Interval(
        lower=ends[0].lower,
        # The largest is at least that of a cut which everything passes.
        upper=max(ends[1].upper, 1.0),
        level=CONFIDENCE_LEVEL,
        method="Poisson bootstrap; upper end: of the largest SIC",
    )


def _area(_: AreaUnderCurve, background: Sample, signal: Sample, seed: int) -> _Found:
    """Measure the area under the ROC curve; few events of either sample are low statistics."""
    placement = place(background.ranked, signal.ranked)
    found = measure_auc(placement)
    dealt: tuple[Dealt, Dealt] = (
        deal_background(background, seed=seed),
        deal_whole_signal(signal, seed=seed),
    )
    counts = background.n_events, signal.n_events
    return _Found(
        merit=physics.SignalMerit(
            value=found.value,
            interval=found.interval,
            n_background=counts[0],
            n_signal=counts[1],
            is_low_statistics=min(counts) < LOW_STATISTICS,
        ),
        replicates=area_replicates(placement, found.value, *dealt),
    )


_Measure = Callable[..., _Found]
_KINDS: Mapping[type, _Measure] = {
    MistagAtTpr: _mistag,
    RejectionAtTpr: _rejection,
    MaxSic: _max_sic,
    AreaUnderCurve: _area,
}
