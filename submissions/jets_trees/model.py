"""Boosted trees on mass, N-subjettiness and N2; `train.py` grew them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness import heads
from harness.jets import substructure

WEIGHTS = Path(__file__).with_name("forest.npz")


def score(events: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the sum of the trees.

    Parameters
    ----------
    events : ndarray of float32, shape (n, 200, 3)
        pT [GeV], eta, phi [rad] of constituents.

    Returns
    -------
    ndarray of float64, shape (n,)
        Higher = more like a top.
    """
    return heads.tree_scores(WEIGHTS, substructure(events))
