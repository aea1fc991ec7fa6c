"""A quantised autoencoder of 117 values; its score is the squared error of reconstruction.

Encoder, decoder and the arithmetic of the score are in the graph. `size.json` has the widths, so
that l1_dense_ae and l1_tiny_ae are one model in two sizes. `train.py` made the weights.
"""

from __future__ import annotations

import json
from pathlib import Path

import keras
from hgq.config import QuantizerConfigScope
from hgq.layers import QDense

from harness import heads

FOLDER = Path(__file__).parent
WEIGHTS = FOLDER / "autoencoder.weights.h5"
WIDTHS = json.loads((FOLDER / "size.json").read_text(encoding="utf-8"))["widths"]

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
# Word of what reconstruction leaves over of each input: 32 spreads either way.
ERROR_WORD = "fixed<9,6>"


def autoencoder() -> tuple[keras.KerasTensor, keras.KerasTensor, keras.KerasTensor]:
    """Return the input, the scaled objects and their reconstruction."""
    inputs = keras.Input((3 * N_OBJECTS,), name="event")
    words = heads.input_words(inputs, INPUT_WORDS)
    chosen = heads.select(words, heads.CMSL1T_ROWS)
    scaled = heads.scale(heads.limit(chosen, LIMITS), EXPONENTS)
    x = scaled
    with (
        QuantizerConfigScope(place="datalane", overflow_mode="SAT", i0=6, f0=2),
        QuantizerConfigScope(place="weight", b0=5, i0=0),
        QuantizerConfigScope(place="bias", overflow_mode="SAT", b0=6, i0=1),
    ):
        for number, width in enumerate(WIDTHS, start=1):
            # The bottleneck is linear.
            activation = "linear" if width == min(WIDTHS) else "relu"
            x = QDense(width, activation=activation, name=f"dense_{number}")(x)
        reconstruction = QDense(len(EXPONENTS), name="reconstruction")(x)
    return inputs, scaled, reconstruction


def network() -> keras.Model:
    """Return the trained network: 150 inputs, one anomaly score."""
    inputs, scaled, reconstruction = autoencoder()
    score = heads.mean_squared_error(scaled, reconstruction, word=ERROR_WORD)
    model = keras.Model(inputs, score, name="l1_autoencoder")
    model.load_weights(WEIGHTS)
    return model
