"""A layer that can't be translated is named, with what to use instead."""

from __future__ import annotations

import re

import numpy as np
import pytest

from harness.firmware.backend import UntranslatableError
from harness.firmware.translate import hls4ml_project
from harness.firmware.translate.checking import check_translatable
from harness.firmware.translate.tracing import trace_program
from harness.firmware.translate.translation import trace_network, wire_integer_bits
from harness.firmware.witnesses.graph import evaluate
from harness.submission.network import load_keras
from tests.firmware_bench import export, fixed, plain_events, words_in

load_keras()

import keras  # noqa: E402
from hgq.config import QuantizerConfig  # noqa: E402
from hgq.layers import QDense, QSum  # noqa: E402
from hgq.quantizer import Quantizer  # noqa: E402


def network(*layers, shape=(4,)):
    inputs = keras.Input(shape)
    x = words_in(inputs, 6, 4, is_signed=True)
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, x)


def dense(units: int = 1, **more):
    return QDense(
        units,
        kq_conf=fixed(4, 1, is_signed=True),
        bq_conf=fixed(4, 1, is_signed=True, place="bias"),
        enable_iq=False,
        enable_ebops=False,
        **more,
    )


def outputs(folder):
    return {name: folder / name for name in ("program", "layers", "project")}


@pytest.mark.parametrize(
    ("layer", "what", "instead"),
    [
        (keras.layers.Dense(1, name="plain"), "'plain' (Dense)", "QDense"),
        (keras.layers.Lambda(lambda x: x + 1, name="code"), "'code' (Lambda)", "not arithmetic"),
        (keras.layers.LayerNormalization(name="norm"), "'norm'", "division"),
        (keras.layers.Softmax(name="soft"), "'soft' (Softmax)", "QSoftmax"),
    ],
)
def test_an_untranslatable_layer_is_named_with_a_replacement(layer, what, instead):
    with pytest.raises(UntranslatableError) as caught:
        check_translatable(network(layer))

    assert what in str(caught.value)
    assert instead in str(caught.value)


def test_all_untranslatable_layers_are_told_at_once():
    with pytest.raises(UntranslatableError) as caught:
        check_translatable(
            network(keras.layers.Dense(3, name="one"), keras.layers.Dense(1, name="two"))
        )

    assert "'one'" in str(caught.value)
    assert "'two'" in str(caught.value)


def test_an_activation_within_a_layer_is_refused_with_a_table_instead():
    with pytest.raises(UntranslatableError, match=r"'tanh'.*(?s:.*)QUnaryFunctionLUT"):
        check_translatable(network(dense(activation="tanh")))


def test_a_rounding_that_hardware_lacks_is_refused():
    config = QuantizerConfig("kif", "datalane", k0=1, i0=3, f0=2, round_mode="RND")
    layer = QDense(1, iq_conf=config, enable_ebops=False, name="odd")
    model = network(layer)
    layer.iq.quantizer._round_mode = "RND_ZERO"

    with pytest.raises(UntranslatableError, match=r"'odd'.*RND_ZERO(?s:.*)other scores"):
        check_translatable(model)


def scaled(**more):
    config = fixed(6, 4, is_signed=True, place="datalane", **more)
    return Quantizer(config, name="odd")


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        (lambda: scaled(scaler=2.0), r"'odd'.*scaler=2(?s:.*)n more bits before the point"),
        (lambda: scaled(scaler=3.0), r"'odd'.*scaler=3"),
        (lambda: scaled(affine=(0.3, 0.5)), r"'odd'.*affine=\(0\.3, 0\.5\)(?s:.*)use \(0\.29"),
    ],
)
def test_a_quantiser_with_a_scale_of_its_own_is_refused(layer, told):
    with pytest.raises(UntranslatableError, match=told):
        check_translatable(network(layer(), dense()))


def test_a_quantiser_with_an_exact_affine_function_has_the_bits_of_keras():
    model = network(scaled(affine=(0.25, 0.5)), dense())
    events = plain_events(100, 4)

    check_translatable(model)

    scores = trace_program(model).predict(events).ravel()
    np.testing.assert_array_equal(scores, evaluate(model, events))


@pytest.mark.parametrize(
    ("reduce", "instead"),
    [("sum", "heads.combine"), ("max", "GlobalMaxPooling1D"), ("min", "slices")],
)
def test_a_function_of_keras_that_gives_the_score_is_refused_with_a_layer_instead(reduce, instead):
    def last(x):
        return getattr(keras.ops, reduce)(x, axis=-1, keepdims=True)

    with pytest.raises(UntranslatableError, match=rf"(?i)layer '{reduce}(?s:.*){instead}"):
        check_translatable(network(dense(3), last))


@pytest.mark.parametrize("kind", [QDense, keras.layers.Dense])
def test_softmax_within_a_layer_is_refused_with_a_layer_of_its_own_instead(kind):
    with pytest.raises(UntranslatableError, match=r"'softmax'.*(?s:.*)hgq\.layers\.QSoftmax\(\)"):
        check_translatable(network(kind(3, activation="softmax"), dense()))


def test_a_quantiser_that_does_nothing_is_refused():
    layer = QDense(1, iq_conf=QuantizerConfig("dummy", "datalane"), enable_ebops=False, name="no")

    with pytest.raises(UntranslatableError, match=r"'no'.*dummy"):
        check_translatable(network(layer))


def test_an_open_shape_is_refused():
    inputs = keras.Input((None, 3))
    model = keras.Model(inputs, keras.layers.ReLU()(words_in(inputs, 6, 4)))

    with pytest.raises(UntranslatableError, match="open"):
        check_translatable(model)


def test_parts_of_different_lengths_are_joined():
    inputs = keras.Input((4,))
    x = words_in(inputs, 6, 4, is_signed=True)
    joined = keras.layers.Concatenate()([dense(2)(x), dense(3)(x)])
    model = keras.Model(inputs, dense()(joined))
    events = plain_events(200, 4)

    program = trace_program(model)

    np.testing.assert_array_equal(program.predict(events).ravel(), evaluate(model, events))


def test_a_network_of_more_than_one_number_is_refused():
    with pytest.raises(UntranslatableError, match="gives 2 numbers"):
        trace_program(network(dense(2)))


def test_weights_that_all_vanish_leave_nothing_to_build():
    layer = dense(use_bias=False)
    model = network(layer)
    layer.kernel.assign(np.full((4, 1), 0.01))

    with pytest.raises(UntranslatableError, match="same for every event"):
        trace_program(model)


def test_what_the_tracer_raises_names_the_layer(monkeypatch):
    from hgq._dais_tracer.layers.dense import ReplayQDense

    def fail(self, *_):
        raise AssertionError("odd shape")

    monkeypatch.setattr(ReplayQDense, "call", fail)

    with pytest.raises(UntranslatableError, match=r"layer 'broken' \(QDense\).*odd shape"):
        trace_program(network(dense(name="broken")))


def test_a_saturating_input_gets_a_wider_wire_and_the_same_scores():
    inputs = keras.Input((2,))
    config = fixed(4, 3, is_signed=True, place="datalane")
    layer = QDense(1, kq_conf=fixed(2, 2), use_bias=False, iq_conf=config, enable_ebops=False)
    model = keras.Model(inputs, layer(inputs))
    layer.kernel.assign(np.array([[1.0], [2.0]]))
    events = np.random.default_rng(1).uniform(-20, 20, (500, 2)).astype(np.float32)

    program = trace_program(model)

    got = program.predict(events).ravel()
    # fixed<4,3> rounds to halves, the half up, and saturates at -4 and 3.5.
    rounded = np.clip(np.floor(events.astype(np.float64) * 2 + 0.5) / 2, -4, 3.5)
    np.testing.assert_array_equal(got, rounded @ [1.0, 2.0])


@pytest.mark.parametrize(
    ("largest", "n_bits"), [(0.0, 13), (8191.5, 13), (-8192.0, 15), (20_000.0, 16)]
)
def test_events_with_larger_inputs_get_wider_wires(tmp_path, largest, n_bits):
    np.save(tmp_path / "events.npy", np.array([[1.0, largest]], np.float32))

    assert wire_integer_bits(tmp_path / "events.npy") == n_bits
    assert wire_integer_bits(None) == 13


def test_the_step_reports_both_translators(small, tmp_path):
    report = trace_network(
        {
            "precision": None,
            "has_hls4ml": True,
            "part": "xcvu9p-flga2104-2-e",
            "clock_period_ns": 5.0,
        },
        {"graph": small[0], "weights": small[1]},
        outputs(tmp_path),
    )["trace"]

    assert report["hls4ml"] == "translated"
    assert report["da4ml_layers"] == []
    assert report["input_bits"] == 6 * 8
    assert report["operations"]["multipliers"] == 2
    assert (tmp_path / "project").stat().st_size > 0


def test_a_head_that_hls4ml_cannot_read_leaves_da4ml_alone(tmp_path):
    head = QSum(axes=1, keepdims=True, enable_ebops=False, iq_conf=fixed(6, 4, place="datalane"))
    graph, weights = export(network(dense(3, activation="relu"), head), tmp_path / "net")

    report = trace_network(
        {"precision": None, "has_hls4ml": True, "part": "xcvu9p", "clock_period_ns": 5.0},
        {"graph": graph, "weights": weights},
        outputs(tmp_path),
    )["trace"]

    assert report["n_operations"] > 0
    # Either it says why, or which layer it handed to da4ml: never that it is independent.
    assert report["hls4ml"] != "translated" or report["da4ml_layers"]


@pytest.mark.parametrize("is_keras", [True, False])
def test_an_exception_without_words_is_told_by_its_place_and_layer(
    small, tmp_path, monkeypatch, is_keras
):
    def shape_of(layer):
        raise AssertionError

    class Dot:
        class_name = "Dot"
        name = "terms"

        def initialize(self):
            raise AssertionError

    def convert(model, *_):
        shape_of(model.layers[-1]) if is_keras else Dot().initialize()

    monkeypatch.setattr(hls4ml_project, "convert_by_hls4ml", convert)
    report = trace_network(
        {"precision": None, "has_hls4ml": True, "part": "xcvu9p", "clock_period_ns": 5.0},
        {"graph": small[0], "weights": small[1]},
        outputs(tmp_path),
    )["trace"]

    function, layer = ("shape_of", r"\w+") if is_keras else ("initialize", "terms")
    place = (
        rf"AssertionError in {function} \(test_translation\.py, line \d+\), at the layer {layer}"
    )
    assert re.fullmatch(place, report["hls4ml"])


def test_the_project_is_the_same_each_time(small, tmp_path):
    contents = []
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        trace_network(
            {"precision": None, "has_hls4ml": False, "part": "", "clock_period_ns": 5.0},
            {"graph": small[0], "weights": small[1]},
            outputs(folder),
        )
        contents.append((folder / "program").read_bytes())

    assert contents[0] == contents[1]
