"""Which number types a network may compute in: float32 and narrower ones.

A float64 has room for what no comparison of float32 scores can see: a small number that depends on
other events, added to a large constant.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import Problem
from harness.submission.calls import Call, calls_of, flat, is_tensor
from harness.submission.layers import NARROW_TYPES

if TYPE_CHECKING:
    import keras


def type_problems(model: keras.Model, where: str) -> Iterator[Problem]:
    """Find each layer, operation and constant of a number type that is wider than float32.

    Parameters
    ----------
    model : keras.Model
        A functional or sequential model, with models within it.
    where : str
        What the model is, for the messages.
    """
    for call in calls_of(model):
        if all(tensor.dtype in NARROW_TYPES for tensor in call.inputs):
            for what, fix in _wide(call):
                yield Problem(
                    what=what,
                    where=f"{where}, layer {call.name!r}",
                    expected="float32 or narrower, integers of at most 32 bits",
                    fix=fix,
                )
                break  # The first is the cause of the others.


def _wide(call: Call) -> Iterator[tuple[str, str]]:
    for value in flat(list(call.arguments.values())):
        dtype = getattr(getattr(value, "dtype", None), "name", "")
        is_count = dtype.startswith(("int", "uint")) and np.ndim(value) == 0  # type: ignore[arg-type]
        if dtype and not is_tensor(value) and not is_count and dtype not in NARROW_TYPES:
            yield f"{call.kind} takes a constant of {dtype}", "write np.float32(constant)"
    for dtype in _policies(call):
        if dtype not in NARROW_TYPES:
            yield f"{call.kind} computes in {dtype}", "leave dtype out"
    for tensor in call.outputs:
        if tensor.dtype not in NARROW_TYPES and not call.is_model:  # Its parts are named.
            fix = "write ops.cast(x, 'float32')" if call.inputs else "leave dtype out"
            yield f"{call.kind} gives {tensor.dtype}", fix


def _policies(call: Call) -> Iterator[str]:
    """Yield the types of a layer and of the layers within it, quantisers for example."""
    if not call.is_layer or call.is_model:
        return
    for layer in (call.operation, *call.operation._flatten_layers(include_self=False)):  # noqa: SLF001
        yield from (layer.compute_dtype, layer.variable_dtype)
