"""Grow the forest of `model.py` from the training part of the background; no signal is read.

Run it in this folder: ``python train.py``. It takes some seconds and writes `forest.joblib`. The
trees come out the same on every machine; the file holds scikit-learn's version and can be read by
that version alone, for certain.
"""

from __future__ import annotations

import argparse

import joblib
import numpy as np
from sklearn.ensemble import IsolationForest

from harness.data import training_events

SEED = 57
N_EVENTS = 100_000
N_TREES = 100


def main() -> None:
    """Read the command line, grow the forest, write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--challenge", default="sample")
    challenge = parser.parse_args().challenge
    events = np.asarray(training_events(challenge)[:N_EVENTS]).reshape(N_EVENTS, -1)
    forest = IsolationForest(n_estimators=N_TREES, random_state=SEED).fit(events)
    joblib.dump(forest, "forest.joblib", compress=("xz", 9))


if __name__ == "__main__":
    main()
