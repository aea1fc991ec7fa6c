"""Bit widths of the values and weights of a network, as its HGQ2 quantisers set them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from harness.cost.layers import rule_name

if TYPE_CHECKING:
    import keras
    from hgq.quantizer import Quantizer
    from keras.src.ops.node import Node

# Bits of a value that no quantiser has rounded: float32.
FLOAT_BITS: Final = 32

# Bit widths of the values of one event, with a leading batch axis of length 1; float64, in which
# sums of products stay exact up to 2**53.
Widths = NDArray[np.float64]

_RESHAPING: Final = frozenset({"Flatten", "Reshape", "ops.Reshape", "ops.Ravel"})


def bits(quantiser: Quantizer, shape: Sequence[int]) -> Widths:
    """Return the widths that `quantiser` gives to values of `shape`, sign included."""
    if quantiser.q_type == "dummy":
        return np.full(tuple(shape), float(FLOAT_BITS))
    return np.asarray(quantiser.fbits_(tuple(shape)), dtype=np.float64)


def unrounded(tensor: keras.KerasTensor) -> Widths:
    """Return the widths of a value that no quantiser has rounded."""
    return np.full((1, *tensor.shape[1:]), float(FLOAT_BITS))


def input_bits(layer: keras.layers.Layer, given: Sequence[Widths]) -> list[Widths]:
    """Return the widths of a layer's inputs behind its own input quantisers, if it has any."""
    if not getattr(layer, "enable_iq", False):
        return list(given)
    quantisers = layer.iq if hasattr(layer.iq, "quantizers") else [layer.iq]
    return [bits(quantiser, widths.shape) for quantiser, widths in zip(quantisers, given)]


def kernel_bits(layer: keras.layers.Layer) -> Widths:
    """Return the widths of a layer's kernel."""
    shape = tuple(layer.kernel.shape)
    if hasattr(layer, "kq"):
        return bits(layer.kq, shape)
    return np.full(shape, float(FLOAT_BITS))


def output_bits(node: Node, given: Sequence[Widths]) -> Widths | None:
    """Return the widths of what a call gives; None unless a quantiser has set them."""
    layer, outputs = node.operation, node.output_tensors
    if len(outputs) != 1:
        return None
    shape = (1, *outputs[0].shape[1:])
    if rule_name(layer) == "Quantizer":
        return bits(layer, shape)
    if getattr(layer, "enable_oq", False):
        return bits(layer.oq, shape)
    if rule_name(layer) in _RESHAPING:
        return given[0].reshape(shape)
    return None
