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

from harness.card import records
from harness.challenge import (
    AddedEfficiencyAtRate,
    AreaUnderCurve,
    MaxSic,
    Merit,
    MistagAtTpr,
    RejectionAtTpr,
)
from harness.metrics.dealt import Dealt, area_replicates, deal_background, deal_whole_signal
from harness.metrics.intervals import bootstrap_interval, clopper_pearson, threshold_ranks
from harness.metrics.rates import BACKGROUND, measure_point, record_point, replicate_points
from harness.metrics.roc import CONFIDENCE_LEVEL, measure_auc, place
from harness.metrics.scores import RankedScores, Sample, rank_samples
from harness.metrics.working_point import LOW_STATISTICS

# The bootstrap of a mistag is used from here on: background events that pass, and signal events
# on the rarer side of the cut (docs/statistics.md).
_MIN_PASSING, _MIN_SIGNAL = 20, 20
# Thresholds at which replicates of the largest SIC are made: 60 to the decade of the FPR.
_PER_DECADE = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    """The figure of one signal."""

    merit: records.SignalMerit | records.NotMeasured
    replicates: NDArray[np.float64] | None = None


def measure_merit(
    merit: Merit,
    samples: Mapping[str, Sample],
    *,
    seed: int,
    accepted: Mapping[str, NDArray[np.bool_]],
) -> records.MeasuredMerit | None:
    """Measure the figure of merit of every signal.

    Parameters
    ----------
    merit : Merit
        What is measured.
    samples : mapping of str to Sample
        The signals, and the test background as `BACKGROUND`.
    seed : int
        The challenge's: replicates of two entries weigh every event alike.
    accepted : mapping of str to ndarray of bool, shape (n,)
        Whether the menu of the trigger accepts each event; empty if the merit needs no menu.

    Returns
    -------
    records.MeasuredMerit or None
        None for a merit that is a rate at a working point.
    """
    if isinstance(merit, AddedEfficiencyAtRate):
        found = _added(merit, samples, accepted, seed)
    elif measure := _KINDS.get(type(merit)):
        background = samples[BACKGROUND]
        found = {
            name: measure(merit, background, sample, seed)
            for name, sample in samples.items()
            if name != BACKGROUND
        }
    else:
        return None
    return records.MeasuredMerit(
        merit=merit,
        signals={name: one.merit for name, one in found.items()},
        replicates={
            name: tuple(one.replicates.tolist())
            for name, one in found.items()
            if one.replicates is not None
        },
    )


def _added(
    merit: AddedEfficiencyAtRate,
    samples: Mapping[str, Sample],
    accepted: Mapping[str, NDArray[np.bool_]],
    seed: int,
) -> dict[str, _Found]:
    """Measure the TPR at the FPR of the rate, where no event of the menu passes any cut."""
    least = min(float(one.ranked.ascending[0]) for one in samples.values())
    floor = float(np.nextafter(np.float32(least), np.float32(-np.inf)))
    masked = {
        name: np.where(accepted[name], floor, sample.scores) for name, sample in samples.items()
    }
    ranked = rank_samples(list(masked.values()))
    others = {
        name: Sample(scores=masked[name], hashes=sample.hashes, ranked=one)
        for (name, sample), one in zip(samples.items(), ranked, strict=True)
    }
    point = measure_point(merit.fpr, others)
    replicates = replicate_points([point], others, working_point=merit.fpr, seed=seed)
    made = record_point(point, others, replicates)
    if isinstance(made, records.UnreachedWorkingPoint):
        reason = records.NotMeasured(not_measured=made.not_measured)
        return {name: _Found(merit=reason) for name in samples if name != BACKGROUND}
    return {
        name: _Found(
            merit=records.SignalMerit(
                value=rate.tpr,
                interval=rate.interval,
                n_background=made.n_passing,
                n_signal=rate.n_passing,
                is_low_statistics=made.is_low_statistics,
            ),
            replicates=replicates[merit.fpr, name],
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
    dealt = deal_whole_signal(signal.scores, signal.hashes, seed=seed)
    thresholds = dealt.thresholds(merit.tpr)
    lowest = min(float(thresholds.min()), threshold)
    rates = deal_background(background.scores, background.hashes, seed=seed, lowest=lowest).rates(
        thresholds
    )
    n_rarer = min(n_kept, n_signal - n_kept)
    if n_passing >= _MIN_PASSING and n_rarer >= _MIN_SIGNAL:
        interval = bootstrap_interval(rates, tpr=n_passing / n_background)
    else:
        interval = _conservative_mistag(merit.tpr, background.ranked, signal.ranked, n_passing)
    return _Found(
        merit=records.SignalMerit(
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
) -> records.Interval:
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
    return records.Interval(
        lower=lower,
        upper=upper,
        level=CONFIDENCE_LEVEL,
        method="order statistics x Clopper-Pearson",
    )


def _rejection(merit: RejectionAtTpr, background: Sample, signal: Sample, seed: int) -> _Found:
    """Measure one over the mistag; where no background passes, as if one event did."""
    found = _mistag(MistagAtTpr(tpr=merit.tpr), background, signal, seed)
    assert isinstance(found.merit, records.SignalMerit)
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
    """Measure the largest TPR / sqrt(FPR) over the cuts that enough background passes."""
    n_background, n_signal = background.n_events, signal.n_events
    if n_background < merit.min_background:
        why = f"{n_background:,} background events, of which {merit.min_background:,} must pass"
        return _Found(merit=records.NotMeasured(not_measured=why))
    thresholds = _candidates(merit, background.ranked, signal.ranked)
    n_above = n_signal - np.searchsorted(signal.ranked.ascending, thresholds, "left")
    n_passing = n_background - np.searchsorted(background.ranked.ascending, thresholds, "left")
    curve = (n_above / n_signal) / np.sqrt(n_passing / n_background)
    best = int(np.argmax(curve))
    value = float(curve[best])
    replicates = _sic_replicates(merit, background, signal, float(thresholds[best]), seed)
    # A maximum of noisy values is too large, here and once more in each replicate: the replicates
    # say by how much, and are moved to where they would lie without it.
    bias = float(np.median(replicates)) / value
    centred = replicates / bias**2
    return _Found(
        merit=records.SignalMerit(
            value=value,
            interval=bootstrap_interval(centred, tpr=value),
            n_background=int(n_passing[best]),
            n_signal=int(n_above[best]),
            is_low_statistics=int(n_above[best]) < LOW_STATISTICS,
        ),
        replicates=centred,
    )


def _candidates(
    merit: MaxSic, background: RankedScores, signal: RankedScores
) -> NDArray[np.float64]:
    """Return the cuts among which the largest SIC is: at signal scores, and the tightest one."""
    ordered = background.ascending
    tightest = background.from_top(merit.min_background)
    scores = np.unique(signal.ascending).astype(np.float64)
    enough = len(ordered) - np.searchsorted(ordered, scores, "left") >= merit.min_background
    return np.append(scores[enough], tightest)


def _sic_replicates(
    merit: MaxSic, background: Sample, signal: Sample, best: float, seed: int
) -> NDArray[np.float64]:
    """Return the largest SIC of each replicate over cuts that are log-spaced in the FPR."""
    n_events = background.n_events
    decades = math.log10(n_events / merit.min_background)
    n_steps = max(math.ceil(decades * _PER_DECADE), 1) + 1
    ranks = np.unique(np.geomspace(merit.min_background, n_events, n_steps).round().astype(int))
    grid = np.unique([*(background.ranked.from_top(rank) for rank in ranks.tolist()), best])[::-1]
    kept = deal_background(background.scores, background.hashes, seed=seed, lowest=-math.inf)
    shares = kept.shares(grid)
    tprs = deal_whole_signal(signal.scores, signal.hashes, seed=seed).shares(grid)
    with np.errstate(divide="ignore", invalid="ignore"):
        curves = np.where(shares > 0, tprs / np.sqrt(shares), 0.0)
    return np.asarray(curves.max(axis=1), dtype=np.float64)


def _area(_: AreaUnderCurve, background: Sample, signal: Sample, seed: int) -> _Found:
    """Measure the area under the ROC curve; few events of either sample are low statistics."""
    placement = place(background.ranked, signal.ranked)
    found = measure_auc(placement)
    dealt: tuple[Dealt, Dealt] = (
        deal_background(background.scores, background.hashes, seed=seed, lowest=-math.inf),
        deal_whole_signal(signal.scores, signal.hashes, seed=seed),
    )
    counts = background.n_events, signal.n_events
    return _Found(
        merit=records.SignalMerit(
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
