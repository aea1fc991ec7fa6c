"""The Verilog of a pipelined program, as one self-contained file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from harness.card.figures import Count
from harness.card.hardware import StageName
from harness.challenge import Value
from harness.firmware.backend import Amount, FirmwareRequest
from harness.firmware.tools import Files, Report, Request, disk_faults
from harness.firmware.translate.pipeline import balance, layer_cycles, make_pipeline, plan_depth
from harness.firmware.translate.program import input_formats, load_program, output_formats
from harness.firmware.translate.translation import Translation
from harness.sandbox.step import GIB

if TYPE_CHECKING:
    from da4ml.types import Pipeline

# Name of the top module; its ports are clk, model_inp and model_out.
TOP = "anomaly_score"
_TABLE_INSTANCE = re.compile(r'lookup_table #\((\d+), (\d+), "(table_[0-9a-f-]+)\.mem"\)')


class PipelineReport(Value):
    """What the Verilog is: its stages, its ports, and how long its layers take."""

    n_stages: Annotated[int, Field(ge=1, le=100_000)]
    input_bits: Count
    output_bits: Annotated[int, Field(ge=1, le=53)]
    n_register_bits: Count
    logic_ns: Amount
    layer_cycles: tuple[tuple[StageName, float], ...]

    @property
    def latency_cycles(self) -> int:
        """Clock edges from an input's arrival to its score: a register at either end."""
        return self.n_stages + 1


class DepthsReport(Value):
    """Stages of pipelines, and the predicted delay of the cells of the slowest of each."""

    plans: tuple[tuple[Count, Amount], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Verilog:
    """The Verilog of a network, and what it is."""

    report: PipelineReport
    path: Path


def write_first(request: FirmwareRequest, translation: Translation) -> Verilog:
    """Write a network's Verilog for the target's clock, or of the latency that was chosen."""
    return write_verilog(
        request, translation, request.logic_budget_ns, n_stages=request.chosen_stages
    )


def write_verilog(
    request: FirmwareRequest,
    translation: Translation,
    logic_ns: float,
    *,
    n_stages: int | None = None,
) -> Verilog:
    """Write a network's Verilog with stages whose cells take at most `logic_ns` by prediction.

    Parameters
    ----------
    n_stages : int, optional
        The most stages: then they take as little as so many can, whatever `logic_ns` says.
    """
    done = request.run(
        "verilog",
        "translate.verilog:write_pipeline",
        PipelineReport,
        request={
            "logic_ns": logic_ns,
            "n_stages": n_stages,
            "has_dsp": request.has_dsp,
            "layers": [[name, number] for name, number in translation.report.layers],
        },
        inputs={"program": translation.program, "layers": translation.layers},
        outputs={"design": GIB},
    )
    return Verilog(report=done.report, path=done.outputs["design"])


# --- The step -------------------------------------------------------------------------------------


@disk_faults()
def write_pipeline(request: Request, inputs: Files, outputs: Files) -> Report:
    """Plan a pipeline and write its Verilog (entry of a step).

    Request: ``logic_ns``, the most that the cells of a stage may take by prediction;
    ``n_stages``, if it is no null, the most stages in its place; ``has_dsp``, whether products of
    two values are to take DSP slices; ``layers``, name and number of outputs of each layer. Inputs:
    ``program``; ``layers``, the program of all layers' outputs. Outputs: ``design``.
    """
    program = load_program(inputs["program"])
    n_stages, has_dsp = request["n_stages"], request["has_dsp"]
    plan = (
        balance(program, request["logic_ns"], has_dsp=has_dsp)
        if n_stages is None
        else plan_depth(program, n_stages, has_dsp=has_dsp)
    )
    pipeline = make_pipeline(program, plan)
    outputs["design"].write_text(verilog_text(pipeline))
    cycles = layer_cycles(load_program(inputs["layers"]), request["layers"], plan)
    return {
        "layer_cycles": [[name, round(number, 3)] for name, number in cycles.items()],
        "n_stages": len(pipeline.solutions),
        "input_bits": sum(form.width for form in input_formats(pipeline)),
        "output_bits": sum(form.width for form in output_formats(pipeline)),
        "n_register_bits": int(pipeline.reg_bits),
        "logic_ns": plan.logic_ns,
    }


def plan_depths(request: Request, inputs: Files, outputs: Files) -> Report:
    """Plan pipelines of 1, 2, 3, ... stages (entry of a step).

    Request: ``n_stages``, of the last one; ``has_dsp``. Inputs: ``program``. The report has the
    delay of the slowest stage's cells by prediction, for each number of stages that gains by it.
    """
    del outputs
    program = load_program(inputs["program"])
    plans: dict[int, float] = {}
    for n_stages in range(1, request["n_stages"] + 1):
        plan = plan_depth(program, n_stages, has_dsp=request["has_dsp"])
        plans.setdefault(plan.n_stages, plan.logic_ns)
        if plan.n_stages < n_stages:
            break
    return {"plans": [[n_stages, logic_ns] for n_stages, logic_ns in plans.items()]}


def verilog_text(pipeline: Pipeline) -> str:
    """Write a pipeline as Verilog: a new event in each cycle, a score in each cycle.

    All modules are in the text; no file is included or read by it.
    """
    from da4ml.codegen.rtl.verilog.pipeline import pipeline_logic_gen

    modules = pipeline_logic_gen(pipeline, TOP, print_latency=False, timescale=None)
    body = _with_inline_tables("\n".join(modules.values()), dict(_tables(pipeline)))
    primitives = [text for name, text in _primitives() if f" {name} #" in body]
    return "\n".join(["`timescale 1ns / 1ps", *primitives, body]) + "\n"


def _primitives() -> Iterator[tuple[str, str]]:
    """Yield name and text of da4ml's parametrised modules: adders, multipliers and the like."""
    from da4ml.codegen import rtl

    for path in sorted((Path(rtl.__file__).parent / "verilog/source").glob("*.v")):
        if path.stem != "lookup_table":
            text = re.sub(r"(?m)^\s*`timescale.*$", "", path.read_text())
            yield path.stem, text


def _tables(pipeline: Pipeline) -> Iterator[tuple[str, str]]:
    """Yield name and content (hexadecimal lines, X where unreachable) of each lookup table."""
    from da4ml.codegen.rtl.verilog.comb import table_mem_gen

    for stage in pipeline.solutions:
        yield from table_mem_gen(stage).items()


def _with_inline_tables(text: str, tables: Mapping[str, str]) -> str:
    """Turn tables that are read from files into modules that hold their content."""
    used: dict[str, str] = {}

    def replace(match: re.Match[str]) -> str:
        address_bits, data_bits, name = int(match[1]), int(match[2]), match[3]
        module = f"{name.replace('-', '_')}_{address_bits}_{data_bits}"
        used[module] = _table_module(module, address_bits, data_bits, tables[f"{name}.mem"])
        return module

    text = _TABLE_INSTANCE.sub(replace, text)
    return "\n".join([*used.values(), text])


def _table_module(module: str, address_bits: int, data_bits: int, content: str) -> str:
    cases = "\n".join(
        f"      {address_bits}'d{address}: out = {data_bits}'h{value};"
        for address, value in enumerate(content.split())
        if "X" not in value
    )
    return f"""module {module} (
    input [{address_bits - 1}:0] in,
    output reg [{data_bits - 1}:0] out
);
  always @(*) begin
    case (in)
{cases}
      default: out = {data_bits}'bx;
    endcase
  end
endmodule
"""
