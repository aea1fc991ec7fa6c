"""What scores are worth inside and outside a window of the mass: AUC and significance improvement.

In each region the cuts are set on the background of the region alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from harness.card.figures import Interval, NotMeasured, UnreachedWorkingPoint
from harness.card.mass import Region, RegionSignal, SicAt, SicPoints
from harness.card.physics import RocPoints, SignalMerit
from harness.challenge import MaxSic, Merit
from harness.metrics.band import roc_band
from harness.metrics.merits import measure_merit
from harness.metrics.rates import BACKGROUND, measure_point, record_point, replicate_points
from harness.metrics.roc import measure_auc, place, roc_cuts, roc_points
from harness.metrics.scores import Sample, rank_samples
from harness.metrics.working_point import LOW_STATISTICS, count_allowed

# Background efficiencies at which the significance improvement is quoted.
SIC_AT = (1e-2, 1e-3)


def measure_regions(
    samples: Mapping[str, Sample],
    masses: Mapping[str, NDArray[np.float64]],
    window: tuple[float, float] | None,
    merit: Merit | None,
    *,
    seed: int,
) -> tuple[Region, ...]:
    """Measure every signal among all events, and inside and outside of the window.

    Parameters
    ----------
    samples, masses : mapping of process to Sample, and to float64 array, shape (n,)
        `BACKGROUND` among them. Events without a mass are neither inside nor outside.
    window : tuple of float or None
        [lower, upper).
    merit : Merit or None
        What the challenge ranks: it may say how much background the largest SIC needs.
    seed : int
        The challenge's.
    """
    largest = merit if isinstance(merit, MaxSic) else MaxSic()
    regions = [_measure("all", samples, largest, seed)]
    if window is None:
        return tuple(regions)
    inside = {name: (one >= window[0]) & (one < window[1]) for name, one in masses.items()}
    outside = {name: ~inside[name] & np.isfinite(one) for name, one in masses.items()}
    for name, chosen in (("inside", inside), ("outside", outside)):
        regions.append(_measure(name, _chosen(samples, chosen), largest, seed))
    return tuple(regions)


def _chosen(
    samples: Mapping[str, Sample], chosen: Mapping[str, NDArray[np.bool_]]
) -> dict[str, Sample]:
    scores = {name: one.scores[chosen[name]] for name, one in samples.items()}
    ranked = rank_samples(list(scores.values()))
    return {
        name: Sample(scores=scores[name], hashes=samples[name].hashes[chosen[name]], ranked=one)
        for name, one in zip(scores, ranked, strict=True)
    }


def _measure(name: str, samples: Mapping[str, Sample], largest: MaxSic, seed: int) -> Region:
    n_background = samples[BACKGROUND].n_events
    counts = {signal: one.n_events for signal, one in samples.items() if signal != BACKGROUND}
    enough = {
        signal: samples[signal]
        for signal, n in counts.items()
        if min(n, n_background) >= LOW_STATISTICS
    }
    measured = _signals({BACKGROUND: samples[BACKGROUND], **enough}, largest, seed)
    return Region(
        name=name,
        n_background=n_background,
        min_background=largest.min_background,
        signals={
            signal: measured[signal] if signal in measured else _too_few(n, n_background)
            for signal, n in counts.items()
        },
    )


def _too_few(n_events: int, n_background: int) -> RegionSignal:
    why = f"{n_events} signal and {n_background} background events in the region"
    none = NotMeasured(not_measured=f"{why}: {LOW_STATISTICS} of each are needed")
    return RegionSignal(n_events=n_events, auc=none, largest=none)


def _signals(samples: Mapping[str, Sample], largest: MaxSic, seed: int) -> dict[str, RegionSignal]:
    names = [name for name in samples if name != BACKGROUND]
    if not names:
        return {}
    background = samples[BACKGROUND].ranked
    at = _sic_at(samples, seed)
    merits = measure_merit(largest, samples, seed=seed)
    assert merits is not None
    # Fewer than ten background events behind a cut say little of its rate.
    cuts = {
        fpr: cut
        for fpr, cut in roc_cuts(background).items()
        if fpr >= 1.0 or count_allowed(fpr, background.n_events) >= LOW_STATISTICS
    }
    found = {}
    for name in names:
        signal = samples[name].ranked
        area = measure_auc(place(background, signal))
        points = roc_points(signal, cuts)
        found[name] = RegionSignal(
            n_events=signal.n_events,
            auc=area.value,
            auc_interval=area.interval,
            at=at[name],
            largest=_largest(merits.signals[name], background.n_events),
            sic=sic_points(points, n_background=background.n_events, n_signal=signal.n_events),
        )
    return found


def _sic_at(samples: Mapping[str, Sample], seed: int) -> dict[str, tuple[SicAt, ...]]:
    points = [measure_point(fpr, samples) for fpr in SIC_AT]
    replicates = replicate_points(points, samples, working_point=None, seed=seed)
    found: dict[str, list[SicAt]] = {name: [] for name in samples if name != BACKGROUND}
    for point in points:
        made = record_point(point, samples, replicates)
        if isinstance(made, UnreachedWorkingPoint):
            continue
        scale = 1 / math.sqrt(made.fpr)
        for name, rate in made.rates.items():
            found[name].append(
                SicAt(
                    fpr=made.fpr,
                    value=rate.tpr * scale,
                    interval=Interval(
                        lower=rate.interval.lower * scale,
                        upper=rate.interval.upper * scale,
                        method=rate.interval.method,
                    ),
                    n_background=made.n_passing,
                    n_signal=rate.n_passing,
                    is_low_statistics=made.is_low_statistics,
                )
            )
    return {name: tuple(each) for name, each in found.items()}


def _largest(merit: SignalMerit | NotMeasured, n_background: int) -> SicAt | NotMeasured:
    if isinstance(merit, NotMeasured):
        return merit
    return SicAt(
        fpr=min(1.0, merit.n_background / n_background),
        value=merit.value,
        interval=merit.interval,
        n_background=merit.n_background,
        n_signal=merit.n_signal,
        is_low_statistics=merit.is_low_statistics,
    )


def sic_points(points: RocPoints, *, n_background: int, n_signal: int) -> SicPoints:
    """Turn a ROC curve into one of the significance improvement, with its band.

    The band is `harness.metrics.band.roc_band` over the square root of the FPR: at each FPR by
    itself it covers at least 95 %.
    """
    lower, upper = roc_band(points, n_background=n_background, n_signal=n_signal)
    root = np.sqrt(np.array(points.fpr))
    return SicPoints(
        fpr=points.fpr,
        tpr=points.tpr,
        value=tuple((np.array(points.tpr) / root).tolist()),
        lower=tuple((lower / root).tolist()),
        upper=tuple((upper / root).tolist()),
    )
