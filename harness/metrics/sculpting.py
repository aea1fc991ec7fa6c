"""What a cut on the score does to the spectrum of the background's mass."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit, xlogy

from harness.card.figures import Interval, NotMeasured
from harness.card.mass import Distance, MeanMass, Spectrum
from harness.metrics.rates import BACKGROUND
from harness.metrics.roc import CONFIDENCE_LEVEL
from harness.metrics.scores import Sample
from harness.metrics.working_point import Cut, count_allowed, set_cut

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
# Ends of the bins of the score in the mean mass, as shares of background above them.
_SHARES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
# Student's interval of a mean of skewed masses covers from here on (docs/statistics.md).
_MIN_MEAN = 30
# Fewer events behind a cut make no spectrum.
MIN_SPECTRUM = 20
_N_DRAWS = 1000


def cut_at(background: Sample, efficiency: float) -> Cut | None:
    """Return the cut that keeps this share of background; None where it keeps no event."""
    n_allowed = count_allowed(efficiency, background.n_events)
    return set_cut(background.ranked, n_allowed) if n_allowed >= 1 else None


def is_passing(sample: Sample, cut: Cut | None) -> NDArray[np.bool_]:
    """Return which events pass a cut; all do where there is none."""
    if cut is None:
        return np.ones(len(sample.scores), np.bool_)
    scores = sample.scores
    found: NDArray[np.bool_] = scores > cut.threshold if cut.is_strict else scores >= cut.threshold
    return found


def mean_by_score(background: Sample, masses: Floats) -> tuple[MeanMass, ...]:
    """Return the mean mass in bins of the score, each with Student's 95 % interval.

    Events of one score are never shared out between two bins.

    Parameters
    ----------
    masses : float64 array, shape (n,)
        Of the events of `background`; those that are NaN are left out.
    """
    is_known = np.isfinite(masses)
    passes = [np.ones(len(masses), np.bool_)]
    for share in _SHARES[1:]:
        cut = cut_at(background, share)
        passes.append(
            np.zeros(len(masses), np.bool_) if cut is None else is_passing(background, cut)
        )
    bins = []
    for loose, tight in pairwise(passes):
        inside = masses[loose & ~tight & is_known]
        if len(inside):
            bins.append(mean_mass(inside, float(loose.mean()), float(tight.mean())))
    last = masses[passes[-1] & is_known]
    return (*bins, *([mean_mass(last, float(passes[-1].mean()), 0.0)] if len(last) else []))


def mean_mass(masses: Floats, loose: float, tight: float) -> MeanMass:
    """Return the mean of the masses between two cuts, with Student's 95 % interval."""
    n = len(masses)
    if n < _MIN_MEAN:
        why = NotMeasured(not_measured=f"{n} events: an interval needs {_MIN_MEAN}")
        return MeanMass(loose=loose, tight=tight, n_events=n, mean=why)
    mean = float(masses.mean())
    half = float(stdtrit(n - 1, (1.0 + CONFIDENCE_LEVEL) / 2.0)) * float(masses.std(ddof=1))
    half /= math.sqrt(n)
    return MeanMass(
        loose=loose,
        tight=tight,
        n_events=n,
        mean=mean,
        interval=Interval(lower=mean - half, upper=mean + half, method="Student's t"),
    )


def binned(masses: Floats, edges: Sequence[float]) -> Counts:
    """Count masses in bins, with those below and above as the first and the last count.

    Returns
    -------
    int64 array, shape (n_bins + 2,)
    """
    known = masses[np.isfinite(masses)]
    places = np.searchsorted(np.asarray(edges), known, "right")
    return np.bincount(places, minlength=len(edges) + 1).astype(np.int64)


def spectra_behind_cuts(
    samples: Mapping[str, Sample],
    masses: Mapping[str, Floats],
    edges: Sequence[float],
    efficiencies: Sequence[float],
    generator: np.random.Generator,
) -> tuple[Spectrum, ...]:
    """Return the spectrum of every process without a cut and behind each cut.

    Parameters
    ----------
    samples, masses : mapping of process to Sample, and to float64 array, shape (n,)
        `BACKGROUND` among them.
    efficiencies : sequence of float
        Of background; the cut of each is set on it.
    generator : numpy.random.Generator
        Draws what chance adds to distances, and their intervals.
    """
    background = samples[BACKGROUND]
    every = binned(masses[BACKGROUND], edges)
    found = []
    for efficiency in (1.0, *efficiencies):
        cut = None if efficiency >= 1.0 else cut_at(background, efficiency)
        is_none = efficiency < 1.0 and cut is None
        counted = {
            name: np.zeros_like(every)
            if is_none
            else binned(masses[name][is_passing(sample, cut)], edges)
            for name, sample in samples.items()
        }
        passing = counted[BACKGROUND]
        n_passing = 0 if is_none else int(is_passing(background, cut).sum())
        found.append(
            Spectrum(
                background_efficiency=efficiency,
                n_passing=n_passing,
                counts={name: tuple(one[1:-1].tolist()) for name, one in counted.items()},
                beyond={name: (int(one[0]), int(one[-1])) for name, one in counted.items()},
                distance=NotMeasured(not_measured="no cut")
                if efficiency >= 1.0
                else distance_to_uncut(passing, every, generator),
            )
        )
    return tuple(found)


def divergence(first: NDArray[np.generic], second: NDArray[np.generic]) -> Floats:
    """Return the Jensen-Shannon divergence of spectra, to base 2: 0 if alike, 1 if apart.

    Parameters
    ----------
    first, second : array, shape (..., n_bins)
        Counts, in any number.

    References
    ----------
    J. Lin, IEEE Trans. Inf. Theory 37 (1991) 145, doi:10.1109/18.61115.

    Examples
    --------
    >>> divergence(np.array([1, 0]), np.array([0, 3])).tolist()
    1.0
    """
    p, q = (
        counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1e-300)
        for counts in (np.asarray(first, np.float64), np.asarray(second, np.float64))
    )
    mean = (p + q) / 2
    safe = np.where(mean > 0, mean, 1.0)
    total = xlogy(p, p / safe) + xlogy(q, q / safe)
    return np.asarray(np.maximum(total.sum(axis=-1) / (2 * math.log(2)), 0.0), np.float64)


def distance_to_uncut(
    passing: Counts, every: Counts, generator: np.random.Generator
) -> Distance | NotMeasured:
    """Return how far the spectrum behind a cut is from that without one.

    The distance is the square root of the divergence. Of few events it is above zero even where
    the cut knows nothing of the mass; how far it then is, is drawn: as many events at random out
    of the same. Their mean divergence is taken off. The interval comes from a bootstrap, of the
    events that pass and of those that do not each, whose spread about its own mean is that of the
    divergence; where the distance is small the interval covers more than 95 %
    (docs/statistics.md).

    Parameters
    ----------
    passing, every : int64 array, shape (n_bins,)
        Counts of the events that pass, and of all of them.
    """
    n_passing, n_every = int(passing.sum()), int(every.sum())
    if n_passing < MIN_SPECTRUM:
        return NotMeasured(not_measured=f"{n_passing} events pass, {MIN_SPECTRUM} are needed")
    if n_passing == n_every:
        return NotMeasured(not_measured="all events pass")
    found = float(divergence(passing, every))
    drawn = generator.multivariate_hypergeometric(every, n_passing, _N_DRAWS, method="marginals")
    by_chance = divergence(drawn, every)
    rest = every - passing
    again = generator.multinomial(n_passing, passing / n_passing, _N_DRAWS)
    others = generator.multinomial(n_every - n_passing, rest / rest.sum(), _N_DRAWS)
    replicates = divergence(again, again + others)
    value = found - float(by_chance.mean())
    tail = (1.0 - CONFIDENCE_LEVEL) / 2.0
    # What the bootstrap adds on average is chance again: in the bins as they were found.
    centre = found - (float(replicates.mean()) - found)
    low, high = np.quantile(replicates - replicates.mean(), (tail, 1.0 - tail)).tolist()
    ends = [max(min(centre - high, value), 0.0), max(centre - low, value, 0.0)]
    least, most = np.sqrt(np.quantile(by_chance, (tail, 1.0 - tail))).tolist()
    return Distance(
        found=min(math.sqrt(found), 1.0),
        by_chance=Interval(lower=least, upper=most, method="cuts at random of the same size"),
        mean_by_chance=float(np.sqrt(by_chance).mean()),
        p_value=float(((by_chance >= found).sum() + 1) / (_N_DRAWS + 1)),
        value=min(math.sqrt(max(value, 0.0)), 1.0),
        interval=Interval(
            lower=min(math.sqrt(ends[0]), 1.0),
            upper=min(math.sqrt(ends[1]), 1.0),
            method="bootstrap, without what chance adds",
        ),
    )
