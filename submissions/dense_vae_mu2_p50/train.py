"""Train the encoder of `model.py` as half of a variational autoencoder, and prune it meanwhile.

The training of dense_vae_mu2, quantised from the start; weights of least magnitude become zero.
Run it in this folder: ``python train.py``; `size.json` holds the sizes and the share. The training
part of the background alone is read, the validation part to stop; about a minute on two free cores.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "_kit"))

import keras
import kit
import numpy as np
from hgq.config import LayerConfigScope
from model import EXPONENTS, LATENT_WORD, SIZE, WEIGHTS, encoder
from numpy.typing import NDArray

from harness import heads

# Weight of the Kullback-Leibler divergence against the squared error.
KL_WEIGHT = 0.2
# Directions of objects say less of an event than their momenta do.
FEATURE_WEIGHTS = (1.0, 0.1, 0.1)
# A target beyond 32 spreads counts as 32, so that single events don't drive a batch.
LARGEST_TARGET = 32.0


class Decoder(keras.layers.Layer):
    """Samples the latent space, adds its divergence to the loss, reconstructs the event."""

    def __init__(self, n_outputs: int, n_latent: int, seed: int) -> None:
        super().__init__(name="decoder")
        self.random = keras.random.SeedGenerator(seed)
        self.log_variance = keras.layers.Dense(n_latent)
        self.stack = keras.Sequential(
            [
                keras.layers.Dense(16, activation="relu"),
                keras.layers.Dense(32, activation="relu"),
                keras.layers.Dense(n_outputs),
            ]
        )

    def call(self, inputs: list[keras.KerasTensor]) -> keras.KerasTensor:
        """Return the reconstruction from the last hidden layer and the means."""
        hidden, mu = inputs
        log_variance = keras.ops.clip(self.log_variance(hidden), -10.0, 10.0)
        terms = keras.ops.square(mu) + keras.ops.exp(log_variance) - log_variance - 1.0
        self.add_loss(KL_WEIGHT * 0.5 * keras.ops.mean(keras.ops.sum(terms, axis=-1)))
        noise = keras.random.normal(keras.ops.shape(mu), seed=self.random)
        return self.stack(mu + keras.ops.exp(0.5 * log_variance) * noise)


def targets(events: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what the decoder is to reproduce: the scaled event without its extremes."""
    return np.minimum(events * np.exp2(EXPONENTS), LARGEST_TARGET).astype(np.float32)


def squared_error(truth: keras.KerasTensor, predicted: keras.KerasTensor) -> keras.KerasTensor:
    """Return the weighted squared error of each event."""
    weights = np.tile(np.float32(FEATURE_WEIGHTS), truth.shape[-1] // len(FEATURE_WEIGHTS))
    return keras.ops.sum(weights * keras.ops.square(truth - predicted), axis=-1)


def train(settings: kit.Settings) -> None:
    """Train and write the weights of the encoder."""
    events = kit.background(settings)
    with LayerConfigScope(beta0=SIZE["ebops_weight"]):
        inputs, hidden, mu = encoder()
    network = keras.Model(inputs, heads.sum_of_squares(mu, word=LATENT_WORD))
    decoder = Decoder(len(EXPONENTS), mu.shape[-1], settings.seed)
    kit.fit(
        keras.Model(inputs, decoder([hidden, mu])),
        settings,
        training=(events.training, targets(events.training)),
        validation=(events.validation, targets(events.validation)),
        loss=squared_error,
        ebops_weight=SIZE["ebops_weight"],
        callbacks=[
            kit.Proxies(network, events.validation, settings.seed),
            kit.Pruning(network, SIZE["pruned"], settings.n_epochs),
        ],
    )
    kit.save(network, settings.output)


if __name__ == "__main__":
    kit.run(train, output=WEIGHTS, description=__doc__)
