"""The encoder of a quantised variational autoencoder; its score is the sum of the squared means.

The sizes stand in `size.json`, so that the entries dense_vae_mu2 and dense_vae_mu2_* are one model
in several sizes: their `model.py` and `train.py` are the same files.
"""

from __future__ import annotations

import json
from pathlib import Path

import keras
from hgq.config import QuantizerConfigScope
from hgq.constraints import Min
from hgq.layers import QDense

from harness import heads

FOLDER = Path(__file__).parent
WEIGHTS = FOLDER / "encoder.weights.h5"
SIZE = json.loads((FOLDER / "size.json").read_text(encoding="utf-8"))

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
LATENT_WORD = "fixed<11,8>"


def encoder() -> tuple[keras.KerasTensor, keras.KerasTensor, keras.KerasTensor]:
    """Return the input, the last hidden layer and the means of the latent space."""
    inputs = keras.Input((57,), name="event")
    x = heads.input_words(inputs, INPUT_WORDS)
    x = heads.limit(x, LIMITS)
    x = heads.scale(x, EXPONENTS)
    bits, lane = SIZE["weight_bits"], {"i0": 6, "f0": SIZE["data_fraction"]}
    if "min_integer_bits" in SIZE:
        # Left alone, training takes integer bits off values that are rare, and so off the tail.
        lane |= {"i0": SIZE["min_integer_bits"], "ic": Min(SIZE["min_integer_bits"])}
    with (
        QuantizerConfigScope(place="datalane", overflow_mode="SAT", **lane),
        QuantizerConfigScope(place="weight", b0=bits, i0=0),
        QuantizerConfigScope(place="bias", overflow_mode="SAT", b0=bits + 1, i0=1),
    ):
        for number, width in enumerate(SIZE["hidden"], start=1):
            x = QDense(width, activation="relu", name=f"hidden_{number}")(x)
        mu = QDense(SIZE["latent"], name="mu")(x)
    return inputs, x, mu


def network() -> keras.Model:
    """Return the trained network: 57 inputs, one anomaly score."""
    inputs, _, mu = encoder()
    model = keras.Model(inputs, heads.sum_of_squares(mu, word=LATENT_WORD), name="dense_vae_mu2")
    model.load_weights(WEIGHTS)
    return model
