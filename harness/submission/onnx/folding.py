"""Nodes of constants alone, computed by the package onnx's own NumPy reference."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.submission.onnx.reading import RawNode
from harness.submission.onnx.values import Array, Constant, RefusedNodeError

# Numbers of one constant that is computed: as many as a submission's files can hold.
MAX_VALUES = 16 * 1024**2
# Operators that keep what a `Quant` has made of a constant.
_MOVES = frozenset({"Transpose", "Reshape", "Identity", "Squeeze", "Unsqueeze", "Flatten"})


def fold(raw: RawNode, inputs: Sequence[Constant | None], opset: int) -> tuple[Constant, ...]:
    """Compute a node of constants.

    Raises
    ------
    RefusedNodeError
        It cannot be computed, or its result is too large.
    """
    _check_size(raw, inputs)
    if raw.kind in _MOVES and inputs and inputs[0] is not None and inputs[0].quantised is not None:
        rest = [None if one is None else one.array for one in inputs[1:]]
        return (inputs[0].moved(lambda array: _run(raw, [array, *rest], opset)[0]),)
    arrays = [None if one is None else one.array for one in inputs]
    return tuple(Constant(array) for array in _run(raw, arrays, opset))


def _run(raw: RawNode, arrays: Sequence[Array | None], opset: int) -> list[Array]:
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    names = ["" if array is None else f"x{place}" for place, array in enumerate(arrays)]
    node = helper.make_node(raw.kind, names, [f"y{n}" for n, _ in enumerate(raw.outputs)])
    for name, value in raw.settings.items():
        node.attribute.append(_attribute(name, value))
    given = {name: array for name, array in zip(names, arrays) if array is not None}
    values = [_described(name, array) for name, array in given.items()]
    outputs = [helper.make_empty_tensor_value_info(name) for name in node.output]
    graph = helper.make_graph([node], "folded", values, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = ReferenceEvaluator(model).run(None, given)
    except Exception as error:
        # The reference raises whatever NumPy raises, and errors of its own.
        raise RefusedNodeError(
            f"cannot be computed from its constants: {type(error).__name__}: {str(error)[:120]}",
            "compute it before the export",
        ) from error
    arrays_made = [np.asarray(array) for array in made or []]
    if any(array.dtype == object for array in arrays_made):
        raise RefusedNodeError("gives what is no array", "compute it before the export")
    for array in arrays_made:
        if np.issubdtype(array.dtype, np.floating) and np.isnan(array).any():
            raise RefusedNodeError("gives NaN from its constants", "correct the model's constants")
    return arrays_made


def _attribute(name: str, value: Any) -> Any:  # noqa: ANN401 of onnx
    from onnx import helper, numpy_helper

    if isinstance(value, np.ndarray):
        value = numpy_helper.from_array(value)
    return helper.make_attribute(name, value)


def _described(name: str, array: Array) -> Any:  # noqa: ANN401 of onnx
    from onnx import helper

    return helper.make_tensor_value_info(
        name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
    )


def _check_size(raw: RawNode, inputs: Sequence[Constant | None]) -> None:
    """Refuse a result that is far larger than the constants it comes from."""
    arrays = [one.array for one in inputs if one is not None]
    n_values = max((array.size for array in arrays), default=0)
    if raw.kind in ("ConstantOfShape", "Expand") and arrays:
        n_values = math.prod(abs(int(size)) for size in arrays[-1].ravel()[:16])
    elif raw.kind == "Tile" and len(arrays) > 1:
        n_values = arrays[0].size * math.prod(abs(int(n)) for n in arrays[1].ravel()[:16])
    elif raw.kind == "Range" and len(arrays) == 3:
        start, end, step = (float(array.ravel()[0]) for array in arrays)
        n_values = int(abs((end - start) / step)) if step else 0
    elif raw.kind == "Pad" and len(arrays) > 1:
        n_values = math.prod(
            n + abs(int(a)) + abs(int(b))
            for n, a, b in zip(
                arrays[0].shape, arrays[1].ravel(), arrays[1].ravel()[arrays[0].ndim :]
            )
        )
    elif len(arrays) > 1 and raw.kind not in ("Concat", "Gather", "Slice", "Reshape"):
        n_values = math.prod(np.maximum.reduce([_padded(array.shape) for array in arrays]).tolist())
    if n_values > MAX_VALUES:
        raise RefusedNodeError(
            f"gives a constant of {n_values:,} numbers", f"use at most {MAX_VALUES:,}"
        )


def _padded(shape: tuple[int, ...]) -> Array:
    return np.array(((1,) * 16 + shape)[-16:], dtype=object)
