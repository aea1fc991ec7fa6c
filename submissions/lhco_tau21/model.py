"""Two-pronged jets with a mass: tau2/tau1 of both leading jets, above 60 GeV each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.jets import dijet_features, dijet_observables

MIN_MASS_GEV = 60.0


def score(events: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how two-pronged the two leading jets are; shape (n,), higher = more.

    A jet below 60 GeV has a small tau2/tau1 by chance: an event with one is put behind all others.

    Parameters
    ----------
    events : ndarray of float32, shape (n, 100, 3)
        pT [GeV], eta, phi [rad] of particles by falling pT.
    """
    observables = dijet_observables(dijet_features(events))
    prongs = 2.0 - observables[:, 2] - observables[:, 3]
    return np.where(observables[:, 0] > MIN_MASS_GEV, prongs, prongs - 10.0)
