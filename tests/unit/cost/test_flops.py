"""FLOPs: the reference figures, the twins, what is named, and what is not believed."""

import importlib
import sys

import keras
import numpy as np
import pytest
from hgq.layers import (
    QAdd,
    QBatchNormalization,
    QBatchNormDense,
    QConv1D,
    QDense,
    QEinsumDense,
    QMaxPooling1D,
    QMultiply,
    QSum,
)
from hgq.quantizer import Quantizer, QuantizerConfig

from harness.card.costs import Cost
from harness.card.figures import NotMeasured
from harness.cost.flops import ENTRY, count, count_cost, count_flops, profile
from harness.errors import HarnessFaultError, IntegrityError
from harness.sandbox import Workspace
from harness.sandbox.step import StepResult, Usage
from harness.submission.network import export_network

LAYERS = (16, 3, 8, 16, 57)


def autoencoder(dense=keras.layers.Dense, *, has_all_biases):
    """Dense autoencoder 57-16-3-8-16-57 of the challenge, ReLU between its layers."""
    values = inputs = keras.Input((57,))
    for n_units in LAYERS:
        is_last = n_units == LAYERS[-1]
        values = dense(
            n_units, activation=None if is_last else "relu", use_bias=has_all_biases or is_last
        )(values)
    return keras.Model(inputs, values)


def test_keras_flops_still_needs_its_adaptation():
    """When this fails, the shim has become superfluous."""
    kept = {name: sys.modules.pop(name) for name in list(sys.modules) if "keras_flops" in name}
    try:
        with pytest.raises(KeyError, match=r"(AddV2|FusedBatchNormV3),flops"):
            importlib.import_module("keras_flops")
    finally:
        for name in [name for name in sys.modules if "keras_flops" in name]:
            del sys.modules[name]
        sys.modules.update(kept)


def test_autoencoder_with_biases_on_the_last_layer_is_4105():
    flops = count_flops(autoencoder(has_all_biases=False))
    assert flops.per_event == 4105
    assert flops.by_operation == {"BiasAdd": 57, "MatMul": 1824 + 1824 + 256 + 96 + 48}
    assert flops.on_weights == 0


def test_autoencoder_with_all_biases_is_4148():
    flops = count_flops(autoencoder(has_all_biases=True))
    assert flops.per_event == 4148
    assert flops.by_operation == {"BiasAdd": 57 + 16 + 3 + 8 + 16, "MatMul": 4048}


def test_what_has_no_formula_is_named_with_its_values():
    """ReLU follows the layers of 16, 3, 8 and 16 units."""
    assert count_flops(autoencoder(has_all_biases=True)).uncounted == {"Relu": 16 + 3 + 8 + 16}


def test_an_einsum_is_named_since_the_profiler_has_no_formula():
    inputs = keras.Input((4, 3))
    model = keras.Model(inputs, keras.ops.einsum("abc,adc->abd", inputs, inputs))
    flops = count_flops(model)
    assert flops.uncounted == {"Einsum": 16}
    assert flops.per_event == 0


def test_an_operation_of_unknown_shape_is_named():
    inputs = keras.Input((None, 3))
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.ops.square(inputs)))
    assert set(count_flops(model).uncounted) >= {"Square"}


def plain_twin(inputs):
    values = keras.layers.Conv1D(4, 3, padding="same", activation="relu")(inputs)
    values = keras.layers.BatchNormalization()(values)
    values = keras.layers.MaxPooling1D(2)(values)
    values = keras.layers.EinsumDense("abc,cd->abd", (5, 4), bias_axes="d")(values)
    flat = keras.layers.Flatten()(values)
    left, right = keras.layers.Dense(3)(flat), keras.layers.Dense(3, activation="tanh")(flat)
    both = keras.layers.Multiply()([keras.layers.Add()([left, right]), right])
    return keras.Model(inputs, keras.ops.sum(both, axis=-1) * 1.0)


def quantised_twin(inputs):
    values = Quantizer(QuantizerConfig("kif", "datalane"))(inputs)
    values = QConv1D(4, 3, padding="same", activation="relu")(values)
    values = QBatchNormalization()(values)
    values = QMaxPooling1D(2)(values)
    values = QEinsumDense("abc,cd->abd", (5, 4), bias_axes="d")(values)
    flat = keras.layers.Flatten()(values)
    left, right = QDense(3)(flat), QDense(3, activation="tanh", enable_oq=True)(flat)
    both = QMultiply()([QAdd()([left, right]), right])
    return keras.Model(inputs, QSum(axes=-1)(both))


def with_one_kind_of_sum(flops):
    """Some layers of HGQ2 add their bias by AddV2 where Keras uses BiasAdd: 1 per value both."""
    kinds = dict(flops.by_operation)
    return kinds | {"BiasAdd": kinds["BiasAdd"] + kinds.pop("AddV2")}


def test_a_quantised_network_counts_what_its_plain_twin_counts():
    plain = count_flops(plain_twin(keras.Input((10, 3))))
    quantised = count_flops(quantised_twin(keras.Input((10, 3))))
    assert quantised.per_event == plain.per_event
    assert with_one_kind_of_sum(quantised) == with_one_kind_of_sum(plain)
    assert quantised.uncounted == plain.uncounted
    # By hand: 10 positions x 4 filters x 9 taps, 5 x 4 x 4 and 2 x (20 x 3) products.
    assert plain.by_operation["Conv2D"] == 2 * 10 * 4 * 9
    assert plain.by_operation["BatchMatMulV2"] == 2 * 5 * 4 * 4
    assert plain.by_operation["MatMul"] == 2 * 2 * 20 * 3


@pytest.mark.parametrize("has_all_biases", [True, False])
def test_the_quantised_autoencoder_counts_the_reference(has_all_biases):
    flops = count_flops(autoencoder(QDense, has_all_biases=has_all_biases))
    assert flops.per_event == (4148 if has_all_biases else 4105)
    assert flops.uncounted == {"Relu": 43}


def test_without_identities_the_quantisers_would_be_counted():
    """The guard is needed: the rounding arithmetic of HGQ2 is 15 times the network's."""
    assert profile(autoencoder(QDense, has_all_biases=True)) > 40_000


def test_quantisers_round_again_after_a_count():
    model = autoencoder(QDense, has_all_biases=True)
    events = np.random.default_rng(1).normal(size=(5, 57)).astype("float32")
    before = np.asarray(model(events))
    count_flops(model)
    np.testing.assert_array_equal(np.asarray(model(events)), before)


def test_the_affine_map_of_a_quantiser_remains():
    """Hard sigmoid: x / 4 + 1/2 is one multiplication and one addition for each of 6 values."""
    from hgq.quantizer.config import HardSigmoidConfig

    inputs = keras.Input((6,))
    model = keras.Model(inputs, Quantizer(HardSigmoidConfig())(inputs))
    assert count_flops(model).by_operation == {"AddV2": 6, "Mul": 6}


def test_what_is_computed_of_weights_alone_is_done_once():
    """Batch normalisation folds to scale and offset: 2 of its operations meet each value."""
    inputs = keras.Input((7,))
    model = keras.Model(inputs, keras.layers.BatchNormalization()(inputs))
    flops = count_flops(model)
    assert flops.per_event == 2 * 7
    assert flops.on_weights > 0
    assert flops.total == profile(model)


def test_a_fused_batch_normalisation_costs_no_more_than_a_dense_layer():
    inputs = keras.Input((7,))
    fused = count_flops(keras.Model(inputs, QBatchNormDense(2)(inputs)))
    dense = count_flops(keras.Model(inputs, keras.layers.Dense(2)(inputs)))
    assert fused.by_operation == dense.by_operation == {"BiasAdd": 2, "MatMul": 28}


def test_the_profiler_prints_nothing(capfd):
    count_flops(autoencoder(has_all_biases=True))
    assert "Profile" not in capfd.readouterr().out


def test_a_disagreement_of_the_two_counts_is_no_figure(monkeypatch):
    from harness.cost import flops

    model = autoencoder(has_all_biases=True)
    monkeypatch.setattr(flops, "count_graph", lambda graph: flops.GraphFlops(on_weights=1))
    with pytest.raises(IntegrityError, match="keras-flops counts 4148"):
        count_flops(model)


# --- the step ----------------------------------------------------------------------------------


def exported(model, folder):
    graph, weights = folder / "graph.json", folder / "weights.bin"
    export_network(model, graph, weights)
    return graph, weights


def running_here(step, folder):
    """Run a step in this process, as a sandbox would run it."""
    assert step.entry == ENTRY
    report = count(step.request, step.inputs, {})
    usage = Usage(wall_s=1.0, cpu_s=1.0, peak_memory_bytes=1)
    return StepResult(report=report, outputs={}, usage=usage, log="")


def test_the_step_counts_an_exported_network(tmp_path):
    graph, weights = exported(autoencoder(QDense, has_all_biases=True), tmp_path)
    cost = count_cost(Workspace(run_step=running_here, folder=tmp_path), graph, weights)
    assert cost.flops == 4148
    assert cost.n_parameters == 2024 + 100
    assert cost.macs == 2024
    assert cost.uncounted_operations == {"Relu": 43}


def read_cost(report, folder):
    """Count a network whose step reports `report`."""

    def reporting(step, _):
        usage = Usage(wall_s=1.0, cpu_s=1.0, peak_memory_bytes=1)
        return StepResult(report=report, outputs={}, usage=usage, log="")

    return count_cost(Workspace(run_step=reporting, folder=folder), folder, folder)


GOOD = {
    "n_parameters": 10,
    "n_trainable": 10,
    "flops": 12,
    "flops_by_operation": {"MatMul": 12},
    "macs": 6,
    "bops": {"not_measured": "no rule for the multiplications of attn (QMultiHeadAttention)"},
    "weight_bits": 320,
    "compression": {"n_weights": 6, "n_zero": 3, "zero_share": 0.5, "bits_per_weight": 4.5},
}
ALL_ZERO = {**GOOD["compression"], "n_zero": 6}
MORE_THAN_THERE_ARE = {**GOOD["compression"], "n_weights": 12, "n_zero": 6}


def test_a_report_is_read(tmp_path):
    cost = read_cost(GOOD, tmp_path)
    assert isinstance(cost, Cost)
    assert isinstance(cost.bops, NotMeasured)


@pytest.mark.parametrize(
    "forged",
    [
        {"flops": 1},
        {"flops_by_operation": {}},
        {"n_trainable": 11},
        {"macs": 10**300},
        {"compression": ALL_ZERO},
        {"compression": MORE_THAN_THERE_ARE},
    ],
)
def test_a_report_that_contradicts_itself_is_refused(forged, tmp_path):
    with pytest.raises(IntegrityError):
        read_cost(GOOD | forged, tmp_path)


@pytest.mark.parametrize(
    "forged",
    [
        {"flops": "12"},
        {"flops": -1},
        {"flops": 1.5},
        {"flops": True},
        {"macs": None},
        {"verdict": "fast"},
        {"flops_by_operation": [12]},
    ],
)
def test_a_report_of_another_form_is_refused_with_the_place(forged, tmp_path):
    with pytest.raises(HarnessFaultError) as caught:
        read_cost(GOOD | forged, tmp_path)
    assert next(iter(forged)) in caught.value.problems[0].where


def test_an_empty_report_names_what_is_missing(tmp_path):
    with pytest.raises(HarnessFaultError) as caught:
        read_cost({}, tmp_path)
    assert len(caught.value.problems) == 6
