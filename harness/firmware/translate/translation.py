"""From an exported network to the program that da4ml interprets and to an hls4ml project.

Two translators read the one quantised graph: da4ml, whose program becomes the scores and the
Verilog, and hls4ml, whose compiled C simulation is the second witness.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.card.figures import Count
from harness.card.hardware import MAX_STAGE_NAME, ScoreWord, StageName
from harness.challenge import Value
from harness.errors import LimitError
from harness.firmware.artefacts import HLS4ML_PROJECT, PROGRAM
from harness.firmware.backend import Amount, FirmwareRequest, Text
from harness.firmware.parts import part_of
from harness.firmware.tools import Files, Report, Request, disk_faults, require_package
from harness.firmware.translate.checking import check_translatable
from harness.firmware.translate.fixed_words import read_widths
from harness.firmware.translate.hls4ml_project import read_choices, write_project
from harness.firmware.translate.names import require_layers
from harness.firmware.translate.pipeline import count_operations
from harness.firmware.translate.program import input_formats, output_format
from harness.firmware.translate.quantise import load_fixed_point
from harness.firmware.translate.size import NetworkSize
from harness.firmware.translate.tables import coarse_tables
from harness.firmware.translate.tracing import WIRE_INTEGER_BITS, FirstLook, look_at, trace_layers
from harness.sandbox.step import GIB, StepResult
from harness.submission.events import extremes, open_rows
from harness.submission.words import FixedPoint

if TYPE_CHECKING:
    import keras

Layer = tuple[StageName, Count]

# A network that da4ml translates within this is translated at once; of a longer one the size is
# said first.
SHORT_S = 20.0
_FOREVER_S = 1e9


class TraceReport(Value):
    """What the two translators made of a network.

    Attributes
    ----------
    operations : mapping of str to int
        Operations of da4ml's program by the hardware that they become.
    cost_lut : float
        LUTs by da4ml's cost model.
    hls4ml : str
        ``translated``, or why hls4ml did not translate it.
    layers : tuple
        Name and number of outputs of each layer, in order.
    da4ml_layers : tuple of str
        Layers that hls4ml hands to da4ml.
    is_wire_wider : bool
        Whether the inputs' wires are wider than the words that the network cuts them to, because
        these saturate: values beyond the wires are no inputs of this firmware.
    warnings : tuple of str
        What is lost in the translation, for the participant.
    """

    input_bits: Count
    output_bits: Count
    score_word: ScoreWord | None = None
    n_inputs: Count
    n_operations: Count
    operations: dict[str, Count]
    cost_lut: Amount
    hls4ml: Text
    layers: tuple[Layer, ...]
    da4ml_layers: tuple[Text, ...] = ()
    is_wire_wider: bool = False
    warnings: tuple[Text, ...] = ()


class LookReport(Value):
    """What the step gives: the size of a network, and its translation, if it went on to it."""

    size: NetworkSize
    trace: TraceReport | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Untranslated:
    """A network that is too large to be translated: its size by estimate, and why it is not."""

    size: NetworkSize
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Translation:
    """What translation gave.

    Attributes
    ----------
    program, layers : Path
        da4ml's program of the score, and the one of every layer's outputs.
    project : Path or None
        hls4ml's project; None where it cannot translate the network.
    """

    report: TraceReport
    program: Path
    layers: Path
    project: Path | None

    def artefacts(self) -> dict[str, Path]:
        """Return the files that are kept, by their lasting names."""
        project = {HLS4ML_PROJECT: self.project} if self.project else {}
        return {PROGRAM: self.program, **project}


def translate(
    request: FirmwareRequest,
    *,
    has_hls4ml: bool,
    hls_backend: Literal["Vitis", "Vivado"] = "Vitis",
    patience_s: float | None = None,
) -> Translation | Untranslated:
    """Translate a network by da4ml and, if asked for, by hls4ml, unless it is far too large.

    Parameters
    ----------
    patience_s : float, optional
        A network that takes da4ml longer by estimate is not translated; without it the time limit
        of the step.

    Raises
    ------
    UntranslatableError
        da4ml cannot translate it.
    """
    request.progress("translating the network")
    settings = request.settings
    patience_s = settings.trace_wall_s if patience_s is None else patience_s

    def run(seconds: float) -> StepResult[LookReport]:
        return _run(request, seconds, has_hls4ml=has_hls4ml, hls_backend=hls_backend)

    done = run(min(SHORT_S, patience_s))
    size = done.report.size
    if done.report.trace is not None:
        return _translation(done, done.report.trace)
    request.progress(f"{size.describe()}; its translation takes about {size.trace_s:,.0f} s")
    if size.lowest_lut > settings.max_lut:
        return Untranslated(
            size=size, reason=f"more than the {settings.max_lut:,} LUTs that the settings allow"
        )
    if size.trace_s > patience_s:
        return Untranslated(
            size=size,
            reason=f"its translation takes about {size.trace_s:,.0f} s, more than {patience_s:.0f}",
        )
    try:
        done = run(math.inf)
    except LimitError as error:
        return Untranslated(size=size, reason=str(error))
    assert done.report.trace is not None
    return _translation(done, done.report.trace)


def _run(
    request: FirmwareRequest, patience_s: float, *, has_hls4ml: bool, hls_backend: str
) -> StepResult[LookReport]:
    return request.run(
        "trace",
        "translate.translation:trace_network",
        LookReport,
        request={
            "precision": request.words,
            "has_hls4ml": has_hls4ml,
            "hls_backend": hls_backend,
            "choices": request.choices.model_dump(mode="json"),
            "part": part_of(request.target).part,
            "clock_period_ns": request.target.clock_period_ns,
            "wire_integer_bits": wire_integer_bits(request.events),
            "patience_s": min(patience_s, _FOREVER_S),
        },
        inputs={"graph": request.graph, "weights": request.weights},
        outputs={"program": GIB, "layers": GIB, "project": GIB},
    )


def _translation(done: StepResult[LookReport], report: TraceReport) -> Translation:
    project = done.outputs["project"]
    return Translation(
        report=report,
        program=done.outputs["program"],
        layers=done.outputs["layers"],
        project=project if project.stat().st_size else None,
    )


def wire_integer_bits(events: Path | None) -> int:
    """Return the bits before the point that hold any input, with one to spare beyond the usual."""
    lowest, highest = (0.0, 0.0) if events is None else extremes(open_rows(events))
    largest = max(abs(highest), abs(lowest))
    needed = math.frexp(largest)[1]
    return WIRE_INTEGER_BITS if needed <= WIRE_INTEGER_BITS else needed + 1


# --- The step -------------------------------------------------------------------------------------


@disk_faults()
def trace_network(request: Request, inputs: Files, outputs: Files) -> Report:
    """Translate a network by da4ml and by hls4ml (entry of a step).

    Request: ``precision`` (fixed-point types, or null), ``has_hls4ml``, ``hls_backend``,
    ``choices`` (`FirmwareChoices`; of these hls4ml's flow), ``part``, ``clock_period_ns``,
    ``wire_integer_bits``, ``patience_s``: a network that takes da4ml longer by estimate is not
    translated. Inputs: ``graph``, ``weights``. Outputs: ``program`` (JSON of da4ml); ``layers``
    (the same with every layer's outputs); ``project`` (tar), where hls4ml translates the network.
    """
    require_package("da4ml", "hgq")
    model = load_fixed_point(request["precision"], inputs)
    check_translatable(model)
    require_layers(model, read_choices(request).layers, "firmware.layers")
    first = look_at(model, wire_integer_bits=request.get("wire_integer_bits", WIRE_INTEGER_BITS))
    is_slow = first.size.trace_s > request.get("patience_s", math.inf)
    trace = None if is_slow else _trace(model, first, request, outputs)
    return {"size": first.size.model_dump(mode="json"), "trace": trace}


def _trace(model: keras.Model, first: FirstLook, request: Request, outputs: Files) -> Report:
    """Translate a network, and write what comes of it."""
    traced = trace_layers(model, first)
    program = traced.program
    program.save(outputs["program"])
    traced.by_layer.save(outputs["layers"])
    report: Report = {
        "input_bits": sum(form.width for form in input_formats(program)),
        "output_bits": output_format(program).width,
        "score_word": {"word": str(output_format(program)), "step": output_format(program).step},
        "n_inputs": program.shape[0],
        "n_operations": len(program.ops),
        "operations": count_operations(program),
        "cost_lut": program.cost,
        "layers": [[name[:MAX_STAGE_NAME], number] for name, number in traced.layers],
        "is_wire_wider": traced.is_wire_wider,
        "hls4ml": "",
        "warnings": list(coarse_tables(model, _activations(request["precision"]))),
    }
    if request["has_hls4ml"]:
        project = write_project(model, request, outputs["project"])
        report["warnings"] += project.pop("warnings", [])
        report |= project
    return report


def _activations(precision: Mapping[str, object] | None) -> FixedPoint | None:
    return read_widths(precision).every["activations"] if precision else None
