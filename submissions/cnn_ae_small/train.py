"""Train the autoencoder of `model.py`, quantised from the start.

Run it in this folder: ``python train.py``; `size.json` holds the sizes. The training part of the
background alone is read, the validation part to stop; a minute or two on two free cores.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "_kit"))

import keras
import kit
import numpy as np
from hgq.config import LayerConfigScope
from model import ERROR_WORD, EXPONENTS, SIZE, WEIGHTS, autoencoder
from numpy.typing import NDArray

from harness import heads

# A target beyond 32 spreads counts as 32, so that single events don't drive a batch.
LARGEST_TARGET = 32.0


def targets(events: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what is to be reproduced: the scaled event without its extremes."""
    return np.minimum(events * np.exp2(EXPONENTS), LARGEST_TARGET).astype(np.float32)


def squared_error(truth: keras.KerasTensor, predicted: keras.KerasTensor) -> keras.KerasTensor:
    """Return the squared error of each event: what the score is, too."""
    return keras.ops.sum(keras.ops.square(truth - predicted), axis=-1)


def train(settings: kit.Settings) -> None:
    """Train and write the weights."""
    flat = kit.background(settings)
    images = {
        "training": flat.training.reshape(-1, 19, 3, 1),
        "validation": flat.validation.reshape(-1, 19, 3, 1),
    }
    with LayerConfigScope(beta0=SIZE["ebops_weight"]):
        inputs, scaled, reconstruction = autoencoder()
    score = heads.mean_squared_error(scaled, reconstruction, word=ERROR_WORD)
    network = keras.Model(inputs, score)
    kit.fit(
        keras.Model(inputs, reconstruction),
        settings,
        training=(images["training"], targets(flat.training)),
        validation=(images["validation"], targets(flat.validation)),
        loss=squared_error,
        ebops_weight=SIZE["ebops_weight"],
    )
    kit.save(network, settings.output)


if __name__ == "__main__":
    kit.run(train, output=WEIGHTS, description=__doc__)
