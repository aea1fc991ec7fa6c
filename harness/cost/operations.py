"""Parameters, multiplications and bits of a network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.card.costs import Compression
from harness.card.figures import NotMeasured
from harness.cost.compression import measure_compression
from harness.cost.products import count_products
from harness.cost.weights import count_weight_bits, parameters

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, kw_only=True, slots=True)
class Operations:
    """Parameters, multiplications and bits of one network.

    Attributes
    ----------
    n_parameters, n_trainable : int
        Weights of the network; the widths that quantisers learn are none.
    macs, bops : int or NotMeasured
        Multiplications per event and their bit operations; see `harness.cost.products`.
    weight_bits : int or NotMeasured
        Bits to store all weights, each at its own width; see `harness.cost.weights`.
    compression : Compression or NotMeasured
        The zeros among the weights and the bits of the others; see `harness.cost.compression`.
    """

    n_parameters: int
    n_trainable: int
    macs: int | NotMeasured
    bops: int | NotMeasured
    weight_bits: int | NotMeasured
    compression: Compression | NotMeasured


def count_operations(model: keras.Model) -> Operations:
    """Work out parameters, MACs, BOPs and weight bits of `model`.

    A layer without a rule leaves a figure `NotMeasured`, with the layer's name.
    """
    weights = parameters(model)
    products = count_products(model)
    return Operations(
        n_parameters=sum(math.prod(weight.shape) for weight in weights),
        n_trainable=sum(math.prod(weight.shape) for weight in weights if weight.trainable),
        macs=products if isinstance(products, NotMeasured) else products.macs,
        bops=products if isinstance(products, NotMeasured) else products.bops,
        weight_bits=count_weight_bits(model),
        compression=measure_compression(model),
    )
