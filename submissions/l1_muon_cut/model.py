"""A cut on the pT of the leading muon: the score is its hardware integer."""

from __future__ import annotations

import keras

from harness import heads

# Hardware integers: pT, eta, phi of 50 objects.
INPUT_WORDS = ("ufixed<12,12>", "fixed<9,9>", "ufixed<10,10>")
N_OBJECTS = 50
# Row of an event: the leading muon.
OBJECT = 0


def network() -> keras.Model:
    """Return the network: 150 inputs, one of which is the score."""
    inputs = keras.Input((3 * N_OBJECTS,), name="event")
    words = heads.input_words(inputs, INPUT_WORDS)
    score = heads.select(words, [3 * OBJECT], n_features=1, name="muon")
    return keras.Model(inputs, score, name="l1_muon_cut")
