"""A particle-flow network: a sum over constituents of what one small network makes of each.

The first 64 constituents, by pT; of each its share of pT, the logarithms of share and pT, and its
place relative to the centre of the jet. `train.py` made the weights.
"""

from __future__ import annotations

from pathlib import Path

import keras
from keras import layers, ops

from harness import heads

WEIGHTS = Path(__file__).with_name("classifier.weights.h5")

N_CONSTITUENTS, N_USED = 200, 64
PER_CONSTITUENT, OF_JET = (48, 48), (48, 32)
# pT of a constituent [GeV] whose logarithm is 0.
UNIT_GEV = 10.0


def classifier() -> keras.Model:
    """Return the classifier of jets: a logit."""
    inputs = keras.Input((N_CONSTITUENTS, 3), name="jet")
    x, is_there = constituents(inputs)
    for number, width in enumerate(PER_CONSTITUENT):
        x = layers.Dense(width, activation="relu", name=f"constituent_{number}")(x)
    x = ops.sum(x * is_there, axis=1) * (1.0 / N_USED)
    for number, width in enumerate(OF_JET):
        x = layers.Dense(width, activation="relu", name=f"jet_{number}")(x)
    return keras.Model(inputs, layers.Dense(1, name="logit")(x), name="jets_deep_sets")


def constituents(inputs: keras.KerasTensor) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return five features of each constituent, and 1 where there is one."""
    _, share, eta, phi = heads.jet_coordinates(inputs)
    pt = inputs[:, :N_USED, 0]
    share, eta, phi = share[:, :N_USED], eta[:, :N_USED], phi[:, :N_USED]
    is_there = ops.expand_dims(ops.cast(pt > 0.0, "float32"), axis=-1)
    columns = (
        share * 10.0,
        ops.log(share + 1e-4) * 0.3,
        ops.log(pt * (1.0 / UNIT_GEV) + 1e-2) * 0.3,
        eta * 3.0,
        phi * 3.0,
    )
    return ops.stack(columns, axis=-1) * is_there, is_there


def network() -> keras.Model:
    """Return the trained network: the constituents of a jet, one score."""
    model = classifier()
    model.load_weights(WEIGHTS)
    return model
