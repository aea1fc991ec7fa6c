"""Find which share of top jets each cut keeps.

Run it in this folder: ``python train.py``. The training parts are read; a minute.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "_kit"))

import jets
import kit
import numpy as np
from model import WEIGHTS, likeness

# Entries of each table.
N_QUANTILES = 501


def train(settings: kit.Settings) -> None:
    """Write the quantiles of top jets."""
    given = jets.labelled(settings)
    is_top = given.labels[:, 0] == 1
    shares = np.linspace(0.0, 1.0, N_QUANTILES)
    quantiles = np.quantile(likeness(given.jets[is_top]), shares, axis=0).T
    np.savez(settings.output, quantiles=quantiles, shares=shares)


if __name__ == "__main__":
    jets.run(train, output=WEIGHTS, description=__doc__, challenge=jets.TOPTAG, n_epochs=1)
