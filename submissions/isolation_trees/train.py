"""Grow the isolation forest on the momenta; seconds, and the training background alone is read.

Run it in this folder: ``python train.py``. It also says what the rounding of thresholds and leaves
costs, on validation background against the same events with twice the momenta: no signal is read.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "_kit"))

import kit
import numpy as np
from model import COMPARED, LEAF_BITS, WEIGHTS
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from harness import heads

N_TREES = 32
# Events of each tree: enough for thresholds in the tail, where a trigger cuts.
N_SAMPLES = 1_024
MAX_DEPTH = 4


def train(settings: kit.Settings) -> None:
    """Grow the forest, write its arrays, and compare the scores before and after the rounding."""
    background = kit.background(settings)
    momenta = background.training[:, ::3]
    forest = IsolationForest(
        n_estimators=N_TREES, max_samples=min(N_SAMPLES, len(momenta)), random_state=settings.seed
    ).fit(momenta)
    arrays = heads.tree_arrays(forest, max_depth=MAX_DEPTH)
    np.savez_compressed(settings.output, **arrays)
    plain = background.validation[: kit.N_PROXY]
    events = np.concatenate([plain, kit.harder(plain)])[:, ::3]
    labels = np.repeat([0, 1], len(plain))
    for what, words in (("as grown", None), ("rounded", COMPARED)):
        scores = heads.tree_scores(arrays, events, words=words, leaf_bits=LEAF_BITS)
        print(f"AUC against twice the momenta, {what}: {roc_auc_score(labels, scores):.4f}")


if __name__ == "__main__":
    kit.run(train, output=WEIGHTS, description=__doc__, n_events=900_000, n_epochs=1)
