"""A quantised network in float64, with the quantised weights that float32 gave."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

# Layers whose tables hold a function evaluated in float32; their inputs are short words.
_TABLES = ("QUnaryFunctionLUT", "QAffinedUnaryFunctionLUT", "QSoftmax", "QDenseT")


def in_double_precision(model: keras.Model) -> keras.Model:
    """Return the network with data in float64 and the quantised weights that float32 gave."""
    import keras

    config = keras.saving.serialize_keras_object(model)
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        double = keras.saving.deserialize_keras_object(_with_float64(config))
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_dtype_policy(before[1])
    _copy_weights(model, double)
    _pin_quantised_weights(model, double)
    return double


def _with_float64(value: object) -> object:
    if isinstance(value, dict):
        if value.get("class_name") in _TABLES:
            return value
        return {key: _with_float64(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_with_float64(item) for item in value)
    return "float64" if value == "float32" else value


def _copy_weights(model: keras.Model, double: keras.Model) -> None:
    for layer, twin in zip(model.layers, double.layers, strict=True):
        for weight, target in zip(layer.weights, twin.weights, strict=True):
            target.assign(np.asarray(weight).astype(target.dtype))


def _pin_quantised_weights(model: keras.Model, double: keras.Model) -> None:
    """Give each layer the quantised weights of its float32 twin.

    Where a weight lies on the edge between two words, float32 and float64 may round it to either.
    """
    import keras

    for layer, twin in zip(model.layers, double.layers, strict=True):
        pinned = {
            name: keras.ops.convert_to_tensor(np.asarray(getattr(layer, name)), dtype="float64")
            for name in ("qkernel", "qbias")
            if getattr(layer, name, None) is not None
        }
        if pinned and type(twin).__name__ not in _TABLES:
            constants = {name: property(_constant(value)) for name, value in pinned.items()}
            twin.__class__ = type(type(twin).__name__, (type(twin),), constants)


def _constant(value: keras.KerasTensor) -> Callable[[object], keras.KerasTensor]:
    return lambda _: value
