"""Fit matrix and scales of `model.py` to the background; seconds, and no gradient.

Run it in this folder: ``python train.py``. The training part of the background alone is read.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "_kit"))

import kit
import numpy as np
from model import WEIGHTS
from numpy.typing import NDArray
from scipy.optimize import nnls

# Shares of the background at which the scales are fitted to -ln(share).
SHARES = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5)
LOWEST_RANK = 5
MATRIX_BITS, SCALE_BITS = 5, 3
CHUNK = 100_000


def log_momenta(events: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return what the tables of the network give, but for the rounding."""
    return np.log1p(np.minimum(events[:, ::3].astype(np.float64), 255.0) / 8.0)


def rounded(values: NDArray[np.float64], n_bits: int) -> NDArray[np.float64]:
    """Round each column to `n_bits` bits below its largest entry."""
    largest = np.abs(values).max(axis=0, keepdims=True)
    step = np.exp2(np.ceil(np.log2(np.maximum(largest, 2.0**-20))) - n_bits)
    return np.round(values / step) * step


def decorrelation(events: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the matrix that gives logarithmic momenta unit second moments."""
    logs = log_momenta(events)
    moments = logs.T @ logs / len(logs)
    # A slot that hardly one event fills, or none in a short training, is given a spread.
    moments += np.eye(len(moments)) * 1e-7
    return rounded(np.linalg.inv(np.linalg.cholesky(moments)).T, MATRIX_BITS)


def rarity(values: NDArray[np.float64], pieces: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fit -ln of the share of background beyond a value by a sum of its `pieces`."""
    order = np.argsort(values)[::-1]
    ranks = np.unique([max(LOWEST_RANK, int(share * len(values))) for share in SHARES])
    wanted = -np.log(ranks / len(values))
    found, _ = nnls(pieces[order[ranks - 1]], wanted)
    return rounded(found[None, :], SCALE_BITS)[0]


def train(settings: kit.Settings) -> None:
    """Fit and write."""
    events = kit.background(settings).training
    matrix = decorrelation(events)
    chunks = range(0, len(events), CHUNK)
    far = np.concatenate(
        [((log_momenta(events[i : i + CHUNK]) @ matrix) ** 2).sum(axis=1) for i in chunks]
    )
    met = events[:, 0].astype(np.float64)
    scales = np.zeros((4, 2))
    pieces = np.stack([np.minimum(met, 1023.0), np.minimum(met, 127.0)], axis=1)
    scales[:2, 0] = rarity(met, pieces)
    logs = np.log1p(np.minimum(far, 4080.0) / 16.0)
    scales[2:, 1] = rarity(far, np.stack([np.minimum(far, 2.0**18), logs], axis=1))
    np.savez(settings.output, matrix=matrix, scales=scales)


if __name__ == "__main__":
    kit.run(train, output=WEIGHTS, description=__doc__, n_events=900_000, n_epochs=1)
