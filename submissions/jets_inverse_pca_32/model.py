"""Principal components of jet images: the error of what the leading ones reproduce.

Pixels that add up to 1, minus their mean, projected on the first components and back. `size.json`
has their number. `train.py` made the weights.
"""

from __future__ import annotations

import json
from pathlib import Path

import keras
from keras import ops

from harness import heads

FOLDER = Path(__file__).parent
WEIGHTS = FOLDER / "components.weights.h5"
N_COMPONENTS = json.loads((FOLDER / "size.json").read_text(encoding="utf-8"))["latent"]

N_CONSTITUENTS, N_PIXELS = 200, 37


def network() -> keras.Model:
    """Return the trained network: the constituents of a jet, one anomaly score."""
    inputs = keras.Input((N_CONSTITUENTS, 3), name="jet")
    pixels = keras.layers.Reshape((N_PIXELS**2,))(heads.jet_image(inputs, n_pixels=N_PIXELS))
    model = keras.Model(inputs, error(pixels), name="jets_pca")
    if WEIGHTS.exists():
        model.load_weights(WEIGHTS)
    return model


def error(pixels: keras.KerasTensor) -> keras.KerasTensor:
    """Return the sum of squared errors, shape (n, 1)."""
    latent = keras.layers.Dense(N_COMPONENTS, name="projection")(pixels)
    reproduced = keras.layers.Dense(N_PIXELS**2, name="expansion")(latent)
    return ops.sum(ops.square(pixels - reproduced), axis=1, keepdims=True)
