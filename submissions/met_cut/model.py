"""A cut on the missing transverse momentum: the score is MET itself."""

from __future__ import annotations

import keras
import numpy as np

from harness import heads

# MET [GeV] as it arrives; no other input reaches the chip's logic.
INPUT_WORDS = ("ufixed<15,13>", "fixed<8,4>", "fixed<8,3>")
MET = 0


def network() -> keras.Model:
    """Return the network: 57 inputs, one of which is the score."""
    inputs = keras.Input((57,), name="event")
    words = heads.input_words(inputs, INPUT_WORDS)
    chosen = np.zeros((57, 1))
    chosen[MET] = 1.0
    return keras.Model(inputs, heads.combine(words, chosen, name="met"), name="met_cut")
