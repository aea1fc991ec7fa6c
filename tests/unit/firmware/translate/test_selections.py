"""Slices in hls4ml: products with 0 and 1, the same values bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from harness import heads
from harness.firmware.translate.selections import without_slices
from harness.submission.network import export_network, load_keras, rebuild
from tests.firmware_bench import simulate_by_hls4ml

load_keras()

import keras  # noqa: E402

SLICES = {
    "some": lambda x: x[:, 2:5],
    "every second": lambda x: x[:, ::2],
    "backwards": lambda x: x[:, ::-1],
    "from the end": lambda x: x[..., -3:],
}
OF_ROWS = {
    "rows": lambda x: x[:, 1:3],
    "a column": lambda x: x[:, :, 0],
    "a row": lambda x: x[:, 2],
    "both": lambda x: x[:, 1:, 1:],
    "last column": lambda x: x[..., -1],
}
CASES = [
    *(pytest.param((12,), take, id=name) for name, take in SLICES.items()),
    *(pytest.param((4, 3), take, id=name) for name, take in OF_ROWS.items()),
]


def network(shape, take):
    inputs = keras.Input(shape)
    words = heads.input_words(inputs, ["fixed<8,5>"])
    taken = take(words)
    taken = taken if len(taken.shape) == 2 else keras.layers.Flatten()(taken)
    # Each value with another weight, so that another order is another score.
    return keras.Model(
        inputs, heads.combine(taken, 2.0 ** -np.arange(taken.shape[1])[:, None], name="score")
    )


@pytest.mark.parametrize(("shape", "take"), CASES)
def test_the_values_are_those_of_the_slice(shape, take):
    model = network(shape, take)
    events = np.random.default_rng(1).uniform(-15, 15, (50, *shape)).astype(np.float32)

    found = without_slices(model)

    assert not [one for one in found.operations if type(one).__name__ == "GetItem"]
    np.testing.assert_array_equal(np.asarray(found(events)), np.asarray(model(events)))


@pytest.mark.parametrize(("shape", "take"), CASES)
def test_a_network_that_was_written_and_read_again_gives_the_same(shape, take, tmp_path):
    model = network(shape, take)
    events = np.random.default_rng(1).uniform(-15, 15, (50, *shape)).astype(np.float32)
    expected = np.asarray(model(events))
    files = tmp_path / "network.json", tmp_path / "weights.bin"
    export_network(model, *files)

    found = without_slices(rebuild(*files))

    np.testing.assert_array_equal(np.asarray(found(events)), expected)


def test_a_network_without_slices_is_left_alone():
    model = network((12,), lambda x: x)
    assert without_slices(model) is model


def test_hls4ml_computes_slices_bit_for_bit(tmp_path):
    model = network((4, 3), lambda x: x[:, 1:, 1:])
    events = np.random.default_rng(1).uniform(-15, 15, (200, 4, 3)).astype(np.float32)

    scores, _ = simulate_by_hls4ml(model, events, tmp_path)

    np.testing.assert_array_equal(scores, np.asarray(model(events)).ravel())
