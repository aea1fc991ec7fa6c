"""Whether the translators know every layer of a network; what they do not know is named."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.errors import Problem
from harness.firmware.backend import UntranslatableError
from harness.firmware.translate.replacements import advise

if TYPE_CHECKING:
    import keras

_MAX_PROBLEMS = 10
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


def _operations_of(model: keras.Model) -> Iterator[keras.Operation]:
    """Yield every layer and operation of a network, those of nested models included."""
    import keras

    for operation in model.operations:
        if isinstance(operation, keras.Model):
            yield from _operations_of(operation)
        else:
            yield operation


def _layer_problems(model: keras.Model) -> Iterator[Problem]:
    import keras
    from hgq._dais_tracer.layers import _registry

    for operation in _operations_of(model):
        kind = type(operation).__name__
        where = f"layer {operation.name!r} ({kind})"
        if isinstance(operation, keras.layers.InputLayer):
            continue
        if type(operation) not in _registry:
            yield Problem(
                what="cannot be translated into firmware",
                where=where,
                expected="a layer of HGQ2 that da4ml traces",
                fix=advise(kind),
            )
        yield from _activation_problems(operation, where)
        yield from _quantiser_problems(operation, where)


def _activation_problems(operation: keras.Operation, where: str) -> Iterator[Problem]:
    activation = getattr(operation, "activation", None)
    name = getattr(activation, "__name__", "")
    is_table = "LUT" in type(operation).__name__ or type(operation).__name__ == "Activation"
    if activation is not None and name not in ("linear", "relu") and not is_table:
        yield Problem(
            what=f"the activation {name!r} cannot be translated within a layer",
            where=where,
            expected="linear or relu",
            fix=f"use hgq.layers.QUnaryFunctionLUT(activation={name!r}) after it",
        )


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


def _shape_problems(model: keras.Model) -> Iterator[Problem]:
    for tensor in (*model.inputs, *model.outputs):
        if None in tensor.shape[1:]:
            yield Problem(
                what=f"the shape {tuple(tensor.shape)} is open",
                where=f"tensor {tensor.name!r}",
                expected="a fixed shape for each event: firmware has a fixed number of wires",
                fix="give keras.Input the full shape",
            )
