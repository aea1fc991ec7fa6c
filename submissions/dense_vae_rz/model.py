"""The encoder 57-32-16-3 of a quantised variational autoencoder, with means and variances.

Its score is R_z, the sum of the squared means over their variances.
The decoder exists in training alone. `train.py` made the weights.
"""

from __future__ import annotations

from pathlib import Path

import keras
from hgq.config import QuantizerConfigScope
from hgq.layers import QDense

from harness import heads

WEIGHTS = Path(__file__).with_name("encoder.weights.h5")

# pT [GeV], eta, phi as they arrive: every event that the LHC can make fits.
INPUT_WORDS = ("ufixed<15,13>", "fixed<8,4>", "fixed<8,3>")
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
# R_z grows with both, and its sum may have 24 bits: mu to 32, mu^2 to 1024, 1/sigma^2 to 32.
LATENT_WORD = "fixed<9,6>"
SQUARE_WORD = "ufixed<11,10>"
INVERSE_WORD = "ufixed<9,5>"


def encoder() -> tuple[keras.KerasTensor, keras.KerasTensor, keras.KerasTensor]:
    """Return the input, the means and the logarithms of the variances."""
    inputs = keras.Input((57,), name="event")
    x = heads.input_words(inputs, INPUT_WORDS)
    x = heads.limit(x, LIMITS)
    x = heads.scale(x, EXPONENTS)
    with (
        QuantizerConfigScope(place="datalane", overflow_mode="SAT", i0=6, f0=2),
        QuantizerConfigScope(place="weight", b0=5, i0=0),
        QuantizerConfigScope(place="bias", overflow_mode="SAT", b0=6, i0=1),
    ):
        for number, width in enumerate((32, 16), start=1):
            x = QDense(width, activation="relu", name=f"hidden_{number}")(x)
        mu = QDense(3, name="mu")(x)
        log_variance = QDense(3, name="log_variance")(x)
    return inputs, mu, log_variance


def score(mu: keras.KerasTensor, log_variance: keras.KerasTensor) -> keras.KerasTensor:
    """Return the score that the chip computes."""
    return heads.r_z(
        mu, log_variance, word=LATENT_WORD, square_word=SQUARE_WORD, inverse_word=INVERSE_WORD
    )


def network() -> keras.Model:
    """Return the trained network: 57 inputs, one anomaly score."""
    inputs, mu, log_variance = encoder()
    model = keras.Model(inputs, score(mu, log_variance), name="dense_vae_rz")
    model.load_weights(WEIGHTS)
    return model
