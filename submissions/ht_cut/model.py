"""A cut on HT: the score is the scalar sum of the transverse momenta of the jets."""

from __future__ import annotations

import keras
import numpy as np

from harness import heads

INPUT_WORDS = ("ufixed<15,13>", "fixed<8,4>", "fixed<8,3>")
# The ten jets are the last of the 19 objects; each has pT, eta, phi.
FIRST_JET, N_OBJECTS = 9, 19


def network() -> keras.Model:
    """Return the network: 57 inputs, the sum of ten of them."""
    inputs = keras.Input((57,), name="event")
    words = heads.input_words(inputs, INPUT_WORDS)
    jets = np.zeros((57, 1))
    jets[[3 * place for place in range(FIRST_JET, N_OBJECTS)]] = 1.0
    return keras.Model(inputs, heads.combine(words, jets, name="ht"), name="ht_cut")
