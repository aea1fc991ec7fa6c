"""A cut on the leading lepton: the score is the larger pT of first electron and first muon."""

from __future__ import annotations

import keras
import numpy as np
from hgq.config import QuantizerConfigScope
from hgq.layers import QMaximum

from harness import heads

INPUT_WORDS = ("ufixed<15,13>", "fixed<8,4>", "fixed<8,3>")
# Where the pT of the leading electron and of the leading muon stand among the inputs.
ELECTRON, MUON = 3 * 1, 3 * 5


def network() -> keras.Model:
    """Return the network: 57 inputs, the larger of two of them."""
    inputs = keras.Input((57,), name="event")
    words = heads.input_words(inputs, INPUT_WORDS)
    leading = [
        heads.combine(words, np.eye(57)[:, [place]], name=name)
        for name, place in (("electron", ELECTRON), ("muon", MUON))
    ]
    # The inputs' own words again, so nothing is rounded.
    with QuantizerConfigScope(
        place="datalane", q_type="kif", k0=0, i0=13, f0=2, overflow_mode="SAT", trainable=False
    ):
        score = QMaximum(name="leading_lepton")(leading)
    return keras.Model(inputs, score, name="lepton_pt_cut")
