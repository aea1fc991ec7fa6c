"""Operations of `keras.ops` and Python's operators as layers of HGQ2, which both translators read.

A constant is a weight where it multiplies, and a value of an activation where it is added or
compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.firmware.translate.fixed_layers import (
    Call,
    added_name,
    built_once,
    merge,
    merging,
    no_form,
    scaled,
)
from harness.firmware.translate.fixed_words import Floats, Words
from harness.submission.quantisers import quantiser_config
from harness.submission.words import FixedPoint

if TYPE_CHECKING:
    import keras


def square(operation: keras.Operation, words: Words) -> Call:
    """Return a square as the product of a tensor with itself."""
    layer = merging("QMultiply", operation, words)
    return lambda x: layer([x, x])


def power(operation: keras.Operation, words: Words) -> Call:
    """Return the second power; no other has a form."""
    squared = square(operation, words)

    def call(x: object, exponent: object) -> object:
        if _is_tensor(exponent) or np.any(np.asarray(exponent) != 2):
            raise no_form(operation, "has no fixed-width form but for the exponent 2")
        return squared(x)

    return call


def pair(operation: keras.Operation, words: Words) -> Call:
    """Return arithmetic of two tensors, or of a tensor and a constant on either side."""
    layer = merge(operation, words)
    return _with_constants(operation, words, lambda first, second: layer([first, second]))


def quotient(operation: keras.Operation, words: Words) -> Call:
    """Return a division by a constant."""

    def refuse(*_: object) -> object:
        raise no_form(operation, "divides by what is no constant")

    return _with_constants(operation, words, refuse)


def negative(operation: keras.Operation, words: Words) -> Call:
    """Return a tensor times -1."""
    return scaled(operation, -1.0, 0.0, words)


def reshape(operation: keras.Operation, _: Words) -> Call:
    """Return the layer that changes a shape, which both translators read."""
    import keras

    def call(x: keras.KerasTensor) -> object:
        shape = operation.compute_output_spec(x).shape[1:]
        return keras.layers.Reshape(shape, name=operation.name)(x)

    return call


def concatenate(operation: keras.Operation, _: Words) -> Call:
    """Return the layer that joins tensors, which both translators read."""
    import keras

    layer: Call = keras.layers.Concatenate(axis=operation.axis, name=operation.name)
    return layer


def clip(operation: keras.Operation, words: Words) -> Call:
    """Return values between two bounds."""
    above = _bounded(operation, operation.x_min, words, sign=1, what="above")
    below = _bounded(operation, operation.x_max, words, sign=-1)
    return lambda x: below(above(x))


# An operation with a constant c on its right or its left, as a product with one and a sum.
_ON_THE_RIGHT: dict[str, Callable[[Floats], tuple[Any, Any]]] = {
    "Multiply": lambda c: (c, 0.0),
    "Add": lambda c: (1.0, c),
    "Subtract": lambda c: (1.0, -c),
    "Divide": lambda c: (1 / c, 0.0),
    "TrueDivide": lambda c: (1 / c, 0.0),
}
_ON_THE_LEFT: dict[str, Callable[[Floats], tuple[Any, Any]]] = {
    "Multiply": lambda c: (c, 0.0),
    "Add": lambda c: (1.0, c),
    "Subtract": lambda c: (-1.0, c),
}


def _with_constants(operation: keras.Operation, words: Words, of_tensors: Call) -> Call:
    kind = type(operation).__name__

    def call(first: object, second: object) -> object:
        if _is_tensor(first) and _is_tensor(second):
            return of_tensors(first, second)
        forms, x, constant = _ON_THE_RIGHT, first, second
        if not _is_tensor(first):
            forms, x, constant = _ON_THE_LEFT, second, first
        value = np.asarray(constant, np.float64)
        if kind in ("Maximum", "Minimum"):
            return _bounded(operation, value, words, sign=1 if kind == "Maximum" else -1)(x)
        if kind not in forms:
            return of_tensors(first, second)
        return scaled(operation, *forms[kind](value), words)(x)

    return call


def _is_tensor(x: object) -> bool:
    import keras

    return bool(keras.backend.is_keras_tensor(x))


def _bounded(
    operation: keras.Operation, bound: object, words: Words, *, sign: int, what: str = "bound"
) -> Call:
    """Return max(x, c) = c + relu(x - c), or with `sign` -1 min(x, c) = c - relu(c - x)."""
    import keras

    value = np.asarray(bound, np.float64)
    distance = scaled(operation, sign, -sign * value, words, f"{what}>distance")
    relu = keras.layers.ReLU(name=added_name(operation, f"{what}>relu"))
    back = scaled(operation, sign, value, words, "" if what == "bound" else what)
    return lambda x: back(relu(distance(x)))


def total(operation: keras.Operation, _: Words) -> Call:
    """Return a sum of all values of an event as a layer of ones, which both translators read.

    A mean is divided by the power of two next to the number of terms: the order stays.
    """
    import keras
    from hgq.layers import QDense

    def build(x: keras.KerasTensor) -> Call:
        rank, axes = len(x.shape), operation.axis
        axes = axes if isinstance(axes, list | tuple) else (axes,)
        if None in axes or {axis % rank for axis in axes} != set(range(1, rank)):
            raise no_form(
                operation,
                f"reduces the axes {tuple(axes)} of {tuple(x.shape)}",
                "reduce all axes of an event but the first, or use a layer of HGQ2",
            )
        n_terms = math.prod(x.shape[1:])
        exponent = -round(math.log2(n_terms)) if type(operation).__name__ == "Mean" else 0
        flat = keras.layers.Flatten(name=added_name(operation, "flat")) if rank > 2 else None
        ones = QDense(
            1,
            use_bias=False,
            kq_conf=quantiser_config(FixedPoint(1, exponent + 1, is_signed=False), "weight"),
            enable_iq=False,
            name=operation.name,
        )

        def call(x: keras.KerasTensor) -> keras.KerasTensor:
            summed = ones(x if flat is None else flat(x))
            ones.kernel.assign(np.full((n_terms, 1), 2.0**exponent))
            return summed

        return call

    return built_once(build)
