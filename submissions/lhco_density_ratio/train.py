"""Estimate the two densities of `model.py` from the mixture of background and some signal.

Run it in this folder: ``python train.py``.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "_kit"))

import lhco
import numpy as np
from model import WEIGHTS, inputs
from sklearn.mixture import GaussianMixture

# The region has a seventh of the events of the bands.
N_COMPONENTS = {"region": 6, "bands": 8}


def train(settings: lhco.Settings) -> None:
    """Fit and write both mixtures."""
    observables = lhco.mixture(settings)
    sides = {
        "region": observables[lhco.in_region(observables)],
        "bands": observables[lhco.in_bands(observables)],
    }
    every = np.concatenate([inputs(side) for side in sides.values()])
    mean, spread = every.mean(axis=0), every.std(axis=0)
    found = {}
    for name, side in sides.items():
        fitted = GaussianMixture(
            N_COMPONENTS[name], reg_covar=1e-3, n_init=5, random_state=settings.seed
        ).fit((inputs(side) - mean) / spread)
        for letter, value in zip("wmc", (fitted.weights_, fitted.means_, fitted.covariances_),
                                 strict=True):  # fmt: skip
            found[f"{name}_{letter}"] = value
    np.savez_compressed(settings.output, mean=mean, spread=spread, **found)


if __name__ == "__main__":
    lhco.run(train, output=WEIGHTS, description=__doc__)
