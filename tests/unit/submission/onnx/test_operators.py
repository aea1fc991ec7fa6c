"""ONNX networks compute what onnxruntime does, quantised ones bit for bit what QONNX does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from harness.submission.contract import check_network
from harness.submission.network import export_network, load_keras, rebuild
from tests.onnx_zoo import EXACT, FLOAT, SCALED, Graph, events_of

DATA = Path(__file__).parents[3] / "data"
# Of Keras, when a network is built of what it has made before.
pytestmark = pytest.mark.filterwarnings("ignore:.*__array__.*:DeprecationWarning")


@pytest.fixture(scope="module")
def many_events() -> np.ndarray:
    return events_of(10_000)


def rebuilt(path: Path, folder: Path):
    """The network of an ONNX file, as sandbox B builds it."""
    load_keras()
    import keras

    from harness.submission.onnx.network import build_network

    keras.utils.clear_session(free_memory=False)
    made = build_network(path, (19, 3))
    assert check_network(made, (19, 3), path.name) == []
    export_network(made, folder / "graph", folder / "weights")
    return rebuild(folder / "graph", folder / "weights")


def scores_of(network, events: np.ndarray) -> np.ndarray:
    return np.asarray(network(events.reshape(-1, *network.input_shape[1:]))).reshape(-1)


def by_onnxruntime(path: Path, events: np.ndarray) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    return session.run(None, {given.name: events.reshape(-1, *given.shape[1:])})[0].reshape(-1)


@pytest.mark.parametrize("name", FLOAT)
def test_a_float_network_scores_as_onnxruntime(name, tmp_path, many_events):
    path = tmp_path / "model.onnx"
    onnx.save(FLOAT[name](Graph()), path)
    expected = by_onnxruntime(path, many_events)

    found = scores_of(rebuilt(path, tmp_path), many_events)

    # A score far from the others is rounded in its own size.
    allowed = 1e-5 * np.maximum(expected.std(), np.abs(expected))
    assert (np.abs(found - expected) < allowed).all()


@pytest.mark.parametrize("name", EXACT)
def test_quantised_networks_equal_qonnx_bit_for_bit(name, tmp_path):
    saved = np.load(DATA / "onnx" / "qonnx.npz")
    path = tmp_path / "model.onnx"
    onnx.save(EXACT[name](Graph()), path)

    network = rebuilt(path, tmp_path)

    assert not {"Dense", "Conv2D", "Rescaling"} & {type(one).__name__ for one in network.layers}
    np.testing.assert_array_equal(scores_of(network, saved["events"]), saved[name])


@pytest.mark.parametrize("name", SCALED)
def test_other_scales_agree_to_their_rounding(name, tmp_path):
    saved = np.load(DATA / "onnx" / "qonnx.npz")
    path = tmp_path / "model.onnx"
    onnx.save(SCALED[name](Graph()), path)

    network = rebuilt(path, tmp_path)

    # Weights stay the integers that they were; a value next to a half may be rounded otherwise.
    assert {type(one).__name__ for one in network.layers} >= {"QDense", "Rescaling"}
    difference = np.abs(scores_of(network, saved["events"]) - saved[name])
    assert np.quantile(difference, 0.99) < 1e-5 * saved[name].std()


def test_a_model_of_brevitas_equals_brevitas_bit_for_bit(tmp_path):
    saved = np.load(DATA / "onnx" / "brev.npz")

    network = rebuilt(DATA / "onnx" / "brev.onnx", tmp_path)

    np.testing.assert_array_equal(scores_of(network, saved["x"]), saved["r"].reshape(-1))
    layer = next(one for one in network.layers if type(one).__name__ == "QDense")
    k, i, f = (int(np.asarray(part).ravel()[0]) for part in layer.kq.quantizer.kif)
    assert (k, k + i + f, f) == (1, 6, 7)  # `Quant` of six bits with the scale 2^-7


@pytest.mark.parametrize("name", ["autoencoder", "encoder"])
def test_exported_models_of_pytorch_score_as_pytorch_did(name, tmp_path):
    saved = np.load(DATA / "torch" / f"{name}.npz")

    network = rebuilt(DATA / "torch" / f"{name}.onnx", tmp_path)

    found, expected = scores_of(network, saved["events"]), saved["scores"]
    assert np.abs(found - expected).max() < 1e-5 * expected.std()


def test_layers_have_the_names_of_the_nodes(tmp_path):
    network = rebuilt(DATA / "torch" / "autoencoder.onnx", tmp_path)

    assert {"Gemm.linear", "Relu.relu", "ReduceMean.score"} <= {
        operation.name for operation in network.operations
    }


def test_quantisers_whose_scales_are_no_powers_of_two_are_named(tmp_path):
    from harness.submission.onnx.network import build_network

    g = Graph()
    h = g.quant("x", 0.25, 8)
    w = g.quant(g.random(57, 4), 0.3, 4)
    h = g.quant(g.add("MatMul", h, w), 0.7, 6)
    h = g.add("BipolarQuant", h, np.float32(0.125))
    path = tmp_path / "model.onnx"
    path.write_bytes(g.model(g.add("ReduceSum", h, np.array([1]))).SerializeToString())
    names: list[str] = []

    build_network(path, (19, 3), names.append)

    kinds = [node.op_type for node in onnx.load(path).graph.node]
    numbers = [i for i, kind in enumerate(kinds) if kind.endswith("Quant")]
    # The scales 0.25, 0.3, 0.7 and 0.125, in the order of the graph.
    assert sorted(names) == sorted(f"node 'n{numbers[i]}' (Quant)" for i in (1, 2))
