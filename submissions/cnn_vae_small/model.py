"""A quantised convolutional variational encoder on (19, 3, 1); the score is the sum of mu^2.

Strides take the place of the publication's pooling; decoder and variances exist in training alone.
The sizes stand in `size.json`, so that cnn_vae and cnn_vae_small are one model in two sizes: their
`model.py` and `train.py` are the same files. `train.py` made the weights.
"""

from __future__ import annotations

import json
from pathlib import Path

import keras
from hgq.config import QuantizerConfigScope
from hgq.layers import QConv2D, QDense

from harness import heads

FOLDER = Path(__file__).parent
WEIGHTS = FOLDER / "encoder.weights.h5"
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
LATENT_WORD = "fixed<11,8>"


def encoder() -> tuple[keras.KerasTensor, keras.KerasTensor, keras.KerasTensor]:
    """Return the input, the last hidden values and the means of the latent space."""
    inputs = keras.Input((19, 3, 1), name="event")
    x = keras.layers.Reshape((57,), name="flat")(inputs)
    x = heads.input_words(x, INPUT_WORDS)
    x = heads.limit(x, LIMITS)
    x = heads.scale(x, EXPONENTS)
    x = keras.layers.Reshape((19, 3, 1), name="image")(x)
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
        hidden = QDense(8, activation="relu", name="hidden")(x)
        mu = QDense(N_LATENT, name="mu")(hidden)
    return inputs, hidden, mu


def network() -> keras.Model:
    """Return the trained network: one event of shape (19, 3, 1), one anomaly score."""
    inputs, _, mu = encoder()
    model = keras.Model(inputs, heads.sum_of_squares(mu, word=LATENT_WORD), name="cnn_vae")
    model.load_weights(WEIGHTS)
    return model
