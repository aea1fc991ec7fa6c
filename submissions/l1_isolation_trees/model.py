"""A small isolation forest over 39 momenta, as comparators and sums; `train.py` grew it."""

from __future__ import annotations

from pathlib import Path

import keras

from harness import heads

WEIGHTS = Path(__file__).with_name("forest.npz")

# Hardware integers of 50 objects, as they arrive.
INPUT_WORDS = ("ufixed<12,12>", "fixed<9,9>", "ufixed<10,10>")
N_OBJECTS = 50
# Momenta are compared in the steps of the hardware, to 511 GeV.
COMPARED = ["ufixed<10,10>"]
LEAF_BITS = 5


def network() -> keras.Model:
    """Return the network: 150 inputs, one anomaly score."""
    inputs = keras.Input((3 * N_OBJECTS,), name="event")
    words = heads.input_words(inputs, INPUT_WORDS)
    # pT is the first of three columns of each object.
    momenta = heads.select(words, [3 * row for row in heads.CMSL1T_ROWS], n_features=1)
    score = heads.trees(momenta, WEIGHTS, words=COMPARED, leaf_bits=LEAF_BITS)
    return keras.Model(inputs, score, name="l1_isolation_trees")
