"""Train the classifier of `model.py` on the constituents of labelled jets.

Run it in this folder: ``python train.py``. The training parts are read, the validation parts to
stop; a few minutes.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "_kit"))

import jets
import keras
import kit
from model import WEIGHTS, classifier


def train(settings: kit.Settings) -> None:
    """Train and write the weights."""
    given = jets.labelled(settings)
    model = classifier()
    kit.fit(
        model,
        settings,
        training=(given.jets, given.labels),
        validation=(given.validation, given.validation_labels),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        learning_rate=4e-3,
        batch_size=256,
        patience=10,
    )
    model.save_weights(settings.output)


if __name__ == "__main__":
    jets.run(train, output=WEIGHTS, description=__doc__, challenge=jets.TOPTAG, n_epochs=80)
