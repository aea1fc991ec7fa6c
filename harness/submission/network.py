"""The network of a submission: its contract, and its form between the sandboxes.

An exported network is two files. ``graph.json`` is canonical JSON: the format's version, the shape
of the input, the configuration of the model as Keras serialises it, and for each weight its path,
shape and type. ``weights.bin`` is these weights one after the other, little-endian, C order,
nothing between them. Neither file can carry code, and a rebuilt network computes bit for bit what
the exported one did.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from pydantic import JsonValue

from harness.errors import InvalidSubmissionError, Problem
from harness.submission.functions import register_functions
from harness.submission.layers import (
    FLOAT_TYPES,
    GRAPH_FORMAT,
    MAX_GRAPH_BYTES,
    MAX_WEIGHTS_BYTES,
    WEIGHT_TYPES,
    check_graph,
    parse_graph,
)

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

__all__ = [
    "check_graph",
    "check_network",
    "export_network",
    "input_shapes",
    "load_keras",
    "model_digest",
    "rebuild",
]

# Settings that matter in training alone; they are not exported, so a custom one does no harm.
_TRAINING_SUFFIXES = ("_regularizer", "_constraint")


def load_keras() -> None:
    """Import Keras on TensorFlow's CPU and HGQ2 with it, and make the harness's functions known.

    A graphics card is left alone: the scores of a network should not depend on one being there.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    import hgq.layers  # noqa: F401  # registers its classes with Keras

    register_functions()


def input_shapes(event_shape: tuple[int, int]) -> tuple[tuple[int, ...], ...]:
    """Return the input shapes that a network may declare for events of `event_shape`.

    Examples
    --------
    >>> input_shapes((19, 3))
    ((57,), (19, 3), (19, 3, 1))
    """
    n_objects, n_features = event_shape
    return (n_objects * n_features,), (n_objects, n_features), (n_objects, n_features, 1)


def check_network(network: object, event_shape: tuple[int, int]) -> list[Problem]:
    """Say all in which what ``network()`` returned does not keep the contract.

    Parameters
    ----------
    network : object
        What ``network()`` returned.
    event_shape : tuple of int
        ``(n_objects, n_features)`` of the challenge.

    Returns
    -------
    list of Problem
        Empty for a Keras model with one float input of one of `input_shapes` and one real
        floating output of shape ``(n,)`` or ``(n, 1)``.
    """
    import keras

    where = "model.py, network()"
    if not isinstance(network, keras.Model):
        return [
            Problem(
                what=f"returned {type(network).__module__}.{type(network).__qualname__}",
                where=where,
                expected="a keras.Model",
                fix="end with `return keras.Model(inputs, score)`",
            )
        ]
    functional = keras.src.models.functional.Functional
    if type(network) not in (functional, keras.Sequential):
        return [
            Problem(
                what=f"returned a subclass of keras.Model, {type(network).__qualname__}",
                where=where,
                expected="a functional or sequential model, whose graph can be exported",
                fix="train with any class, but return keras.Model(inputs, score)",
            )
        ]
    if not network.built or not network.inputs:
        return [
            Problem(
                what="returned a model that has no input yet",
                where=where,
                expected="a built model",
                fix="begin a Sequential with keras.Input(shape)",
            )
        ]
    return [*_input_problems(network, event_shape), *_output_problems(network)]


def _input_problems(network: keras.Model, event_shape: tuple[int, int]) -> Iterator[Problem]:
    where = "model.py, network(), input"
    allowed = input_shapes(event_shape)
    expected = "one input of shape " + " or ".join(str(shape) for shape in allowed)
    fix = f"declare keras.Input({allowed[0]})"
    if len(network.inputs) != 1:
        yield Problem(what=f"{len(network.inputs)} inputs", where=where, expected=expected, fix=fix)
        return
    tensor = network.inputs[0]
    shape = tuple(tensor.shape[1:])
    if tensor.shape[0] is not None:
        yield Problem(
            what=f"the batch size is fixed to {tensor.shape[0]}",
            where=where,
            expected="any batch size",
            fix="leave batch_size out of keras.Input",
        )
    if None in shape:
        yield Problem(what=f"the shape {shape} is open", where=where, expected=expected, fix=fix)
    elif shape not in allowed:
        yield Problem(what=f"the shape is {shape}", where=where, expected=expected, fix=fix)
    if str(tensor.dtype) not in FLOAT_TYPES:
        yield Problem(what=f"the type is {tensor.dtype}", where=where, expected="float32", fix=fix)


def _output_problems(network: keras.Model) -> Iterator[Problem]:
    where = "model.py, network(), output"
    expected = "one anomaly score for each event: shape (n,) or (n, 1), real floating"
    if len(network.outputs) != 1:
        yield Problem(
            what=f"{len(network.outputs)} outputs",
            where=where,
            expected=expected,
            fix="put the arithmetic of the score into the graph, for instance by harness.heads",
        )
        return
    tensor = network.outputs[0]
    if tuple(tensor.shape[1:]) not in ((), (1,)):
        yield Problem(
            what=f"the shape is (n, {', '.join(str(size) for size in tensor.shape[1:])})",
            where=where,
            expected=expected,
            fix="reduce the output to one number, for instance by harness.heads",
        )
    elif len(tensor.shape) == 0 or tensor.shape[0] is not None:
        yield Problem(
            what=f"the shape is {tuple(tensor.shape)}: events are mixed",
            where=where,
            expected=expected,
            fix="never reduce over axis 0; use axis=-1",
        )
    if str(tensor.dtype) not in FLOAT_TYPES:
        yield Problem(
            what=f"the type is {tensor.dtype}",
            where=where,
            expected=expected,
            fix="return a real floating score",
        )


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
        The graph holds what the allow-list does not, or cannot be serialised.
    """
    import keras

    if isinstance(model, keras.Sequential):
        model = keras.Model(model.inputs, model.outputs, name=model.name)
    arrays = [(path, _to_array(weight)) for path, weight in _weights_of(model)]
    graph = {
        "format": GRAPH_FORMAT,
        "input_shape": list(model.inputs[0].shape[1:]),
        "model": _without_training(_serialise(model)),
        "weights": [
            {"path": path, "shape": list(array.shape), "dtype": str(array.dtype)}
            for path, array in arrays
        ],
    }
    text = json.dumps(graph, sort_keys=True, separators=(",", ":"))
    if problems := check_graph(text):
        raise InvalidSubmissionError(*problems)
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
        # Anything at all: a participant's own layer is asked for its configuration here.
        raise InvalidSubmissionError(
            Problem(
                what=f"the network cannot be serialised: {str(error)[:300]}",
                where="model.py, network()",
                expected="layers of Keras and HGQ2, without Lambda or custom classes",
                fix="build it from the layers listed in docs/submission.md",
            )
        ) from error


def _without_training(value: JsonValue) -> JsonValue:
    """Drop what training alone needs: state of compilation, regularisers, initialisers."""
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
        The files hold anything that is not allowed, or do not fit each other.
    """
    graph = _read_graph(graph_path)
    entries = cast("list[dict[str, JsonValue]]", graph["weights"])
    content = _read_weights(weights_path, entries)
    load_keras()
    model = _deserialise(cast("dict[str, JsonValue]", graph["model"]))
    _set_weights(model, entries, content)
    return model


def _read_graph(path: Path) -> dict[str, JsonValue]:
    if path.stat().st_size > MAX_GRAPH_BYTES:
        raise InvalidSubmissionError(
            Problem(what=f"more than {MAX_GRAPH_BYTES} bytes", where="graph")
        )
    try:
        text = path.read_text(encoding="ascii")
    except UnicodeDecodeError as error:
        raise InvalidSubmissionError(Problem(what="is not ASCII", where="graph")) from error
    if problems := check_graph(text):
        raise InvalidSubmissionError(*problems)
    return parse_graph(text)


def _read_weights(path: Path, entries: Sequence[dict[str, JsonValue]]) -> bytes:
    expected = sum(_n_bytes(entry) for entry in entries)
    found = path.stat().st_size
    if found != expected or found > MAX_WEIGHTS_BYTES:
        raise InvalidSubmissionError(
            Problem(
                what=f"{found} bytes", where="weights", expected=f"{expected}, as the graph says"
            )
        )
    return path.read_bytes()


def _n_bytes(entry: dict[str, JsonValue]) -> int:
    return math.prod(cast("list[int]", entry["shape"])) * WEIGHT_TYPES[str(entry["dtype"])]


@contextmanager
def _told_as_problem() -> Iterator[None]:
    """Turn what Keras raises on a graph that makes no sense into a problem of the submission."""
    try:
        yield
    except InvalidSubmissionError:
        raise
    except Exception as error:
        # Keras raises anything at all from a graph whose parts do not fit each other.
        raise InvalidSubmissionError(
            Problem(
                what=f"cannot be rebuilt: {type(error).__name__}: {str(error)[:500]}",
                where="graph",
                fix="export the network again",
            )
        ) from error


def _deserialise(config: dict[str, JsonValue]) -> keras.Model:
    import keras

    with _told_as_problem():
        keras.utils.clear_session()
        model = keras.saving.deserialize_keras_object(config, safe_mode=True)
        if not isinstance(model, keras.Model):
            raise TypeError(f"{type(model).__name__} is no model")
        return model


def _set_weights(
    model: keras.Model, entries: Sequence[dict[str, JsonValue]], content: bytes
) -> None:
    weights = list(_weights_of(model))
    found = [(path, list(weight.shape), str(weight.dtype)) for path, weight in weights]
    declared = [(entry["path"], entry["shape"], entry["dtype"]) for entry in entries]
    if sorted(found) != sorted(cast("list[tuple[str, list[int], str]]", declared)):
        differing = [entry for entry in declared if entry not in found] or found
        raise InvalidSubmissionError(
            Problem(
                what=f"the weights do not fit the graph, first at {differing[0]}", where="weights"
            )
        )
    by_path = dict(weights)
    offset = 0
    for entry in entries:
        size = _n_bytes(entry)
        array = np.frombuffer(content[offset : offset + size], dtype=_numpy_type(entry["dtype"]))
        by_path[str(entry["path"])].assign(array.reshape(cast("list[int]", entry["shape"])))
        offset += size
    for _, layer in _leaf_layers(model, ""):
        if hasattr(layer, "finalize_state"):  # Normalization keeps a copy of its weights
            layer.finalize_state()


def _numpy_type(name: JsonValue) -> np.dtype[np.generic]:
    if name == "bfloat16":
        import ml_dtypes

        return np.dtype(cast("type[np.generic]", ml_dtypes.bfloat16))
    return np.dtype(str(name)).newbyteorder("<")


def model_digest(graph_path: Path, weights_path: Path) -> str:
    """Return ``sha256:`` and the digest of an exported network, graph and weights together."""
    digest = hashlib.sha256(b"harness network 1\0")
    for path in (graph_path, weights_path):
        content = path.read_bytes()
        digest.update(len(content).to_bytes(8, "little"))
        digest.update(content)
    return f"sha256:{digest.hexdigest()}"
