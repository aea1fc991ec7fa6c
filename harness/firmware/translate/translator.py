"""From an exported network to the program that da4ml interprets and to an hls4ml project.

Two translators read the one quantised graph: da4ml, whose program becomes the scores and the
Verilog, and hls4ml, whose compiled C simulation is the second witness. This is the entry of a
step; TensorFlow, da4ml and hls4ml are imported nowhere but here and in `reference`.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np
from pydantic import JsonValue

from harness.errors import Problem
from harness.firmware.archive import pack
from harness.firmware.tools import Fault, build_folder, require_package, step_entry
from harness.firmware.translate.program import MAX_OUTPUT_BITS, input_formats, output_format
from harness.firmware.translate.quantise import has_plain_layers, to_fixed_width
from harness.firmware.translate.replacements import GENERAL_ADVICE, REPLACEMENTS
from harness.firmware.translate.verilog import count_operations

if TYPE_CHECKING:
    import keras
    from da4ml.types import CombLogic
    from hgq.quantizer import Quantizer
    from numpy.typing import ArrayLike

__all__ = [
    "PROJECT",
    "check_translatable",
    "convert_by_hls4ml",
    "load_fixed_point",
    "trace_layers",
    "trace_network",
    "trace_program",
    "wire_format",
]

# For each input of a network bits of sign, before the point without it, and after the point.
Formats: TypeAlias = "Sequence[tuple[ArrayLike, ArrayLike, ArrayLike]]"

_MAX_PROBLEMS = 10

# An input whose first quantiser saturates comes in on a wire that is wider than the quantiser: 13
# bits before the point hold any transverse momentum of 13.6 TeV collisions in GeV.
WIRE_INTEGER_BITS = 13


@step_entry
def trace_network(
    request: Mapping[str, JsonValue], inputs: Mapping[str, Path], outputs: Mapping[str, Path]
) -> dict[str, JsonValue]:
    """Translate a network by da4ml and by hls4ml (entry of a step).

    Request: ``precision`` (three fixed-point types, or null), ``has_hls4ml``, ``hls_backend``,
    ``part``, ``clock_period_ns``. Inputs: ``graph``, ``weights``. Outputs: ``program`` (JSON of
    da4ml); if asked for, ``layers`` (the same with every layer's outputs), and, where hls4ml
    translates the network, ``project`` (tar).
    """
    require_package("da4ml", "hgq")
    model = load_fixed_point(request, inputs)
    check_translatable(model)
    program, by_layer, layers = trace_layers(model)
    program.save(outputs["program"])
    if "layers" in outputs:
        by_layer.save(outputs["layers"])
    report: dict[str, JsonValue] = {
        "input_bits": sum(form.width for form in input_formats(program)),
        "output_bits": output_format(program).width,
        "n_inputs": program.shape[0],
        "n_operations": len(program.ops),
        "operations": dict(count_operations(program)),
        "cost_lut": program.cost,
        "layers": [[name, number] for name, number in layers],
        "hls4ml": "",
    }
    if request.get("has_hls4ml"):
        report |= _write_hls4ml(model, request, outputs.get("project"))
    return report


def load_fixed_point(request: Mapping[str, JsonValue], inputs: Mapping[str, Path]) -> keras.Model:
    """Rebuild the network; one of plain Keras layers becomes fixed-width by its precision.

    Raises
    ------
    Fault
        It has layers of plain Keras and no precision is declared.
    InvalidSubmissionError
        The graph can't be rebuilt.
    """
    from harness.submission.network import rebuild

    model = rebuild(inputs["graph"], inputs["weights"])
    precision = request.get("precision")
    if precision and has_plain_layers(model):
        return to_fixed_width(model, cast("dict[str, str]", precision))
    return model


def check_translatable(model: keras.Model) -> None:
    """Make sure that da4ml knows every layer and quantiser.

    Raises
    ------
    Fault
        It names each layer that is not known, and what to use instead.
    """
    problems = [*_layer_problems(model), *_shape_problems(model)]
    if problems:
        raise Fault("untranslatable", _joined(problems))


def _joined(problems: list[Problem]) -> Problem:
    if len(problems) == 1:
        return problems[0]
    shown = problems[:_MAX_PROBLEMS]
    more = f"; and {len(problems) - len(shown)} more" if len(problems) > len(shown) else ""
    return Problem(
        what="; ".join(f"{problem.where}: {problem.what}" for problem in shown) + more,
        where="the network",
        expected=shown[0].expected,
        fix="; ".join(dict.fromkeys(problem.fix for problem in shown)),
    )


def operations_of(model: keras.Model) -> Iterator[keras.Operation]:
    """Yield every layer and operation of a network, those of nested models included."""
    import keras

    for operation in model.operations:
        if isinstance(operation, keras.Model):
            yield from operations_of(operation)
        else:
            yield operation


def _layer_problems(model: keras.Model) -> Iterator[Problem]:
    import keras
    from hgq._dais_tracer.layers import _registry

    for operation in operations_of(model):
        kind = type(operation).__name__
        where = f"layer {operation.name!r} ({kind})"
        if isinstance(operation, keras.layers.InputLayer):
            continue
        if type(operation) not in _registry:
            instead = REPLACEMENTS.get(kind)
            yield Problem(
                what="can't be translated into firmware",
                where=where,
                expected="a layer of HGQ2 that da4ml traces",
                fix=f"use {instead}" if instead else GENERAL_ADVICE,
            )
        yield from _activation_problems(operation, where)
        yield from _quantiser_problems(operation, where)


def _activation_problems(operation: keras.Operation, where: str) -> Iterator[Problem]:
    activation = getattr(operation, "activation", None)
    name = getattr(activation, "__name__", "")
    is_table = "LUT" in type(operation).__name__ or type(operation).__name__ == "Activation"
    if activation is not None and name not in ("linear", "relu") and not is_table:
        yield Problem(
            what=f"the activation {name!r} can't be translated within a layer",
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
        elif inner.round_mode not in ("TRN", "RND") and not inner._is_weight:  # noqa: SLF001
            yield Problem(
                what=f"its quantiser rounds by {inner.round_mode}",
                where=where,
                expected="RND or TRN, which the translators know",
                fix="set round_mode='RND'",
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


# --- da4ml ----------------------------------------------------------------------------------------


def trace_program(model: keras.Model) -> CombLogic:
    """Trace a quantised network into one program from its inputs to its score.

    Raises
    ------
    Fault
        A layer can't be traced, the program is empty, or the score has too many bits.
    """
    return trace_layers(model)[0]


def trace_layers(model: keras.Model) -> tuple[CombLogic, CombLogic, list[tuple[str, int]]]:
    """Trace a quantised network into its program, and into one that gives every layer's output.

    Returns
    -------
    CombLogic
        From the inputs to the score.
    CombLogic
        From the inputs to the outputs of all layers, one after the other.
    list of tuple
        Name and number of outputs of each layer, in their order.

    Raises
    ------
    Fault
        A layer can't be traced, the program is empty, or the score has too many bits.
    """
    _mend_concatenation()
    with _named_layer():
        _, by_layer, _ = _traced(model, wire_format(model))
        # Once more, with the words that the inputs turned out to have: behind an input of unknown
        # format da4ml puts a cast of its own, which costs no gate, but time of its interpreter.
        program, by_layer, layers = _traced(model, _formats_by_input(model, by_layer))
    _check_program(program)
    return program, by_layer, layers


def _traced(
    model: keras.Model, formats: Formats | None
) -> tuple[CombLogic, CombLogic, list[tuple[str, int]]]:
    """Trace as `trace_layers` does; inputs without formats get those that the network asks for."""
    from da4ml.converter import trace_model
    from da4ml.converter.plugin import _flatten_arr
    from da4ml.trace import HWConfig, comb_trace

    traced = trace_model(
        model,
        HWConfig(1, -1, -1),
        {"hard_dc": 2},
        inputs_kif=formats,
        framework="keras",
        dump=True,
    )
    inputs = _flatten_arr(traced["inputs"])
    layers = {
        name.split("/")[1]: _flatten_arr(arrays)
        for name, arrays in traced.items()
        if name.endswith("/final")
    }
    outputs = [variable for array in layers.values() for variable in array]
    program = comb_trace(inputs, _flatten_arr(traced["final"]))
    return program, comb_trace(inputs, outputs), [(name, len(a)) for name, a in layers.items()]


def _formats_by_input(model: keras.Model, program: CombLogic) -> Formats:
    """Return the words of a program's inputs as `trace_model` takes them, in the inputs' shapes."""
    forms = iter(input_formats(program))
    found = []
    for tensor in model.inputs:
        shape = tensor.shape[1:]
        own = [next(forms) for _ in range(math.prod(shape))]
        bits = [(form.is_signed, form.magnitude_bits, form.fraction_bits) for form in own]
        signs, before, after = (np.reshape(part, shape) for part in zip(*bits, strict=True))
        found.append((signs, before, after))
    return found


def _mend_concatenation() -> None:
    """Let parts of different lengths be joined.

    HGQ2 0.2.0 broadcasts the inputs of the layer `Concatenate` against each other before it joins
    them. Its handler of the operation of that name does not, and is registered for the layer too.
    """
    import keras
    from hgq._dais_tracer.layers.ops import ReplayConcatenate

    type("ReplayJoined", (ReplayConcatenate,), {"handles": (keras.layers.Concatenate,)})


def _check_program(program: CombLogic) -> None:
    if program.shape[1] != 1:
        raise Fault(
            "untranslatable",
            Problem(
                what=f"the network gives {program.shape[1]} numbers for an event",
                expected="one score",
                fix="end with a head from harness.heads",
            ),
        )
    form = output_format(program)
    if not form.width or not program.ops:
        raise Fault(
            "untranslatable",
            Problem(
                what="the score is the same for every event: nothing is left to build",
                where="the quantised network",
                expected="weights that survive their quantisation",
                fix="give weights and activations more bits",
            ),
        )
    if form.width > MAX_OUTPUT_BITS:
        raise Fault(
            "untranslatable",
            Problem(
                what=f"the score has {form.width} bits",
                where="the output",
                expected=f"at most {MAX_OUTPUT_BITS}",
                fix="quantise what enters the head to fewer bits",
            ),
        )


def wire_format(model: keras.Model) -> Formats | None:
    """Return the bits of the input wires, or None: as the network asks.

    A quantiser that wraps needs just its own bits of the wire. One that saturates must see how far
    outside its input lies, so the wire is wider, with one more bit of fraction for the rounding.
    """
    fractions = []
    saturates = False
    for quantiser in _input_quantisers(model):
        inner = quantiser.quantizer
        saturates |= inner.overflow_mode != "WRAP"
        fractions.append(int(inner.f.numpy().max()) + (inner.round_mode == "RND"))
    return [(1, WIRE_INTEGER_BITS, max(fractions))] * len(model.inputs) if saturates else None


def _input_quantisers(model: keras.Model) -> Iterator[Quantizer]:
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
        raise Fault(
            "untranslatable",
            Problem(
                what=f"can't be traced: {type(error).__name__}: {str(error)[:300]}",
                where=where,
                expected="fixed-point arithmetic of widths known beforehand",
                fix=GENERAL_ADVICE,
            ),
        ) from error


# --- hls4ml ---------------------------------------------------------------------------------------

PROJECT = "anomaly"


def _write_hls4ml(
    model: keras.Model, request: Mapping[str, JsonValue], target: Path | None
) -> dict[str, JsonValue]:
    """Write an hls4ml project, and say which layers it handed to da4ml, or why it could not."""
    from importlib.util import find_spec

    if find_spec("hls4ml") is None:
        return {"hls4ml": "hls4ml is not installed"}
    with build_folder("hls4ml") as parent:
        folder = parent / PROJECT
        try:
            printed = convert_by_hls4ml(
                model,
                folder,
                str(request["part"]),
                float(cast("float", request["clock_period_ns"])),
                str(request.get("hls_backend", "Vitis")),
            )
        except Exception as error:  # noqa: BLE001 hls4ml raises anything from a graph it can't read
            return {"hls4ml": _told(error)}
        if target is not None:
            pack(target, [(folder, PROJECT)])
    mark = "DA handler used for layer "
    fallback = [line.removeprefix(mark) for line in printed.splitlines() if line.startswith(mark)]
    return {"hls4ml": "translated", "da4ml_layers": list[JsonValue](fallback)}


def _told(error: Exception) -> str:
    """Say what was raised; where it has no words, in which place and at which layer."""
    kind, words = type(error).__name__, str(error).strip()[:300]
    if words:
        return f"{kind}: {words}"
    frames = list(walk_tb(error.__traceback__))
    if not frames:
        return kind
    frame, line = frames[-1]
    place = f"{frame.f_code.co_name} ({Path(frame.f_code.co_filename).name}, line {line})"
    layers = (_layer_in(frame.f_locals) for frame, _ in reversed(frames))
    layer = next((f", at the layer {name}" for name in layers if name), "")
    return f"{kind} in {place}{layer}"[:300]


def _layer_in(variables: Mapping[str, object]) -> str:
    """Return the name of the layer that a function of hls4ml works on; empty if it says none."""
    own = variables.get("self")
    # hls4ml's layers tell their class so; other objects of it have names as well.
    candidates = [variables.get("layer"), variables.get("node")]
    candidates += [own] if hasattr(type(own), "class_name") else []
    names = (getattr(one, "name", None) for one in candidates)
    return next((name for name in names if isinstance(name, str)), "")


def convert_by_hls4ml(
    model: keras.Model, folder: Path, part: str, clock_period_ns: float, backend: str = "Vitis"
) -> str:
    """Write an hls4ml project of a quantised network, and return what hls4ml printed."""
    import hls4ml

    printed = io.StringIO()
    with redirect_stdout(printed), warnings.catch_warnings(), _mended_hls4ml():
        warnings.simplefilter("ignore")
        project = hls4ml.converters.convert_from_keras_model(
            model,
            output_dir=str(folder),
            project_name=PROJECT,
            backend=backend,
            io_type="io_parallel",
            part=part,
            clock_period=clock_period_ns,
            hls_config={
                # Nothing is given by the configuration: every width comes from the network.
                "Model": {"Precision": "fixed<-1,0>", "ReuseFactor": 1, "Strategy": "latency"}
            },
        )
        project.write()
    return printed.getvalue()


@contextmanager
def _mended_hls4ml() -> Iterator[None]:
    """Mend three places in which hls4ml 1.3.0 computes something else than the network.

    It merges a second quantiser in a row into the type of the first one's result, with the narrower
    word and the second one's rounding (and warns of it): an input that is cut and then saturated
    comes out rounded. Left alone, the second one becomes a layer of its own, which is exact.

    It takes bits after the point off a saturating word where the values have fewer, also where they
    saturate: the largest value comes out smaller. For words that wrap it looks whether the word's
    ends matter; here it does so for those that saturate as well.

    It reads the layer `ReLU` as one with a threshold, of which it does not follow the widths.
    """
    from hls4ml.converters.keras_v3.core import ReLUHandler
    from hls4ml.model.layers import Reshape, Transpose
    from hls4ml.model.optimizer.passes.bit_exact import _produce_kif, get_input_layers
    from hls4ml.model.optimizer.passes.hgq_proxy_model import (
        FixedPointQuantizer,
        FuseFixedPointQuantizer,
    )

    fuse = FuseFixedPointQuantizer.transform
    produce = _produce_kif.dispatch(FixedPointQuantizer)
    read_relu = ReLUHandler.handle

    def fuse_first(self: object, model: object, node: object) -> bool:
        source = get_input_layers(node)[0]
        while isinstance(source, Reshape | Transpose) and get_input_layers(source):
            source = get_input_layers(source)[0]
        if source.attributes.get("_result_t_propagated", False):
            return False
        return bool(fuse(self, model, node))

    def keep_ends(layer: FixedPointQuantizer) -> object:
        saturation, layer.SAT = layer.SAT, "WRAP"
        try:
            return produce(layer)
        finally:
            layer.SAT = saturation

    def read_plain_relu(self: object, layer: object, *tensors: object) -> object:
        (config,) = read_relu(self, layer, *tensors)
        if config.get("class_name") == "ThresholdedReLU" and not config.get("activ_param"):
            del config["activ_param"]
            config |= {"class_name": "Activation", "activation": "relu"}
        return (config,)

    FuseFixedPointQuantizer.transform = fuse_first
    ReLUHandler.handle = read_plain_relu
    _produce_kif.register(FixedPointQuantizer, keep_ends)
    try:
        yield
    finally:
        FuseFixedPointQuantizer.transform = fuse
        ReLUHandler.handle = read_relu
        _produce_kif.register(FixedPointQuantizer, produce)
