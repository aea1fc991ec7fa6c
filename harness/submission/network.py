"""An exported network: the form in which a network passes from one sandbox to the next.

An exported network is two files. ``graph.json`` is canonical JSON: the format's version, the shape
of the input, the configuration of the model as Keras serialises it, and for each weight its path,
shape and type. ``weights.bin`` is these weights one after the other, little-endian, C order,
nothing between them. Neither file can carry code, and a rebuilt network computes bit for bit what
the exported one did.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from pydantic import JsonValue

from harness.errors import InvalidSubmissionError
from harness.sandbox.lean_imports import frames_without_source
from harness.submission.contract import check_rebuilt
from harness.submission.functions import register_functions
from harness.submission.graph import (
    MAX_GRAPH_BYTES,
    MAX_WEIGHTS_BYTES,
    GraphWeight,
    NetworkGraph,
    parse_graph,
)

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

# Settings that matter in training alone; they are not exported, so a custom one does no harm.
_TRAINING_SUFFIXES = ("_regularizer", "_constraint")


def load_keras() -> None:
    """Import Keras on TensorFlow's CPU and HGQ2 with it, and make the harness's functions known.

    A graphics card is left alone: the scores of a network should not depend on one being there.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    import hgq.layers  # registers its classes with Keras
    import hgq.utils.misc

    frames_without_source(hgq.utils.misc)
    register_functions()


def export_network(model: keras.Model, graph_path: Path, weights_path: Path) -> None:
    """Write the graph and the weights of a network.

    Parameters
    ----------
    model : keras.Model
        A functional or sequential model that passed `check_network`.
    graph_path, weights_path : Path
        Where ``graph.json`` and ``weights.bin`` go.

    Raises
    ------
    InvalidSubmissionError
        The graph has parts that are not allowed, or cannot be serialised.
    """
    import keras

    if isinstance(model, keras.Sequential):
        model = keras.Model(model.inputs, model.outputs, name=model.name)
    arrays = [(path, _to_array(weight)) for path, weight in _weights_of(model)]
    graph = {
        "format": 1,
        "input_shape": list(model.inputs[0].shape[1:]),
        "model": _without_training(_serialise(model)),
        "weights": [
            {"path": path, "shape": list(array.shape), "dtype": str(array.dtype)}
            for path, array in arrays
        ],
    }
    text = json.dumps(graph, sort_keys=True, separators=(",", ":"))
    parse_graph(text)
    graph_path.write_text(text, encoding="ascii")
    with weights_path.open("wb") as file:
        for _, array in arrays:
            file.write(_little_endian(array))


def _serialise(model: keras.Model) -> dict[str, JsonValue]:
    import keras

    try:
        config = keras.saving.serialize_keras_object(model)
        return cast("dict[str, JsonValue]", json.loads(json.dumps(config)))
    except Exception as error:
        # Any exception: this runs the code of a participant's own layer.
        raise InvalidSubmissionError(
            f"the network cannot be serialised: {str(error)[:300]}",
            where="model.py, network()",
            expected="layers of Keras and HGQ2, without Lambda or custom classes",
            fix="build it from the layers listed in docs/submission.md",
        ) from error


def _without_training(value: JsonValue) -> JsonValue:
    """Drop what only training needs: state of compilation, regularisers, initialisers."""
    if isinstance(value, list):
        return [_without_training(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept: dict[str, JsonValue] = {}
    for key, item in value.items():
        if key == "compile_config":
            continue
        if key.endswith(_TRAINING_SUFFIXES):
            kept[key] = None
        elif key.endswith("_initializer") and item is not None:
            kept[key] = {
                "module": "keras.initializers",
                "class_name": "Zeros",
                "config": {},
                "registered_name": None,
            }
        else:
            kept[key] = _without_training(item)
    return kept


def _weights_of(model: keras.Model) -> Iterator[tuple[str, keras.Variable]]:
    """Yield each weight with a path that the rebuilt model gives it as well.

    The names of quantisers inside a layer count upwards over a process, so a weight is known by
    its layer and its place there.
    """
    for prefix, layer in _leaf_layers(model, ""):
        for index, weight in enumerate(layer.weights):
            yield f"{prefix}{layer.name}/{index}:{weight.name}", weight


def _leaf_layers(model: keras.Model, prefix: str) -> Iterator[tuple[str, keras.layers.Layer]]:
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _leaf_layers(layer, f"{prefix}{layer.name}/")
        else:
            yield prefix, layer


def _to_array(weight: keras.Variable) -> NDArray[np.generic]:
    # Not keras.ops.convert_to_numpy: with NumPy 2 it warns of a copy on every variable.
    return np.asarray(weight.value.numpy())


def _little_endian(array: NDArray[np.generic]) -> bytes:
    is_native = array.dtype.byteorder in "=|<"
    return (array if is_native else array.astype(array.dtype.newbyteorder("<"))).tobytes()


def rebuild(graph_path: Path, weights_path: Path) -> keras.Model:
    """Build the network that was exported; its inputs, outputs and weights are the same.

    Parameters
    ----------
    graph_path, weights_path : Path
        What `export_network` wrote, or what somebody else did: both are checked first.

    Returns
    -------
    keras.Model
        A functional model.

    Raises
    ------
    InvalidSubmissionError
        The files hold anything that is not allowed, or do not fit each other; or the network does
        not score each event alone.
    """
    graph = _read_graph(graph_path)
    content = _read_weights(weights_path, graph)
    load_keras()
    model = _deserialise(graph.model)
    check_rebuilt(model)
    _set_weights(model, graph.weights, content)
    return model


def _read_graph(path: Path) -> NetworkGraph:
    if path.stat().st_size > MAX_GRAPH_BYTES:
        raise InvalidSubmissionError(f"more than {MAX_GRAPH_BYTES} bytes", where="graph")
    try:
        text = path.read_text(encoding="ascii")
    except UnicodeDecodeError as error:
        raise InvalidSubmissionError("is not ASCII", where="graph") from error
    return parse_graph(text)


def _read_weights(path: Path, graph: NetworkGraph) -> bytes:
    found = path.stat().st_size
    if found != graph.n_weight_bytes or found > MAX_WEIGHTS_BYTES:
        raise InvalidSubmissionError(
            f"{found} bytes", where="weights", expected=f"{graph.n_weight_bytes}, as the graph says"
        )
    return path.read_bytes()


def _deserialise(config: Mapping[str, object]) -> keras.Model:
    import keras

    try:
        keras.utils.clear_session()
        model = keras.saving.deserialize_keras_object(config, safe_mode=True)
        if not isinstance(model, keras.Model):
            raise TypeError(f"{type(model).__name__} is no model")
    except Exception as error:
        # Keras raises anything at all from a graph whose parts do not fit each other.
        raise InvalidSubmissionError(
            f"cannot be rebuilt: {type(error).__name__}: {str(error)[:500]}",
            where="graph",
            fix="export the network again",
        ) from error
    return model


def _set_weights(model: keras.Model, declared: Sequence[GraphWeight], content: bytes) -> None:
    weights = list(_weights_of(model))
    expected = sorted((weight.path, weight.shape, weight.dtype) for weight in declared)
    found = sorted((path, tuple(weight.shape), str(weight.dtype)) for path, weight in weights)
    if found != expected:
        differing = [entry for entry in expected if entry not in found] or found
        raise InvalidSubmissionError(
            f"the weights do not fit the graph, first at {differing[0]}", where="weights"
        )
    by_path = dict(weights)
    offset = 0
    for weight in declared:
        array = np.frombuffer(content[offset : offset + weight.n_bytes], weight.numpy_type)
        by_path[weight.path].assign(array.reshape(weight.shape))
        offset += weight.n_bytes
    for _, layer in _leaf_layers(model, ""):
        if hasattr(layer, "finalize_state"):  # Normalization keeps a copy of its weights
            layer.finalize_state()


def model_digest(graph_path: Path, weights_path: Path) -> str:
    """Return ``sha256:`` and the digest of an exported network, graph and weights together."""
    digest = hashlib.sha256(b"harness network 1\0")
    for path in (graph_path, weights_path):
        content = path.read_bytes()
        digest.update(len(content).to_bytes(8, "little"))
        digest.update(content)
    return f"sha256:{digest.hexdigest()}"
