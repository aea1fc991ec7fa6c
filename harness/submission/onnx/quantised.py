"""QONNX: `Quant`, `IntQuant` and `BipolarQuant` as the words of HGQ2.

The meaning of these operators: https://github.com/fastmachinelearning/qonnx/tree/main/docs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from harness.submission.onnx.fixed import affine, are_powers_of_two
from harness.submission.onnx.values import (
    Array,
    Constant,
    Known,
    Node,
    Quantised,
    RefusedNodeError,
    Tensor,
    settled,
)
from harness.submission.quantisers import quantiser_config
from harness.submission.words import FixedPoint

if TYPE_CHECKING:
    from keras.layers import Layer

_MAX_BITS = 32
# Rounding of numbers, by the names of QONNX: halves to even, down, up, towards zero, away from it.
_ROUND: Mapping[str, Callable[[Array], Array]] = {
    "ROUND": np.rint,
    "HALF_EVEN": np.rint,
    "FLOOR": np.floor,
    "CEIL": np.ceil,
    "DOWN": np.trunc,
    "ROUND_TO_ZERO": np.trunc,
    "UP": lambda x: np.sign(x) * np.ceil(np.abs(x)),
    "HALF_UP": lambda x: np.sign(x) * np.floor(np.abs(x) + 0.5),
    "HALF_DOWN": lambda x: np.sign(x) * np.ceil(np.abs(x) - 0.5),
}
# The same of HGQ2. Without a sign, what is negative becomes 0 in every mode.
_MODES = {"ROUND": "RND_CONV", "HALF_EVEN": "RND_CONV", "FLOOR": "TRN"}
_MODES_WITHOUT_SIGN = {**_MODES, "DOWN": "TRN", "ROUND_TO_ZERO": "TRN", "HALF_UP": "RND"}


def quant(node: Node) -> Known:
    """Build `Quant` or `IntQuant`: round to integers of some bits, times a scale."""
    scale = _given(node, 1, "scale")
    zero = _given(node, 2, "zero point")
    n_bits = _n_bits(_given(node, 3, "bit width"))
    is_signed, is_narrow = (bool(node.settings.get(name, 0)) for name in ("signed", "narrow"))
    mode = str(node.settings.get("rounding_mode", "ROUND")).upper()
    if mode not in _ROUND:
        raise RefusedNodeError(f"rounds by {mode[:40]!r}", "use ROUND or FLOOR")
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        raise RefusedNodeError("has a scale that is not above 0", "train it again")
    value = node.inputs[0]
    if isinstance(value, Constant):
        low, high = _range(n_bits, is_signed=is_signed, is_narrow=is_narrow)
        numbers = np.asarray(value.array / scale + zero, np.float32)
        integers = _ROUND[mode](np.clip(numbers, low, high)) - zero
        return _rounded(integers, scale, n_bits, is_signed=is_signed or bool((zero != 0).any()))
    known = _MODES if is_signed else _MODES_WITHOUT_SIGN
    if mode not in known:
        raise RefusedNodeError(
            f"rounds values of the events by {mode}",
            f"train with one of {', '.join(known)}: no word of the firmware rounds so",
        )
    word = FixedPoint(
        n_bits,
        n_bits,
        is_signed,
        rounding=known[mode],
        overflow="SAT_SYM" if is_signed and is_narrow else "SAT",
    )
    x = node.scaled_tensor()
    made = _of_events(x, scale, zero, word)
    if is_narrow and not is_signed:
        import keras

        highest = (2.0**n_bits - 2 - float(zero.max())) * (
            float(scale.max()) if made.scale == 1 else 1
        )
        made = made.mapped(keras.layers.ReLU(max_value=highest))
    return made


def bipolar_quant(node: Node) -> Known:
    """Build `BipolarQuant`: the scale where a value is 0 or above, minus the scale below."""
    scale = _given(node, 1, "scale")
    value = node.inputs[0]
    if isinstance(value, Constant):
        integers = np.where(value.array / scale >= 0, 1.0, -1.0)
        return _rounded(integers, scale, 2, is_signed=True)
    if scale.size != 1:
        raise RefusedNodeError("has several scales", "use one scale for the whole tensor")
    sign = _quantiser(FixedPoint(1, 1, rounding="TRN", overflow="SAT"))
    x = node.scaled_tensor()
    below = x.mapped(sign, scale=1.0, is_fixed=True)  # -1 below zero, else 0
    factor = float(scale.ravel()[0])
    if are_powers_of_two(scale):
        made = affine(below, 2 * factor, factor)
    else:
        made = affine(below, 2.0, 1.0)
    if made is None:
        raise RefusedNodeError("has one number for each event", "give it a second axis")
    if not are_powers_of_two(scale):
        made.scale = factor
    return made


def _given(node: Node, index: int, what: str) -> Array:
    array = node.constant(index)
    if array is None:
        raise RefusedNodeError(f"has no {what}", "export the model again")
    return np.asarray(array, np.float32)


def _n_bits(width: Array) -> int:
    n_bits = float(width.ravel()[0]) if width.size else 0.0
    if not (width == n_bits).all() or n_bits != round(n_bits) or not 1 <= n_bits <= _MAX_BITS:
        raise RefusedNodeError(
            f"has a bit width of {n_bits:g}", f"use one whole number from 1 to {_MAX_BITS}"
        )
    return int(n_bits)


def _range(n_bits: int, *, is_signed: bool, is_narrow: bool) -> tuple[float, float]:
    """Return the least and the largest integer."""
    if is_signed:
        return -(2.0 ** (n_bits - 1)) + is_narrow, 2.0 ** (n_bits - 1) - 1
    return 0.0, 2.0**n_bits - 1 - is_narrow


def _rounded(integers: Array, scale: Array, n_bits: int, *, is_signed: bool) -> Constant:
    whole = np.asarray(integers, np.float64)
    quantised = Quantised(
        integers=whole,
        scale=np.broadcast_to(np.asarray(scale, np.float64), whole.shape),
        n_bits=n_bits,
        is_signed=is_signed,
    )
    return Constant(np.asarray(whole.astype(np.float32) * scale, np.float32), quantised)


# --- Values of the events -------------------------------------------------------------------------


def _of_events(x: Tensor, scale: Array, zero: Array, integers: FixedPoint) -> Tensor:
    """Round a tensor: by a word, if the scale is a power of two; else as integers."""
    import keras

    if (zero != 0).any() or (scale.size > 1 and not are_powers_of_two(scale)):
        x = settled(x)
        steps, shift = _by_place(scale, x), _by_place(zero, x)
        whole = keras.layers.Rescaling((1 / steps).tolist(), offset=shift.tolist())(x.first)
        back = keras.layers.Rescaling(steps.tolist(), offset=(-shift * steps).tolist())
        return Tensor(back(_quantiser(integers)(whole)))
    if are_powers_of_two(scale):
        x = settled(x)
        if scale.size > 1:
            steps = _by_place(scale, x)
            return Tensor(_quantiser_by_place(integers, steps)(x.first), is_fixed=True)
        word = _shifted(integers, float(scale.ravel()[0]))
        return x.mapped(_quantiser(word), is_fixed=True)
    factor = float(scale.ravel()[0])
    whole = x.mapped(keras.layers.Rescaling(x.scale / factor), scale=1.0)
    return whole.mapped(_quantiser(integers), scale=factor, is_fixed=True)


def _by_place(values: Array, x: Tensor) -> Array:
    """Return one number for each place of an event."""
    full = np.asarray(values, np.float64)
    try:
        spread = np.broadcast_to(full, (1, *x.shape))[0]
    except ValueError as error:
        raise RefusedNodeError(
            f"has scales of shape {full.shape} for events of shape {x.shape}",
            "use one scale for the whole tensor",
        ) from error
    return np.asarray(spread)


def _shifted(word: FixedPoint, scale: float) -> FixedPoint:
    """Return the word of integers times a power of two."""
    exponent = int(np.frexp(scale)[1]) - 1
    return FixedPoint(
        word.width, word.integer_bits + exponent, word.is_signed, word.rounding, word.overflow
    )


def _quantiser(word: FixedPoint) -> Layer:
    from hgq.quantizer import Quantizer

    return Quantizer(quantiser_config(word, "datalane"))


def _quantiser_by_place(word: FixedPoint, steps: Array) -> Layer:
    """Return a quantiser whose words differ from place to place of an event."""
    import keras
    from hgq.config import QuantizerConfig
    from hgq.quantizer import Quantizer

    exponents = (np.frexp(steps)[1] - 1)[None].astype(np.float64)

    def at_places(values: Array) -> keras.initializers.Initializer:
        return keras.initializers.Constant(values.tolist())

    return Quantizer(
        QuantizerConfig(
            "kif",
            "datalane",
            k0=at_places(np.full_like(exponents, int(word.is_signed))),
            i0=at_places(word.magnitude_bits + exponents),
            f0=at_places(-exponents),
            overflow_mode=word.overflow,
            round_mode=word.rounding,
            homogeneous_axis=(0,),
            heterogeneous_axis=None,
            trainable=False,
            ic=None,
            fc=None,
            ir=None,
            fr=None,
        )
    )
