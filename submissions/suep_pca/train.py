"""Find the leading principal components of pooled background images of the training part.

Run it in this folder: ``python train.py``; seconds.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "_kit"))

import images
import kit
import numpy as np
from model import WEIGHTS

from harness.data import training_events

N_COMPONENTS = 16


def train(settings: kit.Settings) -> None:
    """Decompose and write the weights."""
    events = training_events(settings.challenge, manifest=settings.manifest)
    pooled = images.pooled(events, settings.n_events).astype(np.float64)
    mean = pooled.mean(axis=0)
    _, _, rows = np.linalg.svd(pooled - mean, full_matrices=False)
    components = rows[:N_COMPONENTS]
    # A component has no sign of its own: its largest entry is positive.
    largest = np.abs(components).argmax(axis=1)
    components *= np.sign(components[np.arange(len(components)), largest])[:, None]
    np.savez_compressed(
        settings.output, mean=mean.astype(np.float32), components=components.T.astype(np.float32)
    )


if __name__ == "__main__":
    images.run(train, output=WEIGHTS, description=__doc__)
