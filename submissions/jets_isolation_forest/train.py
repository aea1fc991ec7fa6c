"""Grow the isolation forest of `model.py`, and keep it as arrays.

Run it in this folder: ``python train.py``. The training part of the background alone is read.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "_kit"))

import jets
import kit
import numpy as np
from model import RADIUS, WEIGHTS
from sklearn.ensemble import IsolationForest

from harness import heads
from harness.jets import substructure

N_TREES = 100
# Jets of each tree.
N_SAMPLES = 256


def train(settings: kit.Settings) -> None:
    """Grow the forest and write its arrays."""
    found = substructure(jets.background(settings).training, radius=RADIUS)
    forest = IsolationForest(
        n_estimators=N_TREES, max_samples=min(N_SAMPLES, len(found)), random_state=settings.seed
    ).fit(found)
    np.savez_compressed(settings.output, **heads.tree_arrays(forest))


if __name__ == "__main__":
    jets.run(train, output=WEIGHTS, description=__doc__, challenge=jets.ANOMALY, n_epochs=1)
