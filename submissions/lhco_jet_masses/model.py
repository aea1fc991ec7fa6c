"""The masses of the two leading jets: the heavier, the more anomalous."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.jets import dijet_features, dijet_observables


def score(events: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the geometric mean of the two masses [GeV]; shape (n,).

    Parameters
    ----------
    events : ndarray of float32, shape (n, 100, 3)
        pT [GeV], eta, phi [rad] of particles by falling pT.
    """
    lighter, difference = dijet_observables(dijet_features(events))[:, :2].T
    return np.sqrt(lighter * (lighter + difference))
