"""A network of plain Keras layers becomes one of fixed widths, near it, or its layer is named."""

from __future__ import annotations

import numpy as np
import pytest

from harness.firmware.backend import UntranslatableError
from harness.firmware.translate import quantise
from harness.firmware.translate.checking import check_translatable
from harness.firmware.translate.hls4ml_project import PROJECT, convert_by_hls4ml
from harness.firmware.translate.quantise import has_plain_layers, to_fixed_width
from harness.firmware.translate.tracing import trace_program
from harness.firmware.witnesses.graph import evaluate
from harness.submission.network import load_keras
from tests.firmware_bench import encoder, plain_events, simulate_by_hls4ml

load_keras()

import keras  # noqa: E402

WIDE = {"input": "fixed<20,8>", "weights": "fixed<14,3>", "activations": "fixed<22,10>"}


def plain_network(*, activation: str = "relu") -> keras.Model:
    keras.utils.set_random_seed(2)
    inputs = keras.Input((5,))
    x = keras.layers.Dense(6, activation=activation, name="hidden")(inputs)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.Dropout(0.1)(x)
    mu = keras.layers.Dense(3, name="mu")(x)
    return keras.Model(inputs, keras.ops.sum(keras.ops.square(mu), axis=-1))


def test_wide_words_give_nearly_the_float_scores():
    model = plain_network()
    norm = model.get_layer("norm")
    norm.moving_mean.assign(np.linspace(-1, 1, 6))
    norm.moving_variance.assign(np.linspace(0.5, 2, 6))
    norm.gamma.assign(np.linspace(0.8, 1.2, 6))
    events = plain_events(400, 5)

    quantised = to_fixed_width(model, WIDE)

    scores = evaluate(quantised, events)
    wanted = evaluate(model, events)
    assert np.corrcoef(scores, wanted)[0, 1] > 0.9999
    np.testing.assert_allclose(scores, wanted, rtol=0.02, atol=0.05)


def test_the_quantised_network_traces_to_the_same_bits():
    quantised = to_fixed_width(
        plain_network(),
        {"input": "fixed<9,6>", "weights": "fixed<6,2>", "activations": "fixed<9,5>"},
    )
    events = plain_events(1_000, 5)

    check_translatable(quantised)
    program = trace_program(quantised)

    np.testing.assert_array_equal(program.predict(events).ravel(), evaluate(quantised, events))


def test_another_activation_becomes_a_table():
    quantised = to_fixed_width(
        plain_network(activation="tanh"),
        {"input": "fixed<9,6>", "weights": "fixed<6,2>", "activations": "fixed<12,5>"},
    )
    events = plain_events(500, 5)

    program = trace_program(quantised)

    assert any("LUT" in type(layer).__name__ for layer in quantised.layers)
    np.testing.assert_array_equal(program.predict(events).ravel(), evaluate(quantised, events))


def test_a_mean_keeps_the_order_of_the_scores():
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.ops.mean(keras.ops.square(inputs), axis=-1))
    events = plain_events(300, 3)

    scores = evaluate(to_fixed_width(model, WIDE), events)

    # Three terms are divided by four, the power of two next to three.
    np.testing.assert_allclose(scores, evaluate(model, events) * 3 / 4, rtol=0.02, atol=0.05)


def test_merging_layers_are_quantised():
    inputs = keras.Input((3,))
    x = keras.layers.Dense(3, name="a")(inputs)
    y = keras.layers.Dense(3, name="b")(inputs)
    merged = keras.layers.Add()([keras.layers.Multiply()([x, y]), keras.layers.Maximum()([x, y])])
    model = keras.Model(inputs, keras.layers.Dense(1)(merged))
    events = plain_events(300, 3) / 4
    quantised = to_fixed_width(model, WIDE)

    np.testing.assert_allclose(
        evaluate(quantised, events), evaluate(model, events), rtol=0.02, atol=0.05
    )
    check_translatable(quantised)


def autoencoder() -> keras.Model:
    keras.utils.set_random_seed(5)
    inputs = keras.Input((5,))
    hidden = keras.layers.ReLU()(keras.layers.Dense(3)(inputs))
    joined = keras.layers.Concatenate()([hidden, keras.layers.Dense(2, activation="relu")(inputs)])
    difference = keras.ops.subtract(keras.layers.Dense(5)(joined), inputs)
    return keras.Model(inputs, keras.ops.mean(keras.ops.square(difference), axis=-1))


NARROW = {"input": "fixed<9,6>", "weights": "fixed<6,2>", "activations": "fixed<9,5>"}


def test_hls4ml_compiles_a_rebuilt_autoencoder_to_the_same_bits(tmp_path):
    """Inputs that are cut, then rounded and saturated, with bits to spare after the point."""
    events = plain_events(500, 5)
    events[:50] *= 20  # most of what these give saturates
    quantised = to_fixed_width(autoencoder(), NARROW)

    scores, _ = simulate_by_hls4ml(quantised, events, tmp_path)

    np.testing.assert_array_equal(scores, trace_program(quantised).predict(events).ravel())
    np.testing.assert_array_equal(scores, evaluate(quantised, events))


def test_the_input_keeps_the_rounding_of_its_own_words_in_hls4mls_project(tmp_path):
    inputs = keras.Input((5,))
    layer = keras.layers.Dense(1)(inputs)
    words = WIDE | {"input": "fixed<16,13>"}

    convert_by_hls4ml(
        to_fixed_width(keras.Model(inputs, layer), words), tmp_path / PROJECT, "xcvu9p", 5.0
    )

    types = (tmp_path / PROJECT / "firmware" / "defines.h").read_text()
    assert "typedef ap_fixed<16,13> l0_events_float_t;" in types


def test_what_a_layer_raises_when_it_is_rebuilt_names_the_layer(monkeypatch):
    def broken(*_):
        def call(inputs):
            raise AssertionError("odd")

        return call

    monkeypatch.setitem(quantise._WITH_ACTIVATION, "Dense", broken)

    with pytest.raises(
        UntranslatableError, match=r"layer 'hidden' \(Dense\): cannot be rebuilt.*odd"
    ):
        to_fixed_width(plain_network(), WIDE)


@pytest.mark.parametrize(
    "make",
    [
        keras.ops.subtract,
        keras.ops.add,
        keras.ops.maximum,
        lambda x, _: keras.ops.multiply(x, 0.5),
        lambda x, _: keras.ops.add(x, 0.5),
    ],
    ids=["subtract", "add", "maximum", "times a constant", "plus a constant"],
)
def test_operations_of_keras_on_two_tensors_or_on_a_constant_are_rebuilt(make):
    inputs = keras.Input((3,))
    x = keras.layers.Dense(3, name="a")(inputs)
    y = keras.layers.Dense(3, name="b")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1)(make(x, y)))
    events = plain_events(300, 3) / 4
    quantised = to_fixed_width(model, WIDE)

    check_translatable(quantised)
    np.testing.assert_allclose(
        evaluate(quantised, events), evaluate(model, events), rtol=0.02, atol=0.05
    )


CONSTANTS = {
    "product": lambda x: 0.3 * x,
    "products": lambda x: x * np.float32([0.3, 1, 7.7]),
    "sum": lambda x: x + 0.3,
    "difference": lambda x: 1.7 - x,
    "quotient": lambda x: x / 3.0,
    "negative": lambda x: -x,
    "maximum": lambda x: keras.ops.maximum(x, -0.7),
    "minimum": lambda x: keras.ops.minimum(np.float32(0.7), x),
    "clip": lambda x: keras.ops.clip(x, -0.7, 1.3),
    "square": lambda x: x**2,
    "relu": lambda x: keras.activations.relu(x, max_value=6.3),
    "nothing": keras.layers.ReLU(max_value=0.0),
    "gelu": lambda x: keras.ops.gelu(x, approximate=False),
    "selu": keras.ops.selu,
    "shapes": lambda x: keras.ops.reshape(keras.ops.reshape(x, (-1, 3, 1)), (-1, 3)),
    "joined": lambda x: keras.ops.concatenate([x, keras.ops.negative(x)], axis=1),
}


def with_constants() -> keras.Model:
    """Return a network that joins each of these operations before its layer ``score``."""
    keras.utils.set_random_seed(4)
    inputs = keras.Input((3,))
    x = keras.layers.Dense(3, name="a")(inputs)
    joined = keras.layers.Concatenate()([make(x) for make in CONSTANTS.values()])
    return keras.Model(inputs, keras.layers.Dense(1, name="score")(joined))


def test_operations_with_constants_are_near_those_of_the_float_network():
    model, events = with_constants(), plain_events(300, 3) / 8
    # Tables have ten bits: few before the point leave enough for the steps.
    quantised = to_fixed_width(model, WIDE | {"activations": "fixed<18,4>"})

    found, wanted = (
        np.asarray(keras.Model(one.input, one.get_layer("score").input)(events))
        for one in (quantised, model)
    )

    for place, name in enumerate([*CONSTANTS, "joined, second half"]):
        part = slice(3 * place, 3 * place + 3)
        np.testing.assert_allclose(
            found[:, part], wanted[:, part], rtol=0.02, atol=0.02, err_msg=name
        )


def test_operations_with_constants_have_the_same_bits_in_all_translators(tmp_path):
    short = {"input": "fixed<9,6>", "weights": "fixed<6,2>", "activations": "fixed<9,4,TRN>"}
    quantised = to_fixed_width(with_constants(), short)
    events = plain_events(300, 3)

    check_translatable(quantised)
    scores = trace_program(quantised).predict(events).ravel()

    np.testing.assert_array_equal(scores, evaluate(quantised, events))
    by_hls4ml, printed = simulate_by_hls4ml(quantised, events, tmp_path)
    np.testing.assert_array_equal(scores, by_hls4ml)
    assert "DA handler" not in printed


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda x: 1.0 / x, "divides by what is no constant"),
        (lambda x: x**3, "but for the exponent 2"),
        (keras.ops.gelu, "approximate=False"),
        (lambda x: keras.ops.elu(x, alpha=0.5), "alpha=1"),
    ],
)
def test_an_operation_without_a_fixed_form_is_named_with_its_cure(make, told):
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(1)(make(inputs)))

    with pytest.raises(UntranslatableError, match=told):
        to_fixed_width(model, WIDE)


@pytest.mark.parametrize(
    ("layer", "instead"),
    [
        (keras.layers.LayerNormalization(name="odd"), "division"),
        (keras.layers.Softmax(name="odd"), "QSoftmax"),
    ],
)
def test_a_layer_without_a_fixed_form_is_named(layer, instead):
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(1)(layer(inputs)))

    with pytest.raises(UntranslatableError, match=rf"layer 'odd'(?s:.*){instead}"):
        to_fixed_width(model, WIDE)


def test_a_sum_over_another_axis_is_refused():
    inputs = keras.Input((3, 2))
    model = keras.Model(inputs, keras.ops.sum(inputs, axis=1))

    with pytest.raises(UntranslatableError, match="reduces the axes"):
        to_fixed_width(model, WIDE)


def test_a_network_of_hgq2_is_told_from_a_plain_one():
    assert not has_plain_layers(encoder())
    assert has_plain_layers(plain_network())
