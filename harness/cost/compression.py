"""How far the weights of a network are compressed: how many are zero, how wide the others are.

Counted are the weights that values are multiplied by, the kernels, as they are after their
quantisers. Biases are left out, as in the share of pruned weights of the literature.

References
----------
Share of pruned weights f and width b of the others, as they enter
BOPs = m n ((1 - f) b_a b + ...): B. Hawks et al., "Ps and Qs", arXiv:2102.11289, after
C. Baskin et al., arXiv:1804.10969. One width for each weight: C. Sun et al., arXiv:2405.00645.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.card.costs import Compression
from harness.card.figures import NotMeasured
from harness.cost.layers import all_layers, listed, named, rule_name
from harness.cost.weights import WITH_KERNEL, bits_of_type, own_weights, parameters
from harness.cost.widths import bits

if TYPE_CHECKING:
    import keras

# Values of the weights of one kernel after rounding, and the bits of each.
Kernel = tuple[NDArray[np.float64], NDArray[np.float64]]


def measure_compression(model: keras.Model) -> Compression | NotMeasured:
    """Count the weights of the kernels, those that are zero, and the bits of the others.

    Of a network that has trained kernels these alone count: the ones and the powers of two of a
    score head are no weights that could be pruned. Of one without any (an imported network, a
    fixed score) all kernels count.

    Returns
    -------
    Compression or NotMeasured
        The second with the names of the layers that there is no rule for, or if nothing is
        multiplied by a weight.
    """
    counted = {id(weight) for weight in parameters(model)}
    found: list[tuple[bool, Kernel]] = []
    unknown: list[str] = []
    for layer in all_layers(model):
        for weight in own_weights(layer):
            if id(weight) not in counted or not weight.name.endswith("kernel"):
                continue
            kernel = _kernel(layer, weight)
            if kernel is None:
                unknown.append(named(layer))
            else:
                found.append((bool(weight.trainable), kernel))
    if unknown:
        return NotMeasured(not_measured=f"no rule for the kernels of {listed(unknown)}")
    trained = [kernel for is_trained, kernel in found if is_trained]
    return _compression(trained or [kernel for _, kernel in found])


def _kernel(layer: keras.layers.Layer, weight: keras.Variable) -> Kernel | None:
    """Return values and widths of a kernel as its layer uses it; None if there is no rule."""
    if rule_name(layer) in WITH_KERNEL:
        values = np.asarray(layer.qkernel, np.float64)
        return values, np.asarray(bits(layer.kq, values.shape), np.float64)
    if type(layer).__module__.startswith("hgq."):
        return None
    values = np.asarray(weight, np.float64)
    return values, np.full(values.shape, float(bits_of_type(str(weight.dtype))))


def _compression(kernels: list[Kernel]) -> Compression | NotMeasured:
    """Put the kernels of a network together."""
    n_weights = sum(values.size for values, _ in kernels)
    if n_weights == 0:
        return NotMeasured(not_measured="no value is multiplied by a weight of a kernel")
    widths = np.concatenate([wide[values != 0] for values, wide in kernels])
    return Compression(
        n_weights=n_weights,
        n_zero=n_weights - widths.size,
        zero_share=1 - widths.size / n_weights,
        bits_per_weight=float(widths.mean()) if widths.size else 0.0,
    )
