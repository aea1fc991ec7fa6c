"""Layers of weights: products with matrices, convolutions, normalisations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from harness.submission.onnx.fixed import weighted
from harness.submission.onnx.values import Array, Constant, Known, Node, RefusedNodeError, Tensor

_WEIGHTS_OF_EVENTS = "take the weights from the model, not from the events"


def gemm(node: Node) -> Known:
    """Build ``alpha A B + beta C`` of a tensor A and constants B and C."""
    if node.settings.get("transA", 0):
        raise RefusedNodeError("transposes its first input", "export without transA")
    kernel = _weights(node, 1)
    if node.settings.get("transB", 0):
        kernel = kernel.moved(np.transpose)
    kernel = _times(kernel, float(node.settings.get("alpha", 1.0)))
    bias = None
    if len(node.inputs) > 2 and node.inputs[2] is not None:
        bias = _times(_weights(node, 2), float(node.settings.get("beta", 1.0)))
    return dense(node.scaled_tensor(), kernel, bias)


def matmul(node: Node) -> Known:
    """Build a product of a tensor with a constant matrix on either side, or with a tensor."""
    import keras

    left, right = node.inputs[:2]
    if isinstance(left, Tensor) and isinstance(right, Constant):
        kernel = _without_ones(right)
        if kernel.array.ndim == 1:
            made = dense(left, kernel.moved(lambda x: x[:, None]), None)
            shaped = keras.layers.Reshape(made.shape[:-1])(made.first)
            return made.moved(shaped)
        if kernel.array.ndim == 2:
            # A third input is a bias that `harness.submission.onnx.network` has joined to it.
            bias = node.inputs[2] if len(node.inputs) > 2 else None
            return dense(left, kernel, bias if isinstance(bias, Constant) else None)
        raise RefusedNodeError("multiplies by a constant of over two axes", "use a matrix")
    if isinstance(left, Constant) and isinstance(right, Tensor):
        kernel = _without_ones(left)
        if kernel.array.ndim != 2 or right.rank < 3:
            raise RefusedNodeError("multiplies by events on the right", "swap the two")
        swap = _swapped(right.rank)
        made = dense(right.moved(swap(right.first)), kernel.moved(np.transpose), None)
        return made.moved(_swapped(made.rank)(made.first))
    if isinstance(left, Tensor) and isinstance(right, Tensor):
        first, second = node.tensor(0), node.tensor(1)
        if first.rank != second.rank or first.rank < 3:
            raise RefusedNodeError(
                "multiplies two tensors that have no matrix for each event",
                "write (x * y).sum(dim=-1) for a scalar product",
            )
        return Tensor(keras.ops.matmul(first.first, second.first))
    raise RefusedNodeError("multiplies constants", "compute it before the export")


def _swapped(rank: int) -> Any:  # noqa: ANN401 a layer of Keras
    import keras

    axes = list(range(1, rank))
    axes[-2:] = axes[:-3:-1]
    return keras.layers.Permute(tuple(axes))


def _without_ones(constant: Constant) -> Constant:
    while constant.array.ndim > 2 and constant.array.shape[0] == 1:
        constant = constant.moved(lambda x: x[0])
    return constant


def dense(x: Tensor, kernel: Constant, bias: Constant | None) -> Tensor:
    """Multiply the last axis of a tensor by a matrix, and add a vector."""
    if kernel.array.ndim != 2 or x.rank < 2 or x.shape[-1] != kernel.array.shape[0]:
        raise RefusedNodeError(
            f"multiplies events of shape {x.shape} by weights of shape {kernel.array.shape}",
            "flatten each event first: torch.flatten(x, 1)",
        )
    n_outputs = kernel.array.shape[1]
    if bias is not None:
        if bias.array.size not in (1, n_outputs) or bias.array.shape[-1:] not in (
            (n_outputs,),
            (1,),
            (),
        ):
            raise RefusedNodeError(f"adds a constant of shape {bias.array.shape}")
        bias = bias.moved(lambda part: np.broadcast_to(part.reshape(-1), (n_outputs,)))
    output, scale, is_fixed = weighted("Dense", {"units": n_outputs}, x.first, x, kernel, bias)
    return Tensor(output, scale=scale, is_fixed=is_fixed)


def _weights(node: Node, index: int) -> Constant:
    value = node.inputs[index] if index < len(node.inputs) else None
    if not isinstance(value, Constant):
        raise RefusedNodeError(f"its input {index + 1} is no constant", _WEIGHTS_OF_EVENTS)
    return value


def _times(constant: Constant, factor: float) -> Constant:
    return constant if factor == 1.0 else Constant(constant.array * np.float32(factor))


# --- Convolutions ---------------------------------------------------------------------------------


def convolution(node: Node) -> Known:
    """Build a convolution in one or two dimensions; ONNX's kernel is (out, in, places)."""
    x = node.scaled_tensor()
    kernel = _weights(node, 1)
    n_places = kernel.array.ndim - 2
    if n_places not in (1, 2) or x.rank != kernel.array.ndim:
        raise RefusedNodeError(f"has {n_places} dimensions", "use Conv1d or Conv2d")
    bias = _weights(node, 2) if len(node.inputs) > 2 and node.inputs[2] is not None else None
    groups = int(node.settings.get("group", 1))
    if groups > 1:
        kernel = kernel.moved(lambda part: _ungrouped(part, groups))
        if kernel.quantised is not None:  # The zeros between groups have the scale of the output.
            kernel = Constant(kernel.array, _with_scales(kernel, node, groups))
    size = kernel.array.shape[2:]
    rates = _whole(node, "dilations", n_places)
    padded = pad_places(x.last, window_padding(node, x.shape[1:], size, rates))
    settings = {
        "filters": kernel.array.shape[0],
        "kernel_size": size,
        "strides": _whole(node, "strides", n_places),
        "dilation_rate": rates,
        "padding": "valid",
    }
    if max(rates) > 1 and max(settings["strides"]) > 1:
        raise RefusedNodeError("has strides and dilations at once", "use one of the two")
    output, scale, is_fixed = weighted(
        f"Conv{n_places}D", settings, padded, x, kernel.moved(_to_keras), bias
    )
    return Tensor(last=output, scale=scale, is_fixed=is_fixed)


def _to_keras(kernel: Array) -> Array:
    """Return a kernel as (places, in, out)."""
    return np.moveaxis(kernel, (0, 1), (-1, -2))


def _ungrouped(kernel: Array, groups: int) -> Array:
    """Write a kernel of groups of channels as one of all channels, with zeros."""
    n_out, n_in, *size = kernel.shape
    whole = np.zeros((n_out, n_in * groups, *size), kernel.dtype)
    each = n_out // groups
    for group in range(groups):
        rows, columns = (
            slice(group * each, (group + 1) * each),
            slice(group * n_in, (group + 1) * n_in),
        )
        whole[rows, columns] = kernel[rows]
    return whole


def _with_scales(kernel: Constant, node: Node, groups: int) -> Any:  # noqa: ANN401
    quantised = kernel.quantised
    before = _weights(node, 1).quantised
    if quantised is None or before is None:
        return None
    return replace(quantised, scale=np.concatenate([before.scale] * groups, axis=1))


def _whole(node: Node, name: str, n: int) -> tuple[int, ...]:
    values = tuple(int(value) for value in node.settings.get(name, [1] * n))
    if len(values) != n or min(values, default=0) < 1:
        raise RefusedNodeError(f"has {name} {values}")
    return values


Padding = tuple[tuple[int, int], ...]


def window_padding(
    node: Node, places: Sequence[int], size: Sequence[int], rates: Sequence[int]
) -> Padding:
    """Return how many places are added before and after along each axis of places."""
    n = len(size)
    mode = str(node.settings.get("auto_pad", "NOTSET"))
    if mode in ("NOTSET", ""):
        pads = [int(value) for value in node.settings.get("pads", [0] * 2 * n)]
        if len(pads) != 2 * n or min(pads) < 0:
            raise RefusedNodeError(f"has the pads {pads}")
        return tuple(zip(pads[:n], pads[n:]))
    if mode == "VALID":
        return ((0, 0),) * n
    steps = _whole(node, "strides", n)
    found = []
    for place, width, step, rate in zip(places, size, steps, rates):
        reach = (width - 1) * rate + 1
        missing = max((math.ceil(place / step) - 1) * step + reach - place, 0)
        before = missing // 2 if mode == "SAME_UPPER" else missing - missing // 2
        found.append((before, missing - before))
    return tuple(found)


def pad_places(x: Any, padding: Padding) -> Any:  # noqa: ANN401 a tensor of Keras
    """Add zeros around the places of a tensor with the channels at the end."""
    import keras

    if not any(any(pair) for pair in padding):
        return x
    if len(padding) == 1:
        return keras.layers.ZeroPadding1D(padding[0])(x)
    return keras.layers.ZeroPadding2D(padding)(x)


# --- Normalisations -------------------------------------------------------------------------------


def batch_normalisation(node: Node) -> Known:
    """Build a batch normalisation with the moments that were learnt."""
    import keras

    if node.settings.get("training_mode", 0):
        raise RefusedNodeError("is in training", "call model.eval() before the export")
    x = node.tensor()
    gamma, beta, mean, variance = (_weights(node, index).array for index in range(1, 5))
    layer = keras.layers.BatchNormalization(
        axis=-1, epsilon=float(node.settings.get("epsilon", 1e-5))
    )
    made = Tensor(last=layer(x.last)) if x.rank > 2 else Tensor(layer(x.first))
    layer.set_weights([gamma, beta, mean, variance])
    return made


def layer_normalisation(node: Node) -> Known:
    """Build a normalisation of each event by itself."""
    import keras

    x = node.tensor()
    first = node.axis(int(node.settings.get("axis", -1)), x.rank)
    axes = list(range(first, x.rank))
    has_bias = len(node.inputs) > 2 and node.inputs[2] is not None
    epsilon = float(node.settings.get("epsilon", 1e-5))
    layer = keras.layers.LayerNormalization(axis=axes, epsilon=epsilon, center=has_bias)
    made = Tensor(layer(x.first))
    layer.set_weights([_weights(node, index).array for index in range(1, 3 if has_bias else 2)])
    return made
