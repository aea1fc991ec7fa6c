"""The whole physics record of one set of scores in one call."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.card import records
from harness.errors import DataError, InvalidSubmissionError
from harness.metrics.histogram import score_histogram
from harness.metrics.intervals import bootstrap_interval, conservative_interval, is_bootstrap_sound
from harness.metrics.replicates import (
    ReplicateCuts,
    background_cuts,
    bucket_weights,
    deal_signal,
    replicate_rates,
)
from harness.metrics.roc import measure_auc, place, roc_cuts, roc_points
from harness.metrics.scores import RankedScores, check_scores, rank_samples
from harness.metrics.working_point import LOW_STATISTICS, Cut, count_allowed, set_cut

BACKGROUND = "background"


def evaluate(
    background: ArrayLike,
    signals: Mapping[str, ArrayLike],
    *,
    background_hashes: NDArray[np.uint64],
    signal_hashes: Mapping[str, NDArray[np.uint64]],
    false_positive_rates: Sequence[float],
    working_point: float,
    seed: int,
    arithmetic: Literal["float", "firmware"],
) -> records.Physics:
    """Measure how well scores tell each signal from background.

    Parameters
    ----------
    background : array_like, shape (n_background,)
        Scores of the test background; higher = more anomalous.
    signals : mapping of str to array_like, shape (n_signal,)
        Scores of each signal. With no signal the record holds thresholds and no rates.
    background_hashes, signal_hashes : ndarray of uint64
        Content hash of each event, in the order of its score.
    false_positive_rates : sequence of float
        Rates at which the TPR is measured.
    working_point : float
        The rate, one of them, whose replicates are kept.
    seed : int
        The challenge's seed.
    arithmetic : str
        Whose scores these are.

    Returns
    -------
    records.Physics
        A working point that the background is too small for is an `UnreachedWorkingPoint`, and
        there are no replicates if that is the challenge's own.

    Raises
    ------
    InvalidSubmissionError
        Scores are NaN, infinite, not one number per event, or not as many as there are hashes.
    DataError
        A sample holds no event, a signal is named "background", or a rate is not between 0
        and 1.

    Notes
    -----
    What is computed, and why: docs/statistics.md.
    """
    if BACKGROUND in signals:
        raise DataError(f'a signal is named "{BACKGROUND}": give it another name in the manifest')
    scores = {BACKGROUND: check_scores(background, name=BACKGROUND)}
    scores |= {name: check_scores(values, name=name) for name, values in signals.items()}
    hashes = {BACKGROUND: background_hashes, **{name: signal_hashes[name] for name in signals}}
    for name, values in scores.items():
        _check_lengths(name, values, hashes[name])
    ranked = dict(zip(scores, rank_samples(list(scores.values())), strict=True))
    points = [_measure(fpr, ranked) for fpr in false_positive_rates]
    replicates = _replicate(points, scores, hashes, ranked, working_point=working_point, seed=seed)
    cuts = roc_cuts(ranked[BACKGROUND])
    return records.Physics(
        arithmetic=arithmetic,
        n_background=ranked[BACKGROUND].n_events,
        auc={name: measure_auc(place(ranked[BACKGROUND], ranked[name])) for name in signals},
        working_points=tuple(_record(point, ranked, replicates) for point in points),
        replicates={
            name: tuple(rates.tolist())
            for (fpr, name), rates in replicates.items()
            if fpr == working_point
        },
        roc={name: roc_points(ranked[name], cuts) for name in signals},
        scores=score_histogram(ranked),
    )


def _check_lengths(name: str, scores: NDArray[np.float64], hashes: NDArray[np.uint64]) -> None:
    if len(scores) != len(hashes):
        raise InvalidSubmissionError(
            f"{len(scores)} scores for {len(hashes)} events",
            where=f"scores of {name}",
            expected="one score per event, in the order of the events",
            fix="return one value for every event of the batch",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Measured:
    """A working point before its intervals: the cut and the counts above it."""

    fpr: float
    n_allowed: int
    cut: Cut
    n_passing: Mapping[str, int]


def _measure(
    fpr: float, ranked: Mapping[str, RankedScores]
) -> _Measured | records.UnreachedWorkingPoint:
    background = ranked[BACKGROUND]
    n_allowed = count_allowed(fpr, background.n_events)
    if n_allowed < 1:
        n_needed = math.ceil(1 / Fraction(repr(fpr))) - 1
        return records.UnreachedWorkingPoint(
            fpr=fpr,
            not_measured=f"{background.n_events:,} test background events: not one of them may "
            f"pass at this rate, which takes {n_needed:,} events",
        )
    cut = set_cut(background, n_allowed)
    return _Measured(
        fpr=fpr,
        n_allowed=n_allowed,
        cut=cut,
        n_passing={name: cut.n_passing(sample) for name, sample in ranked.items()},
    )


def _replicate(
    points: Sequence[_Measured | records.UnreachedWorkingPoint],
    scores: Mapping[str, NDArray[np.float64]],
    hashes: Mapping[str, NDArray[np.uint64]],
    ranked: Mapping[str, RankedScores],
    *,
    working_point: float,
    seed: int,
) -> dict[tuple[float, str], NDArray[np.float64]]:
    """Make the replicates that are kept or that an interval needs, by rate and signal."""
    cuts: dict[float, ReplicateCuts] = {}
    wanted: dict[str, list[float]] = {name: [] for name in scores if name != BACKGROUND}
    for point in points:
        if isinstance(point, records.UnreachedWorkingPoint):
            continue
        users = [
            name
            for name in wanted
            if point.fpr == working_point
            or is_bootstrap_sound(n_allowed=point.n_allowed, n_passing=point.n_passing[name])
        ]
        if users:
            cuts[point.fpr] = background_cuts(
                scores[BACKGROUND],
                hashes[BACKGROUND],
                ranked[BACKGROUND],
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
            signal = deal_signal(scores[name], hashes[name], weights, seed=seed, lowest=lowest)
            rates |= {(fpr, name): replicate_rates(signal, cuts[fpr], weights) for fpr in fprs}
    return rates


def _record(
    point: _Measured | records.UnreachedWorkingPoint,
    ranked: Mapping[str, RankedScores],
    replicates: Mapping[tuple[float, str], NDArray[np.float64]],
) -> records.WorkingPoint | records.UnreachedWorkingPoint:
    if isinstance(point, records.UnreachedWorkingPoint):
        return point
    n_background = point.n_passing[BACKGROUND]
    return records.WorkingPoint(
        fpr=point.fpr,
        threshold=point.cut.threshold,
        is_strict=point.cut.is_strict,
        n_allowed=point.n_allowed,
        n_passing=n_background,
        fpr_realised=n_background / ranked[BACKGROUND].n_events,
        is_low_statistics=point.n_allowed < LOW_STATISTICS,
        rates={
            name: _rate(point, name, ranked, replicates.get((point.fpr, name)))
            for name in ranked
            if name != BACKGROUND
        },
    )


def _rate(
    point: _Measured,
    name: str,
    ranked: Mapping[str, RankedScores],
    replicates: NDArray[np.float64] | None,
) -> records.SignalRate:
    signal, n_passing = ranked[name], point.n_passing[name]
    tpr = n_passing / signal.n_events
    is_sound = is_bootstrap_sound(n_allowed=point.n_allowed, n_passing=n_passing)
    if replicates is not None and is_sound:
        interval = bootstrap_interval(replicates, tpr=tpr)
    else:
        interval = conservative_interval(
            ranked[BACKGROUND], signal, fpr=point.fpr, n_passing=n_passing
        )
    return records.SignalRate(
        n_passing=n_passing,
        n_events=signal.n_events,
        tpr=tpr,
        interval=interval,
        significance_improvement=tpr / math.sqrt(point.fpr),
    )
