"""A ratio of two densities of four observables, each conditional on the mass of the two jets.

As ANODE, with mixtures of Gaussians in place of flows: the density in the signal region over that
of the sidebands, continued into the region.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.jets import dijet_features, dijet_observables

WEIGHTS = Path(__file__).with_name("weights.npz")
# Densities are continued no further than this.
MASSES_GEV = (2800.0, 4400.0)


def inputs(observables: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log masses, tau2/tau1 of both jets, and the log mass of both together; (n, 5)."""
    together = np.log(np.clip(observables[:, 4:5], *MASSES_GEV))
    return np.column_stack([np.log1p(observables[:, :2]), observables[:, 2:4], together])


def log_conditional(
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    means: NDArray[np.float64],
    covariances: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the log density of the first four values for the fifth, of a mixture of Gaussians."""
    joint = _log_mixture(values, weights, means, covariances)
    condition = _log_mixture(values[:, 4:], weights, means[:, 4:], covariances[:, 4:, 4:])
    return joint - condition


def _log_mixture(
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    means: NDArray[np.float64],
    covariances: NDArray[np.float64],
) -> NDArray[np.float64]:
    terms = []
    for weight, mean, covariance in zip(weights, means, covariances, strict=True):
        factor = np.linalg.inv(np.linalg.cholesky(covariance))
        # Sums of few terms in one order, whatever the number of events.
        turned = ((values - mean)[:, None, :] * factor[None]).sum(axis=2)
        norm = np.log(np.abs(np.diag(factor))).sum() - 0.5 * len(mean) * np.log(2 * np.pi)
        terms.append(np.log(weight) + norm - 0.5 * (turned**2).sum(axis=1))
    return np.logaddexp.reduce(terms, axis=0)


def score(events: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the logarithm of the ratio; shape (n,), higher = more signal.

    Parameters
    ----------
    events : ndarray of float32, shape (n, 100, 3)
        pT [GeV], eta, phi [rad] of particles by falling pT.
    """
    values = inputs(dijet_observables(dijet_features(events)))
    with np.load(WEIGHTS) as weights:
        values = (values - weights["mean"]) / weights["spread"]
        densities = [
            log_conditional(values, *(weights[f"{side}_{name}"] for name in ("w", "m", "c")))
            for side in ("region", "bands")
        ]
    return densities[0] - densities[1]
