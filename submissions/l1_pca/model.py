"""What the leading principal components leave over of 39 momenta: their squared residual.

A linear autoencoder whose decoder is the transpose of its encoder: the residual is the projection
on the components that it drops, so these alone are on the chip. `train.py` made the weights.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from harness import heads

WEIGHTS = Path(__file__).with_name("weights.npz")

# Hardware integers of 50 objects, as they arrive.
INPUT_WORDS = ("ufixed<12,12>", "fixed<9,9>", "ufixed<10,10>")
N_OBJECTS = 50
# Momenta to 511 GeV, in the steps of the hardware.
LIMIT = "ufixed<10,10>"
RESIDUAL_WORD = "fixed<10,8>"


def network() -> keras.Model:
    """Return the network: 150 inputs, one anomaly score."""
    with np.load(WEIGHTS) as weights:
        exponents, dropped = weights["exponents"], weights["dropped"]
    inputs = keras.Input((3 * N_OBJECTS,), name="event")
    words = heads.input_words(inputs, INPUT_WORDS)
    # pT is the first of three columns of each object.
    momenta = heads.select(words, [3 * row for row in heads.CMSL1T_ROWS], n_features=1)
    scaled = heads.scale(heads.limit(momenta, [LIMIT]), exponents.tolist())
    residuals = heads.combine(scaled, dropped, name="residuals")
    score = heads.sum_of_squares(residuals, word=RESIDUAL_WORD)
    return keras.Model(inputs, score, name="l1_pca")
