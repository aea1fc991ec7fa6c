"""Models within a model are opened: both translators read one flat network, with the same bits."""

from __future__ import annotations

import numpy as np
import pytest

from harness.firmware.backend import UntranslatableError
from harness.firmware.translate.checking import check_translatable
from harness.firmware.translate.inline import inlined
from harness.firmware.translate.quantise import load_fixed_point
from harness.firmware.translate.tracing import trace_program
from harness.firmware.witnesses.graph import evaluate
from harness.submission.network import load_keras
from tests.firmware_bench import export, fixed, plain_events, simulate_by_hls4ml, words_in

load_keras()

import keras  # noqa: E402
from hgq.layers import QAdd, QDense  # noqa: E402

NARROW = {"input": "fixed<9,6>", "weights": "fixed<6,2>", "activations": "fixed<9,5>"}


def dense(units: int, **more) -> QDense:
    return QDense(
        units,
        kq_conf=fixed(4, 1, is_signed=True),
        bq_conf=fixed(4, 1, is_signed=True, place="bias"),
        iq_conf=fixed(8, 5, is_signed=True, place="datalane"),
        enable_ebops=False,
        **more,
    )


def functional(*layers, n_inputs: int, name: str) -> keras.Model:
    x = inputs = keras.Input((n_inputs,))
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, x, name=name)


def network_of(kind: str) -> keras.Model:
    """Return a network of four inputs whose inner layers have names of the outer ones."""
    keras.utils.set_random_seed(4)
    inputs = keras.Input((4,), name="event")
    x = dense(3, name="d")(words_in(inputs, 6, 4, is_signed=True))
    hidden = dense(3, activation="relu", name="d")
    if kind == "sequential":
        x = keras.Sequential([hidden, dense(2, name="e")], name="inner")(x)
    elif kind == "twice":
        inner = functional(hidden, n_inputs=3, name="inner")
        x = functional(inner, dense(2, name="d"), n_inputs=3, name="outer")(x)
    elif kind == "shared":
        inner = functional(hidden, keras.layers.RepeatVector(2), keras.layers.Flatten(),
                           n_inputs=3, name="inner")  # fmt: skip
        x = QAdd(iq_confs=fixed(8, 5, place="datalane"), enable_ebops=False)([inner(x), inner(x)])
    return keras.Model(inputs, dense(1, name="e")(x))


@pytest.mark.parametrize("kind", ["sequential", "twice", "shared"])
def test_the_layers_of_inner_models_are_traced_to_the_same_bits(kind, tmp_path):
    model = network_of(kind)
    graph, weights = export(model, tmp_path)
    events = plain_events(300, 4)

    flat = load_fixed_point(None, {"graph": graph, "weights": weights})

    check_translatable(flat)
    assert not any(isinstance(layer, keras.Model) for layer in flat.layers)
    scores = trace_program(flat).predict(events).ravel()
    np.testing.assert_array_equal(scores, evaluate(model, events))
    assert len(set(scores)) > 20


def test_hls4ml_compiles_a_model_that_is_used_twice(tmp_path):
    flat = inlined(network_of("shared"))
    events = plain_events(300, 4)

    scores, printed = simulate_by_hls4ml(flat, events, tmp_path)

    np.testing.assert_array_equal(scores, evaluate(flat, events))
    assert "DA handler" not in printed


def test_layers_that_do_nothing_are_left_out():
    inputs = keras.Input((4,))
    x = words_in(inputs, 6, 4, is_signed=True)
    for layer in (
        *(keras.layers.Dropout(0.5), keras.layers.GaussianNoise(1.0), keras.layers.Identity()),
        *(keras.layers.ActivityRegularization(), keras.layers.Activation("linear")),
    ):
        x = layer(x)

    flat = inlined(keras.Model(inputs, dense(1)(x)))

    assert [type(layer).__name__ for layer in flat.layers] == ["InputLayer", "Quantizer", "QDense"]


def test_a_flat_network_stays_as_it_is():
    model = functional(dense(1), n_inputs=4, name="flat")

    assert inlined(model) is model


def test_an_inner_model_that_gets_another_shape_is_refused_with_a_cure():
    inner = functional(dense(2), n_inputs=1, name="inner")
    inputs = keras.Input(())

    with pytest.raises(UntranslatableError, match=r"'inner'.*\n.*\n.*call the layers of the inner"):
        inlined(keras.Model(inputs, inner(inputs)))


def test_a_float_model_in_a_float_model_is_rebuilt(tmp_path):
    inputs = keras.Input((4,))
    inner = keras.Sequential(
        [keras.layers.Dense(3, activation="tanh"), keras.layers.Dense(2)], name="inner"
    )
    model = keras.Model(inputs, keras.layers.Dense(1)(inner(inputs)))
    graph, weights = export(model, tmp_path)
    events = plain_events(200, 4)

    flat = load_fixed_point(NARROW, {"graph": graph, "weights": weights})

    np.testing.assert_array_equal(
        trace_program(flat).predict(events).ravel(), evaluate(flat, events)
    )
