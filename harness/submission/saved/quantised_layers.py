"""Layers of QKeras as layers of HGQ2 of the same words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.submission.saved.layers import Layer
from harness.submission.saved.normalisation import affine, normalisation
from harness.submission.saved.plain_layers import (
    Call,
    LayerError,
    activation,
    own_name,
    plain_layer,
    quantiser_of,
    unknown,
)
from harness.submission.saved.quantisers import (
    Floats,
    UnknownQuantiserError,
    parse_quantiser,
    quantised,
    word_of_values,
)
from harness.submission.saved.word_configs import exact_config, word_config
from harness.submission.words import FixedPoint

if TYPE_CHECKING:
    from hgq.config import QuantizerConfig

_KERAS_ACTIVATIONS = ("linear", "relu", "relu6", "tanh", "sigmoid", "softmax")
_MERGED = ("Add", "Subtract", "Multiply", "Maximum", "Minimum")
_MAX_POOLING = ("MaxPooling1D", "MaxPooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D")
_CONVOLUTION = ("filters", "kernel_size", "strides", "padding", "dilation_rate", "groups")


def is_quantised(layer: Layer) -> bool:
    """Say whether a layer is one of QKeras."""
    return layer.kind in _QUANTISED or layer.module.startswith("qkeras")


def quantised_layer(layer: Layer, *, is_between: bool) -> Call:
    """Return the form of a layer in a network of QKeras: HGQ2's where there is one.

    Parameters
    ----------
    layer : Layer
        The layer.
    is_between : bool
        See `follows_between`.

    Raises
    ------
    LayerError
        The layer or its quantiser is not known.
    """
    if layer.kind == "QActivation":
        return _activation(layer, "RND" if is_between else "RND_CONV")
    make = {**_QUANTISED, **_BESIDE}.get(layer.kind)
    if make is not None:
        return make(layer)
    if is_quantised(layer):
        raise unknown(layer)
    return plain_layer(layer)


def _constants(
    layer: Layer, key: str, weights: Floats, place: str
) -> tuple[Floats, QuantizerConfig]:
    """Return weights on their grid, and the words that hold them."""
    quantiser = quantiser_of(layer, key)
    values = quantised(quantiser, weights)
    word = word_of_values(quantiser) if quantiser else None
    if quantiser is not None and word is not None:
        shift = int(np.log2(quantiser.settings.get("alpha") or 1))
        word = replace(word, integer_bits=word.integer_bits + shift)
        return values, word_config(word, place)
    return values, exact_config(values, place)


# --- Layers of weights ----------------------------------------------------------------------------


def _weighted(kind: str, settings: Mapping[str, Any], layer: Layer) -> Call:
    import hgq.layers

    names = ("kernel", "bias") if layer.settings.get("use_bias", True) else ("kernel",)
    if len(layer.arrays) != len(names):
        raise LayerError(
            layer.problem(
                f"has {len(layer.arrays)} arrays of weights here",
                " and ".join(names),
                "save the model and its weights together, by model.save",
            )
        )
    if quantiser_of(layer, "kernel_quantizer") is None:
        raise LayerError(
            layer.problem(
                "has no kernel_quantizer", "a quantiser of QKeras", "train with quantized_bits"
            )
        )
    after = _activation_of(layer)
    kernel, kernel_word = _constants(
        layer, "kernel_quantizer", np.asarray(layer.arrays[0], np.float32), "weight"
    )
    more: dict[str, Any] = {"use_bias": len(names) > 1, "kq_conf": kernel_word}
    values = [kernel]
    if len(names) > 1:
        bias = np.asarray(layer.arrays[1], np.float32)
        bias, more["bq_conf"] = _constants(layer, "bias_quantizer", bias, "bias")
        values.append(bias)
    made = getattr(hgq.layers, kind)(
        **settings, **more, enable_iq=False, trainable=False, name=own_name(layer)
    )
    done: list[bool] = []

    def call(inputs: object) -> object:
        outputs = made(inputs)
        if not done:
            _assign(layer, made, values)
            done.append(True)
        return after(outputs)

    return call


def _assign(layer: Layer, made: Any, values: list[Floats]) -> None:  # noqa: ANN401 of HGQ2
    for variable, value in zip((made.kernel, made.bias), values, strict=False):
        if tuple(variable.shape) != value.shape:
            raise LayerError(
                layer.problem(
                    f"the file has weights of the shape {value.shape}",
                    f"the shape {tuple(variable.shape)}",
                )
            )
        variable.assign(value)


def _dense(layer: Layer) -> Call:
    return _weighted("QDense", {"units": layer.settings.get("units")}, layer)


def _convolution(layer: Layer) -> Call:
    settings = {key: layer.settings[key] for key in _CONVOLUTION if key in layer.settings}
    if layer.settings.get("data_format") not in (None, "channels_last"):
        raise LayerError(layer.problem("has its channels first", "data_format channels_last"))
    return _weighted(layer.kind, settings, layer)


# --- Activations ----------------------------------------------------------------------------------


def _activation(layer: Layer, rounding: str = "RND_CONV") -> Call:
    return _values(layer, layer.settings.get("activation"), own_name(layer), rounding)


def _activation_of(layer: Layer) -> Call:
    """Return what a layer of weights does with its sums."""
    value = layer.settings.get("activation")
    return _values(layer, value, f"{own_name(layer)}_activation")


def _values(layer: Layer, value: object, name: str, rounding: str = "RND_CONV") -> Call:
    """Return a quantiser of values between layers, or an activation of Keras."""
    import keras
    from hgq.quantizer import Quantizer

    if value is None or value in _KERAS_ACTIVATIONS:
        function = activation(layer, value)
        if function == "linear":
            return lambda x: x
        if function in ("relu", "relu6"):
            limit = 6.0 if function == "relu6" else None
            rectifier: Call = keras.layers.ReLU(max_value=limit, name=name)
            return rectifier
        made: Call = keras.layers.Activation(function, name=name)
        return made
    try:
        quantiser = parse_quantiser(value)
    except UnknownQuantiserError as error:
        raise LayerError(layer.problem(f"activation: {error}", fix=error.fix)) from error
    word = word_of_values(quantiser) if quantiser else None
    if quantiser is None or word is None:
        raise LayerError(
            layer.problem(
                f"activation: {quantiser} is no word for values between layers",
                "quantized_bits or quantized_relu, alpha a number",
                "binary, ternary and auto_po2 are for weights; quantized_bits(2, 1) has 2 bits",
            )
        )
    word = replace(word, rounding=rounding)
    alpha = float(quantiser.settings.get("alpha") or 1.0)
    if alpha != 1:
        return _scaled_values(layer, word, alpha, name)
    quantise: Call = Quantizer(word_config(word, "datalane"), name=name)
    return quantise


def _scaled_values(layer: Layer, word: FixedPoint, alpha: float, name: str) -> Call:
    """Return a quantiser whose values are multiplied by a power of two afterwards."""
    from hgq.quantizer import Quantizer

    quantise = Quantizer(word_config(word, "datalane"), name=f"{name}_word")

    def call(inputs: Any) -> object:  # noqa: ANN401 a tensor
        n_channels = inputs.shape[-1]
        scale = np.full(n_channels, alpha, np.float32)
        multiply = affine(layer, scale, np.zeros_like(scale), -1, name)
        return multiply(quantise(inputs))

    return call


# --- Others ---------------------------------------------------------------------------------------


def _merge(layer: Layer) -> Call:
    import hgq.layers

    made: Call = getattr(hgq.layers, f"Q{layer.kind}")(enable_iq=False, name=own_name(layer))
    return made


def _max_pooling(layer: Layer) -> Call:
    import hgq.layers

    keys = ("pool_size", "strides", "padding", "keepdims")
    settings = {key: layer.settings[key] for key in keys if layer.settings.get(key) is not None}
    made: Call = getattr(hgq.layers, f"Q{layer.kind}")(
        **settings, enable_iq=False, name=own_name(layer)
    )
    return made


_QUANTISED: Mapping[str, Callable[[Layer], Call]] = {
    "QActivation": _activation,
    "QBatchNormalization": normalisation,
    "QConv1D": _convolution,
    "QConv2D": _convolution,
    "QDense": _dense,
}
# Layers of Keras that a network of QKeras has beside its own.
_BESIDE: Mapping[str, Callable[[Layer], Call]] = {
    "Activation": _activation,
    "BatchNormalization": normalisation,
    **dict.fromkeys(_MERGED, _merge),
    **dict.fromkeys(_MAX_POOLING, _max_pooling),
}
