"""A quantised convolutional autoencoder on (19, 3, 1) with a dense decoder; squared error.

The publication's decoder is of transposed convolutions, which HGQ2 has not; two dense layers take
its place. The sizes stand in `size.json`, so that cnn_ae and cnn_ae_small are one model in two
sizes: their `model.py` and `train.py` are the same files. `train.py` made the weights.
"""

from __future__ import annotations

import json
from pathlib import Path

import keras
from hgq.config import QuantizerConfigScope
from hgq.layers import QConv2D, QDense

from harness import heads

FOLDER = Path(__file__).parent
WEIGHTS = FOLDER / "autoencoder.weights.h5"
SIZE = json.loads((FOLDER / "size.json").read_text(encoding="utf-8"))
N_LATENT = 4

# pT [GeV], eta, phi as they arrive: every event that the LHC can make fits.
INPUT_WORDS = ("ufixed<15,13>", "fixed<8,4>", "fixed<8,3>")
LIMITS = ("ufixed<9,10>", "fixed<6,4>", "fixed<6,3>")
# Powers of two near 1/spread of pT in each slot: MET, 4 electrons, 4 muons, 10 jets.
PT_EXPONENTS = (-4, *(-4, -3, -2, -1) * 2, -5, -5, -4, -4, -3, -3, -2, -2, -1, -1)
ANGLE_EXPONENT = -2
EXPONENTS = tuple(
    exponent for pt in PT_EXPONENTS for exponent in (pt, ANGLE_EXPONENT, ANGLE_EXPONENT)
)
# Word of what reconstruction leaves over of each input: 32 spreads either way.
ERROR_WORD = "fixed<9,6>"


def autoencoder() -> tuple[keras.KerasTensor, keras.KerasTensor, keras.KerasTensor]:
    """Return the input, the scaled event and its reconstruction, flat."""
    inputs = keras.Input((19, 3, 1), name="event")
    x = keras.layers.Reshape((57,), name="flat")(inputs)
    x = heads.input_words(x, INPUT_WORDS)
    x = heads.limit(x, LIMITS)
    scaled = heads.scale(x, EXPONENTS)
    x = keras.layers.Reshape((19, 3, 1), name="image")(scaled)
    (first, second), bits = SIZE["filters"], SIZE["weight_bits"]
    with (
        QuantizerConfigScope(place="datalane", overflow_mode="SAT", i0=6, f0=2),
        QuantizerConfigScope(place="weight", b0=bits, i0=0),
        QuantizerConfigScope(place="bias", overflow_mode="SAT", b0=bits + 1, i0=1),
    ):
        # Strides take the place of the publication's pooling, whose sums would only be dropped.
        x = QConv2D(first, (3, 3), strides=(2, 1), activation="relu", name="conv_1")(x)
        x = QConv2D(second, (3, 1), strides=(3, 1), activation="relu", name="conv_2")(x)
        x = keras.layers.Reshape((x.shape[1] * x.shape[3],), name="features")(x)
        x = QDense(N_LATENT, name="bottleneck")(x)
        x = QDense(16, activation="relu", name="decode")(x)
        reconstruction = QDense(57, name="reconstruction")(x)
    return inputs, scaled, reconstruction


def network() -> keras.Model:
    """Return the trained network: one event of shape (19, 3, 1), one anomaly score."""
    inputs, scaled, reconstruction = autoencoder()
    score = heads.mean_squared_error(scaled, reconstruction, word=ERROR_WORD)
    model = keras.Model(inputs, score, name="cnn_ae")
    model.load_weights(WEIGHTS)
    return model
