"""A contrastive encoder, and an autoencoder on its space; the score is the latter's squared error.

The encoder learnt to give two views of one event the same place and different events different
ones; the autoencoder learnt which places ordinary events take. Both are on the chip.
"""

from __future__ import annotations

from pathlib import Path

import keras
from hgq.config import QuantizerConfigScope
from hgq.layers import QDense

from harness import heads

WEIGHTS = Path(__file__).with_name("network.weights.h5")

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
N_SPACE = 6
# Word of what reconstruction leaves over of each coordinate of the space.
ERROR_WORD = "fixed<10,7>"


def encoder() -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the input and the event's place in the contrastive space."""
    inputs = keras.Input((57,), name="event")
    x = heads.input_words(inputs, INPUT_WORDS)
    x = heads.limit(x, LIMITS)
    x = heads.scale(x, EXPONENTS)
    with (
        QuantizerConfigScope(place="datalane", overflow_mode="SAT", i0=6, f0=2),
        QuantizerConfigScope(place="weight", b0=5, i0=0),
        QuantizerConfigScope(place="bias", overflow_mode="SAT", b0=6, i0=1),
    ):
        x = QDense(32, activation="relu", name="hidden_1")(x)
        x = QDense(16, activation="relu", name="hidden_2")(x)
        place = QDense(N_SPACE, name="space")(x)
    return inputs, place


def autoencoder(place: keras.KerasTensor) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the place as the autoencoder sees it, and its reconstruction."""
    seen = heads.quantise(place, "fixed<10,7>", name="place")
    with (
        QuantizerConfigScope(place="datalane", overflow_mode="SAT", i0=6, f0=3),
        QuantizerConfigScope(place="weight", b0=6, i0=0),
        QuantizerConfigScope(place="bias", overflow_mode="SAT", b0=7, i0=2),
    ):
        x = QDense(8, activation="relu", name="encode")(seen)
        x = QDense(2, name="bottleneck")(x)
        x = QDense(8, activation="relu", name="decode")(x)
        reconstruction = QDense(N_SPACE, name="reconstruction")(x)
    return seen, reconstruction


def network() -> keras.Model:
    """Return the trained network: 57 inputs, one anomaly score."""
    inputs, place = encoder()
    seen, reconstruction = autoencoder(place)
    score = heads.mean_squared_error(seen, reconstruction, word=ERROR_WORD)
    model = keras.Model(inputs, score, name="contrastive")
    model.load_weights(WEIGHTS)
    return model
