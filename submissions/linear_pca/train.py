"""Find the principal components of the scaled momenta; seconds, and no gradient.

Run it in this folder: ``python train.py``. The training part of the background alone is read.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "_kit"))

import kit
import numpy as np
from model import WEIGHTS

N_KEPT = 6
# Rounding of the components, and the largest power of two by which a momentum [GeV] is multiplied:
# without a bound, one soft fourth lepton would lie a hundred spreads out.
STEP = 2.0**-5
EXPONENTS = (-6, 1)


def train(settings: kit.Settings) -> None:
    """Find the components that are dropped and write them."""
    momenta = kit.background(settings).training[:, ::3].astype(np.float64)
    spreads = np.maximum(momenta.std(axis=0), 1e-3)
    exponents = np.clip(np.round(-np.log2(spreads)), *EXPONENTS).astype(int)
    _, components = np.linalg.eigh(np.cov((momenta * np.exp2(exponents)).T))
    # Eigenvalues rise: the last ones are kept, that is, not scored.
    dropped = components[:, :-N_KEPT]
    np.savez(settings.output, exponents=exponents, dropped=np.round(dropped / STEP) * STEP)


if __name__ == "__main__":
    kit.run(train, output=WEIGHTS, description=__doc__, n_events=900_000, n_epochs=1)
