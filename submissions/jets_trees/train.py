"""Grow boosted trees on labelled jets, and keep them as arrays.

Run it in this folder: ``python train.py``. The training parts are read; a minute.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "_kit"))

import jets
import kit
import numpy as np
from model import WEIGHTS
from sklearn.ensemble import HistGradientBoostingClassifier

from harness import heads
from harness.jets import substructure

N_TREES = 150


def train(settings: kit.Settings) -> None:
    """Grow the trees and write their arrays."""
    given = jets.labelled(settings)
    trees = HistGradientBoostingClassifier(
        max_iter=N_TREES,
        learning_rate=0.08,
        max_leaf_nodes=15,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=settings.seed,
    ).fit(substructure(given.jets), given.labels[:, 0])
    np.savez_compressed(settings.output, **heads.tree_arrays(trees))


if __name__ == "__main__":
    jets.run(train, output=WEIGHTS, description=__doc__, challenge=jets.TOPTAG, n_epochs=1)
