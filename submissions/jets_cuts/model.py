"""Cuts on a window of the mass and on tau3/tau2, tightened together.

Each figure is turned into the share of top jets that look less like a top; the score is the lesser
of the two. A cut on it keeps a box whose sides cost the same share of tops. `train.py` made the
tables.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.jets import jet_mass, subjettiness

WEIGHTS = Path(__file__).with_name("tables.npz")

# The peak of the mass of top jets [GeV].
TOP_GEV = 173.0


def likeness(jets: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return two figures that are larger for tops; shape (n, 2)."""
    tau2, tau3 = subjettiness(jets, (2, 3)).T
    ratio = np.divide(tau3, tau2, out=np.zeros_like(tau3), where=tau2 > 0)
    return np.column_stack([-np.abs(jet_mass(jets) - TOP_GEV), -ratio])


def score(events: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the lesser of two shares of tops.

    Parameters
    ----------
    events : ndarray of float32, shape (n, 200, 3)
        pT [GeV], eta, phi [rad] of constituents.

    Returns
    -------
    ndarray of float64, shape (n,)
        Higher = more like a top; 0 to 1, and below 0 outside of the table.
    """
    with np.load(WEIGHTS) as tables:
        quantiles, shares = tables["quantiles"], tables["shares"]
    found = likeness(events)
    columns = [np.interp(found[:, i], quantiles[i], shares) for i in range(len(quantiles))]
    # Beyond the table only the mass tells jets apart.
    return np.min(columns, axis=0) + 1e-6 * found[:, 0]
