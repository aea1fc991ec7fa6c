"""A window of the jet mass around the top quark: how far the mass is from its peak."""

from __future__ import annotations

import keras
from keras import ops

from harness import heads

# The peak of the mass of top jets [GeV].
TOP_GEV = 173.0
N_CONSTITUENTS = 200


def network() -> keras.Model:
    """Return the network: the constituents of a jet, one score."""
    inputs = keras.Input((N_CONSTITUENTS, 3), name="jet")
    return keras.Model(inputs, -ops.abs(heads.jet_mass(inputs) - TOP_GEV), name="jets_mass_window")
