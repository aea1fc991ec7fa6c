"""Pooling over windows of places, or over all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.submission.onnx.linear import pad_places, window_padding
from harness.submission.onnx.values import Known, Node, RefusedNodeError, Tensor

_PAD_FIRST = "pad by torch.nn.ZeroPad2d before it, or choose windows that fit"


def pooling(node: Node) -> Known:
    """Build the largest or the average value of each window."""
    import keras

    x = node.scaled_tensor()
    size = tuple(int(width) for width in node.settings.get("kernel_shape", ()))
    if len(size) not in (1, 2) or x.rank != len(size) + 2:
        raise RefusedNodeError(f"has {len(size)} dimensions", "use pooling in 1 or 2 dimensions")
    strides = tuple(int(step) for step in node.settings.get("strides", [1] * len(size)))
    if any(int(rate) != 1 for rate in node.settings.get("dilations", [])):
        raise RefusedNodeError("has dilations", "leave them out")
    if node.n_outputs > 1:
        raise RefusedNodeError("gives indices too", "leave return_indices out")
    pads = window_padding(node, x.shape[1:], size, [1] * len(size))
    if node.settings.get("ceil_mode", 0) and not _fits(x.shape[1:], size, strides, pads):
        raise RefusedNodeError("has windows over the edge (ceil_mode)", _PAD_FIRST)
    tensor, padding = x.last, "valid"
    is_padded = any(any(pair) for pair in pads)
    counts_zeros = node.kind == "AveragePool" and node.settings.get("count_include_pad", 0)
    if is_padded and counts_zeros:
        tensor = pad_places(tensor, pads)
    elif is_padded:
        if pads != _same(x.shape[1:], size, strides):
            raise RefusedNodeError(f"has the pads {pads}", _PAD_FIRST)
        padding = "same"
    kind = f"{'Max' if node.kind == 'MaxPool' else 'Average'}Pooling{len(size)}D"
    layer = getattr(keras.layers, kind)(pool_size=size, strides=strides, padding=padding)
    return Tensor(last=layer(tensor), scale=x.scale, is_fixed=x.is_fixed)


def global_pooling(node: Node) -> Known:
    """Build the largest or the average value of all places."""
    import keras

    x = node.scaled_tensor()
    if x.rank not in (3, 4):
        raise RefusedNodeError(f"pools events of shape {x.shape}", "use 1 or 2 dimensions")
    what = "Max" if node.kind == "GlobalMaxPool" else "Average"
    layer = getattr(keras.layers, f"Global{what}Pooling{x.rank - 2}D")(keepdims=True)
    return Tensor(last=layer(x.last), scale=x.scale, is_fixed=x.is_fixed)


def _fits(
    places: Sequence[int],
    size: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[tuple[int, int]],
) -> bool:
    axes = zip(places, size, strides, pads, strict=True)
    return all((n + sum(pad) - width) % step == 0 for n, width, step, pad in axes)


def _same(
    places: Sequence[int], size: Sequence[int], strides: Sequence[int]
) -> tuple[tuple[int, int], ...]:
    """Return the padding that Keras calls ``same``."""
    found = []
    for n, width, step in zip(places, size, strides, strict=True):
        missing = max((math.ceil(n / step) - 1) * step + width - n, 0)
        found.append((missing // 2, missing - missing // 2))
    return tuple(found)
