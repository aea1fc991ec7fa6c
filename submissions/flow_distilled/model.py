"""A small quantised network that learnt the score of the flow; the flow stays off the chip.

`train.py` made the weights: it asks the flow in `submissions/flow` for its score of background, and
of background that was tampered with, and fits this network to the answers.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from hgq.config import QuantizerConfigScope
from hgq.layers import QDense

from harness import heads

WEIGHTS = Path(__file__).with_name("student.weights.h5")

INPUT_WORDS = ("ufixed<15,13>", "fixed<8,4>", "fixed<8,3>")
N_OBJECTS = 19
# Momenta saturate at 255 GeV on the logarithmic scale ln(1 + pT / 8 GeV), the flow's own.
LOG_EXPONENT, LOG_ADDRESS, LOG_WORD = -3, "ufixed<8,5>", "ufixed<7,2>"
# The student's score is (-ln of the density + OFFSET) / UNIT, to 255 in steps of 1/16.
OFFSET, UNIT = 6.0, 2.0
SCORE_WORD = "ufixed<12,8>"


def student() -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the input and the score."""
    inputs = keras.Input((57,), name="event")
    words = heads.input_words(inputs, INPUT_WORDS)
    momenta = heads.combine(words, np.eye(3 * N_OBJECTS)[:, ::3], name="momenta")
    scaled = heads.scale(momenta, [LOG_EXPONENT], name="scale")
    x = heads.table(scaled, "log1p", word=LOG_ADDRESS, output=LOG_WORD, name="log_momenta")
    with (
        QuantizerConfigScope(place="datalane", overflow_mode="SAT", i0=6, f0=3),
        QuantizerConfigScope(place="weight", b0=6, i0=3),
        QuantizerConfigScope(place="bias", overflow_mode="SAT", b0=8, i0=3),
    ):
        x = QDense(32, activation="relu", name="hidden_1")(x)
        x = QDense(16, activation="relu", name="hidden_2")(x)
        answer = QDense(1, name="answer")(x)
    return inputs, heads.identity(answer, word=SCORE_WORD)


def network() -> keras.Model:
    """Return the trained network: 57 inputs, one anomaly score."""
    inputs, score = student()
    model = keras.Model(inputs, score, name="flow_distilled")
    model.load_weights(WEIGHTS)
    return model
