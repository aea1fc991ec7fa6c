"""The weights of a network: how many, and the bits that store them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.card.figures import NotMeasured
from harness.cost.layers import all_layers, listed, named, rule_name
from harness.cost.widths import bits

if TYPE_CHECKING:
    import keras

# Layers of HGQ2 whose kernel and bias have a quantiser each; batch normalisation is folded in.
WITH_KERNEL = frozenset(
    {"QDense", "QBatchNormDense", "QEinsumDense", "QEinsumDenseBatchnorm", "QConv1D", "QConv2D"}
)


def parameters(model: keras.Model) -> list[keras.Variable]:
    """Return the weights of the network itself.

    The widths that quantisers learn and what HGQ2 books beside a layer are none, so a quantised
    network has the parameters of its plain twin.
    """
    kept_by_hgq2 = {id(weight) for layer in all_layers(model) for weight in _bookkeeping(layer)}
    return [weight for weight in model.weights if id(weight) not in kept_by_hgq2]


def count_weight_bits(model: keras.Model) -> int | NotMeasured:
    """Return the bits that store all weights, each at its own width.

    A weight that no quantiser rounds takes the bits of its type. HGQ2's batch normalisation is
    stored as one scale and one offset per channel, or not at all where it is folded into a kernel.

    Returns
    -------
    int or NotMeasured
        The second with the names of the layers that there is no rule for.
    """
    counted = {id(weight) for weight in parameters(model)}
    total = 0
    unknown: list[str] = []
    for layer in all_layers(model):
        own = [weight for weight in own_weights(layer) if id(weight) in counted]
        stored = _stored_bits(layer, own) if own else 0
        if stored is None:
            unknown.append(named(layer))
        total += stored or 0
    if unknown:
        return NotMeasured(not_measured=f"no rule for the stored weights of {listed(unknown)}")
    return total


def _bookkeeping(layer: keras.layers.Layer) -> list[keras.Variable]:
    """Weights that HGQ2 adds to a plain layer."""
    from hgq.layers.core.base import QLayerBase
    from hgq.quantizer import Quantizer

    if isinstance(layer, Quantizer):
        return list(layer.weights)
    if isinstance(layer, QLayerBase):
        kept = (getattr(layer, name, None) for name in ("_beta", "_ebops"))
        return [weight for weight in kept if weight is not None]
    return []


def own_weights(layer: keras.layers.Layer) -> list[keras.Variable]:
    """Weights of a layer that belong to none of its sublayers."""
    sublayers = layer._flatten_layers(include_self=False)  # noqa: SLF001 - no public access
    below = {id(weight) for sublayer in sublayers for weight in sublayer.weights}
    return [weight for weight in layer.weights if id(weight) not in below]


def _stored_bits(layer: keras.layers.Layer, own: Sequence[keras.Variable]) -> int | None:
    """Bits that the weights of one layer take; None if there is no rule."""
    name = rule_name(layer)
    if name == "QBatchNormalization":
        shape = tuple(layer.moving_mean.shape)
        return _sum_bits((layer.kq, shape), (layer.bq, shape))
    if name in WITH_KERNEL:
        pairs = [(layer.kq, tuple(layer.kernel.shape))]
        if layer.bias is not None:
            pairs.append((layer.bq, tuple(layer.bias.shape)))
        return _sum_bits(*pairs)
    if type(layer).__module__.startswith("hgq."):
        return None
    return sum(_n_values(weight) * bits_of_type(str(weight.dtype)) for weight in own)


def _sum_bits(*pairs: tuple[keras.layers.Layer, tuple[int, ...]]) -> int:
    """Sum the widths that quantisers give to arrays of these shapes."""
    return round(sum(float(bits(quantiser, shape).sum()) for quantiser, shape in pairs))


def _n_values(weight: keras.Variable) -> int:
    """Numbers that a weight holds."""
    return math.prod(tuple(weight.shape))


def bits_of_type(dtype: str) -> int:
    """Bits of a weight that no quantiser rounds."""
    return 16 if dtype == "bfloat16" else 8 * np.dtype(dtype).itemsize
