"""Train the autoencoder of `model.py` on background images of the training part.

Run it in this folder: ``python train.py``. The validation part stops it. 20,000 events, which
`harness simulate suep` makes, need about half an hour of two cores (an estimate; it was not run):
``python train.py --challenge hlt-suep-simulated --manifest FILE``. Narrower ones: `size.json`.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "_kit"))

import images
import kit
from model import SCORES, SIZE, WEIGHTS, autoencoder


def train(settings: kit.Settings) -> None:
    """Train and write the weights."""
    model = autoencoder()
    images.fit_autoencoder(model, settings, SCORES[SIZE["loss"]])
    kit.save(model, settings.output)


if __name__ == "__main__":
    images.run(train, output=WEIGHTS, description=__doc__, n_epochs=12)
