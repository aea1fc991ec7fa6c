"""Look for a bump in a spectrum: a smooth fit outside a window, and what is counted inside.

The window of the challenge is looked at first, which gives a local significance. Then a window of
as many bins is moved over the spectrum; how often background alone shows as large a significance
somewhere, the look-elsewhere effect, is counted in toys.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

from harness.card.figures import Interval, NotMeasured
from harness.card.mass import Scan, WindowCount
from harness.challenge import MassObservable, SmoothFit
from harness.metrics.intervals import clopper_pearson
from harness.metrics.roc import CONFIDENCE_LEVEL
from harness.metrics.significance import local_significance, p_of, z_of
from harness.metrics.smooth_fit import Fitted, choose_terms, fit_smooth

Floats = NDArray[np.float64]
# Fewer events outside the window tell no smooth function from another.
MIN_EVENTS = 50
# At least so many bins on each side of a window: the fit goes on to both sides.
_MARGIN = 3
_MAX_WINDOWS = 20
N_TOYS = 500
# With fewer toys beyond it the global probability is extrapolated.
_MIN_BEYOND = 10
# Where upcrossings are counted: low, so that there are many (arXiv:1005.1891, section 3).
_REFERENCE_Z = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What is scanned, and by which function.

    Attributes
    ----------
    edges : float64 array, shape (n_bins + 1,)
    stated : slice
        Bins of the window of the challenge.
    windows : tuple of slice
        All that are looked at, rising; `stated` is one of them.
    """

    edges: Floats
    stated: slice
    windows: tuple[slice, ...]
    fit: SmoothFit


def plan_hunt(mass: MassObservable) -> Plan:
    """Return the windows of a hunt: as wide as the stated one, and moved in steps."""
    assert mass.hunt is not None
    bins = mass.bins_of_window()
    width = len(bins)
    last = mass.n_bins - _MARGIN - width
    step = max(1, width // 4, math.ceil((last - _MARGIN + 1) / _MAX_WINDOWS))
    # Counted from the stated window, so that it is among them.
    first = bins.start - (bins.start - _MARGIN) // step * step
    starts = {bins.start, *range(first, last + 1, step)} if bins.start >= _MARGIN else {bins.start}
    return Plan(
        edges=np.array(mass.edges),
        stated=slice(bins.start, bins.stop),
        windows=tuple(slice(start, start + width) for start in sorted(starts)),
        fit=mass.hunt.fit,
    )


def hunt_bump(
    counts: NDArray[np.int64], plan: Plan, generator: np.random.Generator, *, n_toys: int = N_TOYS
) -> Scan | NotMeasured:
    """Look for a bump in one spectrum.

    Parameters
    ----------
    counts : int64 array, shape (n_bins,)
    plan : Plan
        Which windows, and the smooth function.
    generator : numpy.random.Generator
        Draws the toys.
    """
    found = counts.astype(np.float64)
    outside = _outside(plan, plan.stated)
    n_outside = int((found * outside).sum())
    if n_outside < MIN_EVENTS:
        return NotMeasured(
            not_measured=f"{n_outside} events outside the window, {MIN_EVENTS} are needed for a fit"
        )
    terms = choose_terms(plan.fit, found, plan.edges, outside)
    fitted = _fit(found[None], plan, plan.stated, terms)
    toys = generator.poisson(np.minimum(fitted.expected[0], 1e9), (n_toys, len(counts)))
    every = np.concatenate([found[None], toys.astype(np.float64)])
    scanned, deviance = _scan(every, plan, terms)
    n_worse = int((deviance[1:] >= deviance[0]).sum())
    best = int(np.argmax(scanned[0]))
    global_p, interval = _global(scanned[1:], float(scanned[0, best]))
    return Scan(
        n_events=int(counts.sum()),
        n_parameters=terms.shape[1],
        goodness=(n_worse + 1) / (n_toys + 1),
        fitted=tuple(np.round(fitted.expected[0], 6).tolist()),
        stated=_count(found, plan, plan.stated, fitted),
        largest=_count(
            found, plan, plan.windows[best], _fit(found[None], plan, plan.windows[best], terms)
        ),
        global_p=global_p,
        global_interval=interval,
        global_z=z_of(global_p),
    )


def _outside(plan: Plan, window: slice) -> Floats:
    outside = np.ones(len(plan.edges) - 1)
    outside[window] = 0.0
    return outside


def _fit(spectra: Floats, plan: Plan, window: slice, terms: Floats) -> Fitted:
    return fit_smooth(spectra, terms, np.diff(plan.edges), _outside(plan, window))


def _scan(spectra: Floats, plan: Plan, terms: Floats) -> tuple[Floats, Floats]:
    """Return the significance in each window, and how far the fit outside the stated one is."""
    found = np.empty((len(spectra), len(plan.windows)))
    deviance = np.empty(len(spectra))
    for number, window in enumerate(plan.windows):
        fitted = _fit(spectra, plan, window, terms)
        expected, uncertainty = fitted.total(window)
        found[:, number] = local_significance(spectra[:, window].sum(axis=1), expected, uncertainty)
        if window == plan.stated:
            deviance = fitted.deviance
    return found, deviance


def _count(counts: Floats, plan: Plan, window: slice, fitted: Fitted) -> WindowCount:
    expected, uncertainty = (float(one[0]) for one in fitted.total(window))
    n_observed = int(counts[window].sum())
    z = float(local_significance(n_observed, expected, uncertainty))
    return WindowCount(
        lower=float(plan.edges[window.start]),
        upper=float(plan.edges[window.stop]),
        n_observed=n_observed,
        expected=expected,
        uncertainty=uncertainty,
        z=z,
        p_value=p_of(z),
    )


def _global(toys: Floats, largest: float) -> tuple[float, Interval]:
    """Return the probability that background alone has as large a significance in any window.

    It is counted in the toys (with one more on either side, so that none are never 0). Where few
    of them reach it, it is at most the local probability plus the mean number of times that the
    significance rises over a level on its way through the windows; this number is counted in toys
    at a low level and falls as ``exp(-z^2 / 2)``.

    References
    ----------
    E. Gross, O. Vitells, "Trial factors for the look elsewhere effect", arXiv:1005.1891, eq. 3.
    """
    n_toys = len(toys)
    n_beyond = int((toys.max(axis=1) >= largest).sum())
    if n_beyond >= _MIN_BEYOND or largest <= _REFERENCE_Z:
        interval = clopper_pearson(n_beyond, n_toys)
        method = f"Clopper-Pearson of {n_toys} toys"
        return (n_beyond + 1) / (n_toys + 1), interval.model_copy(update={"method": method})
    is_over = toys >= _REFERENCE_Z
    n_up = int((is_over[:, 1:] & ~is_over[:, :-1]).sum()) + int(is_over[:, 0].sum())
    fall = math.exp(-(largest**2 - _REFERENCE_Z**2) / 2) / n_toys
    tail = (1.0 - CONFIDENCE_LEVEL) / 2.0
    local = p_of(largest)
    ends = (
        float(gammaincinv(n_up, tail)) if n_up else 0.0,
        float(gammaincinv(n_up + 1, 1.0 - tail)),
    )
    lower, value, upper = (min(1.0, local + n * fall) for n in (ends[0], n_up, ends[1]))
    method = f"upcrossings in {n_toys} toys, extrapolated: an upper bound"
    return value, Interval(lower=lower, upper=upper, level=CONFIDENCE_LEVEL, method=method)
