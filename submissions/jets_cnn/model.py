"""A convolutional classifier of jet images; `train.py` trained it.

The published one has 128C4-64C4-MP2-64C4-64C4-MP2-64N-256N-256N (arXiv:1803.00107); this one has
8C3-MP2-16C3-MP2-32C3-MP2-32N, and one colour: all pT.
"""

from __future__ import annotations

from pathlib import Path

import keras
from keras import layers, ops

from harness import heads

WEIGHTS = Path(__file__).with_name("classifier.weights.h5")

N_CONSTITUENTS, N_PIXELS = 200, 37
# Pixels add up to this, so that they are near 1.
SCALE = 37.0
CHANNELS = (8, 16, 32)


def classifier() -> keras.Model:
    """Return the classifier of images of shape (37, 37, 1), which add up to `SCALE`: a logit."""
    images = keras.Input((N_PIXELS, N_PIXELS, 1), name="image")
    # A few pixels have most of pT.
    x = ops.sqrt(images)
    for number, channels in enumerate(CHANNELS):
        x = layers.Conv2D(
            channels, 3, padding="same", activation="relu", name=f"convolution_{number}"
        )(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Dense(32, activation="relu", name="hidden")(layers.Flatten()(x))
    return keras.Model(images, layers.Dense(1, name="logit")(x), name="classifier")


def network() -> keras.Model:
    """Return the trained network: the constituents of a jet, one score."""
    inputs = keras.Input((N_CONSTITUENTS, 3), name="jet")
    images = ops.expand_dims(heads.jet_image(inputs, n_pixels=N_PIXELS), axis=-1) * SCALE
    inner = classifier()
    inner.load_weights(WEIGHTS)
    return keras.Model(inputs, inner(images), name="jets_cnn")
