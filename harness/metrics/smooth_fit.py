"""Smooth fits of spectra: the logarithm is linear in the parameters, counts are Poisson.

Such a likelihood has one maximum, which Newton's steps find; many spectra are fitted at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from harness.challenge import SmoothFit

Floats = NDArray[np.float64]
_MAX_STEPS, _TOLERANCE = 60, 1e-7
# A weak pull of each parameter towards none, which bins without any event need: it moves a
# parameter of these orthonormal terms by a thousandth of its uncertainty.
_RIDGE = 1e-6
# A further parameter is fitted where it lowers the deviance by more than this (AIC).
_FURTHER = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Fitted:
    """Smooth fits of several spectra.

    Attributes
    ----------
    expected : float64 array, shape (n_spectra, n_bins)
        Also in the bins that were left out.
    covariance : float64 array, shape (n_spectra, n_parameters, n_parameters)
    terms : float64 array, shape (n_bins, n_parameters)
        What the logarithm of `expected` is a sum of.
    deviance : float64 array, shape (n_spectra,)
        Twice the logarithm of the likelihood ratio to a perfect fit, of the bins that were fitted.
    """

    expected: Floats
    covariance: Floats
    terms: Floats
    deviance: Floats

    def total(self, bins: slice) -> tuple[Floats, Floats]:
        """Return what is expected in some bins together, and its standard deviation."""
        inside = self.expected[:, bins]
        gradient = inside @ self.terms[bins]
        variance = np.einsum("si,sij,sj->s", gradient, self.covariance, gradient)
        return inside.sum(axis=1), np.sqrt(np.maximum(variance, 0.0))


def terms_of(fit: SmoothFit, edges: Floats, n_parameters: int) -> Floats:
    """Return the terms of the logarithm of a smooth function at the bins.

    Of ``dijet`` they are a constant, ``ln x``, ``ln (1 - x)`` and ``ln^2 x`` with
    ``x = m / collision_energy``, taken in this order; of ``polynomial`` powers of ``ln m``. A bin
    counts its width times the function at its centre. The terms come out orthonormal.

    Parameters
    ----------
    edges : float64 array, shape (n_bins + 1,)

    Returns
    -------
    float64 array, shape (n_bins, n_parameters)
    """
    centres = (edges[:-1] + edges[1:]) / 2
    if fit.collision_energy is not None:
        x = centres / fit.collision_energy
        columns = [np.ones(len(x)), np.log(x), np.log1p(-x), np.log(x) ** 2][:n_parameters]
    else:
        logs = np.log(centres)
        scaled = (logs - logs.mean()) / np.ptp(logs)
        columns = [scaled**power for power in range(n_parameters)]
    found, _ = np.linalg.qr(np.stack(columns, axis=1))
    return np.asarray(found, np.float64)


def fit_smooth(counts: Floats, terms: Floats, widths: Floats, is_fitted: Floats) -> Fitted:
    """Fit spectra by the largest likelihood.

    Parameters
    ----------
    counts : float64 array, shape (n_spectra, n_bins)
    terms : float64 array, shape (n_bins, n_parameters)
        From `terms_of`.
    widths : float64 array, shape (n_bins,)
        Of the bins, in any unit.
    is_fitted : float64 array, shape (n_bins,) or (n_spectra, n_bins)
        1 of bins that are fitted, 0 of those that are left out.
    """
    weights = np.broadcast_to(is_fitted, counts.shape)
    n_parameters = terms.shape[1]
    base = np.log(widths / widths.mean())
    parameters = _first_guess(counts, terms, base, weights)
    ridge = _RIDGE * np.eye(n_parameters)
    value = _penalised(counts, terms, base, weights, parameters)
    for _ in range(_MAX_STEPS):
        expected = np.exp(parameters @ terms.T + base)
        gradient = (weights * (counts - expected)) @ terms - _RIDGE * parameters
        curvature = _curvature(weights * expected, terms) + ridge
        step = np.linalg.solve(curvature, gradient[..., None])[..., 0]
        parameters, value, size = _stepped(counts, terms, base, weights, parameters, step, value)
        if float(np.abs(size * gradient).sum(axis=1).max(initial=0.0)) < _TOLERANCE:
            break
    expected = np.exp(parameters @ terms.T + base)
    curvature = _curvature(weights * expected, terms) + ridge
    pulls = xlogy(counts, counts / np.maximum(expected, 1e-300)) - (counts - expected)
    return Fitted(
        expected=expected,
        covariance=np.asarray(np.linalg.inv(curvature), np.float64),
        terms=terms,
        deviance=2.0 * (weights * pulls).sum(axis=1),
    )


def _curvature(weighted: Floats, terms: Floats) -> Floats:
    products = (terms[:, :, None] * terms[:, None, :]).reshape(len(terms), -1)
    n = terms.shape[1]
    return np.asarray((weighted @ products).reshape(len(weighted), n, n), np.float64)


def _first_guess(counts: Floats, terms: Floats, base: Floats, weights: Floats) -> Floats:
    """Fit the logarithms of the counts by least squares, each with its own weight."""
    logs = np.log(counts + 0.5) - base
    strength = weights * (counts + 0.5)
    curvature = _curvature(strength, terms) + 1e-3 * np.eye(terms.shape[1])
    return np.asarray(np.linalg.solve(curvature, ((strength * logs) @ terms)[..., None])[..., 0])


def _penalised(
    counts: Floats, terms: Floats, base: Floats, weights: Floats, parameters: Floats
) -> Floats:
    """Return the logarithm of the likelihood, with the weak pull."""
    logs = np.minimum(parameters @ terms.T + base, 700.0)
    value = (weights * (counts * logs - np.exp(logs))).sum(axis=1)
    return np.asarray(value - _RIDGE / 2 * (parameters**2).sum(axis=1), np.float64)


def _stepped(
    counts: Floats,
    terms: Floats,
    base: Floats,
    weights: Floats,
    parameters: Floats,
    step: Floats,
    value: Floats,
) -> tuple[Floats, Floats, Floats]:
    """Take Newton's step in each spectrum, halved until it betters the likelihood."""
    size = np.ones(len(counts))
    for _ in range(30):
        tried = parameters + size[:, None] * step
        found = _penalised(counts, terms, base, weights, tried)
        is_worse = ~(found >= value - 1e-12 * np.abs(value))
        if not is_worse.any():
            break
        size[is_worse] /= 2
    is_better = ~is_worse
    kept = np.where(is_better[:, None], tried, parameters)
    return kept, np.where(is_better, found, value), np.where(is_better[:, None], step, 0.0)


def choose_terms(fit: SmoothFit, counts: Floats, edges: Floats, is_fitted: Floats) -> Floats:
    """Return the terms of as many parameters as the spectrum needs.

    Starting from the fewest, a parameter is added as long as it lowers the deviance by more than 2.
    A stricter test, as of 5 %, would leave a bias in the window of a third of its uncertainty
    (docs/statistics.md).

    Parameters
    ----------
    counts : float64 array, shape (n_bins,)
    is_fitted : float64 array, shape (n_bins,)

    References
    ----------
    H. Akaike, IEEE Trans. Autom. Control 19 (1974) 716, doi:10.1109/TAC.1974.1100705.
    """
    widths = np.diff(edges)
    chosen, deviance = None, np.inf
    for n_parameters in fit.parameters:
        terms = terms_of(fit, edges, n_parameters)
        found = float(fit_smooth(counts[None], terms, widths, is_fitted).deviance[0])
        if chosen is not None and deviance - found <= _FURTHER:
            break
        chosen, deviance = terms, found
    assert chosen is not None
    return chosen
