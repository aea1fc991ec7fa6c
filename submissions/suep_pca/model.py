"""What the leading principal components of a pooled image leave over: their squared residual.

Images are summed over squares of 12 x 12 pixels. `train.py` made the weights.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

WEIGHTS = Path(__file__).with_name("weights.npz")
POOL = 12


def network() -> keras.Model:
    """Return the network: an image, the squared residual [GeV^2]."""
    with np.load(WEIGHTS) as weights:
        mean, components = weights["mean"], weights["components"]
    inputs = keras.Input((288, 360, 3), name="image")
    # The sum over a square is its mean times the number of its pixels.
    pooled = keras.layers.AveragePooling2D(POOL)(inputs)
    flat = keras.layers.Flatten()(pooled)
    centred = keras.layers.Rescaling(float(POOL**2))(flat) - keras.ops.convert_to_tensor(mean)
    seen = keras.layers.Dense(components.shape[1], use_bias=False, name="seen")
    again = keras.layers.Dense(components.shape[0], use_bias=False, name="again")
    residual = centred - again(seen(centred))
    score = keras.ops.sum(keras.ops.square(residual), axis=1)
    model = keras.Model(inputs, score, name="suep_pca")
    seen.set_weights([components])
    again.set_weights([components.T])
    return model
