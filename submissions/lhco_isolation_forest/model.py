"""An isolation forest over four observables of the two leading jets."""

from __future__ import annotations

from pathlib import Path

import joblib
import numpy as np
from numpy.typing import NDArray

from harness.jets import dijet_features, dijet_observables

FOREST = Path(__file__).with_name("forest.joblib")

_forest = joblib.load(FOREST)


def score(events: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the anomaly score of each event, from 0 to 1; higher = isolated by fewer cuts.

    Parameters
    ----------
    events : ndarray of float32, shape (n, 100, 3)
        pT [GeV], eta, phi [rad] of particles by falling pT.
    """
    observables = dijet_observables(dijet_features(events))
    inputs = np.column_stack([np.log1p(observables[:, :2]), observables[:, 2:4]])
    return -_forest.score_samples(inputs)
