"""An isolation forest on mass, N-subjettiness and energy correlators; `train.py` grew it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness import heads
from harness.jets import substructure

WEIGHTS = Path(__file__).with_name("forest.npz")
RADIUS = 1.0


def score(events: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return minus the sum of the paths.

    Parameters
    ----------
    events : ndarray of float32, shape (n, 200, 3)
        pT [GeV], eta, phi [rad] of constituents.

    Returns
    -------
    ndarray of float64, shape (n,)
        Higher = isolated by fewer cuts = more anomalous.
    """
    return heads.tree_scores(WEIGHTS, substructure(events, radius=RADIUS))
