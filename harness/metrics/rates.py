"""Rates of the signals at working points, with intervals and replicates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from harness.card import figures, physics
from harness.metrics.intervals import bootstrap_interval, conservative_interval, is_bootstrap_sound
from harness.metrics.replicates import (
    Dealing,
    ReplicateCuts,
    background_cuts,
    bucket_weights,
    deal_events,
    deal_signal,
    replicate_rates,
)
from harness.metrics.scores import Sample
from harness.metrics.working_point import LOW_STATISTICS, Cut, count_allowed, set_cut

BACKGROUND = "background"


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredPoint:
    """A working point before its intervals: the cut and the counts above it.

    Attributes
    ----------
    n_passing : mapping of sample to int
        Events of each sample that pass, `BACKGROUND` among them.
    """

    fpr: float
    n_allowed: int
    cut: Cut
    n_passing: Mapping[str, int]


def measure_point(
    fpr: float, samples: Mapping[str, Sample]
) -> MeasuredPoint | figures.UnreachedWorkingPoint:
    """Set the cut of a false positive rate on the background and count who passes it."""
    background = samples[BACKGROUND].ranked
    n_allowed = count_allowed(fpr, background.n_events)
    if n_allowed < 1:
        n_needed = math.ceil(1 / Fraction(repr(fpr))) - 1
        return figures.UnreachedWorkingPoint(
            fpr=fpr,
            not_measured=f"{background.n_events:,} test background events: not one of them may "
            f"pass at this rate, which takes {n_needed:,} events",
        )
    cut = set_cut(background, n_allowed)
    return MeasuredPoint(
        fpr=fpr,
        n_allowed=n_allowed,
        cut=cut,
        n_passing={name: cut.n_passing(one.ranked) for name, one in samples.items()},
    )


def replicate_points(
    points: Sequence[MeasuredPoint | figures.UnreachedWorkingPoint],
    samples: Mapping[str, Sample],
    *,
    working_point: float | None,
    seed: int,
    dealings: dict[str, Dealing] | None = None,
) -> dict[tuple[float, str], NDArray[np.float64]]:
    """Make the replicates that are kept or that an interval needs, by rate and signal.

    `dealings` keeps where the events of each signal were dealt, for other scores of them.
    """
    dealings = {} if dealings is None else dealings
    background = samples[BACKGROUND]
    cuts: dict[float, ReplicateCuts] = {}
    wanted: dict[str, list[float]] = {name: [] for name in samples if name != BACKGROUND}
    for point in points:
        if isinstance(point, figures.UnreachedWorkingPoint):
            continue
        users = [
            name
            for name in wanted
            if point.fpr == working_point
            or is_bootstrap_sound(n_allowed=point.n_allowed, n_passing=point.n_passing[name])
        ]
        if users:
            cuts[point.fpr] = background_cuts(
                background.scores,
                background.hashes,
                background.ranked,
                n_allowed=point.n_allowed,
                seed=seed,
            )
        for name in users:
            wanted[name].append(point.fpr)
    weights = bucket_weights(seed)
    rates: dict[tuple[float, str], NDArray[np.float64]] = {}
    for name, fprs in wanted.items():
        if fprs:
            lowest = min(float(cuts[fpr].thresholds.min()) for fpr in fprs)
            if name not in dealings:
                dealings[name] = deal_events(samples[name].hashes, weights, seed=seed)
            signal = deal_signal(samples[name].scores, dealings[name], lowest=lowest)
            rates |= {(fpr, name): replicate_rates(signal, cuts[fpr], weights) for fpr in fprs}
    return rates


def record_point(
    point: MeasuredPoint | figures.UnreachedWorkingPoint,
    samples: Mapping[str, Sample],
    replicates: Mapping[tuple[float, str], NDArray[np.float64]],
) -> physics.WorkingPoint | figures.UnreachedWorkingPoint:
    """Put a working point on the card: each rate with its interval."""
    if isinstance(point, figures.UnreachedWorkingPoint):
        return point
    n_background = point.n_passing[BACKGROUND]
    return physics.WorkingPoint(
        fpr=point.fpr,
        threshold=point.cut.threshold,
        is_strict=point.cut.is_strict,
        n_allowed=point.n_allowed,
        n_passing=n_background,
        fpr_realised=n_background / samples[BACKGROUND].n_events,
        is_low_statistics=point.n_allowed < LOW_STATISTICS,
        rates={
            name: _rate(point, name, samples, replicates.get((point.fpr, name)))
            for name in samples
            if name != BACKGROUND
        },
    )


def _rate(
    point: MeasuredPoint,
    name: str,
    samples: Mapping[str, Sample],
    replicates: NDArray[np.float64] | None,
) -> physics.SignalRate:
    signal, n_passing = samples[name].ranked, point.n_passing[name]
    tpr = n_passing / signal.n_events
    is_sound = is_bootstrap_sound(n_allowed=point.n_allowed, n_passing=n_passing)
    if replicates is not None and is_sound:
        interval = bootstrap_interval(replicates, tpr=tpr)
    else:
        interval = conservative_interval(
            samples[BACKGROUND].ranked, signal, fpr=point.fpr, n_passing=n_passing
        )
    return physics.SignalRate(
        n_passing=n_passing,
        n_events=signal.n_events,
        tpr=tpr,
        interval=interval,
        significance_improvement=tpr / math.sqrt(point.fpr),
    )
