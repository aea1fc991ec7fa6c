"""A quantised variational encoder 57-32-16-3; its score is the sum of the squared means.

The whole computation is in the graph: the words in which the inputs arrive, their limits and
scale, the encoder, and the arithmetic of the score. `train.py` made the weights.
"""

from __future__ import annotations

from pathlib import Path

import keras
from hgq.config import QuantizerConfigScope
from hgq.constraints import Min
from hgq.layers import QDense

from harness import heads

WEIGHTS = Path(__file__).with_name("encoder.weights.h5")

# pT [GeV], eta, phi as they reach the chip: every event that the LHC can make fits.
INPUT_WORDS = ("ufixed<13,13>", "fixed<6,4>", "fixed<6,3>")
# What the encoder sees of them: pT to 1022 GeV in steps of 2 GeV, as the rarest background in a
# million lies beyond 400 GeV of MET.
LIMITS = ("ufixed<9,10>", "fixed<6,4>", "fixed<6,3>")
# Powers of two near 1/spread of pT in each slot: MET, 4 electrons, 4 muons, 10 jets. The spread
# counts empty slots, so a third lepton, which few events have, weighs more than a first.
PT_EXPONENTS = (-4, *(-4, -3, -2, -1) * 2, -5, -5, -4, -4, -3, -3, -2, -2, -1, -1)
ANGLE_EXPONENT = -2
EXPONENTS = tuple(
    exponent for pt in PT_EXPONENTS for exponent in (pt, ANGLE_EXPONENT, ANGLE_EXPONENT)
)
LATENT_WORD = "fixed<11,8>"


def encoder() -> tuple[keras.KerasTensor, keras.KerasTensor, keras.KerasTensor]:
    """Return the input, the last hidden layer and the means of the latent space."""
    inputs = keras.Input((57,), name="event")
    x = heads.input_words(inputs, INPUT_WORDS)
    x = heads.limit(x, LIMITS)
    x = heads.scale(x, EXPONENTS)
    # Left alone, training takes integer bits off values that are rare, and so off the tail; and
    # a value that is cut instead of rounded saves an adder.
    lane = {"i0": 8, "ic": Min(8), "f0": 2, "round_mode": "TRN"}
    with (
        QuantizerConfigScope(place="datalane", overflow_mode="SAT", **lane),
        QuantizerConfigScope(place="weight", b0=4, i0=0),
        QuantizerConfigScope(place="bias", overflow_mode="SAT", b0=6, i0=1),
    ):
        x = QDense(32, activation="relu", name="hidden_1")(x)
        x = QDense(16, activation="relu", name="hidden_2")(x)
        mu = QDense(3, name="mu")(x)
    return inputs, x, mu


def network() -> keras.Model:
    """Return the trained network: 57 inputs, one anomaly score."""
    inputs, _, mu = encoder()
    model = keras.Model(inputs, heads.sum_of_squares(mu, word=LATENT_WORD), name="team_x")
    model.load_weights(WEIGHTS)
    return model
