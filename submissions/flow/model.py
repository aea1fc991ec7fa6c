"""A normalising flow over the momenta of the 19 objects; the score is -ln of its density.

Affine couplings (Real NVP): each moves half of the coordinates by a shift and a scale that a small
network reads off the other half. The flow is a few matrix products, so NumPy is enough.
`train.py` made the weights.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

WEIGHTS = Path(__file__).with_name("weights.npz")

N_OBJECTS, N_COUPLINGS = 19, 6
# The logarithms of scales are bounded, so that no event is sent to infinity.
LARGEST_LOG_SCALE = 2.0


def coordinates(events: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return ln(1 + pT / 8 GeV) of each object, and -1/2 where a slot is empty; shape (n, 19)."""
    momenta = events.reshape(len(events), N_OBJECTS, 3)[..., 0]
    return np.where(momenta > 0, np.log1p(momenta / np.float32(8)), np.float32(-0.5))


def halves(number: int) -> NDArray[np.bool_]:
    """Tell which coordinates the coupling of this number leaves alone: every other one, in turn."""
    return np.arange(N_OBJECTS) % 2 == number % 2


def minus_log_density(
    x: NDArray[np.float32], weights: dict[str, NDArray[np.float32]]
) -> NDArray[np.float64]:
    """Return -ln of the density of each event, but for a constant; shape (n,)."""
    x = (x - weights["mean"]) / weights["spread"]
    log_scales = np.zeros(len(x), np.float64)
    for number in range(N_COUPLINGS):
        is_kept = halves(number)
        hidden = x * is_kept
        for layer in (0, 1):
            name = f"coupling_{number}_{layer}"
            hidden = np.maximum(hidden @ weights[f"{name}_kernel"] + weights[f"{name}_bias"], 0)
        name = f"coupling_{number}_2"
        moved = hidden @ weights[f"{name}_kernel"] + weights[f"{name}_bias"]
        shift, raw = moved[:, :N_OBJECTS], moved[:, N_OBJECTS:]
        log_scale = np.float32(LARGEST_LOG_SCALE) * np.tanh(raw) * ~is_kept
        x = x * np.exp(log_scale) + shift * ~is_kept
        log_scales += log_scale.sum(axis=1, dtype=np.float64)
    return 0.5 * np.square(x, dtype=np.float64).sum(axis=1) - log_scales


def score(events: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the anomaly score of each event; higher = less probable = more anomalous."""
    with np.load(WEIGHTS) as stored:
        return minus_log_density(coordinates(events), dict(stored))
