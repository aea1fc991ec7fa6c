"""Train the encoder of `model.py` as half of a variational autoencoder, quantised from the start.

Run it in this folder: ``python train.py``. It reads the training part of the background, and no
signal; it takes about a minute on two cores and writes `encoder.weights.h5`. With the packages of
the lock file the weights come out the same on every run of one machine; another kind of processor
may round sums of float32 differently, and training carries such a difference along.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
# oneDNN's kernels round differently from run to run, with where in memory their operands lie.
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import keras
import numpy as np
import tensorflow as tf
from hgq.config import LayerConfigScope
from model import EXPONENTS, LATENT_WORD, WEIGHTS, encoder
from numpy.typing import NDArray

from harness import heads
from harness.data import training_events

SEED = 57
N_EVENTS = 300_000
N_EPOCHS = 6
BATCH_SIZE = 1_024
LEARNING_RATE = 4e-3
# Weight of the Kullback-Leibler divergence against the squared error, and of the encoder's bit
# operations (HGQ2's EBOPs, which follow the LUTs of the netlist) against both.
KL_WEIGHT = 0.2
EBOPS_WEIGHT = 2e-5
# Directions of objects say less of an event than their momenta do.
FEATURE_WEIGHTS = (1.0, 0.1, 0.1)
# A target beyond sixteen spreads counts as sixteen, so that single events don't drive a batch.
LARGEST_TARGET = 16.0


class Decoder(keras.layers.Layer):
    """Samples the latent space, adds its divergence to the loss, reconstructs the event."""

    def __init__(self, n_outputs: int, n_latent: int) -> None:
        super().__init__(name="decoder")
        self.random = keras.random.SeedGenerator(SEED)
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


def round_widths(network: keras.Model) -> None:
    """Round the widths of all quantisers, as HGQ2 does whenever it uses them.

    Training leaves fractions of a bit behind, whose last digits alone differ from run to run.
    """
    for weight in network.weights:
        quantiser, name = weight.path.split("/")[-2:]
        if quantiser.startswith("fixed_point_quantizer") and name in {"b", "i", "f"}:
            weight.assign(keras.ops.round(weight))


def train(challenge: str, n_events: int, n_epochs: int) -> None:
    """Train on background of `challenge` and write the weights of the encoder."""
    keras.utils.set_random_seed(SEED)
    # One thread: a sum split over threads comes out in another order on every run.
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    events = np.asarray(training_events(challenge)[:n_events]).reshape(-1, len(EXPONENTS))
    with LayerConfigScope(beta0=EBOPS_WEIGHT):
        inputs, hidden, mu = encoder()
    reconstruction = Decoder(len(EXPONENTS), mu.shape[-1])([hidden, mu])
    autoencoder = keras.Model(inputs, reconstruction)
    n_steps = n_epochs * -(-len(events) // BATCH_SIZE)
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, n_steps)
    autoencoder.compile(keras.optimizers.Adam(rate), squared_error, jit_compile=False)
    autoencoder.fit(events, targets(events), batch_size=BATCH_SIZE, epochs=n_epochs, verbose=2)
    network = keras.Model(inputs, heads.sum_of_squares(mu, word=LATENT_WORD))
    round_widths(network)
    network.save_weights(WEIGHTS)


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--challenge", default="sample")
    parser.add_argument("--events", type=int, default=N_EVENTS)
    parser.add_argument("--epochs", type=int, default=N_EPOCHS)
    arguments = parser.parse_args()
    start = time.monotonic()
    train(arguments.challenge, arguments.events, arguments.epochs)
    print(f"wrote {WEIGHTS.name} after {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
