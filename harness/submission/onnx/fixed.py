"""Layers of weights and products with constants, in fixed point where `Quant` made the numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.submission.onnx.values import Array, Constant, Quantised, Tensor
from harness.submission.quantisers import quantiser_config, word_of
from harness.submission.words import FixedPoint

if TYPE_CHECKING:
    from keras import KerasTensor

# Bits of a number that float32 holds exactly.
FLOAT32_BITS = 24
# An integer bias is stored as a float32: bias over scale is whole but for its rounding.
_WHOLE_WITHIN = 1e-3


def are_powers_of_two(values: Array) -> bool:
    """Say whether all values are powers of two.

    Examples
    --------
    >>> are_powers_of_two(np.array([0.25, 4.0])), are_powers_of_two(np.array([0.3]))
    (True, False)
    """
    return bool((np.frexp(np.asarray(values, np.float64))[0] == 0.5).all())


def word_of_quantised(constant: Quantised) -> FixedPoint:
    """Return the word of integers times powers of two; several scales share the word of all."""
    exponents = np.frexp(constant.scale)[1] - 1
    integer_bits = constant.n_bits + int(exponents.max())
    width = integer_bits - int(exponents.min())
    return FixedPoint(width, integer_bits, constant.is_signed)


def weighted(
    kind: str,
    settings: Mapping[str, Any],
    x: KerasTensor,
    of: Tensor,
    kernel: Constant,
    bias: Constant | None,
) -> tuple[KerasTensor, float, bool]:
    """Apply a layer of weights.

    Parameters
    ----------
    kind : str
        ``Dense``, ``Conv1D`` or ``Conv2D``.
    settings : mapping
        Settings of the layer beside its weights.
    x : KerasTensor
        What it is applied to, in the form that the layer needs.
    of : Tensor
        The tensor that `x` is a form of.
    kernel, bias : Constant
        The output is the last axis of the kernel.

    Returns
    -------
    KerasTensor, float, bool
        The output, by what it is still to be multiplied, and whether it is in fixed point.
    """
    quantised = kernel.quantised
    if quantised is not None:
        per_output = _scale_per_output(quantised)
        if are_powers_of_two(quantised.scale):
            word = word_of_quantised(quantised)
            return _fixed(kind, settings, x, of, (kernel.array, word), np.ones(1), bias)
        if per_output is not None:
            word = FixedPoint(quantised.n_bits, quantised.n_bits, quantised.is_signed)
            return _fixed(kind, settings, x, of, (quantised.integers, word), per_output, bias)
    import keras

    if of.scale != 1.0:
        x = keras.layers.Rescaling(of.scale)(x)
    layer = getattr(keras.layers, kind)(**settings, use_bias=bias is not None)
    output = layer(x)
    layer.set_weights([one.array for one in (kernel, bias) if one is not None])
    return output, 1.0, False


def _scale_per_output(constant: Quantised) -> Array | None:
    """Return the scale of each output, or of all; None where it differs within an output."""
    rows = constant.scale.reshape(-1, constant.scale.shape[-1])
    if not (rows == rows[0]).all():
        return None
    same: Array = rows[0][:1] if (rows == rows[0, 0]).all() else rows[0]
    return same


def _fixed(
    kind: str,
    settings: Mapping[str, Any],
    x: KerasTensor,
    of: Tensor,
    weights: tuple[Array, FixedPoint],
    scale: Array,
    bias: Constant | None,
) -> tuple[KerasTensor, float, bool]:
    """Apply a layer of HGQ2 with a kernel of one word; what is pending comes after it."""
    import hgq.layers
    import keras

    kernel, word = weights
    pending = scale * of.scale
    inner = None if bias is None else _inner_bias(bias, pending)
    if not of.is_fixed:
        # A plain layer that changes nothing: a network with one has its input cut to a word.
        x = keras.layers.Rescaling(1.0)(x)
    layer = getattr(hgq.layers, f"Q{kind}")(
        **settings,
        use_bias=inner is not None,
        kq_conf=quantiser_config(word, "weight"),
        bq_conf=None if inner is None else quantiser_config(inner[1], "bias"),
        enable_iq=False,
    )
    output = layer(x)
    layer.kernel.assign(kernel)
    if inner is not None:
        layer.bias.assign(inner[0])
    if inner is None and bias is not None:
        scales = pending if len(pending) > 1 else float(pending[0])
        layer = keras.layers.Rescaling(_plain(scales), offset=_plain(bias.array))
        return layer(output), 1.0, False
    if len(pending) > 1:
        return keras.layers.Rescaling(_plain(pending))(output), 1.0, False
    return output, float(pending[0]), True


def _inner_bias(bias: Constant, pending: Array) -> tuple[Array, FixedPoint] | None:
    """Return a bias within the layer, and its word; None if it must be added after the scale."""
    quantised = bias.quantised
    if (pending == 1.0).all():
        if quantised is not None and are_powers_of_two(quantised.scale):
            return bias.array, word_of_quantised(quantised)
        word = word_of(bias.array)
        return (bias.array, word) if word.width <= FLOAT32_BITS else None
    integers = bias.array / pending
    whole = np.rint(integers)
    if np.abs(integers - whole).max() > _WHOLE_WITHIN:
        return None
    return whole, word_of(whole)


def _plain(value: Array | float) -> float | list[float]:
    """Return numbers as Keras's configurations hold them."""
    return value if isinstance(value, float) else np.asarray(value, np.float64).tolist()


def affine(x: Tensor, scale: Array | float, offset: Array | float) -> Tensor | None:
    """Multiply a fixed-point tensor by constants and add others, exactly.

    Returns
    -------
    Tensor or None
        None where the constants, one for all or one for each place of the last axis, need more
        bits than float32 holds: the values are then in fixed point no longer.
    """
    from hgq.layers import QBatchNormalization

    if not x.is_fixed or x.rank < 2:
        return None
    tensor = x.first
    n = tensor.shape[-1]
    try:
        factors, summands = (
            np.broadcast_to(np.asarray(part, np.float64), (n,)) for part in (scale, offset)
        )
    except ValueError:
        return None
    words = word_of(factors), word_of(summands)
    if max(word.width for word in words) > FLOAT32_BITS:
        return None
    layer = QBatchNormalization(
        epsilon=0.0,
        kq_conf=quantiser_config(words[0], "weight"),
        bq_conf=quantiser_config(words[1], "bias"),
        enable_iq=False,
    )
    output = layer(tensor)
    layer.bn_gamma.assign(factors)
    layer.bn_beta.assign(summands)
    return Tensor(output, is_fixed=True)
