"""Train the flow of `model.py` by maximum likelihood.

Run it in this folder: ``python train.py``. The training part of the background alone is read, the
validation part to stop; some minutes on two cores.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "_kit"))

import keras
import kit
import numpy as np
from model import LARGEST_LOG_SCALE, N_COUPLINGS, N_OBJECTS, WEIGHTS, coordinates, halves
from numpy.typing import NDArray

WIDTH = 64


class Coupling(keras.layers.Layer):
    """Moves the coordinates that are not kept; its logarithm of scales is added to the loss."""

    def __init__(self, number: int) -> None:
        super().__init__(name=f"coupling_{number}")
        self.is_kept = halves(number).astype(np.float32)
        self.stack = [
            keras.layers.Dense(WIDTH, activation="relu"),
            keras.layers.Dense(WIDTH, activation="relu"),
            keras.layers.Dense(2 * N_OBJECTS, kernel_initializer="zeros"),
        ]

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Return the moved coordinates."""
        moved = x * self.is_kept
        for layer in self.stack:
            moved = layer(moved)
        free = 1.0 - self.is_kept
        log_scale = LARGEST_LOG_SCALE * keras.ops.tanh(moved[:, N_OBJECTS:]) * free
        self.add_loss(-keras.ops.mean(keras.ops.sum(log_scale, axis=-1)))
        return x * keras.ops.exp(log_scale) + moved[:, :N_OBJECTS] * free


def spread_out(events: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    """Return the coordinates with those of empty slots spread over -1 to 0.

    A density can't hold a peak of no width; in the score they stand in the middle of that range.
    """
    x = coordinates(events)
    noise = generator.random(x.shape, np.float32) - 1.0
    return np.where(x < 0, noise, x).astype(np.float32)


def half_square(_: keras.KerasTensor, predicted: keras.KerasTensor) -> keras.KerasTensor:
    """Return -ln of the unit Gaussian's density, but for a constant."""
    return 0.5 * keras.ops.sum(keras.ops.square(predicted), axis=-1)


def train(settings: kit.Settings) -> None:
    """Train and write the weights."""
    events = kit.background(settings)
    generator = np.random.default_rng(settings.seed)
    training = spread_out(events.training, generator)
    mean, spread = training.mean(axis=0), training.std(axis=0)
    validation = (spread_out(events.validation, generator) - mean) / spread
    training = (training - mean) / spread
    couplings = [Coupling(number) for number in range(N_COUPLINGS)]
    x = inputs = keras.Input((N_OBJECTS,))
    for coupling in couplings:
        x = coupling(x)
    kit.fit(
        keras.Model(inputs, x),
        settings,
        training=(training, training),
        validation=(validation, validation),
        loss=half_square,
        learning_rate=1e-3,
        batch_size=512,
    )
    weights = {"mean": mean, "spread": spread}
    for coupling in couplings:
        for number, layer in enumerate(coupling.stack):
            for part, values in zip(("kernel", "bias"), layer.get_weights(), strict=True):
                weights[f"{coupling.name}_{number}_{part}"] = values
    np.savez(settings.output, **weights)


if __name__ == "__main__":
    kit.run(train, output=WEIGHTS, description=__doc__, n_epochs=10)
