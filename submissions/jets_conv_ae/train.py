"""Train the autoencoder of `model.py` on images of the background.

Run it in this folder: ``python train.py``. The training part of the background alone is read, the
validation part to stop; a few minutes.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "_kit"))

import jets
import keras
import kit
from model import SCALE, WEIGHTS, autoencoder

from harness.jets import jet_images


def train(settings: kit.Settings) -> None:
    """Train and write the weights."""
    given = jets.background(settings)
    training, validation = (
        SCALE * jet_images(part)[..., None] for part in (given.training, given.validation)
    )
    model = autoencoder()
    kit.fit(
        model,
        settings,
        training=(training, training),
        validation=(validation, validation),
        loss="mse",
        learning_rate=2e-3,
        batch_size=32,
    )
    # Without the state of the optimiser.
    keras.Model(model.inputs, model.outputs).save_weights(settings.output)


if __name__ == "__main__":
    jets.run(train, output=WEIGHTS, description=__doc__, challenge=jets.ANOMALY, n_epochs=10)
