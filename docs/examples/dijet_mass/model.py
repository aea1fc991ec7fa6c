"""The invariant mass of the two leading jets, in GeV, as a network without training.

For massless jets m² = 2 pT1 pT2 (cosh Δη - cos Δφ). Cosh, cos and the root are lookup tables, the
rest is sums and products. An event with fewer than two jets has the mass 0.
"""

from __future__ import annotations

import keras
import numpy as np

from harness import heads

# pT [GeV], eta, phi as they reach the chip: every event that the LHC can make fits.
INPUT_WORDS = ("ufixed<15,13>", "fixed<8,4>", "fixed<8,3>")
# Rows of an event: MET, 4 electrons, 4 muons, 10 jets, each with pT, eta, phi.
LEADING, SECOND = 3 * 9, 3 * 10
# Momenta to 2046 GeV in steps of 2 GeV; their product to 10^6 GeV² in steps of 256 GeV².
MOMENTUM, PRODUCT = "ufixed<10,11>", "ufixed<12,20>"
# Differences of directions, and what the tables give: cosh Δη saturates at |Δη| = 6.2.
DELTA_ETA, COSH = "fixed<9,5>", "ufixed<12,8>"
DELTA_PHI, COS = "fixed<9,4>", "fixed<8,2>"
ANGLES = "ufixed<12,8>"
# m² to 4.1 TeV squared in 1,024 steps.
SQUARED_MASS, MASS = "ufixed<10,24>", "ufixed<12,12>"


def pick(x: keras.KerasTensor, factors: dict[int, float], name: str) -> keras.KerasTensor:
    """Return the sum of some inputs, each times a factor."""
    column = np.zeros((57, 1))
    column[list(factors)] = np.reshape(list(factors.values()), (-1, 1))
    return heads.combine(x, column, name=name)


def network() -> keras.Model:
    """Return the network: 57 inputs, the mass as the score."""
    inputs = keras.Input((57,), name="event")
    x = heads.input_words(inputs, INPUT_WORDS)
    momenta = [pick(x, {jet: 1}, f"pt_{jet}") for jet in (LEADING, SECOND)]
    product = heads.multiply(*momenta, words=(MOMENTUM, MOMENTUM), name="momenta")

    delta_eta = pick(x, {LEADING + 1: 1, SECOND + 1: -1}, "delta_eta")
    delta_phi = pick(x, {LEADING + 2: 1, SECOND + 2: -1}, "delta_phi")
    cosh = heads.table(delta_eta, np.cosh, word=DELTA_ETA, output=COSH, name="cosh")
    cos = heads.table(delta_phi, np.cos, word=DELTA_PHI, output=COS, name="cos")
    both = keras.layers.Concatenate(name="both")([cosh, cos])
    angles = heads.combine(both, [[1], [-1]], name="angles")

    half = heads.multiply(product, angles, words=(PRODUCT, ANGLES), name="half_squared_mass")
    squared = heads.scale(half, [1], name="squared_mass")
    mass = heads.table(squared, np.sqrt, word=SQUARED_MASS, output=MASS, name="mass")
    return keras.Model(inputs, mass, name="dijet_mass")
