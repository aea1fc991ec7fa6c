"""A small isolation forest over 39 momenta, as comparators and sums; `train.py` grew it."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from harness import heads

WEIGHTS = Path(__file__).with_name("forest.npz")

# Hardware integers of 50 objects, as they arrive.
INPUT_WORDS = ("ufixed<12,12>", "fixed<9,9>", "ufixed<10,10>")
N_OBJECTS = 50
# MET, 4 muons, 10 jets, 12 e/gamma, 12 taus.
OBJECTS = (46, *range(4), *range(8, 18), *range(20, 32), *range(32, 44))
# Momenta are compared in the steps of the hardware, to 511 GeV.
COMPARED = ["ufixed<10,10>"]
LEAF_BITS = 5


def network() -> keras.Model:
    """Return the network: 150 inputs, one anomaly score."""
    inputs = keras.Input((3 * N_OBJECTS,), name="event")
    words = heads.input_words(inputs, INPUT_WORDS)
    momenta = heads.combine(
        words, np.eye(3 * N_OBJECTS)[:, [3 * n for n in OBJECTS]], name="momenta"
    )
    score = heads.trees(momenta, WEIGHTS, words=COMPARED, leaf_bits=LEAF_BITS)
    return keras.Model(inputs, score, name="l1_isolation_trees")
