"""Reductions: sums, means and extremes over axes of an event."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from harness.submission.onnx.arithmetic import squared
from harness.submission.onnx.values import Known, Node, RefusedNodeError, Tensor
from harness.submission.quantisers import quantiser_config
from harness.submission.words import FixedPoint

if TYPE_CHECKING:
    from keras import KerasTensor

# Operators by the function of `keras.ops` that reduces.
REDUCTIONS = {
    "ReduceSum": "sum",
    "ReduceMean": "mean",
    "ReduceMax": "max",
    "ReduceMin": "min",
    "ReduceProd": "prod",
    "ReduceLogSumExp": "logsumexp",
}


def reduction(node: Node) -> Known:
    """Build a reduction by one function of `keras.ops`."""
    return _reduced(node, node.tensor(), node.kind)


def of_squares(node: Node) -> Known:
    """Build the sum of squares, or its root."""
    import keras

    made = _reduced(node, squared(node.tensor()), "ReduceSum")
    if node.kind == "ReduceL2":
        return made.mapped(keras.ops.sqrt, is_fixed=False)
    return made


def of_magnitudes(node: Node) -> Known:
    """Build the sum of magnitudes."""
    import keras

    magnitudes = node.tensor().mapped(keras.ops.absolute, is_fixed=False)
    return _reduced(node, magnitudes, "ReduceSum")


def log_sum(node: Node) -> Known:
    """Build the logarithm of a sum."""
    import keras

    return _reduced(node, node.tensor(), "ReduceSum").mapped(keras.ops.log, is_fixed=False)


def _reduced(node: Node, x: Tensor, kind: str) -> Tensor:
    import keras

    axes = _axes(node, x.rank)
    if not axes:
        return x
    keeps = bool(node.settings.get("keepdims", 1))
    n_terms = math.prod(x.shape[axis - 1] for axis in axes)
    is_whole = len(axes) == x.rank - 1
    exponent = -math.log2(n_terms) if kind == "ReduceMean" else 0.0
    if x.is_fixed and is_whole and kind in ("ReduceSum", "ReduceMean") and exponent.is_integer():
        total = _total(x.first, n_terms, int(exponent))
        shape = (1,) * (x.rank - 1) if keeps else ()
        shaped = total if shape == (1,) else keras.layers.Reshape(shape)(total)
        return Tensor(shaped, is_fixed=True)
    function = getattr(keras.ops, REDUCTIONS[kind])
    keeps_fixed = x.is_fixed and kind in ("ReduceMax", "ReduceMin")
    return Tensor(function(x.first, axis=axes, keepdims=keeps), is_fixed=keeps_fixed)


def _axes(node: Node, rank: int) -> tuple[int, ...]:
    given = node.numbers("axes", 1)
    if not given:
        if node.settings.get("noop_with_empty_axes", 0):
            return ()
        raise RefusedNodeError(
            "reduces all axes, axis 0 too, which numbers the events",
            "name axes of one event: sum(dim=1), mean(dim=(1, 2))",
        )
    return tuple(sorted({node.axis(axis, rank) for axis in given}))


def _total(x: KerasTensor, n_terms: int, exponent: int) -> KerasTensor:
    """Add up all values of an event times a power of two, as a layer that all translators read."""
    import keras
    from hgq.layers import QDense

    flat = keras.layers.Flatten()(x) if len(x.shape) > 2 else x
    word = FixedPoint(1, exponent + 1, is_signed=False)
    config = quantiser_config(word, "weight")
    layer = QDense(1, use_bias=False, kq_conf=config, enable_iq=False)
    total = layer(flat)
    layer.kernel.assign(np.full((n_terms, 1), 2.0**exponent))
    return total
