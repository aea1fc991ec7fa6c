"""A small network of ParticleNet's kind: two convolutions over the edges to near constituents.

The published one has three edge convolutions of 64 to 256 channels over 16 neighbours, found again
before each, of 100 constituents (arXiv:1902.08570). This one has two of 16 and 32 channels over 7
neighbours in eta and phi of the first 32. `train.py` made the weights.
"""

from __future__ import annotations

from pathlib import Path

import keras
from keras import layers, ops

from harness import heads

WEIGHTS = Path(__file__).with_name("classifier.weights.h5")

N_CONSTITUENTS, N_USED, N_NEAR = 200, 32, 7
CHANNELS = (16, 32)
UNIT_GEV = 10.0
# Squared distance of a place without constituent from all others.
FAR = 1e3


def classifier() -> keras.Model:
    """Return the classifier of jets: a logit."""
    inputs = keras.Input((N_CONSTITUENTS, 3), name="jet")
    x, place, is_there = constituents(inputs)
    near = neighbours(place, is_there)
    for number, channels in enumerate(CHANNELS):
        x = edge_convolution(x, near, channels, f"edges_{number}") * is_there
    n_there = ops.maximum(ops.sum(is_there, axis=1), 1.0)
    x = ops.concatenate([ops.sum(x, axis=1) / n_there, ops.max(x, axis=1)], axis=-1)
    x = layers.Dense(32, activation="relu", name="hidden")(x)
    return keras.Model(inputs, layers.Dense(1, name="logit")(x), name="jets_particlenet")


def constituents(
    inputs: keras.KerasTensor,
) -> tuple[keras.KerasTensor, keras.KerasTensor, keras.KerasTensor]:
    """Return five features of each constituent, its eta and phi, and 1 where there is one."""
    _, share, eta, phi = heads.jet_coordinates(inputs)
    pt = inputs[:, :N_USED, 0]
    share, eta, phi = share[:, :N_USED], eta[:, :N_USED], phi[:, :N_USED]
    is_there = ops.expand_dims(ops.cast(pt > 0.0, "float32"), axis=-1)
    columns = (
        ops.log(share + 1e-4) * 0.3,
        ops.log(pt * (1.0 / UNIT_GEV) + 1e-2) * 0.3,
        ops.sqrt(eta * eta + phi * phi + 1e-8) * 3.0,
        eta * 3.0,
        phi * 3.0,
    )
    return ops.stack(columns, axis=-1) * is_there, ops.stack((eta, phi), axis=-1), is_there


def neighbours(place: keras.KerasTensor, is_there: keras.KerasTensor) -> keras.KerasTensor:
    """Return a one for each of the nearest constituents; shape (n, N_USED, N_NEAR, N_USED)."""
    apart = ops.expand_dims(place, axis=2) - ops.expand_dims(place, axis=1)
    distance = ops.sum(ops.square(apart), axis=-1)
    distance = distance + FAR * (1.0 - ops.transpose(is_there, (0, 2, 1)))
    # The nearest one is the constituent itself.
    order = ops.argsort(distance, axis=-1)[:, :, 1 : N_NEAR + 1]
    return ops.expand_dims(order, axis=-1)


def edge_convolution(
    x: keras.KerasTensor, near: keras.KerasTensor, channels: int, name: str
) -> keras.KerasTensor:
    """Return the mean, over neighbours, of a small network of a constituent and a difference."""
    n_before = x.shape[-1]
    order = ops.repeat(ops.reshape(near, (-1, N_USED * N_NEAR, 1)), n_before, axis=-1)
    gathered = ops.reshape(ops.take_along_axis(x, order, axis=1), (-1, N_USED, N_NEAR, n_before))
    own = ops.repeat(ops.expand_dims(x, axis=2), N_NEAR, axis=2)
    edges = ops.concatenate([own, gathered - own], axis=-1)
    for number in range(2):
        edges = layers.Dense(channels, activation="relu", name=f"{name}_{number}")(edges)
    shortcut = layers.Dense(channels, name=f"{name}_shortcut")(x)
    return ops.relu(ops.mean(edges, axis=2) + shortcut)


def network() -> keras.Model:
    """Return the trained network: the constituents of a jet, one score."""
    model = classifier()
    model.load_weights(WEIGHTS)
    return model
