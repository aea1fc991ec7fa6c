"""How many prongs a jet has: the ratio of tau_3 to tau_2, small for three."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.jets import SUBSTRUCTURE, substructure

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
    return -substructure(events, radius=RADIUS)[:, SUBSTRUCTURE.index("tau32")]
