"""Train the classifiers of `model.py` on labelled signal and background: a control.

Run it in this folder: ``python train.py``.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "_kit"))

import lhco
import numpy as np
from model import WEIGHTS
from sklearn.neural_network import MLPClassifier

SIZES = (32, 32)
N_NETWORKS = 5


def train(settings: lhco.Settings) -> None:
    """Train and write the weights."""
    sides = lhco.labelled(settings)
    observables = np.concatenate(sides)
    mean, spread = lhco.scale_of(observables)
    labels = np.repeat([0, 1], [len(side) for side in sides])
    inputs = lhco.scaled(observables, mean, spread)
    networks = [
        MLPClassifier(SIZES, early_stopping=True, max_iter=100, random_state=settings.seed + one)
        .fit(inputs, labels)
        for one in range(N_NETWORKS)
    ]  # fmt: skip
    lhco.layers_of(networks, settings.output, mean=mean, spread=spread)


if __name__ == "__main__":
    lhco.run(train, output=WEIGHTS, description=__doc__)
