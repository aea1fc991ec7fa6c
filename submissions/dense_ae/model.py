"""A quantised autoencoder 57-32-16-3-16-32-57; its score is the squared error of reconstruction.

Encoder, decoder and the arithmetic of the score are in the graph. `train.py` made the weights.
"""

from __future__ import annotations

from pathlib import Path

import keras
from hgq.config import QuantizerConfigScope
from hgq.layers import QDense

from harness import heads

WEIGHTS = Path(__file__).with_name("autoencoder.weights.h5")
WIDTHS = (32, 16, 3, 16, 32)

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
# Word of what reconstruction leaves over of each input: 32 spreads either way.
ERROR_WORD = "fixed<9,6>"


def autoencoder() -> tuple[keras.KerasTensor, keras.KerasTensor, keras.KerasTensor]:
    """Return the input, the scaled event and its reconstruction."""
    inputs = keras.Input((57,), name="event")
    x = heads.input_words(inputs, INPUT_WORDS)
    x = heads.limit(x, LIMITS)
    x = heads.scale(x, EXPONENTS)
    scaled = x
    with (
        QuantizerConfigScope(place="datalane", overflow_mode="SAT", i0=6, f0=2),
        QuantizerConfigScope(place="weight", b0=5, i0=0),
        QuantizerConfigScope(place="bias", overflow_mode="SAT", b0=6, i0=1),
    ):
        for number, width in enumerate(WIDTHS, start=1):
            # The bottleneck is linear, as in the publication.
            activation = "linear" if width == min(WIDTHS) else "relu"
            x = QDense(width, activation=activation, name=f"dense_{number}")(x)
        reconstruction = QDense(57, name="reconstruction")(x)
    return inputs, scaled, reconstruction


def network() -> keras.Model:
    """Return the trained network: 57 inputs, one anomaly score."""
    inputs, scaled, reconstruction = autoencoder()
    score = heads.mean_squared_error(scaled, reconstruction, word=ERROR_WORD)
    model = keras.Model(inputs, score, name="dense_ae")
    model.load_weights(WEIGHTS)
    return model
