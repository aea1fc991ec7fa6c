"""Train the classifier of `model.py` on background and on signals that were simulated for it.

    harness simulate ato4l --events 6000 --seed 90210 --jobs 2 --out signals/ato4l.h5
    python train.py --signals signals

(`lq`, `h0` and `hplus` likewise.) Background is of the training part; signals are of a seed of
their own, so no event of the challenge is a signal here. Without ``--signals`` signals of a kind
are made of background, to try the training: it overlaid.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "_kit"))

import keras
import kit
import numpy as np
from hgq.config import LayerConfigScope
from model import SCORE_WORD, WEIGHTS, classifier
from numpy.typing import NDArray

from harness import heads

SIGNALS = ("ato4l", "lq", "h0", "hplus")
EBOPS_WEIGHT = 1e-7
# Share of each signal's events that stop the training.
N_SIGNAL_VALIDATION = 0.1


def read_signals(folder: Path | None, background: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Return the simulated events of each signal, shape (n, 57)."""
    import h5py

    if folder is None:
        return [kit.overlay(background[:2_000], seed) for seed in range(len(SIGNALS))]
    found = []
    for name in SIGNALS:
        with h5py.File(folder / f"{name}.h5") as file:
            particles = np.asarray(file["Particles"][..., :3], np.float32)
        found.append(particles.reshape(len(particles), -1))
    return found


def labelled(
    background: NDArray[np.float32], signals: list[NDArray[np.float32]], seed: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return events of both, mixed; signals are repeated to the number of the background."""
    n_each = len(background) // len(signals)
    repeated = [np.resize(events, (n_each, events.shape[1])) for events in signals]
    events = np.concatenate([background, *repeated])
    labels = np.repeat(np.float32([0, 1]), [len(background), n_each * len(signals)])
    order = np.random.default_rng(seed).permutation(len(events))
    return events[order], labels[order, None]


def cross_entropy(truth: keras.KerasTensor, logit: keras.KerasTensor) -> keras.KerasTensor:
    """Return the binary cross-entropy of a logit."""
    return keras.losses.binary_crossentropy(truth, logit, from_logits=True)


def train(settings: kit.Settings, folder: Path | None = None) -> None:
    """Train and write the weights."""
    events = kit.background(settings)
    parts: tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]] = ([], [])
    for signal in read_signals(folder, events.training):
        n_validation = int(len(signal) * N_SIGNAL_VALIDATION)
        parts[0].append(signal[n_validation:])
        parts[1].append(signal[:n_validation])
    with LayerConfigScope(beta0=EBOPS_WEIGHT):
        inputs, logit = classifier()
    kit.fit(
        keras.Model(inputs, logit),
        settings,
        training=labelled(events.training, parts[0], settings.seed),
        validation=labelled(events.validation, parts[1], settings.seed),
        loss=cross_entropy,
        ebops_weight=EBOPS_WEIGHT,
    )
    kit.save(keras.Model(inputs, heads.identity(logit, word=SCORE_WORD)), settings.output)


def main() -> None:
    """Take ``--signals`` off the command line and leave the rest to the kit."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--signals", type=Path)
    told, rest = parser.parse_known_args()
    sys.argv[1:] = rest
    kit.run(
        lambda settings: train(settings, told.signals),
        output=WEIGHTS,
        description=__doc__,
        n_events=100_000,
        n_epochs=4,
    )


if __name__ == "__main__":
    main()
