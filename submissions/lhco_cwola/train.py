"""Train the classifiers of `model.py`: events in the signal region against those in the sidebands.

Neither side has labels. Signal is only in the region, background in both, so what tells the two
apart is signal, as far as the inputs of background do not depend on the mass.

Run it in this folder: ``python train.py``.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "_kit"))

import lhco
import numpy as np
from model import WEIGHTS
from sklearn.neural_network import MLPClassifier

SIZES = (32, 32)
N_NETWORKS = 20


def train(settings: lhco.Settings) -> None:
    """Train and write the weights."""
    observables = lhco.mixture(settings)
    region, bands = (
        observables[lhco.in_region(observables)],
        observables[lhco.in_bands(observables)],
    )
    # As many of each side: the classifier then does not see how many there are.
    generator = np.random.default_rng(settings.seed)
    n_each = min(len(region), len(bands))
    mean, spread = lhco.scale_of(np.concatenate([region, bands]))
    networks = []
    for _ in range(N_NETWORKS):
        sides = [one[generator.permutation(len(one))[:n_each]] for one in (region, bands)]
        inputs = lhco.scaled(np.concatenate(sides), mean, spread)
        network = MLPClassifier(
            SIZES, early_stopping=True, validation_fraction=0.3, n_iter_no_change=10, max_iter=100,
            alpha=1e-3, random_state=int(generator.integers(2**31)),
        )  # fmt: skip
        networks.append(network.fit(inputs, np.repeat([1, 0], n_each)))
    lhco.layers_of(networks, settings.output, mean=mean, spread=spread)


if __name__ == "__main__":
    lhco.run(train, output=WEIGHTS, description=__doc__)
