"""How many prongs a jet has: the ratio of tau_3 to tau_2, small for three."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.jets import subjettiness

RADIUS = 1.0


def score(events: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return minus the ratio.

    Parameters
    ----------
    events : ndarray of float32, shape (n, 200, 3)
        pT [GeV], eta, phi [rad] of constituents.

    Returns
    -------
    ndarray of float64, shape (n,)
        Higher = more like three prongs.
    """
    tau2, tau3 = subjettiness(events, (2, 3), radius=RADIUS).T
    return -np.divide(tau3, tau2, out=np.zeros_like(tau3), where=tau2 > 0)
