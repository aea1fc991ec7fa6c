"""QONNX: `Quant`, `IntQuant` and `BipolarQuant` as the words of HGQ2.

The meaning of these operators: https://github.com/fastmachinelearning/qonnx/tree/main/docs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
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
# Modes that treat both signs alike: that of HGQ2 for magnitudes, and whether for their negatives.
_OF_MAGNITUDES = {
    "DOWN": ("TRN", False),
    "ROUND_TO_ZERO": ("TRN", False),
    "UP": ("TRN", True),
    "HALF_UP": ("RND", False),
    "HALF_DOWN": ("RND", True),
}


def quant(node: Node) -> Known:
    """Build `Quant` or `IntQuant`: round to integers of some bits, times a scale."""
    scale = _given(node, 1, "scale")
    zero = _given(node, 2, "zero point")
    n_bits = _n_bits(_given(node, 3, "bit width"))
    is_signed = bool(node.settings.get("signed", 1))
    is_narrow = bool(node.settings.get("narrow", 0))
    mode = str(node.settings.get("rounding_mode", "ROUND")).upper()
    if mode not in _ROUND:
        raise RefusedNodeError(f"rounds by {mode[:40]!r}", "use ROUND or FLOOR")
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        raise RefusedNodeError("has a scale that is not above 0", "train it again")
    if n_bits == 1 and is_signed:
        # QONNX's own executor takes one bit with a sign for -1 and 1.
        if (zero != 0).any():
            raise RefusedNodeError("has one bit and a zero point", "use BipolarQuant")
        return bipolar_quant(node)
    value = node.inputs[0]
    if isinstance(value, Constant):
        low, high = _range(n_bits, is_signed=is_signed, is_narrow=is_narrow)
        numbers = np.asarray(value.array / scale + zero, np.float32)
        integers = _ROUND[mode](np.clip(numbers, low, high)) - zero
        return _rounded(integers, scale, n_bits, is_signed=is_signed or bool((zero != 0).any()))
    overflow = "SAT_SYM" if is_signed and is_narrow else "SAT"
    word = FixedPoint(n_bits, n_bits, is_signed, overflow=overflow)
    made = _of_events(node.scaled_tensor(), scale, zero, word, mode)
    if is_narrow and not is_signed:
        return _narrowed(made, scale, zero, n_bits)
    return made


def has_other_scale(node: Node) -> bool:
    """Say whether a quantiser has a scale that is no power of two.

    Its values then are those of QONNX's executor to the rounding of the scale alone.
    """
    scale = node.constant(1)
    return scale is not None and not are_powers_of_two(np.asarray(scale, np.float32))


def _narrowed(x: Tensor, scale: Array, zero: Array, n_bits: int) -> Tensor:
    """Leave the largest integer of a word without a sign out."""
    import keras

    if scale.size > 1 or zero.size > 1:
        raise RefusedNodeError("is narrow and has several scales", "use one scale, or not narrow")
    highest = 2.0**n_bits - 2 - float(zero.ravel()[0])
    if x.scale == 1.0:
        highest *= float(scale.ravel()[0])
    if (zero != 0).any():
        return x.mapped(lambda tensor: keras.ops.minimum(tensor, highest))
    return x.mapped(keras.layers.ReLU(max_value=highest))


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


def _of_events(x: Tensor, scale: Array, zero: Array, integers: FixedPoint, mode: str) -> Tensor:
    """Round a tensor: by a word, if the scale is a power of two; else as integers."""
    import keras

    if (zero != 0).any() or (scale.size > 1 and not are_powers_of_two(scale)):
        x = settled(x)
        steps, shift = _by_place(scale, x), _by_place(zero, x)
        into = keras.layers.Rescaling((1 / steps).tolist(), offset=shift.tolist())
        back = keras.layers.Rescaling(steps.tolist(), offset=(-shift * steps).tolist())
        return Tensor(back(_round(Tensor(into(x.first)), integers, mode).first))
    if are_powers_of_two(scale):
        x = settled(x)
        if scale.size > 1:
            if mode not in _modes(integers):
                raise RefusedNodeError(f"rounds by {mode} with several scales", "use ROUND")
            word = replace(integers, rounding=_modes(integers)[mode])
            return Tensor(_quantiser_by_place(word, _by_place(scale, x))(x.first), is_fixed=True)
        return _round(x, _shifted(integers, float(scale.ravel()[0])), mode)
    factor = float(scale.ravel()[0])
    whole = x.mapped(keras.layers.Rescaling(x.scale / factor), scale=1.0, is_fixed=False)
    made = _round(whole, integers, mode)
    made.scale = factor
    return made


def _modes(word: FixedPoint) -> Mapping[str, str]:
    return _MODES if word.is_signed else _MODES_WITHOUT_SIGN


def _round(x: Tensor, word: FixedPoint, mode: str) -> Tensor:
    """Round a tensor to a word; modes that HGQ2 does not have come from those that it has."""
    import hgq.layers
    import keras

    if mode in _modes(word):
        layer = _quantiser(replace(word, rounding=_modes(word)[mode]))
        return x.mapped(layer, is_fixed=True)
    limit = _quantiser(replace(word, rounding="TRN"))

    def wide(part: Tensor, rounding: str) -> Tensor:
        longer = FixedPoint(word.width + 2, word.integer_bits + 2, rounding=rounding)
        return part.mapped(_quantiser(longer), is_fixed=True)

    def of_negative(part: Tensor, rounding: str) -> Tensor:
        return _negative(wide(_negative(part), rounding))

    if mode == "CEIL":
        return of_negative(x, "TRN").mapped(limit)
    rounding, is_of_negative = _OF_MAGNITUDES[mode]
    round_one = of_negative if is_of_negative else wide
    above, below = (
        round_one(part.mapped(keras.layers.ReLU()), rounding) for part in (x, _negative(x))
    )
    difference = hgq.layers.QSubtract(enable_iq=False)([above.first, below.first])
    return Tensor(limit(difference), is_fixed=True)


def _negative(x: Tensor) -> Tensor:
    import keras

    exact = affine(x, -1.0, 0.0)
    return x.mapped(keras.layers.Rescaling(-1.0)) if exact is None else exact


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
