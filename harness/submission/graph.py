"""The graph of an exported network, read as hostile data.

A graph comes from a process that ran a participant's code. It may name only what
`harness.submission.layers` lists. Everything here is plain Python on plain JSON; nothing is
imported, evaluated or instantiated.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal, cast

import numpy as np
from pydantic import Field, JsonValue, StrictInt, ValidationError

from harness.challenge import Value
from harness.errors import InvalidSubmissionError, Problem, field_problems
from harness.submission.layers import (
    ALLOWED,
    ALLOWED_FUNCTIONS,
    ALLOWED_STRINGS,
    NAME,
    OBJECT_KEYS,
    TENSOR_TYPES,
    Triple,
)

# Caps on a graph: a 57-32-16-3 encoder has 20 kB, 6 layers and depth 12.
MAX_GRAPH_BYTES = 8 * 1024**2
MAX_DEPTH = 48
MAX_LAYERS = 1_000
MAX_WEIGHT_ARRAYS = 50_000
MAX_WEIGHTS_BYTES = 256 * 1024**2
MAX_PROBLEMS = 20

_ADVICE = (
    "build the network from the layers listed in docs/submission.md; heads are in harness.heads"
)
_EXPORT_AGAIN = "export the network again"
_Size = Annotated[StrictInt, Field(ge=0, le=MAX_WEIGHTS_BYTES)]
_InputSize = Annotated[StrictInt, Field(ge=1, le=1_000_000)]


class GraphWeight(Value):
    """One weight of a network: the name of its place, its shape and its type."""

    path: str = Field(max_length=1000)
    shape: tuple[_Size, ...] = Field(max_length=8)
    dtype: Literal[
        "float16", "bfloat16", "float32", "float64",
        "bool", "int8", "uint8", "int32", "uint32", "int64",
    ]  # fmt: skip

    @property
    def numpy_type(self) -> np.dtype[np.generic]:
        """Type of its elements, little-endian."""
        import ml_dtypes  # noqa: F401  # makes bfloat16 known to numpy

        return np.dtype(self.dtype).newbyteorder("<")

    @property
    def n_bytes(self) -> int:
        """Bytes that it takes."""
        return math.prod(self.shape) * self.numpy_type.itemsize


class NetworkGraph(Value):
    """The content of a ``graph.json``.

    Attributes
    ----------
    input_shape : tuple of int
        Shape of one event.
    model : dict
        The configuration of the model as Keras serialises it.
    weights : tuple of GraphWeight
        In the order of ``weights.bin``.
    """

    format: Literal[1] = 1
    input_shape: tuple[_InputSize, ...] = Field(min_length=1, max_length=4)
    model: dict[str, object]
    weights: tuple[GraphWeight, ...] = Field(max_length=MAX_WEIGHT_ARRAYS)

    @property
    def n_weight_bytes(self) -> int:
        """Bytes of all weights together."""
        return sum(weight.n_bytes for weight in self.weights)


def parse_graph(text: str) -> NetworkGraph:
    """Read an exported graph that can be rebuilt safely.

    Parameters
    ----------
    text : str
        Content of a ``graph.json``.

    Raises
    ------
    InvalidSubmissionError
        It has anything but allow-listed parts; at most `MAX_PROBLEMS` problems.
    """
    try:
        graph = NetworkGraph.model_validate(_parse_json(text))
    except ValidationError as error:
        raise InvalidSubmissionError(*field_problems(error, "graph")[:MAX_PROBLEMS]) from error
    except ValueError as error:
        raise InvalidSubmissionError(str(error), where="graph", fix=_EXPORT_AGAIN) from error
    if problems := first_problems(_graph_problems(graph)):
        raise InvalidSubmissionError(*problems)
    return graph


def _parse_json(text: str) -> object:
    """Parse JSON without duplicate keys, NaN and too much of anything.

    Raises
    ------
    ValueError
        The text is no such JSON.
    """
    if len(text) > MAX_GRAPH_BYTES:
        raise ValueError(f"{len(text)} characters, more than {MAX_GRAPH_BYTES}")
    try:
        return json.loads(
            text, object_pairs_hook=_object_without_duplicates, parse_constant=_parse_constant
        )
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}") from error


def _object_without_duplicates(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("an object has the same key twice")
    return content


def _parse_constant(text: str) -> float:
    # HGQ2 writes an infinite decay speed into its quantisers; NaN has no meaning anywhere.
    if text == "NaN":
        raise ValueError("NaN")
    return float(text)


def first_problems(problems: Iterable[Problem]) -> list[Problem]:
    """Return the first `MAX_PROBLEMS` different ones."""
    found: list[Problem] = []
    for problem in problems:
        if problem not in found:
            found.append(problem)
        if len(found) == MAX_PROBLEMS:
            break
    return found


def _graph_problems(graph: NetworkGraph) -> Iterator[Problem]:
    if graph.n_weight_bytes > MAX_WEIGHTS_BYTES:
        yield Problem(
            what=f"{graph.n_weight_bytes} bytes of weights",
            where="graph",
            expected=f"<= {MAX_WEIGHTS_BYTES}",
        )
    if graph.model.get("class_name") != "Functional":
        yield Problem(what="is no functional Keras model", where="graph", fix=_ADVICE)
        return
    model = cast("dict[str, JsonValue]", graph.model)
    yield from _input_problems(graph.input_shape, model)
    yield from _value_problems(model, _Place())


def _input_problems(shape: tuple[int, ...], model: Mapping[str, JsonValue]) -> Iterator[Problem]:
    config = model.get("config")
    layers = config.get("layers") if isinstance(config, dict) else None
    if not isinstance(layers, list):
        yield Problem(what="has no list of layers", where="graph")
        return
    inputs = [
        layer["config"]
        for layer in layers
        if isinstance(layer, dict)
        and layer.get("class_name") == "InputLayer"
        and isinstance(layer.get("config"), dict)
    ]
    if len(inputs) != 1:
        yield Problem(what=f"{len(inputs)} inputs", where="graph", expected="one input")
        return
    if cast("dict[str, JsonValue]", inputs[0]).get("batch_shape") != [None, *shape]:
        yield Problem(what=f"input_shape {shape} is not that of the input layer", where="graph")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a graph the check is: the innermost named layer, the key, and the depth."""

    layer: str = ""
    key: str = ""
    depth: int = 0

    def under(self, key: str) -> _Place:
        return _Place(self.layer, key, self.depth + 1)

    def __str__(self) -> str:
        place = f"graph, layer {self.layer!r}" if self.layer else "graph"
        return f"{place}, {self.key}" if self.key else place


def _value_problems(value: JsonValue, place: _Place) -> Iterator[Problem]:
    if place.depth > MAX_DEPTH:
        yield Problem(what=f"nested deeper than {MAX_DEPTH}", where=str(place))
    elif isinstance(value, dict):
        if "class_name" in value:
            yield from _object_problems(value, place)
        else:
            yield from _mapping_problems(value, place)
    elif isinstance(value, list):
        for item in value:
            yield from _value_problems(item, place.under(place.key))
    elif isinstance(value, str):
        yield from _string_problems(value, place)
    elif isinstance(value, int) and abs(value) > 2**53:
        yield Problem(what=f"the number {str(value)[:40]}... is too large", where=str(place))


def _string_problems(value: str, place: _Place) -> Iterator[Problem]:
    rule = ALLOWED_STRINGS.get(place.key)
    if isinstance(rule, re.Pattern):
        if rule.match(value):
            return
        expected = f"text such as {rule.pattern}"
    elif rule is not None:
        if value in rule:
            return
        expected = "one of " + ", ".join(sorted(rule))
    else:
        expected = "no text here"
    yield Problem(what=f"the text {value[:80]!r}", where=str(place), expected=expected, fix=_ADVICE)


def _mapping_problems(value: Mapping[str, JsonValue], place: _Place) -> Iterator[Problem]:
    for key, item in value.items():
        if not NAME.match(key):
            yield Problem(what=f"the key {key[:80]!r}", where=str(place))
        elif key == "training" and item:
            yield Problem(
                what="is called with training=True",
                where=str(place),
                expected="every layer as it is at inference",
                fix="leave training out of the call",
            )
        else:
            yield from _value_problems(item, place.under(key))


def _object_problems(value: Mapping[str, JsonValue], place: _Place) -> Iterator[Problem]:
    class_name, config = value["class_name"], value.get("config")
    if not isinstance(class_name, str) or "config" not in value:
        yield Problem(what="an object without class name or configuration", where=str(place))
    elif class_name.startswith("__"):
        yield from _special_problems(class_name, value, place)
    elif class_name == "function":
        yield from _function_problems(value, place)
    else:
        name = value.get("name")
        is_named = isinstance(name, str) and NAME.match(name)
        inner = replace(place, layer=cast("str", name)) if is_named else place
        yield from _class_problems(value, inner)
        yield from _setting_problems(class_name, config, inner)
        for key in ("config", "build_config", "inbound_nodes"):
            yield from _value_problems(value.get(key), inner.under(key))


def _class_problems(value: Mapping[str, JsonValue], place: _Place) -> Iterator[Problem]:
    triple = (value.get("module"), value["class_name"], value.get("registered_name"))
    is_layer = ALLOWED.get(cast("Triple", triple)) if _are_texts(triple) else None
    if not set(value) <= OBJECT_KEYS:
        extra = sorted(set(value) - OBJECT_KEYS)
        yield Problem(what=f"{triple[1]} has the keys {extra}"[:200], where=str(place))
    if is_layer is None:
        yield not_allowed(f"{triple[0]}.{triple[1]}", str(place))
    elif "inbound_nodes" in value and not is_layer:
        yield Problem(what=f"{triple[1]} is no layer", where=str(place))
    elif is_layer:
        yield from _place_problems(f"{triple[1]}", place)
    name = value.get("name", "x")
    if not isinstance(name, str) or not NAME.match(name):
        yield Problem(
            what=f"the name {str(name)[:80]!r}",
            where=str(place),
            expected="letters, digits, underscore, dot, hyphen",
            fix="change the name of the layer",
        )
    shared = value.get("shared_object_id")
    if shared is not None and type(shared) is not int:
        yield Problem(what="shared_object_id is no integer", where=str(place))


def not_allowed(name: str, where: str) -> Problem:
    """Return the problem that a network has a class which is not on the list."""
    return Problem(
        what=f"{name} is not allowed"[:300],
        where=where,
        expected="layers of Keras and HGQ2 of fixed meaning",
        fix=_ADVICE,
    )


def _place_problems(name: str, place: _Place) -> Iterator[Problem]:
    """Refuse a layer within another, as its activation: the check of the graph would not see it."""
    if place.key not in ("", "layers"):
        yield Problem(
            what=f"{name} stands in the place of a setting",
            where=str(place),
            expected="layers in the list of layers, and activations by their names",
            fix=f"call {name} as a layer of its own",
        )


def _are_texts(values: Sequence[JsonValue]) -> bool:
    """Whether all are text or null: other JSON cannot be looked up in a set."""
    return all(value is None or isinstance(value, str) for value in values)


def _setting_problems(class_name: str, config: JsonValue, place: _Place) -> Iterator[Problem]:
    """Refuse settings that make an allowed layer depend on more than its own event."""
    if not isinstance(config, dict):
        yield Problem(what=f"{class_name} has no configuration", where=str(place))
        return
    layers = config.get("layers")
    if isinstance(layers, list) and len(layers) > MAX_LAYERS:
        yield Problem(what=f"{len(layers)} layers", where=str(place), expected=f"<= {MAX_LAYERS}")
    for key in ("stateful", "return_state", "seed_generator"):
        if config.get(key):
            yield Problem(what=f"{key} is set", where=str(place), expected="no state")
    if config.get("quantization_config") is not None:
        yield Problem(
            what="uses the quantisation of Keras", where=str(place), fix="use HGQ2's layers"
        )


def _function_problems(value: Mapping[str, JsonValue], place: _Place) -> Iterator[Problem]:
    # Keras finds a function by its name alone, so a module that it would search is not allowed.
    is_function = value.get("registered_name") == "function" and set(value) <= OBJECT_KEYS
    name = value.get("config")
    if value.get("module") != "builtins" or not is_function:
        yield Problem(what="a function that is no activation", where=str(place), fix=_ADVICE)
    elif not isinstance(name, str) or name not in ALLOWED_FUNCTIONS:
        yield Problem(
            what=f"the function {str(name)[:100]}",
            where=str(place),
            expected="an activation of Keras or a function of harness.heads.TABLE_FUNCTIONS",
            fix=_ADVICE,
        )


def _special_problems(
    class_name: str, value: Mapping[str, JsonValue], place: _Place
) -> Iterator[Problem]:
    config = value.get("config")
    checks = {
        "__keras_tensor__": _is_tensor_reference,
        "__slice__": _is_slice,
        "__ellipsis__": lambda content: content == {},
        "__numpy__": _is_constant_array,
        "__tensor__": _is_constant_array,
    }
    if class_name not in checks:
        what = "a Lambda or Python lambda" if class_name == "__lambda__" else f"a {class_name}"
        yield Problem(what=what[:100], where=str(place), expected="no code in a graph", fix=_ADVICE)
    elif set(value) != {"class_name", "config"} or not checks[class_name](config):
        yield Problem(what=f"malformed {class_name}", where=str(place))


def _is_tensor_reference(config: JsonValue) -> bool:
    if not isinstance(config, dict) or set(config) != {"shape", "dtype", "keras_history"}:
        return False
    history, shape = config["keras_history"], config["shape"]
    return (
        isinstance(history, list)
        and len(history) == 3
        and isinstance(history[0], str)
        and NAME.match(history[0]) is not None
        and all(type(index) is int for index in history[1:])
        and isinstance(shape, list)
        and all(size is None or type(size) is int for size in shape)
        and _is_tensor_type(config["dtype"])
    )


def _is_tensor_type(value: JsonValue) -> bool:
    return isinstance(value, str) and value in TENSOR_TYPES


def _is_slice(config: JsonValue) -> bool:
    return (
        isinstance(config, dict)
        and set(config) == {"start", "stop", "step"}
        and all(bound is None or type(bound) is int for bound in config.values())
    )


def _is_constant_array(config: JsonValue) -> bool:
    return (
        isinstance(config, dict)
        and set(config) == {"value", "dtype"}
        and _is_tensor_type(config["dtype"])
        and _is_numeric(config["value"], 0)
    )


def _is_numeric(value: JsonValue, depth: int) -> bool:
    if isinstance(value, list):
        items: Sequence[JsonValue] = value
        return depth < 8 and all(_is_numeric(item, depth + 1) for item in items)
    return isinstance(value, (bool, int, float))
