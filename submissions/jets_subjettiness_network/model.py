"""A dense network on mass, pT and the N-subjettiness of six bodies; `train.py` trained it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.jets import subjettiness_basis

WEIGHTS = Path(__file__).with_name("network.npz")
# Of mass [GeV], pT [GeV] and tau: so that zeros have a logarithm.
FLOORS = (1.0, 1.0, 1e-4)


def features(jets: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the logarithms of mass, pT and 14 N-subjettinesses; shape (n, 16)."""
    found = subjettiness_basis(jets)
    floors = np.r_[FLOORS, np.full(found.shape[1] - len(FLOORS), FLOORS[-1])]
    return np.log(found + floors)


def score(events: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the logit of the network.

    Parameters
    ----------
    events : ndarray of float32, shape (n, 200, 3)
        pT [GeV], eta, phi [rad] of constituents.

    Returns
    -------
    ndarray of float64, shape (n,)
        Higher = more like a top.
    """
    with np.load(WEIGHTS) as weights:
        layers = [
            (weights[f"kernel_{i}"], weights[f"bias_{i}"]) for i in range(len(weights) // 2 - 1)
        ]
        x = (features(events) - weights["mean"]) / weights["spread"]
    for kernel, bias in layers[:-1]:
        x = np.maximum(np.einsum("ni,ij->nj", x, kernel) + bias, 0.0)
    kernel, bias = layers[-1]
    return (np.einsum("ni,ij->nj", x, kernel) + bias)[:, 0]
