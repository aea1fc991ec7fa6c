"""A quantised convolutional autoencoder on (19, 3, 1) with a dense decoder; squared error.

The publication has 16 and 32 filters and a decoder of transposed convolutions, which HGQ2 has not;
this smaller sibling decodes by two dense layers. `train.py` made the weights.
"""

from __future__ import annotations

from pathlib import Path

import keras
from hgq.config import QuantizerConfigScope
from hgq.layers import QConv2D, QDense

from harness import heads

WEIGHTS = Path(__file__).with_name("autoencoder.weights.h5")
FILTERS = (8, 16)
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
    with (
        QuantizerConfigScope(place="datalane", overflow_mode="SAT", i0=6, f0=2),
        QuantizerConfigScope(place="weight", b0=5, i0=0),
        QuantizerConfigScope(place="bias", overflow_mode="SAT", b0=6, i0=1),
    ):
        # Strides take the place of the publication's pooling, whose sums would only be dropped.
        x = QConv2D(FILTERS[0], (3, 3), strides=(2, 1), activation="relu", name="conv_1")(x)
        x = QConv2D(FILTERS[1], (3, 1), strides=(3, 1), activation="relu", name="conv_2")(x)
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
