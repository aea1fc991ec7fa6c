"""Distil the flow of `submissions/flow` into the network of `model.py`.

Run it in this folder, after the flow's own: ``python train.py``. The training part of the
background alone is read, and the same events overlaid and with doubled momenta, so that the student
learns how the flow goes on where background is rare. About a minute on two free cores.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "_kit"))

import keras
import kit
import numpy as np
from hgq.config import LayerConfigScope
from model import OFFSET, UNIT, WEIGHTS, student
from numpy.typing import NDArray

# The loss is a small number, so bits must be cheap.
EBOPS_WEIGHT = 2e-7
# Beyond it lies what no background event reaches; answers end there.
LARGEST_ANSWER = 255.0
TEACHER = Path(__file__).parents[1] / "flow" / "model.py"


def ask(events: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the teacher's score of each event, in the student's unit."""
    spec = importlib.util.spec_from_file_location("teacher", TEACHER)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{TEACHER}: not there")
    teacher = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(teacher)
    answers = teacher.score(events.reshape(len(events), -1, 3))
    return np.clip((answers + OFFSET) / UNIT, 0.0, LARGEST_ANSWER).astype(np.float32)[:, None]


def lesson(events: NDArray[np.float32], seed: int) -> tuple[NDArray[np.float32], ...]:
    """Return events, some of them tampered with, and the teacher's answers."""
    third = len(events) // 3
    rare = [kit.overlay(events[:third], seed), kit.harder(events[third : 2 * third])]
    mixed = np.random.default_rng(seed).permutation(np.concatenate([events, *rare]))
    return mixed, ask(mixed)


def relative_error(truth: keras.KerasTensor, predicted: keras.KerasTensor) -> keras.KerasTensor:
    """Return the squared error of the square root: rare events count, and don't count alone."""
    root = keras.ops.sqrt(keras.ops.maximum(predicted, 0.0) + 1.0)
    error = root - keras.ops.sqrt(truth + 1.0)
    # A prediction below zero is cut off on the chip, and would have no slope here.
    return keras.ops.sum(error**2 + keras.ops.relu(-predicted), axis=-1)


def train(settings: kit.Settings) -> None:
    """Train and write the weights."""
    events = kit.background(settings)
    with LayerConfigScope(beta0=EBOPS_WEIGHT):
        inputs, score = student()
    network = keras.Model(inputs, score)
    answer = network.get_layer("answer").output
    kit.fit(
        keras.Model(inputs, answer),
        settings,
        training=lesson(events.training, settings.seed),
        validation=lesson(events.validation, settings.seed + 1),
        loss=relative_error,
        ebops_weight=EBOPS_WEIGHT,
        callbacks=[kit.Proxies(network, events.validation, settings.seed)],
    )
    kit.save(network, settings.output)


if __name__ == "__main__":
    kit.run(train, output=WEIGHTS, description=__doc__)
