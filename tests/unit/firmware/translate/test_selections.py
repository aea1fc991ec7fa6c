"""Slices and repeated values in hls4ml: products with 0 and 1, the same values bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from harness import heads
from harness.firmware.translate.selections import without_slices
from harness.submission.network import export_network, load_keras, rebuild
from tests.firmware_bench import fixed, simulate_by_hls4ml

load_keras()

import hgq.layers  # noqa: E402
import keras  # noqa: E402
from hgq.quantizer import Quantizer  # noqa: E402

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


def broadcast(join, small):
    """Return a network that joins the values of an event with fewer of them."""
    inputs = keras.Input((4, 3))
    words = heads.input_words(inputs, ["fixed<8,5>"])
    joined = keras.layers.Flatten()(join([words, small(words)]))
    weights = 2.0 ** -(np.arange(12) % 6)
    return keras.Model(inputs, heads.combine(joined, weights[:, None], name="score"))


@pytest.mark.parametrize(
    ("kind", "small"),
    [
        pytest.param("QMultiply", lambda x: x[:, :, :1], id="a column"),
        pytest.param("QSubtract", lambda x: x[:, 1:2], id="a row"),
        pytest.param("QMaximum", lambda x: x[:, 1:2, 2:], id="one value"),
    ],
)
def test_hls4ml_repeats_the_values_of_a_smaller_input(kind, small, tmp_path):
    join = getattr(hgq.layers, kind)(iq_confs=[fixed(7, 4), fixed(6, 3)], name="joined")
    model = broadcast(join, small)
    events = np.random.default_rng(1).uniform(-15, 15, (200, 4, 3)).astype(np.float32)

    scores, printed = simulate_by_hls4ml(model, events, tmp_path)

    np.testing.assert_array_equal(scores, np.asarray(model(events)).ravel())
    assert "DA handler" not in printed


def test_a_quantiser_behind_a_reshape_is_not_lost_where_others_read_the_same_values(tmp_path):
    inputs = keras.Input((4, 3))
    words = heads.input_words(inputs, ["fixed<10,5>"])
    fine = heads.scale(words, [-1])
    coarse = Quantizer(fixed(6, 3, is_signed=True, place="datalane"), name="coarse")
    flat = coarse(keras.layers.Reshape((12,))(fine))
    both = hgq.layers.QAdd(iq_confs=[fixed(12, 6, is_signed=True)] * 2, name="both")
    joined = both([flat, keras.layers.Flatten()(fine)])
    weights = 2.0 ** -(np.arange(12) % 4)
    model = keras.Model(inputs, heads.combine(joined, weights[:, None], name="score"))
    events = np.random.default_rng(1).uniform(-15, 15, (200, 4, 3)).astype(np.float32)

    scores, _ = simulate_by_hls4ml(model, events, tmp_path)

    np.testing.assert_array_equal(scores, np.asarray(model(events)).ravel())
