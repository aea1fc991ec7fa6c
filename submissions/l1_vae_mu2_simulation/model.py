"""The encoder of a quantised variational autoencoder; its score is the sum of the squared means.

`size.json` has the widths and the source of the training events, so that l1_vae_mu2 and
l1_vae_mu2_simulation are one model. `train.py` made the weights.
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

# Hardware integers of 50 objects, as they arrive.
INPUT_WORDS = ("ufixed<12,12>", "fixed<9,9>", "ufixed<10,10>")
N_OBJECTS = 50
# What the encoder sees: momenta to 511 GeV in the steps of the hardware, all angles.
LIMITS = ("ufixed<10,10>", "fixed<9,9>", "ufixed<10,10>")
# Powers of two near 1/spread of pT, eta and phi, by kind: MET, muons, jets, e/gamma, taus. A muon's
# angles have eight and four times as fine steps as those of the others.
EXPONENTS = (
    *(-6, -7, -7),
    *(-4, -8, -9) * 4,
    *(-5, -6, -7) * 10,
    *(-4, -6, -7) * 12,
    *(-4, -6, -7) * 12,
)
LATENT_WORD = "fixed<11,8>"


def encoder() -> tuple[keras.KerasTensor, keras.KerasTensor, keras.KerasTensor]:
    """Return the input, the last hidden layer and the means of the latent space."""
    inputs = keras.Input((3 * N_OBJECTS,), name="event")
    words = heads.input_words(inputs, INPUT_WORDS)
    chosen = heads.select(words, heads.CMSL1T_ROWS)
    x = heads.scale(heads.limit(chosen, LIMITS), EXPONENTS)
    # Left alone, training takes integer bits off values that are rare, and so off the tail.
    with (
        QuantizerConfigScope(place="datalane", overflow_mode="SAT", i0=8, ic=Min(8), f0=2),
        QuantizerConfigScope(place="weight", b0=5, i0=0),
        QuantizerConfigScope(place="bias", overflow_mode="SAT", b0=6, i0=1),
    ):
        for number, width in enumerate(SIZE["hidden"], start=1):
            x = QDense(width, activation="relu", name=f"hidden_{number}")(x)
        mu = QDense(SIZE["latent"], name="mu")(x)
    return inputs, x, mu


def network() -> keras.Model:
    """Return the trained network: 150 inputs, one anomaly score."""
    inputs, _, mu = encoder()
    model = keras.Model(inputs, heads.sum_of_squares(mu, word=LATENT_WORD), name="l1_vae_mu2")
    model.load_weights(WEIGHTS)
    return model
