"""The pruning of the training kit: how many weights are zero, when, and that they stay so."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

import numpy as np
import pytest

from harness.submission.network import load_keras
from tools.sizes import SUBMISSIONS, read_sizes


@pytest.fixture(scope="module")
def kit() -> ModuleType:
    """The training kit, which is no package."""
    load_keras()
    spec = importlib.util.spec_from_file_location("kit_of_pruning", SUBMISSIONS / "_kit" / "kit.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def two_layers():
    """Return a network of kernels of 40 and 10 weights, the second ten times as large."""
    import keras

    keras.utils.set_random_seed(1)
    inputs = keras.Input((4,))
    hidden = keras.layers.Dense(10, name="hidden")
    score = keras.layers.Dense(1, name="score")
    model = keras.Model(inputs, score(hidden(inputs)))
    for layer, scale in ((hidden, 0.1), (score, 1.0)):
        values = np.random.default_rng(7).uniform(0.5, 1.5, layer.kernel.shape)
        layer.kernel.assign(scale * values)
    return model, hidden, score


def share_of_zeros(*layers) -> float:
    kernels = np.concatenate([np.asarray(layer.kernel).ravel() for layer in layers])
    return float(np.mean(kernels == 0))


def test_the_share_grows_by_the_cube_over_half_of_the_epochs(kit):
    model, hidden, score = two_layers()
    pruning = kit.Pruning(model, 0.8, 4)
    pruning.set_params({"steps": 10})
    found = []
    for epoch in range(4):
        pruning.on_epoch_begin(epoch)
        for batch in range(10):
            pruning.on_train_batch_begin(batch)
        found.append(share_of_zeros(hidden, score))

    # Before the last batch of the first epoch 0.9 of 2 epochs have passed.
    assert found[0] == pytest.approx(0.8 * (1 - (1 - 0.45) ** 3), abs=0.011)
    assert found[1] == pytest.approx(0.8, abs=0.011)
    assert found[2:] == [0.8, 0.8]


def test_the_smallest_weights_of_all_kernels_together_are_cut_and_no_bias(kit):
    model, hidden, score = two_layers()
    pruning = kit.Pruning(model, 0.8, 1)
    pruning.choose(0.8)
    pruning.apply()

    # All 40 weights of the first kernel are smaller than any of the second.
    assert share_of_zeros(hidden) == 1.0
    assert share_of_zeros(score) == 0.0
    assert len(pruning.kernels) == 2


def test_what_a_step_moved_is_zero_again(kit):
    model, hidden, score = two_layers()
    model.compile("sgd", "mse")
    events = np.random.default_rng(3).normal(size=(64, 4)).astype("float32")
    model.fit(
        *(events, events[:, :1]),
        batch_size=8,
        epochs=4,
        verbose=0,
        callbacks=[kit.Pruning(model, 0.5, 4)],
    )

    assert share_of_zeros(hidden, score) == 0.5


def test_the_training_of_the_pruned_ones_differs_from_their_base_by_the_pruning_alone():
    base, pruned = (
        (SUBMISSIONS / team / "train.py").read_text(encoding="utf-8").split('"""', 2)[2]
        for team in ("dense_vae_mu2", "dense_vae_mu2_p50")
    )
    more = 'kit.Pruning(network, SIZE["pruned"], settings.n_epochs),'
    assert more in pruned
    without = pruned.replace(more, "")
    assert "".join(without.split()).replace(",],", "],") == "".join(base.split())
    trained = {team for team, size in read_sizes().items() if size.training}
    assert trained == {f"dense_vae_mu2_p{share}" for share in (50, 75, 90)}
