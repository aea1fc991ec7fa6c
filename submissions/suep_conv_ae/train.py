"""Train the autoencoder of `model.py` on background images of the training part.

Run it in this folder: ``python train.py``. The validation part stops it; minutes. suep_conv_ae and
suep_conv_ae_et have the same weights: train one, copy them to the other.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "_kit"))

import images
import keras
import kit
from model import SCORES, SIZE, WEIGHTS, autoencoder


def train(settings: kit.Settings) -> None:
    """Train and write the weights."""
    model = autoencoder()
    images.fit_autoencoder(model, settings, SCORES[SIZE["loss"]], learning_rate=3e-3)
    # Without the state of the optimiser.
    keras.Model(model.inputs, model.outputs).save_weights(settings.output)


if __name__ == "__main__":
    images.run(train, output=WEIGHTS, description=__doc__, n_epochs=24)
