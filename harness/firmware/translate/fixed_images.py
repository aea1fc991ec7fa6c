"""Convolutions and pooling of Keras as layers of HGQ2 at fixed widths.

Every convolution becomes a plain one, which both translators read: groups, gaps and the channels of
a depthwise one are zeros in its kernel, and zeros cost nothing. An average over windows is a
convolution with a constant.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.firmware.translate.fixed_layers import Call, added_name, built_once, no_form, weighted
from harness.firmware.translate.fixed_words import Floats, Words, nearest
from harness.submission.quantisers import quantiser_config, word_of

if TYPE_CHECKING:
    import keras


_PLACES = ("1D", "2D")
MAX_POOLING = tuple(f"{kind}MaxPooling{n}" for kind in ("", "Global") for n in _PLACES)
AVERAGE_POOLING = tuple(f"{kind}AveragePooling{n}" for kind in ("", "Global") for n in _PLACES)


def convolution(layer: keras.layers.Layer, words: Words) -> Call:
    """Return a convolution, or a depthwise one, without its activation."""
    kernel, *bias = (np.asarray(weight) for weight in layer.weights)
    plain = _depthwise(kernel) if hasattr(layer, "depth_multiplier") else _ungrouped(layer, kernel)
    return _convolution(layer, [_dilated(layer, plain), *bias], words, name=layer.name)


def separable_convolution(layer: keras.layers.Layer, words: Words) -> Call:
    """Return a depthwise convolution, and one of single places after it."""
    depthwise, pointwise, *bias = (np.asarray(weight) for weight in layer.weights)
    kernel = _dilated(layer, _depthwise(depthwise))
    first = _convolution(layer, [kernel], words, name=added_name(layer, "depthwise"))
    second = _convolution(layer, [pointwise, *bias], words, name=layer.name, strides=1)
    return lambda x: second(first(x))


def _convolution(
    layer: keras.layers.Layer, weights: list[Floats], words: Words, *, name: str, **more: object
) -> Call:
    kernel = weights[0]
    settings = {
        "filters": kernel.shape[-1],
        "kernel_size": kernel.shape[:-2],
        "strides": layer.strides,
        "padding": layer.padding,
        "data_format": layer.data_format,
        "use_bias": len(weights) > 1,
        **more,
    }
    return weighted(f"QConv{kernel.ndim - 2}D", settings, weights, words, name=name)


def _ungrouped(layer: keras.layers.Layer, kernel: Floats) -> Floats:
    """Write a kernel of groups of channels as one of all channels."""
    *size, n_in, n_out = kernel.shape
    groups = np.zeros((*size, layer.groups, n_in, layer.groups, n_out // layer.groups))
    parts = kernel.reshape(*size, n_in, layer.groups, -1)
    for group in range(layer.groups):
        groups[..., group, :, group, :] = parts[..., group, :]
    return groups.reshape(*size, layer.groups * n_in, n_out)


def _depthwise(kernel: Floats) -> Floats:
    """Write a kernel of channels by themselves as one of all channels."""
    *size, n_channels, n_each = kernel.shape
    whole = np.zeros((*size, n_channels, n_channels, n_each))
    for channel in range(n_channels):
        whole[..., channel, channel, :] = kernel[..., channel, :]
    return whole.reshape(*size, n_channels, n_channels * n_each)


def _dilated(layer: keras.layers.Layer, kernel: Floats) -> Floats:
    """Write the gaps of a kernel as zeros."""
    rates = np.broadcast_to(layer.dilation_rate, kernel.ndim - 2)
    size = [(n - 1) * rate + 1 for n, rate in zip(kernel.shape, rates, strict=False)]
    whole = np.zeros((*size, *kernel.shape[-2:]))
    whole[tuple(slice(None, None, rate) for rate in rates)] = kernel
    return whole


# --- Pooling --------------------------------------------------------------------------------------


def max_pooling(layer: keras.layers.Layer, words: Words) -> Call:
    """Return the largest of each window, or of all places."""
    import hgq.layers

    kept = ("pool_size", "strides", "padding", "data_format", "keepdims")
    config = layer.get_config()
    made: Call = getattr(hgq.layers, f"Q{type(layer).__name__}")(
        **{name: config[name] for name in kept if name in config},
        iq_conf=quantiser_config(words["activations"], "datalane"),
        enable_ebops=False,
        name=layer.name,
    )
    return made


def average_pooling(layer: keras.layers.Layer, words: Words) -> Call:
    """Return the average of each window: a sum times a constant."""
    is_global = not hasattr(layer, "pool_size")

    def build(x: keras.KerasTensor) -> Call:
        *places, n_channels = x.shape[1:]
        size = tuple(places) if is_global else layer.pool_size
        strides = size if is_global else layer.strides
        padding = "valid" if is_global else layer.padding
        if layer.data_format != "channels_last":
            raise no_form(layer, "averages channels first", "use data_format='channels_last'")
        if window_counts(layer) != [{width} for width in size]:
            raise no_form(
                layer,
                "averages fewer values at the edge than elsewhere",
                "use padding='valid', with a ZeroPadding layer before it if need be",
            )
        settings = {"kernel_size": size, "strides": strides, "padding": padding}
        products = _averages(layer.name, n_channels, settings, words)
        return _without_places(layer, products) if is_global else products

    return built_once(build)


def _averages(name: str, n_channels: int, settings: Mapping[str, Any], words: Words) -> Call:
    """Return the convolution of each channel by itself with one constant."""
    size = settings["kernel_size"]
    value = nearest(1 / np.prod(size), words["weights"].width)
    kernel = _depthwise(np.full((*size, n_channels, 1), value))
    return weighted(
        f"QConv{len(size)}D",
        {**settings, "filters": n_channels, "use_bias": False},
        [kernel],
        words,
        name=name,
        weight_word=word_of(value),
    )


def _without_places(layer: keras.layers.Layer, products: Call) -> Call:
    """Leave the axes of the places out, unless the layer of Keras keeps them."""
    import keras

    if layer.keepdims:
        return products
    flat = keras.layers.Flatten(name=added_name(layer, "flat"))
    return lambda x: flat(products(x))


def window_counts(layer: keras.layers.Layer) -> list[set[int]]:
    """Return how many values the windows of a pooling layer have along each axis of places.

    Windows that reach over the edge have fewer than others.
    """
    (x, *_) = layer._inbound_nodes[0].input_tensors  # noqa: SLF001 the first of several uses
    places = x.shape[1:-1] if layer.data_format == "channels_last" else x.shape[2:]
    if not hasattr(layer, "pool_size"):
        return [{n} for n in places]
    if layer.padding == "valid":
        return [{width} for width in layer.pool_size]
    axes = zip(places, layer.pool_size, layer.strides, strict=True)
    return [_counts(*axis) for axis in axes]


def _counts(n: int, width: int, step: int) -> set[int]:
    """Return how many of `n` places windows cover, half of what is missing before the first."""
    n_windows = -(-n // step)
    first = -(max((n_windows - 1) * step + width - n, 0) // 2)
    starts = (first + index * step for index in range(n_windows))
    return {min(start + width, n) - max(start, 0) for start in starts}
