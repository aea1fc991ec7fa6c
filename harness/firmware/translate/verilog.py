"""The Verilog of a pipelined program, as one self-contained file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from pydantic import JsonValue

from harness.firmware.tools import step_entry
from harness.firmware.translate.program import (
    balance,
    input_formats,
    layer_cycles,
    load_program,
    make_pipeline,
    output_formats,
)

if TYPE_CHECKING:
    from da4ml.types import CombLogic, Pipeline

__all__ = ["TOP", "Design", "count_operations", "write_design", "write_pipeline"]

# Name of the top module; its ports are clk, model_inp and model_out.
TOP = "anomaly_score"
_TABLE_INSTANCE = re.compile(r'lookup_table #\((\d+), (\d+), "(table_[0-9a-f-]+)\.mem"\)')


@dataclass(frozen=True, kw_only=True, slots=True)
class Design:
    """Verilog and what its ports carry.

    Attributes
    ----------
    text : str
        All modules; no file is included or read by it.
    n_stages : int
        Stages of combinational logic; there is a register before, between and after them.
    n_register_bits : int
        Flip-flops that the text declares.
    """

    text: str
    n_stages: int
    input_bits: int
    output_bits: int
    n_register_bits: int

    @property
    def latency_cycles(self) -> int:
        """Clock edges from an input's arrival to its score, both registers counted."""
        return self.n_stages + 1


def write_design(pipeline: Pipeline) -> Design:
    """Write a pipeline as Verilog: a new event in each cycle, a score in each cycle."""
    from da4ml.codegen.rtl.verilog.pipeline import pipeline_logic_gen

    modules = pipeline_logic_gen(pipeline, TOP, print_latency=False, timescale=None)
    body = _with_inline_tables("\n".join(modules.values()), list(_tables(pipeline)))
    primitives = [text for name, text in _primitives() if f" {name} #" in body]
    return Design(
        text="\n".join(["`timescale 1ns / 1ps", *primitives, body]) + "\n",
        n_stages=len(pipeline.solutions),
        input_bits=sum(form.width for form in input_formats(pipeline)),
        output_bits=sum(form.width for form in output_formats(pipeline)),
        n_register_bits=int(pipeline.reg_bits),
    )


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


def _with_inline_tables(text: str, tables: list[tuple[str, str]]) -> str:
    """Turn tables that are read from files into modules that hold their content."""
    contents = {name.removesuffix(".mem"): content for name, content in tables}
    used: dict[str, str] = {}

    def replace(match: re.Match[str]) -> str:
        address_bits, data_bits, name = int(match[1]), int(match[2]), match[3]
        module = f"{name.replace('-', '_')}_{address_bits}_{data_bits}"
        used[module] = _table_module(module, address_bits, data_bits, contents[name])
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


def count_operations(program: CombLogic) -> dict[str, int]:
    """Count what a program is made of, by the kind of hardware that it becomes."""
    names = {0: "adders", 1: "adders", 4: "adders", 7: "multipliers", 8: "tables", 6: "muxes"}
    counts: dict[str, int] = {}
    for op in program.ops:
        name = names.get(abs(op.opcode) if op.opcode != -1 else -1)
        if name:
            counts[name] = counts.get(name, 0) + 1
    return counts


@step_entry
def write_pipeline(
    request: Mapping[str, JsonValue], inputs: Mapping[str, Path], outputs: Mapping[str, Path]
) -> dict[str, JsonValue]:
    """Plan a pipeline and write its Verilog (entry of a step).

    Request: ``logic_ns``, the most that the cells of a stage may take by prediction; ``layers``,
    name and number of outputs of each layer. Inputs: ``program``; ``layers``, the program of all
    layers' outputs. Outputs: ``design``.
    """
    program = load_program(inputs["program"])
    plan = balance(program, float(cast("float", request["logic_ns"])))
    design = write_design(make_pipeline(program, plan))
    outputs["design"].write_text(design.text)
    layers = [
        (str(name), int(number))
        for name, number in cast("list[tuple[str, int]]", request["layers"])
    ]
    cycles = layer_cycles(load_program(inputs["layers"]), layers, plan)
    return {
        "layer_cycles": [[name, round(number, 3)] for name, number in cycles.items()],
        "n_stages": design.n_stages,
        "input_bits": design.input_bits,
        "output_bits": design.output_bits,
        "n_register_bits": design.n_register_bits,
        "logic_ns": plan.logic_ns,
    }
