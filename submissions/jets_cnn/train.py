"""Train the classifier of `model.py` on labelled images.

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
from model import SCALE, WEIGHTS, classifier

from harness.jets import jet_images


def train(settings: kit.Settings) -> None:
    """Train and write the weights."""
    given = jets.labelled(settings)
    training, validation = (
        SCALE * jet_images(part)[..., None] for part in (given.jets, given.validation)
    )
    model = classifier()
    kit.fit(
        model,
        settings,
        training=(training, given.labels),
        validation=(validation, given.validation_labels),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        learning_rate=3e-3,
        batch_size=128,
    )
    # Without the state of the optimiser.
    keras.Model(model.inputs, model.outputs).save_weights(settings.output)


if __name__ == "__main__":
    jets.run(train, output=WEIGHTS, description=__doc__, challenge=jets.TOPTAG, n_epochs=12)
