"""Layers of QKeras as layers of HGQ2 of the same words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.submission.saved.layers import Graph, Layer
from harness.submission.saved.plain_layers import (
    Call,
    LayerError,
    activation,
    own_name,
    plain_layer,
    unknown,
)
from harness.submission.saved.quantisers import (
    Floats,
    Quantiser,
    UnknownQuantiserError,
    parse_quantiser,
    quantised,
    word_of_values,
)
from harness.submission.saved.ties import is_half_way
from harness.submission.words import FixedPoint

if TYPE_CHECKING:
    from hgq.config import QuantizerConfig

_KERAS_ACTIVATIONS = ("linear", "relu", "relu6", "tanh", "sigmoid", "softmax")
_NORMALISATIONS = ("BatchNormalization", "QBatchNormalization")
_WEIGHTED = ("QDense", "QConv1D", "QConv2D")
_MAX_DEPTH = 50
_PART_BITS = 9
_MERGED = ("Add", "Subtract", "Multiply", "Maximum", "Minimum")
_MAX_POOLING = ("MaxPooling1D", "MaxPooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D")
# What connects values, or chooses among them, or adds them.
_WIRING = (
    *("Flatten", "Reshape", "Permute", "Concatenate", "Dropout", "ZeroPadding1D", "ZeroPadding2D"),
    *("Add", "Subtract", "Maximum", "Minimum", "ReLU", *_MAX_POOLING),
)
_CONVOLUTION = ("filters", "kernel_size", "strides", "padding", "dilation_rate", "groups")


def follows_between(graph: Graph, name: str) -> bool:
    """Say whether what a quantiser gets never lies half way between two values of its word.

    So it is behind most normalisations, and nowhere else.
    """
    layer, source = graph.layers[name], _only_source(graph, name)
    if layer.kind != "QActivation" or source is None:
        return False
    normalisation, word = graph.layers[source], _word_of(layer)
    before = _only_source(graph, source)
    if normalisation.kind not in _NORMALISATIONS or word is None or before is None:
        return False
    fraction_bits = _fraction_bits_of(graph, before, 0)
    if fraction_bits is None:
        return False
    try:
        scale, offset = _scale_and_offset(normalisation)
    except LayerError:  # It is named where that layer is made.
        return False
    pairs = zip(scale.tolist(), offset.tolist(), strict=True)
    return not any(is_half_way(one, other, fraction_bits, [word]) for one, other in pairs)


def _word_of(layer: Layer) -> FixedPoint | None:
    try:
        quantiser = parse_quantiser(layer.settings.get("activation"))
    except UnknownQuantiserError:
        return None
    return word_of_values(quantiser) if quantiser else None


def _only_source(graph: Graph, name: str) -> str | None:
    """Return the layer whose result a layer that is called once gets, if it gets one."""
    calls = graph.layers[name].calls
    source = calls[0][0][0] if len(calls) == 1 and len(calls[0]) == 1 else None
    return source if source in graph.layers else None


def _word_behind(layer: Layer) -> FixedPoint | None:
    if layer.kind != "QActivation":
        return None
    quantiser = _quantiser(layer, "activation")
    return word_of_values(quantiser) if quantiser else None


def _fraction_bits_of(graph: Graph, name: str, depth: int) -> int | None:
    """Return how many bits after the point a layer's results have; None if that is not known."""
    layer = graph.layers[name]
    if layer.kind == "QActivation":
        return _activation_bits(layer)
    sources = [tensor[0] for call in layer.calls for tensor in call]
    if depth > _MAX_DEPTH or not sources or layer.kind not in (*_WIRING, *_WEIGHTED):
        return None
    found = [_fraction_bits_of(graph, source, depth + 1) for source in sources]
    known = [bits for bits in found if bits is not None]
    if len(known) < len(found):
        return None
    if layer.kind in _WIRING:
        return max(known)
    if layer.settings.get("activation") not in (None, "linear", "relu"):
        return _activation_bits(layer)
    keys = ("kernel_quantizer", "bias_quantizer")
    bits = [
        _magnitude_and_fraction(
            np.asarray(quantised(_quantiser(layer, key), np.asarray(array)), np.float64).ravel()
        )[1]
        for key, array in zip(keys, layer.arrays, strict=False)
    ]
    return max([max(known) + bits[0], *bits[1:]]) if bits else None


def _activation_bits(layer: Layer) -> int | None:
    word = _word_of(layer)
    quantiser = _quantiser(layer, "activation") if word is not None else None
    if quantiser is None or word is None:
        return None
    return word.fraction_bits - int(np.log2(quantiser.settings.get("alpha") or 1))


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


def _quantiser(layer: Layer, key: str) -> Quantiser | None:
    try:
        return parse_quantiser(layer.settings.get(key))
    except UnknownQuantiserError as error:
        raise LayerError(layer.problem(f"{key}: {error}", fix=error.fix)) from error


# --- Words as HGQ2 takes them ---------------------------------------------------------------------


def _word_config(word: FixedPoint, place: str) -> QuantizerConfig:
    from hgq.config import QuantizerConfig

    return QuantizerConfig(
        "kif",
        place,
        k0=int(word.is_signed),
        i0=word.magnitude_bits,
        f0=word.fraction_bits,
        round_mode=word.rounding or "RND_CONV",
        overflow_mode=word.overflow or "SAT",
        homogeneous_axis=None,
        heterogeneous_axis=(),
        trainable=False,
        ic=None,
        fc=None,
        ir=None,
        fr=None,
    )


def _exact_config(values: Floats, place: str) -> QuantizerConfig:
    """Return the shortest word for each output channel, the last axis, that holds its constants."""
    import keras
    from hgq.config import QuantizerConfig

    channels = np.asarray(values, np.float64).reshape(-1, values.shape[-1]).T
    shape = (1,) * (values.ndim - 1) + (values.shape[-1],)

    def constant(numbers: list[int]) -> keras.initializers.Constant:
        return keras.initializers.Constant(np.reshape(numbers, shape).astype(float).tolist())

    ends = [_magnitude_and_fraction(channel) for channel in channels]
    return QuantizerConfig(
        "kif",
        place,
        k0=constant([int((channel < 0).any()) for channel in channels]),
        i0=constant([magnitude for magnitude, _ in ends]),
        f0=constant([fraction for _, fraction in ends]),
        round_mode="RND_CONV",
        overflow_mode="SAT",
        homogeneous_axis=tuple(range(values.ndim - 1)),
        heterogeneous_axis=None,
        trainable=False,
        ic=None,
        fc=None,
        ir=None,
        fr=None,
    )


def _magnitude_and_fraction(numbers: NDArray[np.float64]) -> tuple[int, int]:
    """Return the bits before and after the point that constants need; 0 and 0 for zeros."""
    numbers = numbers[numbers != 0]
    if not len(numbers):
        return 0, 0
    magnitude = int(np.frexp(np.abs(numbers))[1].max())
    fractions = [_fraction_bits(float(number)) for number in numbers]
    return magnitude, max(fractions)


def _fraction_bits(number: float) -> int:
    numerator, denominator = number.as_integer_ratio()
    n_zeros = (numerator & -numerator).bit_length() - 1
    return denominator.bit_length() - 1 - n_zeros


def _constants(
    layer: Layer, key: str, weights: Floats, place: str
) -> tuple[Floats, QuantizerConfig]:
    """Return weights on their grid, and the words that hold them."""
    quantiser = _quantiser(layer, key)
    values = quantised(quantiser, weights)
    word = word_of_values(quantiser) if quantiser else None
    if quantiser is not None and word is not None:
        shift = int(np.log2(quantiser.settings.get("alpha") or 1))
        word = replace(word, integer_bits=word.integer_bits + shift)
        return values, _word_config(word, place)
    return values, _exact_config(values, place)


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
    if _quantiser(layer, "kernel_quantizer") is None:
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
    quantise: Call = Quantizer(_word_config(word, "datalane"), name=name)
    return quantise


def _scaled_values(layer: Layer, word: FixedPoint, alpha: float, name: str) -> Call:
    """Return a quantiser whose values are multiplied by a power of two afterwards."""
    from hgq.quantizer import Quantizer

    quantise = Quantizer(_word_config(word, "datalane"), name=f"{name}_word")

    def call(inputs: Any) -> object:  # noqa: ANN401 a tensor
        n_channels = inputs.shape[-1]
        scale = np.full(n_channels, alpha, np.float32)
        multiply = _affine(layer, scale, np.zeros_like(scale), -1, name)
        return multiply(quantise(inputs))

    return call


# --- Normalisation --------------------------------------------------------------------------------


def _normalisation(layer: Layer) -> Call:
    """Return a batch normalisation as a product and a sum with constants of float32, exactly."""
    scale, offset = _scale_and_offset(layer)
    axis = layer.settings.get("axis", -1)
    axis = axis[0] if isinstance(axis, list) else axis
    return _affine(layer, scale, offset, axis, own_name(layer))


def _affine(layer: Layer, scale: Floats, offset: Floats, axis: int, name: str) -> Call:
    """Multiply each channel by a constant, and add another.

    A constant of 24 bits makes a product of 40, of which da4ml's interpreter cannot take every
    step; so the product is added up from constants of `_PART_BITS` bits.
    """
    from hgq.layers import QAdd

    parts = _parts_of(scale)
    if len(parts) == 1:
        return _product(layer, parts[0], offset, axis, name)
    zeros = np.zeros_like(offset)
    products = [
        _product(layer, part, zeros if n else offset, axis, f"{name}_{n}")
        for n, part in enumerate(parts)
    ]
    add = QAdd(enable_iq=False, name=name)
    return lambda x: add([product(x) for product in products])


def _parts_of(scale: Floats) -> list[Floats]:
    """Split constants into sums of some with few significant bits, the largest first."""
    parts, rest = [], np.asarray(scale, np.float64)
    while not parts or rest.any():
        mantissas, exponents = np.frexp(rest)
        part = np.ldexp(np.rint(np.ldexp(mantissas, _PART_BITS)), exponents - _PART_BITS)
        parts.append(np.asarray(part, np.float32))
        rest = rest - part
    return parts


def _product(layer: Layer, scale: Floats, offset: Floats, axis: int, name: str) -> Call:
    from hgq.layers import QBatchNormalization

    made = QBatchNormalization(
        axis=axis,
        epsilon=0.0,
        kq_conf=_exact_config(scale, "weight"),
        bq_conf=_exact_config(offset, "bias"),
        enable_iq=False,
        trainable=False,
        name=name,
    )
    done: list[bool] = []

    def call(inputs: Any) -> object:  # noqa: ANN401 a tensor
        if tuple(inputs.shape)[axis] != len(scale):
            raise LayerError(
                layer.problem(f"has {len(scale)} channels for values of {tuple(inputs.shape)}")
            )
        outputs = made(inputs)
        if not done:
            made.bn_gamma.assign(scale)
            made.bn_beta.assign(offset)
            done.append(True)
        return outputs

    return call


def _scale_and_offset(layer: Layer) -> tuple[Floats, Floats]:
    """Return what a value is multiplied with, and what is added, as Keras computes them."""
    names = [
        *(["gamma"] if layer.settings.get("scale", True) else []),
        *(["beta"] if layer.settings.get("center", True) else []),
        "mean",
        "variance",
    ]
    shapes = {array.shape for array in layer.arrays}
    if len(layer.arrays) != len(names) or len(shapes) != 1 or len(layer.arrays[0].shape) != 1:
        raise LayerError(
            layer.problem(f"has {len(layer.arrays)} arrays of weights", ", ".join(names))
        )
    weights = {
        name: quantised(_quantiser(layer, f"{name}_quantizer"), np.asarray(array, np.float32))
        for name, array in zip(names, layer.arrays, strict=True)
    }
    epsilon = np.float32(layer.settings.get("epsilon", 1e-3))
    scale = 1 / np.sqrt(weights["variance"] + epsilon)
    scale = np.asarray(scale * weights.get("gamma", np.float32(1)), np.float32)
    offset = weights.get("beta", np.float32(0)) - weights["mean"] * scale
    if not (np.isfinite(scale).all() and np.isfinite(offset).all()):
        raise LayerError(layer.problem("its variance is not above 0", "a trained normalisation"))
    return scale, np.asarray(offset, np.float32)


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
    "QBatchNormalization": _normalisation,
    "QConv1D": _convolution,
    "QConv2D": _convolution,
    "QDense": _dense,
}
# Layers of Keras that a network of QKeras has beside its own.
_BESIDE: Mapping[str, Callable[[Layer], Call]] = {
    "Activation": _activation,
    "BatchNormalization": _normalisation,
    **dict.fromkeys(_MERGED, _merge),
    **dict.fromkeys(_MAX_POOLING, _max_pooling),
}
