"""The encoder of `dense_vae_mu2` without quantisers: its float twin; the score is the sum of mu^2.

The encoder is three matrix products, so NumPy is enough. `train.py` made the weights.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

WEIGHTS = Path(__file__).with_name("weights.npz")

HIDDEN, N_LATENT = (32, 16), 3
# Powers of two near 1/spread of pT in each slot: MET, 4 electrons, 4 muons, 10 jets.
PT_EXPONENTS = (-4, *(-4, -3, -2, -1) * 2, -5, -5, -4, -4, -3, -3, -2, -2, -1, -1)
ANGLE_EXPONENT = -2
SCALES = np.float32(
    [2.0**exponent for pt in PT_EXPONENTS for exponent in (pt, ANGLE_EXPONENT, ANGLE_EXPONENT)]
)


def means(
    events: NDArray[np.float32], weights: dict[str, NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Return the means of the latent space, shape (n, 3)."""
    x = events.reshape(len(events), -1) * SCALES
    for number in range(len(HIDDEN)):
        x = np.maximum(x @ weights[f"kernel_{number}"] + weights[f"bias_{number}"], 0)
    return x @ weights[f"kernel_{len(HIDDEN)}"] + weights[f"bias_{len(HIDDEN)}"]


def score(events: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the anomaly score of each event: the sum of the squared means."""
    with np.load(WEIGHTS) as stored:
        return np.square(means(events, dict(stored)), dtype=np.float64).sum(axis=1)
