"""A control: a quantised classifier of background against signals that were simulated for it.

It shows what this small network gains from labels; a ceiling it is not, as its loss knows no
working point. It is declared as supervised and never ranked. `train.py` made the weights.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from hgq.config import QuantizerConfigScope
from hgq.layers import QDense

from harness import heads

WEIGHTS = Path(__file__).with_name("classifier.weights.h5")

INPUT_WORDS = ("ufixed<15,13>", "fixed<8,4>", "fixed<8,3>")
N_OBJECTS = 19
# Momenta saturate at 255 GeV on the logarithmic scale ln(1 + pT / 8 GeV); MET also as it is.
LOG_EXPONENT, LOG_ADDRESS, LOG_WORD = -3, "ufixed<8,5>", "ufixed<7,2>"
MET_WORD, MET_EXPONENT = "ufixed<9,10>", -6
SCORE_WORD = "fixed<14,6>"


def classifier() -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the input and the logit."""
    inputs = keras.Input((57,), name="event")
    words = heads.input_words(inputs, INPUT_WORDS)
    momenta = heads.combine(words, np.eye(3 * N_OBJECTS)[:, ::3], name="momenta")
    scaled = heads.scale(momenta, [LOG_EXPONENT], name="scale")
    logs = heads.table(scaled, "log1p", word=LOG_ADDRESS, output=LOG_WORD, name="log_momenta")
    met = heads.combine(words, np.eye(3 * N_OBJECTS)[:, :1], name="met")
    met = heads.scale(heads.limit(met, [MET_WORD]), [MET_EXPONENT], name="scale_met")
    x = keras.layers.Concatenate(name="seen")([logs, met])
    with (
        QuantizerConfigScope(place="datalane", overflow_mode="SAT", i0=5, f0=4),
        QuantizerConfigScope(place="weight", b0=7, i0=2),
        QuantizerConfigScope(place="bias", overflow_mode="SAT", b0=8, i0=3),
    ):
        x = QDense(32, activation="relu", name="hidden_1")(x)
        x = QDense(16, activation="relu", name="hidden_2")(x)
        logit = QDense(1, name="logit")(x)
    return inputs, logit


def network() -> keras.Model:
    """Return the trained network: 57 inputs, one score."""
    inputs, logit = classifier()
    score = heads.identity(logit, word=SCORE_WORD)
    model = keras.Model(inputs, score, name="control_supervised")
    model.load_weights(WEIGHTS)
    return model
