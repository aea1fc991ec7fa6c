"""A network of plain Keras layers rebuilt as one of HGQ2 layers, at fixed widths.

The translators read quantised layers alone. A float network with a declared precision becomes a
quantised one: weights are rounded to the words for weights, every layer's input to those for
activations, the network's own input to the words for inputs. From then on that network is the
reference: its scores are the firmware's, and how far they lie from the float network's shows in
the physics.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from harness.errors import Problem
from harness.firmware.tools import Fault
from harness.firmware.translate.replacements import GENERAL_ADVICE, REPLACEMENTS
from harness.submission.words import FixedPoint, parse_word

if TYPE_CHECKING:
    import keras
    from hgq.config import QuantizerConfig

__all__ = ["has_plain_layers", "to_fixed_width"]

# A table over more bits than this costs more than the rest of a network.
MAX_TABLE_BITS = 10

# Layers that compute nothing, or nothing but wiring, comparisons and sums.
_UNCHANGED = frozenset(
    [
        "InputLayer",
        "Flatten",
        "Reshape",
        "Permute",
        "RepeatVector",
        "Dropout",
        "AlphaDropout",
        "SpatialDropout1D",
        "SpatialDropout2D",
        "GaussianNoise",
        "GaussianDropout",
        "ActivityRegularization",
        "Identity",
        "Concatenate",
        "ReLU",
    ]
)
_ACTIVATED = frozenset({"Dense", "Conv1D", "Conv2D", "EinsumDense"})
_MERGED = {
    "Add": "QAdd",
    "Subtract": "QSubtract",
    "Multiply": "QMultiply",
    "Maximum": "QMaximum",
    "Minimum": "QMinimum",
}
_OPERATIONS = frozenset(
    [
        "Square",
        "Multiply",
        "Add",
        "Subtract",
        "Sum",
        "Mean",
        "Maximum",
        "Minimum",
        "Absolute",
        "Reshape",
        "GetItem",
    ]
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Words:
    inputs: FixedPoint
    weights: FixedPoint
    activations: FixedPoint


def has_plain_layers(model: keras.Model) -> bool:
    """Say whether a network has arithmetic outside of HGQ2's layers."""
    import keras

    return any(
        not type(layer).__module__.startswith("hgq") and type(layer).__name__ not in _UNCHANGED
        for layer in model.layers
        if isinstance(layer, keras.layers.Layer)
    )


def to_fixed_width(model: keras.Model, precision: Mapping[str, str]) -> keras.Model:
    """Rebuild a network with quantised layers.

    Parameters
    ----------
    model : keras.Model
        Plain layers of Keras, HGQ2's, or both; HGQ2's stay as they are.
    precision : mapping
        ``input``, ``weights`` and ``activations``, each ``fixed<W,I>`` or ``ufixed<W,I>``.

    Raises
    ------
    Fault
        A layer has no quantised form; it is named with what to use instead.
    """
    import keras

    words = _Words(
        inputs=parse_word(precision["input"]),
        weights=parse_word(precision["weights"]),
        activations=parse_word(precision["activations"]),
    )
    # The input is quantised by a layer of its own, so that every layer that reads it sees the same.
    inputs = keras.Input(model.inputs[0].shape[1:], dtype=model.inputs[0].dtype, name="events")
    quantised = _quantiser(words.inputs, overflow="WRAP", rounding="TRN", name="input_words")(
        inputs
    )
    replaced: dict[int, Callable[..., Any]] = {}

    def replace(operation: keras.Operation) -> Callable[..., Any]:
        if id(operation) not in replaced:
            replaced[id(operation)] = _named(operation, _replacement(operation, words))
        return replaced[id(operation)]

    outputs = model._run_through_graph(quantised, operation_fn=replace)  # noqa: SLF001
    return keras.Model(inputs, outputs, name=model.name)


def _replacement(operation: keras.Operation, words: _Words) -> Callable[..., Any]:
    kind, module = type(operation).__name__, type(operation).__module__
    if module.startswith("hgq") or kind in _UNCHANGED:
        return cast("Callable[..., Any]", operation)
    if kind in _OPERATIONS and module.startswith("keras.src.ops"):
        return _operation(operation, words)
    if kind == "Activation":
        return _activation(operation.activation, operation.name, words)
    makers = {
        **dict.fromkeys(_ACTIVATED, _dense),
        **dict.fromkeys(_MERGED, _merge),
        "Average": _average,
        "BatchNormalization": _batch_normalisation,
    }
    if kind in makers and module.startswith("keras.src.layers"):
        return makers[kind](operation, words)
    raise _no_form(operation)


def _named(operation: keras.Operation, call: Callable[..., Any]) -> Callable[..., Any]:
    """Turn whatever a layer raises when it is built into a fault that names it."""

    def named(*arguments: object, **more: object) -> object:
        try:
            return call(*arguments, **more)
        except Fault:
            raise
        except Exception as error:
            # Layers of HGQ2 assert, and raise what Keras and NumPy raise.
            told = f"{type(error).__name__}: {str(error)[:300]}"
            raise _no_form(operation, f"can't be rebuilt with fixed widths: {told}") from error

    return named


def _no_form(operation: keras.Operation, what: str = "has no fixed-width form") -> Fault:
    kind = type(operation).__name__
    instead = REPLACEMENTS.get(kind)
    return Fault(
        "untranslatable",
        Problem(
            what=what,
            where=f"layer {operation.name!r} ({kind})",
            expected="Dense, Conv, EinsumDense, BatchNormalization, ReLU and sums",
            fix=f"use {instead}" if instead else GENERAL_ADVICE,
        ),
    )


# --- Layers ---------------------------------------------------------------------------------------


def _dense(layer: keras.layers.Layer, words: _Words) -> Callable[..., Any]:
    """Return a layer of weights, with its activation as ReLU or as a table after it."""
    import hgq.layers

    config = layer.get_config()
    name = getattr(layer.activation, "__name__", "linear")
    is_within = name in ("linear", "relu")
    kept = {
        key: config[key]
        for key in (
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
        if key in config
    }
    quantised = getattr(hgq.layers, f"Q{type(layer).__name__}")(
        **kept,
        activation=name if is_within else None,
        kq_conf=_config(words.weights, "weight"),
        bq_conf=_config(words.activations, "bias"),
        iq_conf=_config(words.activations, "datalane"),
        enable_ebops=False,
        name=f"q_{layer.name}",
    )
    weights = [np.asarray(weight) for weight in layer.weights]

    def call(inputs: keras.KerasTensor, mask: object = None) -> keras.KerasTensor:  # noqa: ARG001
        outputs = quantised(inputs)
        quantised.kernel.assign(weights[0])
        if len(weights) > 1:
            quantised.bias.assign(weights[1])
        if is_within:
            return outputs
        return _activation(layer.activation, layer.name, words)(outputs)

    return call


def _merge(layer: keras.layers.Layer, words: _Words) -> Callable[..., Any]:
    return _merging(type(layer).__name__, layer.name, words)


def _merging(kind: str, name: str, words: _Words) -> Callable[..., Any]:
    """Return a layer of HGQ2 that adds, multiplies or compares quantised operands."""
    import hgq.layers

    config = _config(words.activations, "datalane")
    quantised = getattr(hgq.layers, _MERGED[kind])
    return cast(
        "Callable[..., Any]", quantised(iq_confs=config, enable_ebops=False, name=f"q_{name}")
    )


def _average(layer: keras.layers.Layer, words: _Words) -> Callable[..., Any]:
    """Average as HGQ2 does: a sum times a power of two; the order of the scores stays."""
    from hgq.layers import QAveragePow2

    return cast(
        "Callable[..., Any]",
        QAveragePow2(
            iq_confs=_config(words.activations, "datalane"),
            enable_ebops=False,
            name=f"q_{layer.name}",
        ),
    )


def _batch_normalisation(layer: keras.layers.Layer, words: _Words) -> Callable[..., Any]:
    from hgq.layers import QBatchNormalization

    quantised = QBatchNormalization(
        axis=layer.axis,
        epsilon=layer.epsilon,
        center=layer.center,
        scale=layer.scale,
        kq_conf=_config(words.weights, "weight"),
        bq_conf=_config(words.activations, "bias"),
        iq_conf=_config(words.activations, "datalane"),
        enable_ebops=False,
        name=f"q_{layer.name}",
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


def _activation(function: Callable[..., Any], name: str, words: _Words) -> Callable[..., Any]:
    """Return an activation as a layer: ReLU as it is, anything else looked up in a table."""
    import keras
    from hgq.layers import QUnaryFunctionLUT

    kind = getattr(function, "__name__", "")
    if kind == "linear":
        return cast("Callable[..., Any]", keras.layers.Identity(name=f"q_{name}_linear"))
    if kind == "relu":
        return cast("Callable[..., Any]", keras.layers.ReLU(name=f"q_{name}_relu"))
    word = words.activations
    if word.width > MAX_TABLE_BITS:
        word = FixedPoint(MAX_TABLE_BITS, word.integer_bits, word.is_signed)
    return cast(
        "Callable[..., Any]",
        QUnaryFunctionLUT(
            function,
            iq_conf=_config(word, "datalane"),
            oq_conf=_config(words.activations, "table"),
            allow_heterogeneous_input=False,
            allow_heterogeneous_table=False,
            enable_ebops=False,
            name=f"q_{name}_table",
        ),
    )


def _operation(operation: keras.Operation, words: _Words) -> Callable[..., Any]:
    """Return an operation of `keras.ops` on quantised operands."""
    kind = type(operation).__name__
    if kind == "Square":
        layer = _merging("Multiply", operation.name, words)
        return lambda x: layer([x, x])
    if kind in _MERGED:
        return _pair(operation, words)
    if kind in ("Sum", "Mean"):
        return _total(operation)
    return cast("Callable[..., Any]", operation)


def _pair(operation: keras.Operation, words: _Words) -> Callable[..., Any]:
    """Return arithmetic of two tensors as a layer of HGQ2, which both translators read."""
    import keras

    layer = _merging(type(operation).__name__, operation.name, words)

    def call(first: object, second: object) -> object:
        # A constant is no operand that a layer takes; da4ml reads the operation itself.
        if not (keras.backend.is_keras_tensor(first) and keras.backend.is_keras_tensor(second)):
            return operation(first, second)
        return layer([first, second])

    return call


def _total(operation: keras.Operation) -> Callable[..., Any]:
    """Return a sum over the last axis as a layer of ones, which both translators read.

    A mean is divided by the power of two next to the number of terms: the order stays.
    """
    from hgq.layers import QDense

    def call(x: keras.KerasTensor) -> keras.KerasTensor:
        axes = operation.axis if isinstance(operation.axis, list | tuple) else (operation.axis,)
        if len(x.shape) != 2 or tuple(axes) not in ((-1,), (1,)):
            raise _no_form(operation, f"reduces the axes {axes} of {tuple(x.shape)}")
        n_terms = x.shape[-1]
        exponent = -round(math.log2(n_terms)) if type(operation).__name__ == "Mean" else 0
        layer = QDense(
            1,
            use_bias=False,
            kq_conf=_config(FixedPoint(1, exponent + 1, is_signed=False), "weight"),
            enable_iq=False,
            name=f"q_{operation.name}",
        )
        total = layer(x)
        layer.kernel.assign(np.full((n_terms, 1), 2.0**exponent))
        return total

    return call


# --- Quantisers -----------------------------------------------------------------------------------


def _config(
    word: FixedPoint, place: str, overflow: str = "SAT", rounding: str = "RND"
) -> QuantizerConfig:
    """Return a configuration of HGQ2 of one fixed word for all values."""
    from hgq.config import QuantizerConfig

    return QuantizerConfig(
        "kif",
        place,
        k0=int(word.is_signed),
        i0=word.magnitude_bits,
        f0=word.fraction_bits,
        overflow_mode=overflow,
        round_mode=rounding,
        homogeneous_axis=None,
        heterogeneous_axis=(),
        trainable=False,
    )


def _quantiser(word: FixedPoint, *, overflow: str, rounding: str, name: str) -> Callable[..., Any]:
    from hgq.quantizer import Quantizer

    config = _config(word, "datalane", overflow, rounding)
    return cast("Callable[..., Any]", Quantizer(config, name=name))
