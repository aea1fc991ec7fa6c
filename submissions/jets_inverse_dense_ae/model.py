"""An autoencoder of jet images of dense layers: the error of what it reproduces.

`size.json` has the widths, `train.py` made the weights.
"""

from __future__ import annotations

import json
from pathlib import Path

import keras
from keras import layers, ops

from harness import heads

FOLDER = Path(__file__).parent
WEIGHTS = FOLDER / "autoencoder.weights.h5"
WIDTHS = json.loads((FOLDER / "size.json").read_text(encoding="utf-8"))["widths"]

N_CONSTITUENTS, N_PIXELS = 200, 37
# Pixels add up to this, so that they are near 1.
SCALE = 37.0


def autoencoder() -> keras.Model:
    """Return the autoencoder of images of shape (37, 37, 1), which add up to `SCALE`."""
    images = keras.Input((N_PIXELS, N_PIXELS, 1), name="image")
    x = layers.Flatten()(images)
    for number, width in enumerate(WIDTHS):
        # The bottleneck is linear.
        activation = "linear" if width == min(WIDTHS) else "relu"
        x = layers.Dense(width, activation=activation, name=f"dense_{number}")(x)
    x = layers.Dense(N_PIXELS**2, activation="relu", name="pixels")(x)
    return keras.Model(images, layers.Reshape((N_PIXELS, N_PIXELS, 1))(x), name="autoencoder")


def network() -> keras.Model:
    """Return the trained network: the constituents of a jet, one anomaly score."""
    inputs = keras.Input((N_CONSTITUENTS, 3), name="jet")
    images = ops.expand_dims(heads.jet_image(inputs, n_pixels=N_PIXELS), axis=-1) * SCALE
    inner = autoencoder()
    inner.load_weights(WEIGHTS)
    score = ops.mean(ops.square(images - inner(images)), axis=(1, 2))
    return keras.Model(inputs, score, name="jets_autoencoder")
