"""What cannot be a network is refused, with the name of the node and what to do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from harness.errors import InvalidSubmissionError
from harness.submission.network import load_keras
from tests.onnx_zoo import FLOAT, Graph


def refusal(model: ModelProto | bytes, folder) -> str:
    """Read a file, and return why that is refused."""
    load_keras()
    from harness.submission.onnx.network import build_network

    path = folder / "model.onnx"
    content = model if isinstance(model, bytes) else model.SerializeToString()
    path.write_bytes(content)
    with pytest.raises(InvalidSubmissionError) as raised:
        build_network(path, (19, 3))
    assert all(problem.what for problem in raised.value.problems)
    return str(raised.value)


def of(*nodes: Callable[[Graph, str], str]) -> ModelProto:
    """A graph of nodes one after the other, with a score at the end."""
    g = Graph()
    name = "x"
    for node in nodes:
        name = node(g, name)
    return g.model(name)


def test_all_unknown_operators_are_named_at_once(tmp_path):
    model = of(
        lambda g, x: g.add("LSTM", x, hidden_size=3),
        lambda g, x: g.add("RandomNormalLike", x),
        lambda g, x: g.add("TopK", x, np.array([3])),
    )
    said = refusal(model, tmp_path)

    assert "node 'n0' (LSTM)" in said
    assert "node 'n1' (RandomNormalLike)" in said
    assert "of a VAE use the mean in place of a sample" in said
    assert "node 'n2' (TopK)" in said


def test_all_nodes_that_cannot_be_built_are_named_at_once(tmp_path):
    g = Graph()
    parts = [
        g.add("ReduceMean", "x", keepdims=1),
        g.add("Softmax", "x", axis=0),
        g.add("Transpose", "x", perm=[1, 0]),
        g.add("Reshape", "x", np.array([-1, 19])),
        g.add("Mul", "x", g.random(3, 57)),
    ]
    said = refusal(g.model(g.add("Concat", *parts, axis=1)), tmp_path)

    for number, why in enumerate(
        ("reduces all axes", "axis 0", "axes in the order [1, 0]", "joins events", "for the events")
    ):
        assert f"node 'n{number}'" in said
        assert why in said
    assert "(Concat)" not in said


def test_several_outputs_are_refused_with_their_names(tmp_path):
    g = Graph()
    h = g.add("Relu", "x")
    said = refusal(g.model(g.score(h, 57), outputs=[h]), tmp_path)
    assert "2 outputs: 'gemm_1_0', 'relu_0_0'" in said


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "cannot be read as ONNX"),
        (b"version https://git-lfs.github.com/spec/v1\n", "cannot be read as ONNX"),
        (FLOAT["dense"](Graph()).SerializeToString()[:-900], "cannot be read"),
        (b"\x0a" * 5000, "cannot be read as ONNX"),
    ],
)
def test_a_damaged_file_is_refused(content, why, tmp_path):
    assert why in refusal(content, tmp_path)


def _with_graph(model: ModelProto) -> ModelProto:
    inner = helper.make_graph([], "inner", [], [])
    node = helper.make_node("If", ["x"], ["y"], "choice", then_branch=inner, else_branch=inner)
    model.graph.node.append(node)
    return model


def _with_function(model: ModelProto) -> ModelProto:
    node = helper.make_node("Own", ["a"], ["b"], domain="own")
    versions = [helper.make_opsetid("own", 1)]
    model.functions.append(helper.make_function("own", "Own", ["a"], ["b"], [node], versions))
    return model


def _with_domain(model: ModelProto) -> ModelProto:
    model.graph.node.append(helper.make_node("FusedGemm", ["x"], ["y"], domain="com.microsoft"))
    return model


def _with_opset(version: int) -> Callable[[ModelProto], ModelProto]:
    def change(model: ModelProto) -> ModelProto:
        model.opset_import[0].version = version
        return model

    return change


def _with_nan(model: ModelProto) -> ModelProto:
    weights = numpy_helper.to_array(model.graph.initializer[1]).copy()
    weights.flat[3] = np.nan
    model.graph.initializer[1].CopyFrom(
        numpy_helper.from_array(weights, model.graph.initializer[1].name)
    )
    return model


def _with_sizes(*sizes: int | str) -> Callable[[ModelProto], ModelProto]:
    def change(model: ModelProto) -> ModelProto:
        value = helper.make_tensor_value_info("x", TensorProto.FLOAT, sizes)
        model.graph.input[0].CopyFrom(value)
        return model

    return change


def _with_type(model: ModelProto) -> ModelProto:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    return model


def _with_many_nodes(model: ModelProto) -> ModelProto:
    model.graph.node.extend([model.graph.node[0]] * 2_001)
    return model


def _with_size_beyond_memory(model: ModelProto) -> ModelProto:
    shape = numpy_helper.from_array(np.array([10**9, 10**9]), "huge")
    model.graph.initializer.append(shape)
    model.graph.node.append(helper.make_node("ConstantOfShape", ["huge"], ["y"]))
    return model


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_with_graph, "holds a graph of its own"),
        (_with_function, "defines functions of its own"),
        (_with_domain, "of the domain 'com.microsoft'"),
        (_with_opset(6), "uses opset 6"),
        (_with_opset(999), "uses opset 999"),
        (_with_nan, "1 of its 912 numbers are not finite"),
        (_with_sizes("n", "m"), "has the shape (n, m)"),
        (_with_sizes("n", 58), "its input has the shape (n, 58)"),
        (_with_sizes(57), "has the shape (57)"),
        (_with_type, "is not of float32"),
        (_with_many_nodes, "nodes"),
        (_with_size_beyond_memory, "gives a constant of 1,000,000,000,000,000,000 numbers"),
    ],
    ids=lambda one: getattr(one, "__name__", None),
)
def test_a_file_that_is_no_plain_graph_of_one_event_is_refused(change, why, tmp_path):
    assert why in refusal(change(FLOAT["dense"](Graph())), tmp_path)


# --- Numbers in other files -----------------------------------------------------------------------


def outside(location: str, **more: int) -> ModelProto:
    """A network whose first weights lie in another file."""
    model = FLOAT["dense"](Graph())
    tensor = model.graph.initializer[1]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **more}.items():
        tensor.external_data.add(key=key, value=str(value))
    return model


def test_numbers_beside_the_model_are_read(tmp_path):
    load_keras()
    from harness.submission.onnx.network import build_network

    whole = FLOAT["dense"](Graph())
    onnx.save(whole, tmp_path / "whole.onnx")
    content = b"...." + numpy_helper.to_array(whole.graph.initializer[1]).tobytes()
    (tmp_path / "model.onnx.data").write_bytes(content)
    split = outside("model.onnx.data", offset=4, length=len(content) - 4)
    onnx.save(split, tmp_path / "model.onnx")

    one, other = (build_network(tmp_path / f"{n}.onnx", (19, 3)) for n in ("whole", "model"))

    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "location", ["../secret", "/etc/passwd", "missing.data", "", "a/../../secret", "."]
)
def test_numbers_outside_of_the_submission_are_not_read(location, tmp_path):
    (tmp_path / "secret").write_bytes(bytes(4 * 912))
    (tmp_path / "team").mkdir()

    said = refusal(outside(location), tmp_path / "team")

    assert "lie in another file" in said
    assert "external_data=False" in said


@pytest.mark.parametrize(("offset", "length"), [(0, 4 * 913), (-4, 8), (4 * 912, 4)])
def test_numbers_beyond_the_end_of_their_file_are_refused(offset, length, tmp_path):
    (tmp_path / "w.data").write_bytes(bytes(4 * 912))
    said = refusal(outside("w.data", offset=offset, length=length), tmp_path)
    assert "ends before its numbers" in said
