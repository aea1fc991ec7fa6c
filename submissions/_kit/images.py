"""Images to train on: dense batch by batch, never all of them at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import keras
import kit
import numpy as np
from numpy.typing import NDArray

from harness.data import training_events, validation_events
from harness.data.selection import EventSelection

CHALLENGE = "hlt-suep-sample"
SIGNALS = ("suep_125", "suep_400", "suep_700", "suep_1000")
POOL = 12

run = partial(kit.run, challenge=CHALLENGE, n_events=20_000)

Targets = Callable[[NDArray[np.float32]], NDArray[np.float32]]


class Batches(keras.utils.PyDataset):
    """Images in batches, in another order in each epoch; the targets are made of the images."""

    def __init__(self, events: EventSelection, n_events: int, batch_size: int, seed: int) -> None:
        super().__init__()
        self._events, self._batch_size = events, batch_size
        self._random = np.random.default_rng(seed)
        self._order = np.arange(min(n_events, len(events)))

    def __len__(self) -> int:
        """Count the batches."""
        return math.ceil(len(self._order) / self._batch_size)

    def __getitem__(self, number: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return one batch; the target of an image is the image."""
        start = number * self._batch_size
        rows = np.sort(self._order[start : start + self._batch_size])
        images = self._events[rows]
        return images, images

    def on_epoch_end(self) -> None:
        """Draw another order."""
        self._random.shuffle(self._order)


def fit_autoencoder(
    model: keras.Model,
    settings: kit.Settings,
    loss: Callable[..., keras.KerasTensor],
    *,
    batch_size: int = 16,
    learning_rate: float = 1e-3,
    patience: int = 3,
) -> keras.callbacks.History:
    """Train on images of the training part until those of the validation part get no better.

    The best weights so far are written after each epoch, so a training may be interrupted.
    """
    where = {"manifest": settings.manifest}
    training = training_events(settings.challenge, **where)
    validation = validation_events(settings.challenge, **where)
    model.compile(keras.optimizers.Adam(learning_rate), loss, jit_compile=False)
    stop = keras.callbacks.EarlyStopping(
        monitor="val_loss", patience=patience, restore_best_weights=True
    )
    keep = keras.callbacks.ModelCheckpoint(
        settings.output, monitor="val_loss", save_best_only=True, save_weights_only=True
    )
    return model.fit(
        Batches(training, settings.n_events, batch_size, settings.seed),
        validation_data=Batches(validation, settings.n_events, batch_size, settings.seed),
        epochs=settings.n_epochs,
        callbacks=[stop, keep],
        verbose=2,
    )


def pooled(events: EventSelection, n_events: int) -> NDArray[np.float32]:
    """Sum images over squares of 12 x 12 pixels, shape (n, 2160): 24 x 30 squares, 3 channels."""
    found = []
    for images in events.chunks(100):
        high, wide = images.shape[1] // POOL, images.shape[2] // POOL
        blocks = images.reshape(len(images), high, POOL, wide, POOL, -1)
        found.append(blocks.sum(axis=(2, 4)).reshape(len(images), -1))
    return np.concatenate(found)[:n_events]
