"""A small isolation forest over the 19 momenta, as comparators and sums; `train.py` grew it."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from harness import heads

WEIGHTS = Path(__file__).with_name("forest.npz")

INPUT_WORDS = ("ufixed<15,13>", "fixed<8,4>", "fixed<8,3>")
N_OBJECTS = 19
# Momenta are compared in steps of 2 GeV, to 1022 GeV.
COMPARED = ["ufixed<9,10>"]
LEAF_BITS = 5


def network() -> keras.Model:
    """Return the network: 57 inputs, one anomaly score."""
    inputs = keras.Input((3 * N_OBJECTS,), name="event")
    words = heads.input_words(inputs, INPUT_WORDS)
    momenta = heads.combine(words, np.eye(3 * N_OBJECTS)[:, ::3], name="momenta")
    score = heads.trees(momenta, WEIGHTS, words=COMPARED, leaf_bits=LEAF_BITS)
    return keras.Model(inputs, score, name="isolation_trees")


def unrounded() -> keras.Model:
    """Return the forest as it was grown, to say what the words and the bits of the leaves cost."""
    inputs = keras.Input((N_OBJECTS, 3), name="event")
    return keras.Model(inputs, heads.exact_trees(inputs[:, :, 0], WEIGHTS))
