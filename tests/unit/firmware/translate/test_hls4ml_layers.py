"""Layers that hls4ml misreads: its C simulation gives the scores of da4ml's interpreter."""

from __future__ import annotations

import numpy as np

from harness.firmware.translate.tracing import trace_program
from harness.submission.network import load_keras
from tests.firmware_bench import fixed, simulate_by_hls4ml, words_in

load_keras()
import keras  # noqa: E402
from hgq.layers import QAdd, QSum, QUnaryFunctionLUT  # noqa: E402
from hgq.quantizer import Quantizer  # noqa: E402

from harness import heads  # noqa: E402

EVENTS = np.random.default_rng(2).uniform(-9.0, 9.0, (800, 3)).astype(np.float32)


def test_capped_relus_and_tables_of_few_values_are_read_exactly(tmp_path):
    inputs = keras.Input((3,), name="event")
    # Steps of 1/4, of which no event uses all bits of the words below.
    x = words_in(inputs, 6, 4, is_signed=True)
    parts = [
        keras.layers.ReLU(max_value=6)(x),
        keras.layers.ReLU(max_value=1.5, negative_slope=0.25)(x),
        keras.layers.ReLU(max_value=3, threshold=1)(x),
        # Words of its entries could differ, but do not.
        QUnaryFunctionLUT(
            "tanh",
            iq_conf=fixed(9, 6, is_signed=True, place="datalane"),
            oq_conf=fixed(7, 2, is_signed=True, place="table"),
            allow_heterogeneous_input=False,
            enable_ebops=False,
        )(x),
    ]
    joined = keras.layers.Concatenate()([*parts, parts[0], parts[3]])
    weights = [[1.0], [2.0], [4.0]] * 6
    model = keras.Model(inputs, heads.combine(joined, weights, name="score"))

    scores, printed = simulate_by_hls4ml(model, EVENTS, tmp_path)

    assert "DA handler" not in printed
    np.testing.assert_array_equal(scores, trace_program(model).predict(EVENTS).ravel())
    assert len(np.unique(scores)) > 20


def test_tensors_are_joined_along_any_axis(tmp_path):
    """The parts have words of their own, so that widths along another axis would show."""
    inputs = keras.Input((3,), name="event")
    x = words_in(inputs, 6, 4, is_signed=True)
    short = Quantizer(fixed(3, 3, is_signed=True, place="datalane"), name="short")(x)
    scores = []
    for shape in ((3,), (3, 1), (1, 3), (3, 1, 1)):
        for axis in range(1, len(shape) + 1):
            parts = [keras.layers.Reshape(shape)(part) for part in (x, short)]
            for number in (2, 3):
                joined = keras.layers.Concatenate(axis=axis)([*parts, parts[1]][:number])
                joined = keras.layers.Flatten()(joined)
                weights = 2.0 ** (np.arange(3 * number)[:, None] % 4)
                scores.append(heads.combine(joined, weights, name=f"score_{len(scores)}"))
    total = scores[0]
    for number, score in enumerate(scores[1:]):
        total = QAdd(enable_iq=False, enable_ebops=False, name=f"sum_{number}")([total, score])
    model = keras.Model(inputs, total)

    by_hls4ml, printed = simulate_by_hls4ml(model, EVENTS, tmp_path)

    assert "DA handler" not in printed
    np.testing.assert_array_equal(by_hls4ml, trace_program(model).predict(EVENTS).ravel())


def test_what_hls4ml_cannot_read_is_handed_to_da4ml_and_checked_with_the_rest(tmp_path):
    inputs = keras.Input((3,), name="event")
    x = words_in(inputs, 6, 4, is_signed=True)
    head = QSum(axes=1, keepdims=True, enable_ebops=False, iq_conf=fixed(6, 4, place="datalane"))
    model = keras.Model(inputs, head(keras.layers.ReLU()(x)))

    scores, printed = simulate_by_hls4ml(model, EVENTS, tmp_path)

    assert "DA handler used for layer q_sum" in printed
    np.testing.assert_array_equal(scores, trace_program(model).predict(EVENTS).ravel())
