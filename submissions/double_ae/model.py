"""Two decorrelated autoencoders; the score is the smaller of their squared errors.

One sees the momenta of MET and leptons, the other those of jets. They are trained together with a
penalty on the distance correlation of the two errors, so that on background they err on different
events. What both find strange is selected, which is region A of an ABCD estimate; `train.py` writes
how well that estimate closes to `closure.json`.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from hgq.config import QuantizerConfigScope
from hgq.layers import QDense, QMinimum

from harness import heads

WEIGHTS = Path(__file__).with_name("autoencoders.weights.h5")

INPUT_WORDS = ("ufixed<15,13>", "fixed<8,4>", "fixed<8,3>")
N_OBJECTS = 19
# pT to 1022 GeV in steps of 2 GeV.
LIMIT = "ufixed<9,10>"
# Powers of two near 1/spread of pT in each slot: MET, 4 electrons, 4 muons, 10 jets.
PT_EXPONENTS = (-4, *(-4, -3, -2, -1) * 2, -5, -5, -4, -4, -3, -3, -2, -2, -1, -1)
# Objects that each autoencoder sees: MET and leptons, jets.
SEEN = {"first": slice(0, 9), "second": slice(9, 19)}
WIDTHS = (12, 3, 12)
# Word of what reconstruction leaves over of each momentum: 32 spreads either way; of the errors.
RESIDUAL_WORD = "fixed<9,6>"
ERROR_WORD = "ufixed<16,12>"


def momenta() -> tuple[keras.KerasTensor, list[keras.KerasTensor]]:
    """Return the input, and the scaled momenta that each autoencoder sees."""
    inputs = keras.Input((57,), name="event")
    words = heads.input_words(inputs, INPUT_WORDS)
    seen = []
    for name, objects in SEEN.items():
        chosen = heads.combine(words, np.eye(3 * N_OBJECTS)[:, ::3][:, objects], name=name)
        limited = heads.limit(chosen, [LIMIT], name=f"{name}_limit")
        seen.append(heads.scale(limited, PT_EXPONENTS[objects], name=f"{name}_scale"))
    return inputs, seen


def autoencoder(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Return a reconstruction of the momenta."""
    n_momenta = x.shape[-1]
    with (
        QuantizerConfigScope(place="datalane", overflow_mode="SAT", i0=6, f0=2),
        QuantizerConfigScope(place="weight", b0=5, i0=0),
        QuantizerConfigScope(place="bias", overflow_mode="SAT", b0=6, i0=1),
    ):
        for number, width in enumerate(WIDTHS, start=1):
            activation = "linear" if width == min(WIDTHS) else "relu"
            x = QDense(width, activation=activation, name=f"{name}_{number}")(x)
        return QDense(n_momenta, name=f"{name}_reconstruction")(x)


def errors(
    seen: list[keras.KerasTensor], reconstructions: list[keras.KerasTensor]
) -> list[keras.KerasTensor]:
    """Return the squared error of each autoencoder, as the chip computes it."""
    found = []
    for name, momenta_, reconstruction in zip(SEEN, seen, reconstructions, strict=True):
        error = heads.mean_squared_error(
            momenta_, reconstruction, word=RESIDUAL_WORD, name=f"{name}_error"
        )
        found.append(heads.quantise(error, ERROR_WORD, name=f"{name}_rounded"))
    return found


def network() -> keras.Model:
    """Return the trained network: 57 inputs, one anomaly score."""
    inputs, seen = momenta()
    reconstructions = [autoencoder(x, name) for x, name in zip(seen, SEEN, strict=True)]
    score = QMinimum(enable_iq=False, name="score")(errors(seen, reconstructions))
    model = keras.Model(inputs, score, name="double_ae")
    model.load_weights(WEIGHTS)
    return model
