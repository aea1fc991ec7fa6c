"""What an exported network may be made of, and the check that it is made of nothing else.

A graph comes from a process that ran a participant's code, so it is read as hostile data. It may
name only objects of fixed meaning: layers, operations, quantisers and the like of Keras and HGQ2
that compute each event's output from that event alone and hold no code. Everything here is plain
Python on plain JSON; nothing is imported, evaluated or instantiated.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from pydantic import JsonValue

from harness.errors import Problem

GRAPH_FORMAT = 1

# Caps on a graph: a 57-32-16-3 encoder has 20 kB, 6 layers and depth 12.
MAX_GRAPH_BYTES = 8 * 1024**2
MAX_DEPTH = 48
MAX_LAYERS = 1_000
MAX_WEIGHT_ARRAYS = 50_000
MAX_WEIGHTS_BYTES = 256 * 1024**2
MAX_PROBLEMS = 20

# Keras layers that are the same function of each event at inference; noise and dropout are the
# identity there. No recurrent layer (their state may be carried over), no Lambda, no layer that
# looks something up in a file.
_KERAS_LAYERS = """
    InputLayer Dense EinsumDense Conv1D Conv2D DepthwiseConv1D DepthwiseConv2D SeparableConv1D
    SeparableConv2D Activation ReLU LeakyReLU PReLU ELU Softmax BatchNormalization
    LayerNormalization UnitNormalization Normalization Rescaling Flatten Reshape Permute
    RepeatVector ZeroPadding1D ZeroPadding2D Cropping1D Cropping2D UpSampling1D UpSampling2D
    MaxPooling1D MaxPooling2D AveragePooling1D AveragePooling2D GlobalMaxPooling1D
    GlobalMaxPooling2D GlobalAveragePooling1D GlobalAveragePooling2D Add Subtract Multiply Average
    Maximum Minimum Concatenate Dot Dropout AlphaDropout SpatialDropout1D SpatialDropout2D
    GaussianNoise GaussianDropout ActivityRegularization Identity
"""

# What `keras.ops` and the operators of Python leave in a graph.
_KERAS_OPERATIONS = {
    "keras.src.ops.numpy": """
        Absolute Add Amax Amin Average Clip Concatenate Divide DivideNoNan Einsum Equal Exp Exp2
        ExpandDims Expm1 GetItem Greater GreaterEqual Less LessEqual Log Log10 Log1p Log2 Matmul
        Max Maximum Mean Min Minimum Moveaxis Multiply Negative Power Prod Ravel Reciprocal Repeat
        Reshape Round Sign Sqrt Square Squeeze Stack Subtract Sum Swapaxes Tanh Tensordot Transpose
        TrueDivide Var Std Where Floor Ceil
    """,
    "keras.src.ops.nn": """
        Celu Elu Gelu HardSigmoid HardSilu HardTanh LeakyRelu LogSigmoid LogSoftmax Relu Relu6 Selu
        Sigmoid Silu Softmax Softplus Softsign
    """,
    "keras.src.ops.math": "Erf Logsumexp Rsqrt",
    "keras.src.ops.core": "Cast",
    "keras.src.activations.activations": "ReLU",
}

# HGQ2 by module; its recurrent and spiking layers keep a state and stay out.
_HGQ_LAYERS = {
    "hgq.quantizer.quantizer": "Quantizer",
    "hgq.layers.core.dense": "QDense QBatchNormDense",
    "hgq.layers.core.einsum_dense": "QEinsumDense",
    "hgq.layers.einsum_dense_batchnorm": "QEinsumDenseBatchnorm",
    "hgq.layers.conv": "QConv1D QConv2D",
    "hgq.layers.batch_normalization": "QBatchNormalization",
    "hgq.layers.activation": "QUnaryFunctionLUT QAffinedUnaryFunctionLUT",
    "hgq.layers.softmax": "QSoftmax",
    "hgq.layers.ops.merge": "QAdd QSubtract QMultiply QMaximum QMinimum QAveragePow2 QDot",
    "hgq.layers.ops.einsum": "QEinsum",
    "hgq.layers.ops.accum": "QSum QMeanPow2",
    "hgq.layers.pooling": """
        QMaxPooling1D QMaxPooling2D QAveragePooling1D QAveragePooling2D QGlobalMaxPooling1D
        QGlobalMaxPooling2D QGlobalAveragePooling1D QGlobalAveragePooling2D
    """,
    "hgq.layers.attn.mha": "QMultiHeadAttention",
    "hgq.layers.attn.linformer": "QLinformerAttention",
    "hgq.layers.table.dense": "QDenseT",
}
_HGQ_PARTS = {
    "hgq.quantizer.config": "QuantizerConfig HardTanhConfig HardSigmoidConfig",
    "hgq.quantizer.internal.base": "DefaultBitwidthMapper",
    "hgq.constraints": "Constant Min Max MinMax",
    "hgq.regularizers": "MonoL1",
}
_INITIALISERS = """
    Constant Zeros Ones GlorotNormal GlorotUniform HeNormal HeUniform LecunNormal LecunUniform
    RandomNormal RandomUniform TruncatedNormal VarianceScaling
"""
_CONSTRAINTS = "NonNeg MaxNorm MinMaxNorm UnitNorm"
_REGULARISERS = "L1 L2 L1L2"

# Functions of a lookup table that the harness brings along (see `harness.submission.functions`).
TABLE_FUNCTIONS = ("exp_negative", "kl_of_log_variance", "log1p", "reciprocal")

Triple = tuple[str, str, str | None]


def _triples() -> Iterator[tuple[Triple, bool]]:
    """Yield each allowed (module, class, registered name), and whether it is a layer."""
    for name in _KERAS_LAYERS.split():
        yield ("keras.layers", name, None), True
    for module, names in _KERAS_OPERATIONS.items():
        for name in names.split():
            yield (module, name, name), True
    for module, names in _HGQ_LAYERS.items():
        for name in names.split():
            yield (module, name, f"hgq>{name}"), True
    for module, names in _HGQ_PARTS.items():
        for name in names.split():
            yield (module, name, f"hgq>{name}"), False
    yield ("keras.src.models.functional", "Functional", "Functional"), True
    yield ("keras", "Sequential", None), True
    yield ("keras", "DTypePolicy", None), False
    for module, names in (
        ("keras.initializers", _INITIALISERS),
        ("keras.constraints", _CONSTRAINTS),
        ("keras.regularizers", _REGULARISERS),
    ):
        for name in names.split():
            yield (module, name, None), False


ALLOWED: Mapping[Triple, bool] = dict(_triples())
"""Allowed (module, class name, registered name); True for what may stand as a layer."""

_ACTIVATIONS = """
    linear relu relu6 leaky_relu elu selu celu gelu silu swish softmax log_softmax softplus
    softsign tanh sigmoid hard_sigmoid hard_silu hard_swish hard_tanh exponential log_sigmoid
    tanh_shrink mish
"""
ACTIVATIONS = frozenset(_ACTIVATIONS.split())
_FUNCTIONS = ACTIVATIONS | {f"harness>{name}" for name in TABLE_FUNCTIONS}
FLOAT_TYPES = frozenset({"float16", "bfloat16", "float32", "float64"})
POLICIES = FLOAT_TYPES | {"mixed_float16", "mixed_bfloat16"}
WEIGHT_TYPES: Mapping[str, int] = {
    "float16": 2,
    "bfloat16": 2,
    "float32": 4,
    "float64": 8,
    "uint8": 1,
    "int8": 1,
    "bool": 1,
    "int32": 4,
    "uint32": 4,
    "int64": 8,
}
"""Bytes of an element of each type that a weight may have."""

_TENSOR_TYPES = FLOAT_TYPES | {"bool", "int8", "uint8", "int16", "int32", "int64", "uint32"}
_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,128}\Z")
_EQUATION = re.compile(r"[a-zA-Z.,\->\s]{1,64}\Z")

# Which strings may stand under which key; under any other key no string may stand at all.
_STRINGS: Mapping[str, frozenset[str] | re.Pattern[str]] = {
    "name": _NAME,
    "dtype": POLICIES | _TENSOR_TYPES,
    "activation": _FUNCTIONS,
    "padding": frozenset({"valid", "same", "causal", "VALID", "SAME"}),
    "data_format": frozenset({"channels_last", "channels_first"}),
    "interpolation": frozenset({"nearest", "bilinear"}),
    "equation": _EQUATION,
    "subscripts": _EQUATION,
    "bias_axes": _EQUATION,
    "q_type": frozenset({"kbi", "kif", "float", "default", "dummy"}),
    "place": frozenset({"weight", "datalane", "bias", "table"}),
    "round_mode": frozenset({"RND", "RND_CONV", "TRN", "S_RND", "S_RND_CONV"}),
    "overflow_mode": frozenset({"WRAP", "SAT", "SAT_SYM", "SYM"}),
    "mode": frozenset({"fan_in", "fan_out", "fan_avg"}),
    "distribution": frozenset({"uniform", "normal", "truncated_normal", "untruncated_normal"}),
    "keras_history": _NAME,
    "input_layers": _NAME,
    "output_layers": _NAME,
}
_OBJECT_KEYS = frozenset(
    {
        "module",
        "class_name",
        "config",
        "registered_name",
        "build_config",
        "name",
        "inbound_nodes",
        "shared_object_id",
    }
)
_ADVICE = (
    "build the network from the layers listed in docs/submission.md; heads are in harness.heads"
)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a graph the check is: the innermost named layer, the key, and the depth."""

    layer: str = ""
    key: str = ""
    depth: int = 0

    def under(self, key: str) -> _Place:
        return _Place(self.layer, key, self.depth + 1)

    def inside(self, layer: str) -> _Place:
        return _Place(layer, self.key, self.depth)

    def __str__(self) -> str:
        place = f"graph, layer {self.layer!r}" if self.layer else "graph"
        return f"{place}, {self.key}" if self.key else place


def check_graph(text: str) -> list[Problem]:
    """Say all that keeps an exported graph from being rebuilt safely.

    Parameters
    ----------
    text : str
        Content of a ``graph.json``.

    Returns
    -------
    list of Problem
        Empty for a graph of allow-listed parts only; at most `MAX_PROBLEMS`.
    """
    try:
        graph = parse_graph(text)
    except ValueError as error:
        return [Problem(what=str(error), where="graph", fix="export the network again")]
    return _first(_graph_problems(graph), MAX_PROBLEMS)


def parse_graph(text: str) -> dict[str, JsonValue]:
    """Read the JSON of a graph; duplicate keys, NaN and too much of anything are refused.

    Raises
    ------
    ValueError
        The text is no such JSON object.
    """
    if len(text) > MAX_GRAPH_BYTES:
        raise ValueError(f"{len(text)} characters, more than {MAX_GRAPH_BYTES}")
    try:
        graph = json.loads(
            text, object_pairs_hook=_object_without_duplicates, parse_constant=_parse_constant
        )
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}") from error
    if not isinstance(graph, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004  # the text's fault, not a type's
    return cast("dict[str, JsonValue]", graph)


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


def _first(problems: Iterator[Problem], limit: int) -> list[Problem]:
    found: list[Problem] = []
    for problem in problems:
        if problem not in found:
            found.append(problem)
        if len(found) == limit:
            break
    return found


def _graph_problems(graph: Mapping[str, JsonValue]) -> Iterator[Problem]:
    expected = {"format", "input_shape", "model", "weights"}
    if set(graph) != expected:
        yield Problem(what=f"has the keys {sorted(graph)}", where="graph", expected=str(expected))
        return
    if graph["format"] != GRAPH_FORMAT:
        yield Problem(
            what=f"format {str(graph['format'])[:20]}", where="graph", expected=str(GRAPH_FORMAT)
        )
        return
    yield from _weights_problems(graph["weights"])
    model = graph["model"]
    if not isinstance(model, dict) or model.get("class_name") != "Functional":
        yield Problem(what="is no functional Keras model", where="graph", fix=_ADVICE)
        return
    yield from _shape_problems(graph["input_shape"], model)
    yield from _value_problems(model, _Place())


def _shape_problems(shape: JsonValue, model: Mapping[str, JsonValue]) -> Iterator[Problem]:
    if not _is_shape(shape):
        yield Problem(what="input_shape is no list of positive integers", where="graph")
        return
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
    batch_shape = cast("dict[str, JsonValue]", inputs[0]).get("batch_shape")
    if batch_shape != [None, *cast("list[int]", shape)]:
        yield Problem(what=f"input_shape {shape} is not that of the input layer", where="graph")


def _is_shape(value: JsonValue) -> bool:
    return (
        isinstance(value, list)
        and 1 <= len(value) <= 4
        and all(type(size) is int and 1 <= size <= 1_000_000 for size in value)
    )


def _weights_problems(weights: JsonValue) -> Iterator[Problem]:
    if not isinstance(weights, list) or len(weights) > MAX_WEIGHT_ARRAYS:
        yield Problem(what="has no list of weights, or one too long", where="graph")
        return
    total = 0
    for entry in weights:
        size = _weight_bytes(entry)
        if size is None:
            yield Problem(what=f"malformed weight {str(entry)[:120]}", where="graph")
            return
        total += size
    if total > MAX_WEIGHTS_BYTES:
        yield Problem(
            what=f"{total} bytes of weights", where="graph", expected=f"<= {MAX_WEIGHTS_BYTES}"
        )


def _weight_bytes(entry: JsonValue) -> int | None:
    """Return the bytes that a weight takes, or None if the entry describes no weight."""
    if not isinstance(entry, dict) or set(entry) != {"path", "shape", "dtype"}:
        return None
    path, shape, dtype = entry["path"], entry["shape"], entry["dtype"]
    if not isinstance(path, str) or len(path) > 1000 or not isinstance(dtype, str):
        return None
    if dtype not in WEIGHT_TYPES or not isinstance(shape, list) or len(shape) > 8:
        return None
    sizes = [size for size in shape if type(size) is int and 0 <= size <= MAX_WEIGHTS_BYTES]
    if len(sizes) != len(shape):
        return None
    return math.prod(sizes) * WEIGHT_TYPES[dtype]


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
            yield from _value_problems(item, _Place(place.layer, place.key, place.depth + 1))
    elif isinstance(value, str):
        yield from _string_problems(value, place)
    elif isinstance(value, int) and abs(value) > 2**53:
        yield Problem(what=f"the number {str(value)[:40]}... is too large", where=str(place))


def _string_problems(value: str, place: _Place) -> Iterator[Problem]:
    rule = _STRINGS.get(place.key)
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
        if not _NAME.match(key):
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
        inner = place.inside(name) if isinstance(name, str) and _NAME.match(name) else place
        yield from _class_problems(value, inner)
        yield from _setting_problems(class_name, config, inner)
        for key in ("config", "build_config", "inbound_nodes"):
            yield from _value_problems(value.get(key), inner.under(key))


def _class_problems(value: Mapping[str, JsonValue], place: _Place) -> Iterator[Problem]:
    triple = (value.get("module"), value["class_name"], value.get("registered_name"))
    if not set(value) <= _OBJECT_KEYS:
        extra = sorted(set(value) - _OBJECT_KEYS)
        yield Problem(what=f"{triple[1]} has the keys {extra}"[:200], where=str(place))
    if triple not in ALLOWED:
        yield Problem(
            what=f"{triple[0]}.{triple[1]} is not allowed"[:300],
            where=str(place),
            expected="layers of Keras and HGQ2 of fixed meaning",
            fix=_ADVICE,
        )
    elif "inbound_nodes" in value and not ALLOWED[cast("Triple", triple)]:
        yield Problem(what=f"{triple[1]} is no layer", where=str(place))
    if not isinstance(value.get("name", ""), str) or not _NAME.match(str(value.get("name", "x"))):
        yield Problem(
            what=f"the name {str(value.get('name'))[:80]!r}",
            where=str(place),
            expected="letters, digits, underscore, dot, hyphen",
            fix="name the layer so",
        )
    shared = value.get("shared_object_id")
    if shared is not None and type(shared) is not int:
        yield Problem(what="shared_object_id is no integer", where=str(place))


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
    # A function is found by its name alone, so a module that Keras would search is not let in.
    is_function = value.get("registered_name") == "function" and set(value) <= _OBJECT_KEYS
    if value.get("module") != "builtins" or not is_function:
        yield Problem(what="a function that is no activation", where=str(place), fix=_ADVICE)
    elif value.get("config") not in _FUNCTIONS:
        yield Problem(
            what=f"the function {str(value.get('config'))[:100]}",
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
        and _NAME.match(history[0]) is not None
        and all(type(index) is int for index in history[1:])
        and isinstance(shape, list)
        and all(size is None or type(size) is int for size in shape)
        and config["dtype"] in _TENSOR_TYPES
    )


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
        and config["dtype"] in _TENSOR_TYPES
        and _is_numeric(config["value"], 0)
    )


def _is_numeric(value: JsonValue, depth: int) -> bool:
    if isinstance(value, list):
        items: Sequence[JsonValue] = value
        return depth < 8 and all(_is_numeric(item, depth + 1) for item in items)
    return isinstance(value, (bool, int, float))
