"""Train the autoencoder of `model.py` on the mixture of background and some signal.

Run it in this folder: ``python train.py``.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "_kit"))

import lhco
import numpy as np
from model import WEIGHTS, inputs
from sklearn.neural_network import MLPRegressor

from harness.data import training_events

SIZES = (64, 12, 64)
# Inputs that hardly vary would count as much as others.
LEAST_SPREAD = 1e-3


def train(settings: lhco.Settings) -> None:
    """Train and write the weights."""
    events = training_events(settings.challenge, manifest=settings.manifest)
    values = inputs(np.asarray(events))
    mean, spread = values.mean(axis=0), np.maximum(values.std(axis=0), LEAST_SPREAD)
    standard = (values - mean) / spread
    network = MLPRegressor(
        hidden_layer_sizes=SIZES,
        early_stopping=True,
        max_iter=60,
        batch_size=128,
        random_state=settings.seed,
    ).fit(standard, standard)
    lhco.layers_of([network], settings.output, mean=mean, spread=spread)


if __name__ == "__main__":
    lhco.run(train, output=WEIGHTS, description=__doc__)
