"""Train the dense network of `model.py` by scikit-learn, and keep its weights as arrays.

Run it in this folder: ``python train.py``. The training parts are read; a minute or two.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "_kit"))

import jets
import kit
import numpy as np
from model import WEIGHTS, features
from sklearn.neural_network import MLPClassifier

WIDTHS = (64, 64, 32)


def train(settings: kit.Settings) -> None:
    """Train and write the weights."""
    given = jets.labelled(settings)
    x = features(given.jets)
    mean, spread = x.mean(axis=0), x.std(axis=0)
    network = MLPClassifier(
        WIDTHS,
        alpha=1e-4,
        batch_size=256,
        max_iter=settings.n_epochs,
        early_stopping=True,
        n_iter_no_change=8,
        random_state=settings.seed,
    ).fit((x - mean) / spread, given.labels[:, 0])
    layers = enumerate(zip(network.coefs_, network.intercepts_, strict=True))
    arrays = {
        f"{kind}_{number}": value
        for number, layer in layers
        for kind, value in zip(("kernel", "bias"), layer, strict=True)
    }
    np.savez_compressed(settings.output, mean=mean, spread=spread, **arrays)


if __name__ == "__main__":
    jets.run(train, output=WEIGHTS, description=__doc__, challenge=jets.TOPTAG, n_epochs=60)
