"""Activations of Keras at fixed widths: comparisons with slopes, or look-up tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.firmware.translate.fixed_layers import Call, added_name, no_form
from harness.firmware.translate.fixed_words import Words, nearest, rounded
from harness.firmware.translate.replacements import advise
from harness.firmware.translate.tables import address_word
from harness.submission.functions import register_functions
from harness.submission.quantisers import quantiser_config

if TYPE_CHECKING:
    import keras

# Settings of ReLU by which Keras computes an activation without one of its own.
_RECTIFIERS = {"relu": {}, "relu6": {"max_value": 6.0}, "leaky_relu": {"negative_slope": 0.2}}
# Activations that look at more than one value: no table holds them.
_JOINT = {"softmax": "Softmax", "log_softmax": "LogSoftmax"}
# Operations of `keras.ops` that are a function of `harness.submission.functions`.
TABLES = {
    "Cos": "cos",
    "Cosh": "cosh",
    "Log": "log",
    "Log1p": "log1p",
    "Reciprocal": "reciprocal",
    "Sin": "sin",
    "Sinh": "sinh",
    "Sqrt": "sqrt",
}
# Operations of `keras.ops` that are an activation without settings, by its name in Keras.
FUNCTIONS = {
    "Exp": "exponential",
    "HardSigmoid": "hard_sigmoid",
    "HardSilu": "hard_silu",
    "HardTanh": "hard_tanh",
    "LogSigmoid": "log_sigmoid",
    "LogSoftmax": "log_softmax",
    "Relu": "relu",
    "Relu6": "relu6",
    "Selu": "selu",
    "Sigmoid": "sigmoid",
    "Silu": "silu",
    "Softmax": "softmax",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Tanh": "tanh",
    "TanhShrink": "tanh_shrink",
}


def with_activation(layer: keras.layers.Layer, products: Call, words: Words) -> Call:
    """Return what a layer of weights computes, and its activation after it."""
    name = getattr(layer.activation, "__name__", "")
    function = _activation(layer, words, added_name(layer, name))
    return lambda x: function(products(x))


def activation(layer: keras.layers.Layer, words: Words) -> Call:
    """Return the activation of a layer: nothing, a comparison, or a table."""
    return _activation(layer, words, layer.name)


def _activation(layer: keras.layers.Layer, words: Words, made_name: str) -> Call:
    name = getattr(layer.activation, "__name__", "")
    if name == "linear":
        return lambda x: x
    if name in _JOINT:
        raise no_form(
            layer, f"the activation {name!r} has no fixed-width form", advise(_JOINT[name])
        )
    if name in _RECTIFIERS:
        return _rectifier(made_name, words, **_RECTIFIERS[name])
    return _table(layer.activation, words, made_name)


def function(operation: keras.Operation, words: Words) -> Call:
    """Return an operation that is an activation."""
    import keras

    name = FUNCTIONS[type(operation).__name__]
    return activation(keras.layers.Activation(name, name=operation.name), words)


def known_function(operation: keras.Operation, words: Words) -> Call:
    """Return an operation that is a function of the harness as a table."""
    return _table(register_functions()[TABLES[type(operation).__name__]], words, operation.name)


def exponential_unit(operation: keras.Operation, words: Words) -> Call:
    """Return ELU or CELU as a table."""
    import keras

    if operation.alpha != 1:
        fix = "use alpha=1, or keras.layers.LeakyReLU"
        raise no_form(operation, f"has alpha={operation.alpha:g}", fix)
    function = getattr(keras.activations, type(operation).__name__.lower())
    return _table(function, words, operation.name)


def gelu(operation: keras.Operation, words: Words) -> Call:
    """Return GELU as a table."""
    import keras

    if operation.approximate:
        raise no_form(operation, "is approximated by tanh", "use approximate=False")
    return _table(keras.activations.gelu, words, operation.name)


def _table(function: Callable[..., Any], words: Words, name: str) -> Call:
    from hgq.layers import QUnaryFunctionLUT

    word = words["activations"]
    made: Call = QUnaryFunctionLUT(
        function,
        iq_conf=quantiser_config(address_word(function, word, word), "datalane"),
        # Entries are constants. Cut off, one that is a whole number of steps but for the rounding
        # of float32, such as gelu(8), would depend on the processor.
        oq_conf=quantiser_config(replace(word, rounding=None), "table"),
        allow_heterogeneous_input=False,
        allow_heterogeneous_table=False,
        enable_ebops=False,
        name=name,
    )
    return made


# --- ReLU and its kin -----------------------------------------------------------------------------


def is_plain_relu(layer: keras.layers.Layer) -> bool:
    """Say whether a layer ReLU has no bound, no slope and no threshold."""
    return layer.max_value is None and not layer.negative_slope and not layer.threshold


def rectifier(layer: keras.layers.Layer, words: Words) -> Call:
    """Return ReLU or LeakyReLU."""
    kept = ("max_value", "negative_slope", "threshold")
    values = {name: getattr(layer, name, None) for name in kept}
    given = {name: value for name, value in values.items() if value is not None}
    return _rectifier(layer.name, words, **given)


def _rectifier(
    name: str,
    words: Words,
    *,
    max_value: float | None = None,
    negative_slope: float = 0.0,
    threshold: float = 0.0,
) -> Call:
    """Return ReLU: its bounds are values of an activation, its slope is a constant like a weight.

    Plain ReLU needs no constant, so its input is not quantised.
    """
    import keras
    from hgq.quantizer import Quantizer

    if max_value is None and not negative_slope and not threshold:
        plain: Call = keras.layers.ReLU(name=name)
        return plain
    word = words["activations"]
    quantiser = Quantizer(quantiser_config(word, "datalane"), name=f"{name}>words")
    if max_value is None and not threshold:
        # hls4ml reads no slope of the layer ReLU.
        slope = float(nearest(negative_slope, words["weights"].width))
        layer = keras.layers.LeakyReLU(slope, name=name)
    else:
        layer = keras.layers.ReLU(
            max_value=None if max_value is None else float(rounded(max_value, word)),
            negative_slope=float(nearest(negative_slope, words["weights"].width)),
            threshold=float(rounded(threshold, word)),
            name=name,
        )
    return lambda x: layer(quantiser(x))


def parametric_rectifier(layer: keras.layers.Layer, words: Words) -> Call:
    """Return PReLU with its slopes as weights, one for each value."""
    import keras
    from hgq.quantizer import Quantizer

    config = quantiser_config(words["activations"], "datalane")
    quantiser = Quantizer(config, name=added_name(layer, "words"))
    made = keras.layers.PReLU(name=layer.name)
    slopes = rounded(np.asarray(layer.alpha), words["weights"])

    def call(x: keras.KerasTensor) -> keras.KerasTensor:
        outputs = made(quantiser(x))
        made.alpha.assign(np.broadcast_to(slopes, x.shape[1:]))
        return outputs

    return call
