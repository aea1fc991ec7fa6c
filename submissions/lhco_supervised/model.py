"""An idealised supervised classifier of four observables: a control, never ranked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.jets import dijet_features, dijet_observables

WEIGHTS = Path(__file__).with_name("weights.npz")


def score(events: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the mean output of the networks before their sigmoid; shape (n,).

    The mass of the two jets together is no input.

    Parameters
    ----------
    events : ndarray of float32, shape (n, 100, 3)
        pT [GeV], eta, phi [rad] of particles by falling pT.
    """
    observables = dijet_observables(dijet_features(events))
    inputs = np.column_stack([np.log1p(observables[:, :2]), observables[:, 2:4]])
    with np.load(WEIGHTS) as weights:
        hidden = ((inputs - weights["mean"]) / weights["spread"])[None]
        n_layers = sum(name.startswith("w") for name in weights.files)
        for depth in range(n_layers):
            hidden = hidden @ weights[f"w{depth}"] + weights[f"b{depth}"][:, None]
            hidden = np.maximum(hidden, 0.0) if depth < n_layers - 1 else hidden
    return hidden[..., 0].mean(axis=0)
