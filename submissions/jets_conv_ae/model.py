"""An autoencoder of jet images of convolutions: the error of what it reproduces.

The published one is 128C3-MP2-128C3-MP2-128C3-32N-6N-32N-12800N-128C3-US2-128C3-US2-1C3
(arXiv:1808.08992); this one has 16 channels in place of 128, so 1600N in place of 12800N. Images
are filled up with zeros from 37 to 40 pixels. `train.py` made the weights.
"""

from __future__ import annotations

from pathlib import Path

import keras
from keras import layers, ops

from harness import heads

WEIGHTS = Path(__file__).with_name("autoencoder.weights.h5")
N_CHANNELS, N_HIDDEN, N_LATENT = 16, 32, 6

N_CONSTITUENTS, N_PIXELS = 200, 37
# Pixels add up to this, so that they are near 1.
SCALE = 37.0


def autoencoder() -> keras.Model:
    """Return the autoencoder of images of shape (37, 37, 1), which add up to `SCALE`."""
    images = keras.Input((N_PIXELS, N_PIXELS, 1), name="image")
    x = layers.ZeroPadding2D(((1, 2), (1, 2)))(images)
    for number in range(2):
        x = _convolution(x, f"encoder_{number}")
        x = layers.MaxPooling2D()(x)
    x = layers.Flatten()(_convolution(x, "encoder_2"))
    x = layers.Dense(N_HIDDEN, activation="relu", name="encoder_hidden")(x)
    x = layers.Dense(N_LATENT, name="latent")(x)
    x = layers.Dense(N_HIDDEN, activation="relu", name="decoder_hidden")(x)
    x = layers.Dense(10 * 10 * N_CHANNELS, activation="relu", name="decoder_map")(x)
    x = layers.Reshape((10, 10, N_CHANNELS))(x)
    for number in range(2):
        x = _convolution(x, f"decoder_{number}")
        x = layers.UpSampling2D()(x)
    x = layers.Conv2D(1, 3, padding="same", name="pixels")(x)
    return keras.Model(images, layers.Cropping2D(((1, 2), (1, 2)))(x), name="autoencoder")


def _convolution(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.Conv2D(N_CHANNELS, 3, padding="same", activation="relu", name=name)(x)


def network() -> keras.Model:
    """Return the trained network: the constituents of a jet, one anomaly score."""
    inputs = keras.Input((N_CONSTITUENTS, 3), name="jet")
    images = ops.expand_dims(heads.jet_image(inputs, n_pixels=N_PIXELS), axis=-1) * SCALE
    inner = autoencoder()
    inner.load_weights(WEIGHTS)
    score = ops.mean(ops.square(images - inner(images)), axis=(1, 2))
    return keras.Model(inputs, score, name="jets_autoencoder")
