"""A control: a classifier of pooled images that was shown the signals.

It says what could be had from images of 24 x 30 squares if the signal were known, and is no
anomaly detector. `train.py` made the weights.
"""

from __future__ import annotations

from pathlib import Path

import keras

WEIGHTS = Path(__file__).with_name("classifier.weights.h5")
POOL = 12


def classifier() -> keras.Model:
    """Return the classifier: a pooled image of 2,160 sums, one logit."""
    inputs = keras.Input((2_160,), name="pooled")
    hidden = keras.layers.Dense(24, activation="relu")(keras.ops.log1p(inputs))
    return keras.Model(inputs, keras.layers.Dense(1)(hidden), name="classifier")


def network() -> keras.Model:
    """Return the network: an image, one logit."""
    inner = classifier()
    inner.load_weights(WEIGHTS)
    inputs = keras.Input((288, 360, 3), name="image")
    pooled = keras.layers.Flatten()(keras.layers.AveragePooling2D(POOL)(inputs))
    scaled = keras.layers.Rescaling(float(POOL**2))(pooled)
    return keras.Model(inputs, inner(scaled), name="suep_supervised")
