"""Train the two autoencoders of `model.py` together, decorrelated, and test the ABCD estimate.

Run it in this folder: ``python train.py``. The training part of the background alone is read, the
validation part to stop and for the closure; about a minute on two free cores.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "_kit"))

import keras
import kit
import numpy as np
from hgq.config import LayerConfigScope
from model import PT_EXPONENTS, SEEN, WEIGHTS, autoencoder, errors, momenta
from numpy.typing import NDArray

EBOPS_WEIGHT = 1e-5
# Weight of the distance correlation of the two errors against their sum.
DECORRELATION_WEIGHT = 30.0
LARGEST_TARGET = 32.0
# Distances of all pairs of a batch are needed: some hundred events of it are enough.
N_PAIRED = 512
# Shares of background beyond each of the two cuts at which ABCD is tried.
SHARES = (0.1, 0.03, 0.01, 0.003)


def targets(events: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what is to be reproduced: the scaled momenta without their extremes."""
    return np.minimum(events[:, ::3] * np.exp2(PT_EXPONENTS), LARGEST_TARGET).astype(np.float32)


def distance_correlation(a: keras.KerasTensor, b: keras.KerasTensor) -> keras.KerasTensor:
    """Return the squared distance correlation of two samples of numbers (arXiv:2001.05310)."""

    def centred(x: keras.KerasTensor) -> keras.KerasTensor:
        d = keras.ops.abs(x[:, None] - x[None, :])
        rows = keras.ops.mean(d, axis=0, keepdims=True)
        return d - rows - keras.ops.transpose(rows) + keras.ops.mean(d)

    first, second = centred(a), centred(b)
    product = keras.ops.mean(first * second)
    return product / keras.ops.sqrt(keras.ops.mean(first**2) * keras.ops.mean(second**2) + 1e-12)


def both_errors(truth: keras.KerasTensor, predicted: keras.KerasTensor) -> keras.KerasTensor:
    """Return the two squared errors, plus the distance correlation of their logarithms."""
    n = SEEN["first"].stop
    first = keras.ops.sum(keras.ops.square(truth[:, :n] - predicted[:, :n]), axis=-1)
    second = keras.ops.sum(keras.ops.square(truth[:, n:] - predicted[:, n:]), axis=-1)
    penalty = distance_correlation(
        keras.ops.log(1e-3 + first[:N_PAIRED]), keras.ops.log(1e-3 + second[:N_PAIRED])
    )
    return 0.5 * (first + second) + DECORRELATION_WEIGHT * penalty


def closure(pair: NDArray[np.float64]) -> list[dict[str, float]]:
    """Hold the count of region A against B C / D, with cuts that keep equal shares of background.

    Parameters
    ----------
    pair : ndarray, shape (2, n)
        Both errors of background.

    Returns
    -------
    list of dict
        Share beyond each cut, events in A, estimate, and its ratio to the count with the
        statistical uncertainty of both.
    """
    found = []
    for share in SHARES:
        high = pair > np.quantile(pair, 1 - share, axis=1, keepdims=True)
        a, b = int((high[0] & high[1]).sum()), int((high[0] & ~high[1]).sum())
        c, d = int((~high[0] & high[1]).sum()), int((~high[0] & ~high[1]).sum())
        if not (a and b and c and d):
            continue
        ratio = b * c / d / a
        spread = ratio * float(np.sqrt(1 / a + 1 / b + 1 / c + 1 / d))
        found.append(
            {
                "share": share,
                "observed": a,
                "estimated": round(b * c / d, 2),
                "ratio": round(ratio, 4),
                "uncertainty": round(spread, 4),
            }
        )
    return found


def train(settings: kit.Settings) -> None:
    """Train, write the weights, and the closure beside them."""
    events = kit.background(settings)
    with LayerConfigScope(beta0=EBOPS_WEIGHT):
        inputs, seen = momenta()
        reconstructions = [autoencoder(x, name) for x, name in zip(seen, SEEN, strict=True)]
    kit.fit(
        keras.Model(inputs, keras.layers.Concatenate()(reconstructions)),
        settings,
        training=(events.training, targets(events.training)),
        validation=(events.validation, targets(events.validation)),
        loss=both_errors,
        ebops_weight=EBOPS_WEIGHT,
    )
    network = keras.Model(inputs, errors(seen, reconstructions))
    kit.save(network, settings.output)
    pair = network.predict(events.validation, batch_size=8_192, verbose=0)
    told = {
        "n_events": len(events.validation),
        "regions": closure(np.stack([np.ravel(error) for error in pair]).astype(np.float64)),
    }
    text = json.dumps(told, indent=1) + "\n"
    settings.output.with_name("closure.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    kit.run(train, output=WEIGHTS, description=__doc__)
