"""An isolation forest over the 57 values of an event; the open division's example."""

from __future__ import annotations

from pathlib import Path

import joblib
import numpy as np
from numpy.typing import NDArray

FOREST = Path(__file__).with_name("forest.joblib")

_forest = joblib.load(FOREST)


def score(events: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the anomaly score of each event, from 0 to 1.

    Parameters
    ----------
    events : ndarray of float32, shape (n, 19, 3)
        pT [GeV], eta, phi [rad].

    Returns
    -------
    ndarray of float64, shape (n,)
        Higher = isolated by fewer cuts = more anomalous.
    """
    return -_forest.score_samples(events.reshape(len(events), -1))
