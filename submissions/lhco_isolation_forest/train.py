"""Grow the forest of `model.py` from the mixture of background and some signal, without labels.

Run it in this folder: ``python train.py``. The file holds scikit-learn's version and can be read by
that version alone, for certain.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "_kit"))

import joblib
import lhco
from sklearn.ensemble import IsolationForest

N_TREES, N_LEAVES = 200, 256


def train(settings: lhco.Settings) -> None:
    """Grow the forest and write it."""
    forest = IsolationForest(
        n_estimators=N_TREES, max_samples=N_LEAVES, random_state=settings.seed
    ).fit(lhco.logarithms(lhco.mixture(settings)))
    joblib.dump(forest, settings.output, compress=("xz", 9))


if __name__ == "__main__":
    lhco.run(train, output=Path("forest.joblib"), description=__doc__)
