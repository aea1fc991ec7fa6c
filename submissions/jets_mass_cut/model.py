"""A cut on the jet mass: QCD jets are light."""

from __future__ import annotations

import keras

from harness import heads

N_CONSTITUENTS = 200


def network() -> keras.Model:
    """Return the network: the constituents of a jet, one score."""
    inputs = keras.Input((N_CONSTITUENTS, 3), name="jet")
    return keras.Model(inputs, heads.jet_mass(inputs), name="jets_mass_cut")
