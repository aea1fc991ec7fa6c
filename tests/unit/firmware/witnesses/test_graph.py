"""The graph as a witness: float32 where it rounds, float64 where it does not, and overflow."""

from __future__ import annotations

import numpy as np
import pytest

from harness.firmware.translate.tracing import trace_program
from harness.firmware.witnesses.graph import evaluate, evaluate_with_overflow, in_double_precision
from harness.submission.network import load_keras, rebuild
from tests.firmware_bench import fixed, plain_events, two_and_one, words_in

load_keras()

import keras  # noqa: E402
from hgq.layers import QDense, QUnaryFunctionLUT  # noqa: E402
from hgq.quantizer import Quantizer  # noqa: E402


def test_both_precisions_equal_the_program_where_float32_is_exact(small, small_program):
    model = rebuild(*small)
    events = plain_events(2_000, 6)
    expected = small_program.predict(events).ravel()

    np.testing.assert_array_equal(evaluate(model, events), expected)
    np.testing.assert_array_equal(evaluate(in_double_precision(model), events), expected)


def test_float64_is_exact_where_float32_rounds():
    inputs = keras.Input((2,))
    layer = QDense(1, use_bias=False, enable_iq=False, kq_conf=fixed(20, 20), enable_ebops=False)
    model = keras.Model(inputs, layer(words_in(inputs, 20, 20)))
    layer.kernel.assign(np.array([[2.0**19], [1.0]]))
    events = np.array([[2.0**19, 1.0], [2.0**18 + 1, 7.0]], np.float32)

    double = evaluate(in_double_precision(model), events)

    assert double.tolist() == [2.0**38 + 1, (2.0**18 + 1) * 2**19 + 7]
    assert evaluate(model, events)[0] != double[0]
    np.testing.assert_array_equal(trace_program(model).predict(events).ravel(), double)


def test_the_precision_of_the_process_is_left_as_it_was(small):
    in_double_precision(rebuild(*small))

    assert keras.config.floatx() == "float32"
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize(
    ("stands_for", "share"), [([1, 1, 1, 1], 0.5), ([1, 1], 0.5), ([9, 1, 9, 1], 0.1), ([1], None)]
)
def test_overflow_is_counted_by_event_and_quantiser(stands_for, share):
    model = two_and_one()
    # The words are ufixed<3,3>: 0 to 7.
    events = np.array([[7.9, 0], [8.0, -1], [3, 3], [0, 9]], np.float32)

    scores, shares = evaluate_with_overflow(model, events, np.array(stands_for, float))

    assert shares == ({} if share is None else {"words": share})
    # 7.9 is cut to 7; 8, -1 and 9 wrap to 0, 7 and 1.
    assert scores.tolist() == [14.0, 7.0, 9.0, 1.0]


def test_saturation_inside_a_layer_is_told_with_its_place(small):
    model = rebuild(*small)
    events = np.concatenate([np.zeros((50, 6)), np.full((50, 6), 31.0)]).astype(np.float32)

    _, shares = evaluate_with_overflow(model, events, np.ones(100))

    assert "words" not in shares
    assert shares["hidden.input"] == pytest.approx(0.5)


def test_the_quantisers_are_left_as_they_were():
    from hgq.quantizer import Quantizer

    before = Quantizer.call
    evaluate_with_overflow(two_and_one(), np.zeros((1, 2), np.float32), np.ones(1))

    assert Quantizer.call is before


@pytest.mark.parametrize(
    ("mode", "is_trainable", "told"),
    [("WRAP", False, {}), ("WRAP", True, {"inner": 0.5}), ("SAT", False, {"inner": 0.5})],
)
def test_a_word_that_wraps_as_it_was_written_is_no_overflow(mode, is_trainable, told):
    event = keras.Input((1,))
    config = fixed(3, 3, place="datalane", overflow_mode=mode, trainable=is_trainable)
    model = keras.Model(event, Quantizer(config, name="inner")(words_in(event, 6, 6)))

    _, shares = evaluate_with_overflow(model, np.float32([[7], [8]]), np.ones(2))

    assert shares == told


def test_what_the_input_cannot_hold_is_overflow():
    event = keras.Input((1,))
    config = fixed(3, 3, place="datalane", overflow_mode="WRAP")
    model = keras.Model(event, Quantizer(config, name="words")(event))

    assert evaluate_with_overflow(model, np.float32([[7], [8]]), np.ones(2))[1] == {"words": 0.5}


@pytest.mark.parametrize(
    ("function", "told"), [("tanh", {}), ("linear", {"table.input": 0.5}), ("exponential", {})]
)
def test_an_address_beyond_which_a_table_is_constant_does_not_overflow(function, told):
    """exp(4) is more than the word of the entries holds, and exp(-4) less than half its step."""
    event = keras.Input((1,))
    table = QUnaryFunctionLUT(
        function,
        iq_conf=fixed(7, 3, is_signed=True, place="datalane"),
        oq_conf=fixed(6, 5, is_signed=True, place="table"),
        allow_heterogeneous_input=False,
        allow_heterogeneous_table=False,
        name="table",
    )
    model = keras.Model(event, table(words_in(event, 6, 6, is_signed=True)))

    assert evaluate_with_overflow(model, np.float32([[3], [-20]]), np.ones(2))[1] == told
