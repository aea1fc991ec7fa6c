"""Train the classifier of `model.py` on the training parts of background and signals.

Run it in this folder: ``python train.py``; seconds. It is a control: no entry that sees signals is
ranked as an anomaly detector.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "_kit"))

import images
import keras
import kit
import numpy as np
from model import WEIGHTS, classifier

from harness.data import training_events


def train(settings: kit.Settings) -> None:
    """Train and write the weights."""
    where = {"manifest": settings.manifest}
    background = images.pooled(training_events(settings.challenge, **where), settings.n_events)
    signals = [
        images.pooled(training_events(settings.challenge, signal=name, **where), settings.n_events)
        for name in images.SIGNALS
    ]
    events = np.concatenate([background, *signals])
    labels = np.repeat(np.float32([0, 1]), [len(background), len(events) - len(background)])
    # As much weight for all signals together as for the background.
    weights = np.where(labels > 0, len(background) / labels.sum(), 1.0)
    model = classifier()
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(1e-3, weight_decay=0.1), loss, jit_compile=False)
    model.fit(
        events, labels, sample_weight=weights, epochs=settings.n_epochs, batch_size=64, verbose=2
    )
    kit.save(model, settings.output)


if __name__ == "__main__":
    images.run(train, output=WEIGHTS, description=__doc__, n_epochs=12)
