"""One layer or operation of Keras as a layer of HGQ2 at fixed widths.

A layer that takes the place of another has its name. What comes in addition has a name with ``>``,
which no participant can give.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from harness.firmware.backend import UntranslatableError
from harness.firmware.translate.replacements import advise
from harness.firmware.translate.tables import address_word
from harness.submission.words import FixedPoint

if TYPE_CHECKING:
    import keras
    from hgq.config import QuantizerConfig

# What takes the place of a layer: called with its inputs, it gives its output.
Call: TypeAlias = Callable[..., Any]
# The words of a network at fixed widths: ``input``, ``weights`` and ``activations``.
Words: TypeAlias = Mapping[str, FixedPoint]

MERGED = {
    "Add": "QAdd",
    "Subtract": "QSubtract",
    "Multiply": "QMultiply",
    "Maximum": "QMaximum",
    "Minimum": "QMinimum",
}
# What a layer of weights keeps of its configuration.
_KEPT = (
    "units",
    "filters",
    "kernel_size",
    "strides",
    "padding",
    "data_format",
    "dilation_rate",
    "groups",
    "equation",
    "output_shape",
    "bias_axes",
    "use_bias",
)


def no_form(
    operation: keras.Operation, what: str = "has no fixed-width form"
) -> UntranslatableError:
    """Say that a layer cannot be rebuilt, and what to use instead."""
    kind = type(operation).__name__
    return UntranslatableError(
        what,
        where=f"layer {operation.name!r} ({kind})",
        expected="Dense, Conv, EinsumDense, BatchNormalization, ReLU and sums",
        fix=advise(kind),
    )


# --- Layers ---------------------------------------------------------------------------------------


def input_words(words: Words) -> Call:
    """Return the layer that cuts the network's input to its words."""
    from hgq.quantizer import Quantizer

    config = _config(words["input"], "datalane", overflow="WRAP", rounding="TRN")
    layer: Call = Quantizer(config, name="events>words")
    return layer


def dense(layer: keras.layers.Layer, words: Words) -> Call:
    """Return a layer of weights, with its activation as ReLU or as a table after it."""
    import hgq.layers

    config = layer.get_config()
    name = getattr(layer.activation, "__name__", "linear")
    is_within = name in ("linear", "relu")
    quantised = getattr(hgq.layers, f"Q{type(layer).__name__}")(
        **{key: config[key] for key in _KEPT if key in config},
        activation=name if is_within else None,
        **_configs(words),
        name=layer.name,
    )
    table = None if is_within else activation(layer, words, name=f"{layer.name}>{name}")
    weights = [np.asarray(weight) for weight in layer.weights]

    def call(inputs: keras.KerasTensor, mask: object = None) -> keras.KerasTensor:  # noqa: ARG001
        outputs = quantised(inputs)
        quantised.kernel.assign(weights[0])
        if len(weights) > 1:
            quantised.bias.assign(weights[1])
        return outputs if table is None else table(outputs)

    return call


def merge(layer: keras.layers.Layer, words: Words) -> Call:
    """Return a layer that adds, multiplies or compares quantised operands."""
    return _merging(MERGED[type(layer).__name__], layer, words)


def average(layer: keras.layers.Layer, words: Words) -> Call:
    """Average as HGQ2 does: a sum times a power of two; the order of the scores stays."""
    return _merging("QAveragePow2", layer, words)


def _merging(kind: str, operation: keras.Operation, words: Words) -> Call:
    import hgq.layers

    layer: Call = getattr(hgq.layers, kind)(
        iq_confs=_config(words["activations"], "datalane"), enable_ebops=False, name=operation.name
    )
    return layer


def batch_normalisation(layer: keras.layers.Layer, words: Words) -> Call:
    """Return a batch normalisation with the moments that were learnt."""
    from hgq.layers import QBatchNormalization

    quantised = QBatchNormalization(
        axis=layer.axis,
        epsilon=layer.epsilon,
        center=layer.center,
        scale=layer.scale,
        **_configs(words),
        name=layer.name,
    )

    def call(inputs: keras.KerasTensor, mask: object = None) -> keras.KerasTensor:  # noqa: ARG001
        outputs = quantised(inputs)
        if layer.scale:
            quantised.bn_gamma.assign(np.asarray(layer.gamma))
        if layer.center:
            quantised.bn_beta.assign(np.asarray(layer.beta))
        quantised.moving_mean.assign(np.asarray(layer.moving_mean))
        quantised.moving_variance.assign(np.asarray(layer.moving_variance))
        return outputs

    return call


def activation(layer: keras.layers.Layer, words: Words, *, name: str = "") -> Call:
    """Return a layer's activation: ReLU as it is, anything else looked up in a table."""
    import keras
    from hgq.layers import QUnaryFunctionLUT

    kind, name = getattr(layer.activation, "__name__", ""), name or layer.name
    made: Call
    if kind == "linear":
        made = keras.layers.Identity(name=name)
    elif kind in ("relu", "relu6"):
        made = keras.layers.ReLU(max_value=6.0 if kind == "relu6" else None, name=name)
    else:
        word = words["activations"]
        made = QUnaryFunctionLUT(
            layer.activation,
            iq_conf=_config(address_word(layer.activation, word, word), "datalane"),
            oq_conf=_config(word, "table"),
            allow_heterogeneous_input=False,
            allow_heterogeneous_table=False,
            enable_ebops=False,
            name=name,
        )
    return made


# --- Operations of keras.ops ----------------------------------------------------------------------


def square(operation: keras.Operation, words: Words) -> Call:
    """Return a square as the product of a tensor with itself."""
    layer = _merging("QMultiply", operation, words)
    return lambda x: layer([x, x])


def pair(operation: keras.Operation, words: Words) -> Call:
    """Return arithmetic of two tensors as a layer of HGQ2, which both translators read."""
    import keras

    layer = merge(operation, words)

    def call(first: object, second: object) -> object:
        # A constant is no operand that a layer takes; da4ml reads the operation itself.
        if not (keras.backend.is_keras_tensor(first) and keras.backend.is_keras_tensor(second)):
            return operation(first, second)
        return layer([first, second])

    return call


def total(operation: keras.Operation, _: Words) -> Call:
    """Return a sum over the last axis as a layer of ones, which both translators read.

    A mean is divided by the power of two next to the number of terms: the order stays.
    """
    from hgq.layers import QDense

    def call(x: keras.KerasTensor) -> keras.KerasTensor:
        axes = operation.axis if isinstance(operation.axis, list | tuple) else (operation.axis,)
        if len(x.shape) != 2 or tuple(axes) not in ((-1,), (1,)):
            raise no_form(operation, f"reduces the axes {axes} of {tuple(x.shape)}")
        n_terms = x.shape[-1]
        exponent = -round(math.log2(n_terms)) if type(operation).__name__ == "Mean" else 0
        layer = QDense(
            1,
            use_bias=False,
            kq_conf=_config(FixedPoint(1, exponent + 1, is_signed=False), "weight"),
            enable_iq=False,
            name=operation.name,
        )
        summed = layer(x)
        layer.kernel.assign(np.full((n_terms, 1), 2.0**exponent))
        return summed

    return call


# --- Quantisers -----------------------------------------------------------------------------------


def _configs(words: Words) -> dict[str, object]:
    """Return what a layer of weights is given besides its own configuration."""
    return {
        "kq_conf": _config(words["weights"], "weight"),
        "bq_conf": _config(words["activations"], "bias"),
        "iq_conf": _config(words["activations"], "datalane"),
        "enable_ebops": False,
    }


def _config(
    word: FixedPoint, place: str, *, overflow: str = "SAT", rounding: str = "RND"
) -> QuantizerConfig:
    """Return a configuration of HGQ2 of one fixed word for all values.

    Modes that the word itself names take the place of `overflow` and `rounding`.
    """
    from hgq.config import QuantizerConfig

    return QuantizerConfig(
        "kif",
        place,
        k0=int(word.is_signed),
        i0=word.magnitude_bits,
        f0=word.fraction_bits,
        overflow_mode=word.overflow or overflow,
        round_mode=word.rounding or rounding,
        homogeneous_axis=None,
        heterogeneous_axis=(),
        trainable=False,
    )
