"""What the leading principal components leave over of the 19 momenta: their squared residual.

A linear autoencoder, whose decoder is the transpose of its encoder: the residual is the projection
on the components that it drops, so these alone are on the chip. `train.py` made the weights.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from harness import heads

WEIGHTS = Path(__file__).with_name("weights.npz")

INPUT_WORDS = ("ufixed<15,13>", "fixed<8,4>", "fixed<8,3>")
N_OBJECTS = 19
# pT to 1022 GeV in steps of 2 GeV.
LIMIT = "ufixed<9,10>"
RESIDUAL_WORD = "fixed<10,8>"


def network() -> keras.Model:
    """Return the network: 57 inputs, one anomaly score."""
    with np.load(WEIGHTS) as weights:
        exponents, dropped = weights["exponents"], weights["dropped"]
    inputs = keras.Input((57,), name="event")
    words = heads.input_words(inputs, INPUT_WORDS)
    momenta = heads.combine(words, np.eye(3 * N_OBJECTS)[:, ::3], name="momenta")
    scaled = heads.scale(heads.limit(momenta, [LIMIT]), exponents.tolist())
    residuals = heads.combine(scaled, dropped, name="residuals")
    score = heads.sum_of_squares(residuals, word=RESIDUAL_WORD)
    return keras.Model(inputs, score, name="linear_pca")
