"""Find the principal components of images of the background; seconds, and no gradient.

Run it in this folder: ``python train.py``. The training part of the background alone is read.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "_kit"))

import jets
import kit
import numpy as np
from model import N_COMPONENTS, WEIGHTS, network

from harness.jets import jet_images


def train(settings: kit.Settings) -> None:
    """Find the components and write them as the weights of two layers."""
    images = jet_images(jets.background(settings).training)
    pixels = images.reshape(len(images), -1).astype(np.float64)
    mean = pixels.mean(axis=0)
    _, components = np.linalg.eigh(np.cov((pixels - mean).T))
    # Eigenvalues rise.
    leading = components[:, ::-1][:, :N_COMPONENTS]
    model = network()
    model.get_layer("projection").set_weights([leading, -mean @ leading])
    model.get_layer("expansion").set_weights([leading.T, mean])
    kit.save(model, settings.output)


if __name__ == "__main__":
    jets.run(train, output=WEIGHTS, description=__doc__, challenge=jets.INVERSE, n_epochs=1)
