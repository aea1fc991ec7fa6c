"""The check of a graph, on plain JSON: no Keras is imported here."""

from __future__ import annotations

import copy
import json
import subprocess
import sys

import pytest

from harness.errors import InvalidSubmissionError, Problem
from harness.submission import graph as graphs
from harness.submission.graph import parse_graph


def graph() -> dict:
    """Return the smallest graph that is allowed: 57 inputs, one dense layer."""
    zeros = {
        "module": "keras.initializers",
        "class_name": "Zeros",
        "config": {},
        "registered_name": None,
    }
    return {
        "format": 1,
        "input_shape": [57],
        "weights": [{"path": "score/0:kernel", "shape": [57, 1], "dtype": "float32"}],
        "model": {
            "module": "keras.src.models.functional",
            "class_name": "Functional",
            "registered_name": "Functional",
            "config": {
                "name": "encoder",
                "trainable": True,
                "input_layers": ["x", 0, 0],
                "output_layers": ["score", 0, 0],
                "layers": [
                    {
                        "module": "keras.layers",
                        "class_name": "InputLayer",
                        "registered_name": None,
                        "name": "x",
                        "config": {"batch_shape": [None, 57], "dtype": "float32", "name": "x"},
                        "inbound_nodes": [],
                    },
                    {
                        "module": "keras.layers",
                        "class_name": "Dense",
                        "registered_name": None,
                        "name": "score",
                        "config": {
                            "name": "score",
                            "units": 1,
                            "activation": "relu",
                            "kernel_initializer": zeros,
                        },
                        "build_config": {"input_shape": [None, 57]},
                        "inbound_nodes": [
                            {
                                "args": [
                                    {
                                        "class_name": "__keras_tensor__",
                                        "config": {
                                            "shape": [None, 57],
                                            "dtype": "float32",
                                            "keras_history": ["x", 0, 0],
                                        },
                                    }
                                ],
                                "kwargs": {},
                            }
                        ],
                    },
                ],
            },
        },
    }


def dense(content: dict) -> dict:
    """Return the dense layer of a graph."""
    return content["model"]["config"]["layers"][1]


def problems(text: str) -> tuple[Problem, ...]:
    """Return all problems of the text of a graph."""
    try:
        parse_graph(text)
    except InvalidSubmissionError as error:
        return error.problems
    return ()


def found(content: dict) -> str:
    """Return all problems of a graph as one text."""
    return "\n".join(str(problem) for problem in problems(json.dumps(content)))


def test_the_plain_graph_is_allowed():
    assert parse_graph(json.dumps(graph())).input_shape == (57,)


def test_the_check_imports_no_keras():
    code = "import sys, harness.submission.graph; print('keras' in sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("module", "class_name", "registered"),
    [
        ("keras.layers", "Lambda", None),
        ("keras.layers", "TorchModuleWrapper", None),
        ("keras.layers", "TFSMLayer", None),
        ("keras.layers", "StringLookup", None),
        ("keras.layers", "LSTM", None),
        ("keras.layers", "RandomRotation", None),
        ("builtins", "eval", None),
        ("subprocess", "Popen", None),
        ("hgq.layers.core.dense", "QDense", "custom>QDense"),
        ("os", "Dense", None),
        ("keras.layers", "Dense", "hgq>QDense"),
        ("hgq.layers.rnn.gru", "QGRU", "hgq>QGRU"),
    ],
)
def test_a_class_off_the_list_is_refused_and_named(module, class_name, registered):
    content = graph()
    dense(content).update(module=module, class_name=class_name, registered_name=registered)
    assert f"{module}.{class_name} is not allowed" in found(content)
    assert "layer 'score'" in found(content)


@pytest.mark.parametrize("place", ["kernel_initializer", "activation", "anything"])
@pytest.mark.parametrize(
    "hostile",
    [
        {"class_name": "__lambda__", "config": {"value": "4wEAAA=="}},
        {"class_name": "__typespec__", "spec_name": "Popen", "module": "os", "config": []},
        {"class_name": "__bytes__", "config": {"value": "x"}},
        {"module": "os", "class_name": "system", "config": {}, "registered_name": None},
        {
            "module": "builtins",
            "class_name": "function",
            "config": "eval",
            "registered_name": "function",
        },
        {"module": "os", "class_name": "function", "config": "relu", "registered_name": "function"},
        {"class_name": "Zeros", "config": {}},
        {"class_name": "Zeros"},
        {"class_name": ["Zeros"], "config": {}},
        {"module": [], "class_name": "Zeros", "config": {}, "registered_name": None},
        {
            "module": "builtins",
            "class_name": "function",
            "config": [],
            "registered_name": "function",
        },
        {"class_name": "__tensor__", "config": {"value": 1, "dtype": []}},
        "os.system",
        "/etc/passwd",
        "../../weights",
        2**60,
    ],
)
def test_hostile_values_are_refused_wherever_they_stand(place, hostile):
    content = graph()
    dense(content)["config"][place] = hostile
    assert found(content)
    deeper = graph()
    dense(deeper)["config"]["nested"] = [[{"further": hostile}]]
    assert found(deeper)


def test_training_mode_in_a_call_is_refused():
    content = graph()
    dense(content)["inbound_nodes"][0]["kwargs"]["training"] = True
    assert "training=True" in found(content)
    dense(content)["inbound_nodes"][0]["kwargs"]["training"] = False
    assert not found(content)


@pytest.mark.parametrize("setting", ["stateful", "return_state"])
def test_state_is_refused(setting):
    content = graph()
    dense(content)["config"][setting] = True
    assert f"{setting} is set" in found(content)


def test_an_initialiser_is_no_layer():
    content = graph()
    dense(content).update(module="keras.initializers", class_name="Zeros")
    assert "Zeros is no layer" in found(content)


def test_shared_functions_of_the_harness_are_allowed():
    content = graph()
    dense(content)["config"]["activation"] = {
        "module": "builtins",
        "class_name": "function",
        "config": "harness>exp_negative",
        "registered_name": "function",
    }
    assert not found(content)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": 2}, "graph: format: 2 is not accepted"),
        ({"input_shape": [58]}, "not that of the input layer"),
        ({"input_shape": [0]}, "greater than or equal to 1"),
        ({"input_shape": [57.0]}, "a valid integer"),
        ({"input_shape": "57"}, "graph: input_shape: '57' is not accepted"),
        ({"weights": {}}, "graph: weights: {} is not accepted"),
        ({"weights": [{"path": "a", "shape": [-1], "dtype": "float32"}]}, "weights[0].shape[0]"),
        ({"weights": [{"path": "a", "shape": [True], "dtype": "int8"}]}, "weights[0].shape[0]"),
        ({"weights": [{"path": "a", "shape": [1], "dtype": "object"}]}, "weights[0].dtype"),
        ({"weights": [{"path": "a", "shape": [1]}]}, "missing"),
        ({"weights": [{"path": "a", "shape": [2**20, 2**20], "dtype": "int8"}]}, "bytes of"),
        ({"model": {}}, "no functional Keras model"),
        ({"model": []}, "graph: model: [] is not accepted"),
        ({"extra": 1}, "graph: extra: unknown field"),
    ],
)
def test_a_malformed_graph_is_refused(change, told):
    assert told in found({**graph(), **change})


def test_two_inputs_are_refused():
    content = graph()
    second = copy.deepcopy(content["model"]["config"]["layers"][0])
    content["model"]["config"]["layers"].append(second)
    assert "2 inputs" in found(content)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "not JSON"),
        ("[]", "should be a mapping of fields to values"),
        ('{"a": 1, "a": 2}', "same key twice"),
        ('{"a": NaN}', "NaN"),
        ("[" * 100_000, "nested too deeply"),
        (" " * (graphs.MAX_GRAPH_BYTES + 1), "more than"),
    ],
)
def test_what_is_no_json_of_ours_is_refused(text, told):
    assert told in str(problems(text)[0])


def test_depth_is_capped():
    content = graph()
    nested: list = []
    for _ in range(100):
        nested = [nested]
    dense(content)["config"]["deep"] = nested
    assert "nested deeper" in found(content)


def test_the_number_of_layers_is_capped():
    content = graph()
    content["model"]["config"]["layers"] *= graphs.MAX_LAYERS
    assert f"{2 * graphs.MAX_LAYERS} layers" in found(content)


def test_problems_are_many_but_not_endless():
    content = graph()
    dense(content)["config"]["bad"] = [f"text {number}" for number in range(1000)]
    assert len(problems(json.dumps(content))) == graphs.MAX_PROBLEMS
