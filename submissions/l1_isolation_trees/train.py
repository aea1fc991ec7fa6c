"""Grow the isolation forest on 39 momenta; seconds, and the training background alone is read.

Run it in this folder: ``python train.py``.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "_kit"))

import kit
import level1
import numpy as np
from model import WEIGHTS
from sklearn.ensemble import IsolationForest

from harness import heads

N_TREES = 32
# Events of each tree: enough for thresholds in the tail, where a trigger cuts.
N_SAMPLES = 1_024
MAX_DEPTH = 4


def train(settings: kit.Settings) -> None:
    """Grow the forest and write its arrays."""
    momenta = level1.momenta(level1.background(settings).training)
    forest = IsolationForest(
        n_estimators=N_TREES, max_samples=min(N_SAMPLES, len(momenta)), random_state=settings.seed
    ).fit(momenta)
    np.savez_compressed(settings.output, **heads.tree_arrays(forest, max_depth=MAX_DEPTH))


if __name__ == "__main__":
    level1.run(train, output=WEIGHTS, description=__doc__, n_epochs=1)
