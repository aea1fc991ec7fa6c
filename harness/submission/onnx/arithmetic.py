"""Arithmetic of tensors and constants, number by number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.submission.onnx.fixed import affine
from harness.submission.onnx.values import (
    Array,
    Constant,
    Known,
    Node,
    RefusedNodeError,
    Tensor,
    settled,
)

if TYPE_CHECKING:
    from keras import KerasTensor

# Operators that are a function of `keras.ops` of one tensor.
UNARY = {
    "Abs": "absolute",
    "Acos": "arccos",
    "Asin": "arcsin",
    "Atan": "arctan",
    "Ceil": "ceil",
    "Cos": "cos",
    "Cosh": "cosh",
    "Erf": "erf",
    "Floor": "floor",
    "Log": "log",
    "Neg": "negative",
    "Not": "logical_not",
    "Reciprocal": "reciprocal",
    "Round": "round",
    "Sign": "sign",
    "Sin": "sin",
    "Sinh": "sinh",
    "Sqrt": "sqrt",
    "Tan": "tan",
}
# Operators that are a function of `keras.ops` of two values.
BINARY = {
    "Add": "add",
    "Sub": "subtract",
    "Mul": "multiply",
    "Div": "divide",
    "Max": "maximum",
    "Min": "minimum",
    "Sum": "add",
    "Equal": "equal",
    "Greater": "greater",
    "GreaterOrEqual": "greater_equal",
    "Less": "less",
    "LessOrEqual": "less_equal",
    "And": "logical_and",
    "Or": "logical_or",
    "Xor": "logical_xor",
}
_FIXED = {"Add": "QAdd", "Sum": "QAdd", "Sub": "QSubtract", "Mul": "QMultiply"}
# Types of ONNX that a network computes in: TensorProto.FLOAT and so on.
_FLOATS, _WHOLE, _BOOL = frozenset({1, 10, 11, 16}), frozenset({2, 3, 4, 5, 6, 7, 12, 13}), 9


def unary(node: Node) -> Known:
    """Build a function of one tensor."""
    import keras

    function = getattr(keras.ops, UNARY[node.kind])
    x = node.tensor()
    if node.kind == "Neg" and (made := affine(x, -1.0, 0.0)) is not None:
        return made
    return x.mapped(function, is_fixed=False)


def binary(node: Node) -> Known:
    """Build arithmetic of two or more values from left to right."""
    values = [value for value in node.inputs if value is not None]
    if not values:
        raise RefusedNodeError("has no inputs")
    made: Known = values[0]
    for value in values[1:]:
        made = _pair(node, made, value)
    return made


def mean(node: Node) -> Known:
    """Build the mean of several tensors."""
    import keras

    total = binary(replace(node, kind="Sum"))
    if not isinstance(total, Tensor):
        raise RefusedNodeError("averages constants")
    layer = keras.layers.Rescaling(1.0 / len(node.inputs))
    return settled(total).mapped(layer, is_fixed=False)


def _pair(node: Node, a: Known, b: Known) -> Known:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return _of_tensors(node, a, b)
    if isinstance(a, Tensor) and isinstance(b, Constant):
        exact = _affine_right(node.kind, settled(a), b.array)
        return exact or _with_constant(node, settled(a), b.array, is_right=True)
    if isinstance(a, Constant) and isinstance(b, Tensor):
        exact = _affine_left(node.kind, settled(b), a.array)
        return exact or _with_constant(node, settled(b), a.array, is_right=False)
    raise RefusedNodeError("computes with constants alone", "compute it before the export")


def _of_tensors(node: Node, a: Tensor, b: Tensor) -> Tensor:
    import hgq.layers
    import keras

    if a.rank != b.rank:
        raise RefusedNodeError(
            f"joins events of shape {a.shape} and {b.shape}",
            "give both the same number of axes: keepdim=True, or unsqueeze(-1)",
        )
    is_same_scale = a.scale == b.scale and node.kind in ("Add", "Sum", "Sub")
    if a.is_fixed and b.is_fixed and a.shape == b.shape and node.kind in _FIXED:
        if not is_same_scale and (a.scale != 1.0 or b.scale != 1.0):
            a, b = settled(a), settled(b)
        else:
            layer = getattr(hgq.layers, _FIXED[node.kind])(enable_iq=False)
            return _joined(a, b, lambda x, y: layer([x, y]), scale=a.scale, is_fixed=True)
    function = getattr(keras.ops, BINARY[node.kind])
    a, b = settled(a), settled(b)
    if node.kind in ("Add", "Sum") and _n_values(a) > _n_values(b):
        a, b = b, a  # Keras may add one number for each event along another axis
    return _joined(a, b, function, scale=1.0, is_fixed=False)


def _joined(
    a: Tensor,
    b: Tensor,
    call: Callable[[KerasTensor, KerasTensor], KerasTensor],
    *,
    scale: float,
    is_fixed: bool,
) -> Tensor:
    """Join two tensors in the form that one of them already has alone."""
    if a.has_channels_last or b.has_channels_last:
        return Tensor(last=call(a.last, b.last), scale=scale, is_fixed=is_fixed)
    return Tensor(call(a.first, b.first), scale=scale, is_fixed=is_fixed)


def _n_values(x: Tensor) -> int:
    return int(np.prod(x.shape, dtype=np.int64))


def _affine_right(kind: str, x: Tensor, value: Array) -> Tensor | None:
    """Return x times, over, plus or minus a constant in fixed point, if that is exact."""
    if not x.is_fixed or value.size != 1:
        return None
    c = float(value.ravel()[0])
    forms = {"Add": (1.0, c), "Sum": (1.0, c), "Sub": (1.0, -c), "Mul": (c, 0.0)}
    if kind == "Div" and c and np.frexp(c)[0] in (0.5, -0.5):
        forms["Div"] = (1 / c, 0.0)
    return affine(x, *forms[kind]) if kind in forms else None


def _affine_left(kind: str, x: Tensor, value: Array) -> Tensor | None:
    if not x.is_fixed or value.size != 1:
        return None
    c = float(value.ravel()[0])
    forms = {"Add": (1.0, c), "Sum": (1.0, c), "Sub": (-1.0, c), "Mul": (c, 0.0)}
    return affine(x, *forms[kind]) if kind in forms else None


def _with_constant(node: Node, x: Tensor, value: Array, *, is_right: bool) -> Tensor:
    import keras

    function = getattr(keras.ops, BINARY[node.kind])
    constant = for_events(x, value, node.batch)
    if is_right:
        return x.mapped(lambda tensor: function(tensor, constant), is_fixed=False)
    return x.mapped(lambda tensor: function(constant, tensor), is_fixed=False)


def for_events(x: Tensor, value: Array, batch: int) -> float | bool | Array:
    """Return a constant that meets each event alike, in the form that the tensor has.

    Raises
    ------
    RefusedNodeError
        It differs from event to event, or has more axes than the tensor.
    """
    array = np.asarray(value)
    if np.issubdtype(array.dtype, np.floating):
        array = array.astype(np.float32)
    elif array.dtype != bool:
        array = array.astype(np.int32) if _is_whole(x) else array.astype(np.float32)
    if array.size == 1 and array.ndim <= x.rank:
        number: float | bool = array.ravel()[0].item()
        return number
    if array.ndim == x.rank and array.shape[0] == batch and (array == array[:1]).all():
        array = array[:1]
    if array.ndim > x.rank or (array.ndim == x.rank and array.shape[0] != 1) or x.rank == 1:
        raise RefusedNodeError(
            f"takes a constant of shape {value.shape}, which has an axis for the events",
            "leave the first axis of the constant out, or give it the size 1",
        )
    if x.has_channels_last:
        array = array.reshape((1,) * (x.rank - array.ndim) + array.shape)
        array = np.moveaxis(array, 1, -1)
    return array


def _is_whole(x: Tensor) -> bool:
    return str(x.first.dtype).startswith(("int", "uint"))


def power(node: Node) -> Known:
    """Build a power with a constant exponent."""
    import keras

    exponent = node.constant(1)
    x = node.tensor()
    if exponent is None or exponent.size != 1:
        raise RefusedNodeError("has several exponents", "use one number")
    value = float(exponent.ravel()[0])
    if value == 1.0:
        return x
    if value == 2.0:
        return squared(x)
    if value == 0.5:
        return x.mapped(keras.ops.sqrt, is_fixed=False)
    return x.mapped(lambda tensor: keras.ops.power(tensor, value), is_fixed=False)


def squared(x: Tensor) -> Tensor:
    """Return the square of each number."""
    import hgq.layers
    import keras

    if not x.is_fixed:
        return x.mapped(keras.ops.square, is_fixed=False)
    layer = hgq.layers.QMultiply(enable_iq=False)
    return x.mapped(lambda tensor: layer([tensor, tensor]))


def clip(node: Node) -> Known:
    """Build values between two bounds."""
    import keras

    bounds: list[float | None] = []
    for index, name in ((1, "min"), (2, "max")):
        given = node.settings.get(name, node.constant(index))
        bounds.append(None if given is None else float(np.asarray(given).ravel()[0]))
    low, high = bounds
    x = node.tensor()
    if low == 0.0:
        layer = keras.layers.ReLU(max_value=high)
        return x.mapped(layer, is_fixed=x.is_fixed and high is None)
    if low is None and high is None:
        return x
    if high is None:
        return x.mapped(lambda tensor: keras.ops.maximum(tensor, low), is_fixed=False)
    if low is None:
        return x.mapped(lambda tensor: keras.ops.minimum(tensor, high), is_fixed=False)
    return x.mapped(lambda tensor: keras.ops.clip(tensor, low, high), is_fixed=False)


def where(node: Node) -> Known:
    """Build a choice between two values by a condition."""
    import keras

    tensors = [settled(value) for value in node.inputs if isinstance(value, Tensor)]
    if not tensors or len({tensor.rank for tensor in tensors}) > 1:
        raise RefusedNodeError(
            "joins tensors of different numbers of axes", "use unsqueeze(-1) or keepdim=True"
        )
    like = next((tensor for tensor in tensors if tensor.has_channels_last), tensors[0])

    def form(value: Known | None) -> Any:  # noqa: ANN401 a tensor or a constant
        if isinstance(value, Tensor):
            return settled(value).last if like.has_channels_last else settled(value).first
        if value is None:
            raise RefusedNodeError("has an input too few")
        return for_events(like, value.array, node.batch)

    made = keras.ops.where(*(form(value) for value in node.inputs[:3]))
    return Tensor(last=made) if like.has_channels_last else Tensor(made)


def cast(node: Node) -> Known:
    """Build a change of type: all floats are float32, all whole numbers int32."""
    import keras

    to = int(node.settings.get("to", 0))
    x = node.tensor()
    before = str(x.first.dtype)
    if to in _FLOATS:
        if before == "float32":
            return node.scaled_tensor()
        return x.mapped(lambda tensor: keras.ops.cast(tensor, "float32"))
    if to in _WHOLE:
        return x.mapped(lambda tensor: keras.ops.cast(tensor, "int32"), is_fixed=False)
    if to == _BOOL:
        if before == "bool":
            return x
        return x.mapped(lambda tensor: keras.ops.not_equal(tensor, 0), is_fixed=False)
    raise RefusedNodeError(f"casts to the type {to}", "compute in float32")
