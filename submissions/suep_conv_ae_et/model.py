"""A convolutional autoencoder of images; the score compares the image with its reconstruction.

The layers and their strides are those of arXiv:2306.13595; `size.json` has the numbers of filters,
whether a PReLU has a weight for each element, the loss and the score. So suep_published,
suep_conv_ae, suep_conv_ae_mse and suep_conv_ae_et are one model: 3,575,047 parameters in the first,
a narrow one in the others. `train.py` made the weights.
"""

from __future__ import annotations

import json
from pathlib import Path

import keras
from keras import layers, ops

FOLDER = Path(__file__).parent
WEIGHTS = FOLDER / "autoencoder.weights.h5"
SIZE = json.loads((FOLDER / "size.json").read_text(encoding="utf-8"))
SHAPE = (288, 360, 3)
STRIDES = (3, 2, 2, 2, (2, 3))
# What keeps a ratio finite where a reconstruction is empty [GeV^2, GeV].
LEAST = 1e-3


def autoencoder() -> keras.Model:
    """Return the autoencoder: an image, its reconstruction, not negative."""
    inputs = keras.Input(SHAPE, name="image")
    x = inputs
    for filters, strides in zip(SIZE["filters"], STRIDES, strict=True):
        x = layers.Conv2D(filters, 3, strides=strides, padding="same")(x)
        x = _activation()(_normalised(x))
    widths = [*SIZE["filters"][-2::-1], SHAPE[-1]]
    for filters, strides in zip(widths, STRIDES[::-1], strict=True):
        x = layers.Conv2DTranspose(filters, 3, strides=strides, padding="same")(x)
        x = _normalised(x)
        # The pages show the output of the layer of this name.
        is_last = filters == SHAPE[-1]
        x = layers.ReLU(name="reconstruction")(x) if is_last else _activation()(x)
    return keras.Model(inputs, x, name="autoencoder")


def _normalised(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers.BatchNormalization(momentum=SIZE["momentum"])(x)


def _activation() -> keras.Layer:
    return layers.PReLU(shared_axes=None if SIZE["element_wise"] else [1, 2])


def inverse_dice(image: keras.KerasTensor, again: keras.KerasTensor) -> keras.KerasTensor:
    """Return (sum X^2 + sum Y^2) / (2 sum XY) - 1 of each image; 0 if both are equal.

    References
    ----------
    S. S. Chhibra et al., arXiv:2306.13595.
    """
    squares = ops.sum(ops.square(image), axis=(1, 2, 3)) + ops.sum(
        ops.square(again), axis=(1, 2, 3)
    )
    common = ops.maximum(ops.sum(ops.multiply(image, again), axis=(1, 2, 3)), LEAST)
    return squares / (2.0 * common) - 1.0


def squared_error(image: keras.KerasTensor, again: keras.KerasTensor) -> keras.KerasTensor:
    """Return the mean squared error of each image [GeV^2]."""
    return ops.mean(ops.square(image - again), axis=(1, 2, 3))


def inverse_et(image: keras.KerasTensor, again: keras.KerasTensor) -> keras.KerasTensor:
    """Return one over the transverse energy of the reconstruction [1/GeV]."""
    del image
    return 1.0 / (ops.sum(again, axis=(1, 2, 3)) + LEAST)


SCORES = {"inverse_dice": inverse_dice, "squared_error": squared_error, "inverse_et": inverse_et}


def network() -> keras.Model:
    """Return the trained network: an image, one anomaly score."""
    model = autoencoder()
    if not WEIGHTS.exists():
        raise FileNotFoundError(f"{WEIGHTS.name} is missing: this entry was not trained (train.py)")
    model.load_weights(WEIGHTS)
    score = SCORES[SIZE["score"]](model.input, model.output)
    return keras.Model(model.input, score, name="suep_conv_ae")
