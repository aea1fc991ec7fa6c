"""Every layer of the tables in docs/firmware.md becomes firmware, bit for bit, at two sizes.

All layers of a table are branches of one network (`tests.layer_zoo`), so that one translation, one
interpreter and one C simulation serve them all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.card.hardware import Firmware
from harness.firmware.backend import UntranslatableError
from harness.firmware.translate.checking import check_translatable
from harness.firmware.translate.quantise import load_fixed_point, to_fixed_width
from harness.firmware.translate.tracing import TracedNetwork, trace_layers
from harness.firmware.witnesses.graph import evaluate, in_double_precision
from harness.submission import layers as allowed
from harness.submission.declaration import Precision
from tests import layer_zoo as zoo
from tests.firmware_bench import (
    export,
    fixed,
    make_firmware,
    plain_events,
    simulate_by_hls4ml,
    words_in,
)

import hgq.layers as q  # isort: skip  # after Keras is set up by the zoo
import keras  # isort: skip

PAGE = (Path(__file__).parents[4] / "docs" / "firmware.md").read_text(encoding="utf-8")
BRANCHES = {"HGQ2's": zoo.HGQ, "plain Keras": zoo.PLAIN}
# Layers of which the slow tests make a netlist: those that no baseline has.
SYNTHESISED = {
    "HGQ2's": ("QSoftmax", "QLinformerAttention", "QMaxPooling2D", "Permute", "PReLU"),
    "plain Keras": ("SeparableConv2D", "AveragePooling1D", "UpSampling2D", "ZeroPadding1D", "ELU"),
}


@cache
def table(kind: str) -> dict[str, str]:
    """Return each layer of a table, and what the column of the second translator says."""
    part = PAGE.split(f"### In a network of {kind} layers")[1].split("\n#")[0]
    rows = [line.split("|")[1:-1] for line in part.splitlines() if line.startswith("| `")]
    return {name: row[1].strip() for row in rows for name in re.findall(r"`(\w+)`", row[0])}


def branches(kind: str, *, is_of_both: bool = False) -> dict[str, zoo.Branch]:
    """Return the branches of a table, or of those layers of it that both translators read."""
    rows = table(kind)
    wanted = ("yes",) if is_of_both else ("yes", "no")
    return {name: BRANCHES[kind][name] for name, said in rows.items() if said in wanted}


@dataclass(frozen=True)
class Traced:
    """The network of a table, quantised and traced, and its events."""

    model: keras.Model
    network: TracedNetwork
    events: NDArray[np.float32]

    @property
    def of_program(self) -> dict[str, NDArray[np.float64]]:
        """Scores of each layer by the interpreter."""
        columns = self.network.by_layer.predict(self.events)
        ends = np.cumsum([number for _, number in self.network.layers])
        parts = np.split(columns, ends[:-1], axis=1)
        return {
            name: part.ravel()
            for (name, _), part in zip(self.network.layers, parts, strict=True)
            if "score_" in name
        }

    @property
    def of_keras(self) -> dict[str, NDArray[np.float64]]:
        """Scores of each layer by the quantised Keras graph."""
        nodes = [node for nodes in self.model._nodes_by_depth.values() for node in nodes]
        outputs = {
            node.operation.name: node.outputs[0]
            for node in nodes
            if "score_" in node.operation.name
        }
        scores = keras.Model(self.model.inputs, outputs)([self.events])
        return {name: np.asarray(score).ravel() for name, score in scores.items()}


def quantised(kind: str, size: int, *, is_of_both: bool = False) -> keras.Model:
    """Export the network of a table, and load it as the firmware's step does."""
    is_plain = kind == "plain Keras"
    model = zoo.network(branches(kind, is_of_both=is_of_both), size, is_plain=is_plain)
    with TemporaryDirectory() as folder:
        graph, weights = export(model, Path(folder))
        files = {"graph": graph, "weights": weights}
        return load_fixed_point(zoo.PRECISION if is_plain else None, files)


@cache
def traced(kind: str, size: int) -> Traced:
    model = quantised(kind, size)
    check_translatable(model)
    return Traced(model, trace_layers(model), plain_events(300, zoo.n_inputs(size)) / 2)


def test_every_layer_that_a_network_may_have_has_a_row():
    named = {
        name
        for names in (*allowed._KERAS_LAYERS_BY_MODULE.values(), *allowed._HGQ_LAYERS.values())
        for name in names.split()
    }

    without = {"Sequential", "InputLayer", *allowed.WITHOUT_FIRMWARE}
    assert named - without == {*table("HGQ2's"), *table("plain Keras")}


@pytest.mark.parametrize("kind", BRANCHES)
def test_every_row_has_its_branch(kind):
    assert set(branches(kind)) == set(BRANCHES[kind])


@pytest.mark.parametrize("size", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", BRANCHES)
def test_every_layer_has_the_same_bits_in_the_program_and_in_keras(kind, size):
    made = traced(kind, size)
    of_program, of_keras = made.of_program, made.of_keras

    differing = [name for name in of_keras if not np.array_equal(of_program[name], of_keras[name])]
    constant = [name for name, scores in of_keras.items() if len(set(scores)) < 8]
    assert not differing
    assert not constant
    assert len(of_keras) == len(BRANCHES[kind])


@pytest.mark.parametrize("kind", BRANCHES)
def test_the_whole_network_has_the_same_bits_in_float64(kind):
    made = traced(kind, 1)

    scores = made.network.program.predict(made.events).ravel()

    np.testing.assert_array_equal(scores, evaluate(in_double_precision(made.model), made.events))


@pytest.mark.slow
@pytest.mark.parametrize("kind", BRANCHES)
def test_the_second_translator_reads_every_layer_of_which_the_table_says_so(kind, tmp_path):
    model = quantised(kind, 1, is_of_both=True)
    events = plain_events(300, zoo.n_inputs(1)) / 2

    scores, printed = simulate_by_hls4ml(model, events, tmp_path)

    np.testing.assert_array_equal(scores, trace_layers(model).program.predict(events).ravel())
    assert "DA handler" not in printed


@pytest.mark.slow
@pytest.mark.parametrize("kind", SYNTHESISED)
def test_the_netlist_of_some_layers_has_the_same_bits(kind, tmp_path):
    """The whole backend: all witnesses agree, or it raises."""
    some = {name: BRANCHES[kind][name] for name in SYNTHESISED[kind]}
    is_plain = kind == "plain Keras"
    network = export(zoo.network(some, 1, is_plain=is_plain), tmp_path / "network")
    events = tmp_path / "events.npy"
    np.save(events, plain_events(500, zoo.n_inputs(1)) / 2)

    made = make_firmware(
        network,
        events,
        tmp_path / "build",
        precision=Precision.model_validate(zoo.PRECISION) if is_plain else None,
    )

    assert isinstance(made.report, Firmware)
    assert len(made.report.agreements) == 4
    assert all(agreement.is_independent for agreement in made.report.agreements[:2])


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Softmax(name="odd"),
        keras.layers.LayerNormalization(name="odd"),
        keras.layers.UnitNormalization(name="odd"),
        keras.layers.UpSampling2D(2, interpolation="bilinear", name="odd"),
        keras.layers.AveragePooling2D((2, 2), padding="same", name="odd"),
        keras.layers.ELU(alpha=0.5, name="odd"),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_a_layer_of_the_exceptions_is_refused_with_a_cure(layer):
    inputs = keras.Input((4, 3, 2))
    x = keras.layers.Flatten()(layer(inputs))
    model = keras.Model(inputs, keras.layers.Dense(1)(x))

    with pytest.raises(UntranslatableError, match=r"layer 'odd'.*\n.*\n  to do: .+"):
        to_fixed_width(model, zoo.PRECISION)


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        (q.QGlobalAveragePooling2D(enable_ebops=False, name="odd"), "averages 3 values"),
        (q.QAveragePooling2D((3, 1), enable_ebops=False, name="odd"), "averages 3 values"),
        (keras.layers.LeakyReLU(0.3, name="odd"), r"negative_slope=0\.3 .*\n.*\n.*use 0\.296875"),
        (keras.layers.ReLU(max_value=0.1, name="odd"), r"max_value=0\.1"),
    ],
    ids=lambda case: getattr(case, "name", ""),
)
def test_a_constant_that_firmware_cannot_compute_exactly_is_refused(layer, told):
    inputs = keras.Input((4, 3, 2))
    model = keras.Model(inputs, layer(words_in(inputs, 6, 3, is_signed=True)))

    with pytest.raises(UntranslatableError, match=rf"layer 'odd'.*{told}"):
        check_translatable(model)


@pytest.mark.parametrize("more", [{"groups": 2}, {"dilation_rate": 2}])
def test_a_convolution_of_groups_or_with_gaps_has_the_bits_of_keras(more):
    inputs = keras.Input((4, 3, 4))
    layer = q.QConv2D(
        4,
        (2, 2),
        kq_conf=fixed(4, 1, is_signed=True),
        bq_conf=fixed(4, 1, is_signed=True, place="bias"),
        iq_conf=fixed(6, 3, is_signed=True, place="datalane"),
        enable_ebops=False,
        **more,
    )
    x = keras.layers.Flatten()(layer(words_in(inputs, 6, 3, is_signed=True)))
    model = keras.Model(inputs, q.QDense(1, enable_ebops=False)(x))
    events = plain_events(200, 48)

    program = trace_layers(model).program

    np.testing.assert_array_equal(program.predict(events).ravel(), evaluate(model, events))
