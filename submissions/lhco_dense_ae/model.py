"""A dense autoencoder of the 40 hardest particles of each leading jet, about its axis."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.jets import centred, leading_jets

WEIGHTS = Path(__file__).with_name("weights.npz")
N_PARTICLES = 40


def inputs(events: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the pT share and the place of particles about their jet; shape (n, 240).

    Particles are weighted by their share of pT, so that soft ones at the edge count little.
    """
    jets = [_of_jet(jet) for jet in leading_jets(np.asarray(events, np.float64))]
    return np.concatenate(jets, axis=1).astype(np.float32)


def _of_jet(jet: NDArray[np.float64]) -> NDArray[np.float64]:
    hardest = np.zeros((len(jet), N_PARTICLES, 3))
    hardest[:, : jet.shape[1]] = centred(jet)[:, :N_PARTICLES]
    share = hardest[..., 0] / np.maximum(jet[..., 0].sum(axis=1, keepdims=True), 1.0)
    moments = np.stack([share, share * hardest[..., 1], share * hardest[..., 2]], axis=-1)
    return moments.reshape(len(jet), -1)


def score(events: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the mean squared error of the reconstruction; shape (n,).

    Parameters
    ----------
    events : ndarray of float32, shape (n, 100, 3)
        pT [GeV], eta, phi [rad] of particles by falling pT.
    """
    with np.load(WEIGHTS) as weights:
        values = (inputs(events) - weights["mean"]) / weights["spread"]
        hidden, n_layers = values, sum(name.startswith("w") for name in weights.files)
        for depth in range(n_layers):
            hidden = hidden @ weights[f"w{depth}"][0] + weights[f"b{depth}"][0]
            hidden = np.maximum(hidden, 0.0) if depth < n_layers - 1 else hidden
    # A sum in float64 in one order, whatever the number of events.
    return np.square(hidden.astype(np.float64) - values).mean(axis=1)
