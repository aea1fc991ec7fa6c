"""Train the autoencoder of `model.py`, quantised from the start.

Run it in this folder: ``python train.py``. The training part of the background alone is read, the
validation part to stop; a minute or two.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "_kit"))

import keras
import kit
import level1
import numpy as np
from hgq.config import LayerConfigScope
from model import ERROR_WORD, EXPONENTS, WEIGHTS, autoencoder
from numpy.typing import NDArray

from harness import heads

# What a bit operation costs in the loss.
EBOPS_WEIGHT = 1e-5
# A target beyond 32 spreads counts as 32, so that single events don't drive a batch.
LARGEST_TARGET = 32.0


def targets(events: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what is to be reproduced: the scaled objects without their extremes."""
    scaled = level1.objects(events) * np.exp2(EXPONENTS)
    return np.minimum(scaled, LARGEST_TARGET).astype(np.float32)


def squared_error(truth: keras.KerasTensor, predicted: keras.KerasTensor) -> keras.KerasTensor:
    """Return the squared error of each event: what the score is, too."""
    return keras.ops.sum(keras.ops.square(truth - predicted), axis=-1)


def train(settings: kit.Settings) -> None:
    """Train and write the weights."""
    events = level1.background(settings)
    with LayerConfigScope(beta0=EBOPS_WEIGHT):
        inputs, scaled, reconstruction = autoencoder()
    score = heads.mean_squared_error(scaled, reconstruction, word=ERROR_WORD)
    network = keras.Model(inputs, score)
    kit.fit(
        keras.Model(inputs, reconstruction),
        settings,
        training=(events.training, targets(events.training)),
        validation=(events.validation, targets(events.validation)),
        loss=squared_error,
        batch_size=256,
        ebops_weight=EBOPS_WEIGHT,
    )
    kit.save(network, settings.output)


if __name__ == "__main__":
    level1.run(train, output=WEIGHTS, description=__doc__, n_epochs=16)
