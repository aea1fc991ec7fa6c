"""Train the classifier of `model.py` on the constituents of labelled jets.

    harness simulate jets anomaly_top --events 2000 --seed 90210 --out signals/anomaly_top.h5
    harness simulate jets anomaly_gluino --events 2000 --seed 90210 --out signals/anomaly_gluino.h5
    python train.py

Background is of the training part; signals are of a seed of their own, so no jet of the challenge
is a signal here.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "_kit"))

import jets
import keras
import kit
from model import WEIGHTS, classifier

SIGNALS = ("anomaly_top", "anomaly_gluino")
# Of the files of signals.
FOLDER = Path("signals")


def train(settings: kit.Settings) -> None:
    """Train and write the weights."""
    given = jets.labelled_of(FOLDER, SIGNALS, settings)
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
    jets.run(train, output=WEIGHTS, description=__doc__, challenge=jets.ANOMALY, n_epochs=80)
