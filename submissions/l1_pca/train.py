"""Find the principal components of the scaled momenta; seconds, and no gradient.

Run it in this folder: ``python train.py``. The training part of the background alone is read.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "_kit"))

import kit
import level1
import numpy as np
from model import WEIGHTS

N_KEPT = 27
# Rounding of the components, and the largest power of two by which a momentum is multiplied.
STEP = 2.0**-5
EXPONENTS = (-7, 0)


def train(settings: kit.Settings) -> None:
    """Find the components that are dropped and write them."""
    momenta = level1.momenta(level1.background(settings).training).astype(np.float64)
    spreads = np.maximum(momenta.std(axis=0), 1e-3)
    exponents = np.clip(np.round(-np.log2(spreads)), *EXPONENTS).astype(int)
    _, components = np.linalg.eigh(np.cov((momenta * np.exp2(exponents)).T))
    # Eigenvalues rise: the last ones are kept, that is, not scored.
    dropped = components[:, :-N_KEPT]
    np.savez(settings.output, exponents=exponents, dropped=np.round(dropped / STEP) * STEP)


if __name__ == "__main__":
    level1.run(train, output=WEIGHTS, description=__doc__, n_epochs=1)
