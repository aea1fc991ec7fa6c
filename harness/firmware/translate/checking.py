"""Whether the translators know every layer of a network; what they do not know is named."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.errors import Problem
from harness.firmware.backend import UntranslatableError
from harness.firmware.translate.da4ml_layers import is_wiring
from harness.firmware.translate.fixed_images import window_counts
from harness.firmware.translate.fixed_words import SIGNIFICANT_BITS, nearest
from harness.firmware.translate.quantise import has_fixed_form
from harness.firmware.translate.replacements import SOFTMAX_ADVICE, advise

if TYPE_CHECKING:
    import keras

_MAX_PROBLEMS = 20
# Bits of a constant that is advised instead of a longer one.
_SHORT_BITS = 6
_REDUCTIONS = ("Amax", "Amin", "Max", "Mean", "Min", "Prod", "Sum")
# To the nearest with halves up or to even, and down; S_ rounds at random, in training only.
_ROUNDINGS = ("RND", "RND_CONV", "TRN", "S_RND", "S_RND_CONV")


def check_translatable(model: keras.Model) -> None:
    """Make sure that da4ml knows every layer and quantiser.

    Raises
    ------
    UntranslatableError
        It names each layer that is not known, and what to use instead.
    """
    problems = [*_layer_problems(model), *_shape_problems(model)]
    shown = problems[:_MAX_PROBLEMS]
    if len(problems) > len(shown):
        shown.append(Problem(what=f"and {len(problems) - len(shown)} more", where="the network"))
    if shown:
        raise UntranslatableError(*shown)


def _layer_problems(model: keras.Model) -> Iterator[Problem]:
    import keras
    from hgq._dais_tracer.layers import _registry

    for operation in model.operations:
        kind = type(operation).__name__
        where = f"layer {operation.name!r} ({kind})"
        if isinstance(operation, keras.layers.InputLayer):
            continue
        if type(operation) not in _registry and not is_wiring(operation):
            yield _unknown(operation, where)
            yield from _activation_problems(operation, where)
            continue
        yield from _activation_problems(operation, where)
        yield from _quantiser_problems(operation, where)
        yield from _constant_problems(operation, where)
        yield from _reduction_problems(operation, where)


def _unknown(operation: keras.Operation, where: str) -> Problem:
    fix = advise(type(operation).__name__)
    if has_fixed_form(operation):
        fix += "; or declare `precision` in submission.yaml, and harness rounds the layer"
    return Problem(
        what="cannot be translated into firmware",
        where=where,
        expected="a layer that docs/firmware.md lists",
        fix=fix,
    )


def _reduction_problems(operation: keras.Operation, where: str) -> Iterator[Problem]:
    """Find functions of Keras that make one value of all values of an event."""
    kind = type(operation).__name__
    if kind in _REDUCTIONS and math.prod(operation.output.shape[1:]) == 1:
        yield Problem(
            what="makes one value of all values of an event",
            where=where,
            expected="a layer that da4ml traces to a single value",
            fix=advise(kind),
        )


def _activation_problems(operation: keras.Operation, where: str) -> Iterator[Problem]:
    activation = getattr(operation, "activation", None)
    name = getattr(activation, "__name__", "")
    is_table = "LUT" in type(operation).__name__ or type(operation).__name__ == "Activation"
    if activation is not None and name not in ("linear", "relu") and not is_table:
        yield Problem(
            what=f"the activation {name!r} cannot be translated within a layer",
            where=where,
            expected="linear or relu",
            fix=_advice(name),
        )


def _advice(activation: str) -> str:
    if activation in ("softmax", "log_softmax"):
        return f"leave it out of the layer and {SOFTMAX_ADVICE}"
    return f"use hgq.layers.QUnaryFunctionLUT(activation={activation!r}) after it"


def _quantiser_problems(operation: keras.Operation, where: str) -> Iterator[Problem]:
    from hgq.quantizer import Quantizer
    from hgq.quantizer.internal import FixedPointQuantizerBase

    layers = getattr(operation, "_flatten_layers", list)
    for quantiser in (layer for layer in layers() if isinstance(layer, Quantizer)):
        inner = quantiser.quantizer
        if not isinstance(inner, FixedPointQuantizerBase):
            yield Problem(
                what=f"its quantiser is of type {quantiser.q_type!r}",
                where=where,
                expected="a fixed-point quantiser (kif or kbi)",
                fix="give it a QuantizerConfig('kif', ...) or 'kbi'",
            )
        elif inner.round_mode not in _ROUNDINGS and not inner._is_weight:  # noqa: SLF001
            yield Problem(
                what=f"its quantiser rounds by {inner.round_mode}",
                where=where,
                expected=f"a rounding that the translators know: {', '.join(_ROUNDINGS)}",
                fix="train with one of these: another rounding gives other scores",
            )
        elif quantiser.scaler not in (None, 1.0) and not inner._is_weight:  # noqa: SLF001
            yield Problem(
                what=f"its quantiser has scaler={quantiser.scaler:g}",
                where=where,
                expected="a quantiser without a scaler: the translators read words alone",
                fix="leave the scaler out; one of 2^n is the same as n more bits before the point "
                "(i0) and n fewer after it (f0)",
            )
        elif quantiser.affine and any(_is_no_word(one) for one in quantiser.affine):
            scale, shift = quantiser.affine
            yield Problem(
                what=f"its quantiser has affine=({scale:g}, {shift:g})",
                where=where,
                expected="whole numbers over a power of two",
                fix=f"use ({_short(scale):g}, {_short(shift):g})",
            )


def _constant_problems(operation: keras.Operation, where: str) -> Iterator[Problem]:
    """Find constants of which float32 and firmware compute different products."""
    for name in ("negative_slope", "max_value", "threshold"):
        value = getattr(operation, name, None)
        if value and _is_no_word(value):
            yield Problem(
                what=f"{name}={value:g} is no fixed-point number",
                where=where,
                expected="a whole number over a power of two",
                fix=f"use {_short(value):g}, or declare `precision`",
            )
    if "AveragePooling" not in type(operation).__name__:
        return
    counts = sorted(set().union(*window_counts(operation)))
    if odd := [count for count in counts if count & (count - 1)]:
        yield Problem(
            what=f"averages {odd[0]} values along an axis",
            where=where,
            expected="an average of 2, 4, 8, ... values: a division by another number is not exact",
            fix="use windows of 2, 4, 8, ... values, or hgq.layers.QMeanPow2",
        )


def _is_no_word(value: float) -> bool:
    return float(nearest(value, SIGNIFICANT_BITS)) != float(value)


def _short(value: float) -> float:
    return float(nearest(value, _SHORT_BITS))


def _shape_problems(model: keras.Model) -> Iterator[Problem]:
    for tensor in (*model.inputs, *model.outputs):
        if None in tensor.shape[1:]:
            yield Problem(
                what=f"the shape {tuple(tensor.shape)} is open",
                where=f"tensor {tensor.name!r}",
                expected="a fixed shape for each event: firmware has a fixed number of wires",
                fix="give keras.Input the full shape",
            )
