"""A quantised network traced by da4ml into the program of its score."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from harness.card.hardware import MAX_STAGE_NAME
from harness.firmware.backend import UntranslatableError
from harness.firmware.translate.da4ml_layers import layers_in_da4ml
from harness.firmware.translate.exact import exact_da4ml
from harness.firmware.translate.pipeline import operands_of
from harness.firmware.translate.program import (
    MAX_OUTPUT_BITS,
    output_format,
    too_wide,
    wide_operations,
)
from harness.firmware.translate.replacements import GENERAL_ADVICE
from harness.firmware.translate.size import NetworkSize, counted_products, sum_costs

if TYPE_CHECKING:
    import keras
    from da4ml.trace import FixedVariableArray
    from da4ml.types import CombLogic
    from hgq.quantizer import Quantizer
    from numpy.typing import ArrayLike

# For each input of a network bits of sign, before the point without it, and after the point.
Formats: TypeAlias = "Sequence[tuple[ArrayLike, ArrayLike, ArrayLike]]"

# An input whose first quantiser saturates comes in on a wire that is wider than the quantiser: 13
# bits before the point hold any transverse momentum of 13.6 TeV collisions in GeV. Events with
# larger values get wider wires.
WIRE_INTEGER_BITS = 13


@dataclass(frozen=True, kw_only=True, slots=True)
class TracedNetwork:
    """A network as da4ml's programs.

    Attributes
    ----------
    program : CombLogic
        From the inputs to the score.
    by_layer : CombLogic
        From the inputs to the outputs of all layers, one after the other.
    layers : tuple
        Name and number of outputs of each layer, in their order.
    is_wire_wider : bool
        Whether the inputs' wires are wider than the words that the network cuts them to, because
        these saturate.
    """

    program: CombLogic
    by_layer: CombLogic
    layers: tuple[tuple[str, int], ...]
    is_wire_wider: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class FirstLook:
    """What is known of a network before its products are built: its size, and its input wires.

    Attributes
    ----------
    formats : sequence
        Bits of the inputs' wires.
    is_wire_wider : bool
        See `TracedNetwork`.
    """

    size: NetworkSize
    formats: Formats
    is_wire_wider: bool


def look_at(model: keras.Model, *, wire_integer_bits: int = WIRE_INTEGER_BITS) -> FirstLook:
    """Trace a network with its products counted: seconds, whatever its size.

    Raises
    ------
    UntranslatableError
        A layer cannot be traced.
    """
    from da4ml.converter.plugin import _flatten_arr

    _check_input_rounding(model)
    with _named_layer(), layers_in_da4ml(), exact_da4ml(), counted_products() as time:
        wider = wire_format(model, wire_integer_bits)
        traced = _trace(model, wider)
        layers = {name: _flatten_arr(arrays) for name, arrays in _outputs(traced)}
        costs, n_multipliers = sum_costs(layers)
        # Behind an input of unknown format da4ml puts a cast of its own, which costs no gate, but
        # time of its interpreter. Such an input notes how it is read.
        formats = wider or [_words(array) for array in traced["inputs"]]
    size = NetworkSize(
        lut=sum(costs.values()),
        trace_s=time.seconds,
        n_multipliers=n_multipliers,
        layers={name[:MAX_STAGE_NAME]: cost for name, cost in costs.items()},
    )
    return FirstLook(size=size, formats=formats, is_wire_wider=wider is not None)


def _outputs(traced: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the name of each layer, and its outputs."""
    for name, arrays in traced.items():
        if name.endswith("/final"):
            yield name.split("/")[1], arrays


def trace_program(model: keras.Model) -> CombLogic:
    """Trace a quantised network into one program from its inputs to its score.

    Raises
    ------
    UntranslatableError
        See `trace_layers`.
    """
    return trace_layers(model).program


def trace_layers(model: keras.Model, first: FirstLook | None = None) -> TracedNetwork:
    """Trace a quantised network into its program, and into one that gives every layer's output.

    Parameters
    ----------
    model : keras.Model
        Of quantised layers.
    first : FirstLook, optional
        What `look_at` found, if it was asked before.

    Raises
    ------
    UntranslatableError
        A layer cannot be traced or needs too many bits, the program is empty, or the score has too
        many bits.
    """
    from da4ml.converter.plugin import _flatten_arr
    from da4ml.trace import comb_trace

    first = first or look_at(model)
    with _named_layer(), layers_in_da4ml(), exact_da4ml():
        traced = _trace(model, first.formats)
        inputs = _flatten_arr(traced["inputs"])
        program = comb_trace(inputs, _flatten_arr(traced["final"]))
        layers = {name: _flatten_arr(arrays) for name, arrays in _outputs(traced)}
        outputs = [variable for array in layers.values() for variable in array]
        by_layer = comb_trace(inputs, outputs)
    _check_program(program)
    traced_network = TracedNetwork(
        program=program,
        by_layer=by_layer,
        layers=tuple((name, len(array)) for name, array in layers.items()),
        is_wire_wider=first.is_wire_wider,
    )
    _check_layers(traced_network)
    return traced_network


def _trace(model: keras.Model, formats: Formats | None) -> dict[str, Any]:
    from da4ml.converter import trace_model
    from da4ml.trace import HWConfig

    traced: dict[str, Any] = trace_model(
        model, HWConfig(1, -1, -1), {"hard_dc": 2}, inputs_kif=formats, framework="keras", dump=True
    )
    return traced


def _words(array: FixedVariableArray) -> tuple[ArrayLike, ArrayLike, ArrayLike]:
    """Return the bits of each variable that was read; none of one that was not."""
    bits = [
        variable.kif if variable.low <= variable.high else (False, 0, 0)
        for variable in np.ravel(array)
    ]
    signs, before, after = (np.reshape(part, array.shape) for part in zip(*bits, strict=True))
    return signs, before, after


def _check_program(program: CombLogic) -> None:
    if program.shape[1] != 1:
        raise UntranslatableError(
            f"the network gives {program.shape[1]} numbers for an event",
            expected="one score",
            fix="end with a head from harness.heads",
        )
    form = output_format(program)
    if not form.width or not program.ops:
        raise UntranslatableError(
            "the score is the same for every event: nothing is left to build",
            where="the quantised network",
            expected="weights that survive their quantisation",
            fix="give weights and activations more bits",
        )
    if form.width > MAX_OUTPUT_BITS:
        raise UntranslatableError(
            f"the score has {form.width} bits",
            where="the output",
            expected=f"at most {MAX_OUTPUT_BITS}",
            fix="quantise what enters the head to fewer bits; of a float network shorten "
            "`activations` of `precision` in submission.yaml, or write `precision: auto`",
        )


def _check_layers(traced: TracedNetwork) -> None:
    """Refuse a program with an operation of too many bits, and name the first layer of one."""
    if not wide_operations(traced.program):
        return
    by_layer, wide = traced.by_layer, wide_operations(traced.by_layer)
    for index, op in enumerate(by_layer.ops):
        found = [wide[operand] for operand in operands_of(op) if operand in wide]
        if found:
            wide[index] = max([*found, wide.get(index, found[0])])
    first = 0
    for name, number in traced.layers:
        found = [wide[i] for i in by_layer.out_idxs[first : first + number] if i in wide]
        if found:
            raise too_wide(f"layer {name!r}", *max(found))
        first += number


def wire_format(model: keras.Model, integer_bits: int = WIRE_INTEGER_BITS) -> Formats | None:
    """Return the bits of the input wires, or None: as the network asks.

    A quantiser that wraps needs just its own bits of the wire. One that saturates must see how far
    outside its input lies, so the wire is wider, with one more bit of fraction for the rounding.
    """
    fractions = []
    saturates = False
    for quantiser in input_quantisers(model):
        inner = quantiser.quantizer
        saturates |= inner.overflow_mode != "WRAP"
        fractions.append(int(inner.f.numpy().max()) + inner.round_mode.endswith("RND"))
    return [(1, integer_bits, max(fractions))] * len(model.inputs) if saturates else None


def _check_input_rounding(model: keras.Model) -> None:
    """Refuse an input that is rounded to even: its wire ends before a value next to a half does."""
    for quantiser in input_quantisers(model):
        if quantiser.quantizer.round_mode.endswith("CONV"):
            raise UntranslatableError(
                "rounds the network's input, halves to even",
                where=f"quantiser {quantiser.name!r}",
                expected="an input that is cut to fixed-point words before",
                fix="put heads.input_words(inputs, [...]) first; with an ONNX file declare "
                "`precision`",
            )


def input_quantisers(model: keras.Model) -> Iterator[Quantizer]:
    """Yield the quantisers that the network's input meets first."""
    from hgq.layers.core.base import MultipleQuantizers
    from hgq.quantizer import Quantizer

    waiting = [tensor.name for tensor in model.inputs]
    by_depth = model._nodes_by_depth  # noqa: SLF001 Keras lists the nodes nowhere else
    operations = {node.operation: node for nodes in by_depth.values() for node in nodes}
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        for operation, node in operations.items():
            places = [i for i, t in enumerate(node.arguments.keras_tensors) if t.name == name]
            if not places or operation.name in seen:
                continue
            seen.add(operation.name)
            if isinstance(operation, Quantizer):
                yield operation
            elif getattr(operation, "enable_iq", False):
                own = operation.iq
                yield from (
                    [own[i] for i in places] if isinstance(own, MultipleQuantizers) else [own]
                )
            else:
                waiting += [tensor.name for tensor in node.outputs]


@contextmanager
def _named_layer() -> Iterator[None]:
    """Turn whatever the tracer raises into a fault that names the layer."""
    try:
        yield
    except Exception as error:
        # The tracer asserts, and raises what Keras and NumPy raise; its frame knows the layer.
        where, traceback = "the network", error.__traceback__
        while traceback is not None:
            operation = getattr(traceback.tb_frame.f_locals.get("op"), "operation", None)
            if operation is not None:
                where = f"layer {operation.name!r} ({type(operation).__name__})"
            traceback = traceback.tb_next
        raise UntranslatableError(
            f"cannot be traced: {type(error).__name__}: {str(error)[:300]}",
            where=where,
            expected="fixed-point arithmetic of widths known beforehand",
            fix=GENERAL_ADVICE,
        ) from error
