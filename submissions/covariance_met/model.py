"""How rare MET is, and how rare the momenta are together: the sum of the squares of both.

The momenta of the 19 objects, on a logarithmic scale, are decorrelated by a fixed matrix; the
squared length of what comes out is the distance M of an event from ordinary ones (Mahalanobis). It
is large where a slot is filled that seldom is: a fourth lepton. MET is large where M says little.
Both are put on one scale: a sum of two terms that follows -ln of the share of background beyond.

`train.py` fitted matrix and scales to the background, and rounded them to few bits.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from harness import heads

WEIGHTS = Path(__file__).with_name("weights.npz")

INPUT_WORDS = ("ufixed<15,13>", "fixed<8,4>", "fixed<8,3>")
N_OBJECTS = 19
# Momenta saturate at 255 GeV on the logarithmic scale ln(1 + pT / 8 GeV).
LOG_EXPONENT, LOG_ADDRESS, LOG_WORD = -3, "ufixed<8,5>", "ufixed<7,2>"
# Decorrelated momenta, in units of their spread: to 511 either way.
SPREAD_WORD = "fixed<10,10>"
# M to 262,000 in steps of 256, and ln(1 + M / 16) up to M = 4,080.
DISTANCE_WORD, DISTANCE_EXPONENT = "ufixed<10,18>", -4
DISTANCE_ADDRESS, DISTANCE_LOG = "ufixed<8,8>", "ufixed<8,3>"
# MET to 1,023 GeV, and MET up to 127 GeV.
MET_WORD, LOW_MET_WORD = "ufixed<10,10>", "ufixed<7,7>"
RARITY_WORD = "fixed<11,6>"


def log_momenta(words: keras.KerasTensor) -> keras.KerasTensor:
    """Return ln(1 + pT / 8 GeV) of all objects."""
    momenta = heads.combine(words, np.eye(3 * N_OBJECTS)[:, ::3], name="momenta")
    scaled = heads.scale(momenta, [LOG_EXPONENT], name="scale")
    return heads.table(scaled, "log1p", word=LOG_ADDRESS, output=LOG_WORD, name="log_momenta")


def distance(logs: keras.KerasTensor, matrix: np.ndarray) -> keras.KerasTensor:
    """Return M, the sum of the squares of the decorrelated momenta."""
    spreads = heads.combine(logs, matrix, name="decorrelated")
    return heads.sum_of_squares(spreads, word=SPREAD_WORD, name="distance")


def terms(words: keras.KerasTensor, matrix: np.ndarray) -> keras.KerasTensor:
    """Return MET, MET up to 127 GeV, M, and ln(1 + M / 16) up to a bound; shape (n, 4)."""
    met = heads.combine(words, np.eye(3 * N_OBJECTS)[:, :1], name="met")
    far = distance(log_momenta(words), matrix)
    near = heads.scale(far, [DISTANCE_EXPONENT], name="scale_distance")
    return keras.layers.Concatenate(name="terms")(
        [
            heads.limit(met, [MET_WORD], name="high_met"),
            heads.limit(met, [LOW_MET_WORD], name="low_met"),
            heads.limit(far, [DISTANCE_WORD], name="far"),
            heads.table(
                near, "log1p", word=DISTANCE_ADDRESS, output=DISTANCE_LOG, name="log_distance"
            ),
        ]
    )


def network() -> keras.Model:
    """Return the network: 57 inputs, one anomaly score."""
    with np.load(WEIGHTS) as weights:
        matrix, scales = weights["matrix"], weights["scales"]
    inputs = keras.Input((57,), name="event")
    words = heads.input_words(inputs, INPUT_WORDS)
    rarities = heads.combine(terms(words, matrix), scales, name="rarities")
    score = heads.sum_of_squares(rarities, word=RARITY_WORD)
    return keras.Model(inputs, score, name="covariance_met")
