"""Backends ``vitis`` and ``vivado``: the vendor's own tools on hls4ml's project, where installed.

What they estimate by C synthesis is evidence ``csynth``; with place and route it is ``post_route``.
The firmware's scores come from da4ml's interpreter, which hls4ml's C simulation and the Keras graph
must equal bit for bit; the vendor's tool compiles the very C++ that was simulated.

The tool runs in a sandbox like every other, without network: a licence that it needs must be a
file. No machine of this project has one of these tools; the backends are tested by a stand-in that
writes the reports, and fails, as the real ones do.
"""

from __future__ import annotations

import os
import re
import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from pydantic import JsonValue

from harness.card.records import Firmware, NotMeasured
from harness.challenge import Value
from harness.errors import EnvironmentFaultError, IntegrityError, InvalidSubmissionError, Problem
from harness.firmware.backend import Built, FirmwareRequest
from harness.firmware.program_scores import PROGRAM, compress, score_events
from harness.firmware.reports.handed_in import HandedIn, find_reports, report_from_vendor
from harness.firmware.steps import StepRunner, UntranslatableError
from harness.firmware.tools import Fault, build_folder, run_tool, step_entry
from harness.firmware.translate.translator import PROJECT
from harness.firmware.witnesses.run import (
    MAX_FILE,
    Traced,
    compare_csim,
    compare_graph,
    prepare,
    trace,
)

__all__ = ["build_vitis", "build_vivado", "run_vendor_tool"]

_OPTIONS = """array set opt {
    reset      1
    csim       0
    synth      1
    cosim      0
    validation 0
    export     0
    vsynth     0
    fifo_opt   0
}
"""
# Placed and routed out of context: the core alone, without the chip's inputs and outputs.
_IMPLEMENT = f"""source project.tcl
add_files [glob ${{project_name}}_prj/solution1/syn/verilog/*]
set sources [glob -nocomplain ${{project_name}}_prj/solution1/syn/verilog/*.tcl]
foreach script $sources {{ source $script }}
synth_design -top {PROJECT} -part $part -mode out_of_context
create_clock -name ap_clk -period $clock_period [get_ports ap_clk]
opt_design
place_design
phys_opt_design
route_design
report_utilization -file utilization_routed.rpt
report_timing_summary -file timing_routed.rpt
"""
_LICENCE_VARIABLES = ("XILINXD_LICENSE_FILE", "LM_LICENSE_FILE")
_LICENCE_WORDS = re.compile(
    r"licen[cs]e (?:was not found|checkout failed|server)|FLEXnet|FlexNet|No license|"
    r"Cannot (?:connect|find) .{0,40}licen[cs]e",
    re.IGNORECASE,
)
_SCHEDULE_WORDS = re.compile(r"ERROR: \[(?:SCHED|HLS|SYN|BIND)[^\]]*\][^\n]*")
_REPORT_SUFFIXES = (".rpt", ".xml")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Flow:
    """One vendor flow: which program synthesises, and how it is called."""

    backend: str
    hls_backend: Literal["Vitis", "Vivado"]
    programs: tuple[str, ...]


_VITIS = _Flow(backend="vitis", hls_backend="Vitis", programs=("vitis_hls", "vitis-run"))
_VIVADO = _Flow(backend="vivado", hls_backend="Vivado", programs=("vivado_hls",))


class _VendorReport(Value):
    """What the step of the vendor's tool says: the names of the reports it brings back."""

    reports: tuple[str, ...]


def build_vitis(request: FirmwareRequest) -> Built:
    """Synthesise by Vitis HLS; see `harness.firmware.backend.Backend`."""
    return _build(request, _VITIS)


def build_vivado(request: FirmwareRequest) -> Built:
    """Synthesise by Vivado HLS; see `harness.firmware.backend.Backend`."""
    return _build(request, _VIVADO)


def _build(request: FirmwareRequest, flow: _Flow) -> Built:
    program = _find_program(flow)
    vivado = _find_vivado() if request.has_implementation else None
    runner = StepRunner(request=request)
    try:
        traced = trace(runner, flow.hls_backend)
    except UntranslatableError as error:
        return Built(report=NotMeasured(not_measured=str(error)), usage=tuple(runner.usage))
    if traced.project is None:
        why = f"hls4ml can't translate the network: {traced.report.hls4ml}"
        return Built(report=NotMeasured(not_measured=why), usage=tuple(runner.usage))
    scored = score_events(runner, traced.program, request)
    scores = scored[0] if scored else None
    bench = prepare(runner, traced, scores)
    agreements = [compare_graph(runner, bench)]
    csim = compare_csim(runner, traced, bench)
    reports = _synthesise(runner, traced, program, vivado)
    report = _record(request, traced, reports, flow)
    keras_agreement, overflow = agreements[0]
    report = report.model_copy(
        update={
            "agreements": (keras_agreement, *((csim,) if csim else ())),
            "overflow": dict(overflow),
        }
    )
    return Built(
        report=report,
        scores=scores,
        artefacts=_keep(request, traced, reports),
        usage=tuple(runner.usage),
    )


def _find_program(flow: _Flow) -> Path:
    for name in flow.programs:
        found = shutil.which(name)
        if found:
            return Path(os.path.realpath(found))
    raise EnvironmentFaultError(
        Problem(
            what=f"{flow.programs[0]} was not found",
            where=f"backend {flow.backend}",
            expected=f"{' or '.join(flow.programs)} on PATH",
            fix="source the settings64.sh of the tool, or use --backend rtl, which pip installs",
        )
    )


def _find_vivado() -> Path:
    found = shutil.which("vivado")
    if not found:
        raise EnvironmentFaultError(
            Problem(
                what="vivado was not found",
                where="place and route",
                expected="vivado on PATH",
                fix="source Vivado's settings64.sh, or leave --impl out",
            )
        )
    return Path(os.path.realpath(found))


def _synthesise(runner: StepRunner, traced: Traced, program: Path, vivado: Path | None) -> Path:
    """Run the vendor's tools, and return the folder of their reports."""
    request, settings = runner.request, runner.request.settings
    request.progress(f"{program.name}: C synthesis" + (", place and route" if vivado else ""))
    licences = {name: os.environ[name] for name in _LICENCE_VARIABLES if name in os.environ}
    roots = [path.parent.parent for path in (program, vivado) if path]
    files = [Path(value) for value in licences.values() if Path(value).is_file()]
    _, outputs = runner.run(
        "vendor",
        "vitis:run_vendor_tool",
        _VendorReport,
        request={
            "program": str(program),
            "vivado": str(vivado) if vivado else None,
            "licences": dict(licences),
            "timeout_s": settings.synthesis_wall_s,
        },
        inputs={"project": traced.project} if traced.project else {},
        outputs={"reports": MAX_FILE},
        wall_s=settings.synthesis_wall_s + 60,
        has_tools=True,
        more_tools=(*roots, *files),
    )
    folder = request.folder / "reports"
    folder.mkdir()
    with tarfile.open(outputs["reports"]) as archive:
        archive.extractall(folder, filter="data")
    return folder


def _record(request: FirmwareRequest, traced: Traced, reports: Path, flow: _Flow) -> Firmware:
    """Read the reports; what a tool of this machine leaves unreadable is the machine's fault."""
    try:
        handed_in: HandedIn = find_reports(reports)
    except InvalidSubmissionError as error:
        raise EnvironmentFaultError(
            Problem(
                what=f"{flow.programs[0]} left no usable report",
                where=str(error.problems[0]),
                fix="look at the tool's log in the build folder",
            )
        ) from error
    if handed_in.csynth.top != PROJECT:
        raise IntegrityError(
            Problem(
                what=f"the report is of {handed_in.csynth.top}, not of {PROJECT}",
                where=f"backend {flow.backend}",
            )
        )
    notes = ["latency counts neither the chip's inputs nor its outputs"]
    if handed_in.csynth.interval_cycles != 1:
        notes.append(
            f"the tool scheduled an initiation interval of {handed_in.csynth.interval_cycles}; "
            "1 was asked for"
        )
    report = report_from_vendor(
        handed_in, request.target, backend=flow.backend, is_handed_in=False, notes=notes
    )
    return report.model_copy(
        update={"input_bits": traced.report.input_bits, "output_bits": traced.report.output_bits}
    )


def _keep(request: FirmwareRequest, traced: Traced, reports: Path) -> tuple[Path, ...]:
    folder = request.folder / "artefacts"
    folder.mkdir()
    kept = [compress(traced.program, folder / PROGRAM)]
    if traced.project is not None:
        kept.append(compress(traced.project, folder / "hls4ml_project.tar.zst"))
    kept.extend(
        Path(shutil.copyfile(path, folder / path.name))
        for path in sorted(reports.rglob("*"))
        if path.suffix in _REPORT_SUFFIXES
    )
    return tuple(kept)


# --- The step -------------------------------------------------------------------------------------


@step_entry
def run_vendor_tool(
    request: Mapping[str, JsonValue], inputs: Mapping[str, Path], outputs: Mapping[str, Path]
) -> dict[str, JsonValue]:
    """Run the vendor's tools on an hls4ml project (entry of a step).

    Request: ``program``, ``vivado`` (paths; the latter null for no place and route), ``licences``
    (environment variables), ``timeout_s``. Inputs: ``project`` (tar). Outputs: ``reports`` (tar).
    """
    with build_folder("vendor") as folder:
        with tarfile.open(inputs["project"]) as archive:
            archive.extractall(folder, filter="data")
        reports = _run_flow(folder / PROJECT, request)
        with tarfile.open(outputs["reports"], "w") as archive:
            for path in reports:
                archive.add(path, arcname=path.name)
        return {"reports": [path.name for path in reports]}


def _run_flow(project: Path, request: Mapping[str, JsonValue]) -> list[Path]:
    """Synthesise a project, place and route it if asked to, and return the reports."""
    (project / "build_opt.tcl").write_text(_OPTIONS)
    timeout_s = float(cast("float", request["timeout_s"]))
    licences = cast("dict[str, str]", request["licences"])
    _run_licensed(_hls_command(str(request["program"])), project, timeout_s, licences)
    if request["vivado"]:
        script = project / "implement.tcl"
        script.write_text(_IMPLEMENT)
        command = [str(request["vivado"]), "-mode", "batch", "-nojournal", "-source", script.name]
        _run_licensed(command, project, timeout_s, licences)
    return _collect(project)


def _hls_command(program: str) -> list[str]:
    script = "build_prj.tcl"
    if Path(program).name == "vitis-run":
        return [program, "--mode", "hls", "--tcl", script]
    return [program, "-f", script]


def _run_licensed(
    command: list[str], folder: Path, timeout_s: float, licences: Mapping[str, str]
) -> None:
    """Run a vendor's tool, and tell a missing licence and a failed schedule from other failures."""
    name = Path(command[0]).name
    try:
        printed = run_tool(
            command, name=name, folder=folder, timeout_s=timeout_s, environment=licences
        )
    except Fault as fault:
        raise _explained(name, fault.problem.what, fault) from fault
    # The tools end with status 0 after some errors.
    if _LICENCE_WORDS.search(printed) and "ERROR" in printed:
        raise _explained(name, printed, None)
    if _SCHEDULE_WORDS.search(printed):
        raise _explained(name, printed, None)


def _explained(name: str, text: str, fault: Fault | None) -> Fault:
    if _LICENCE_WORDS.search(text):
        return Fault(
            "environment",
            Problem(
                what=f"{name} found no licence",
                where=text.strip()[-300:],
                expected="a licence file named by XILINXD_LICENSE_FILE: steps have no network",
                fix="use a node-locked licence file, hand in reports by --from-reports, or use "
                "--backend rtl",
            ),
        )
    schedule = _SCHEDULE_WORDS.search(text)
    if schedule:
        return Fault(
            "environment",
            Problem(
                what=f"{name} could not synthesise the design: {schedule[0][:300]}",
                fix="make the network smaller, or use --backend rtl",
            ),
        )
    return fault or Fault("environment", Problem(what=f"{name} failed: {text.strip()[-300:]}"))


def _collect(project: Path) -> list[Path]:
    """Return the top function's reports and those after routing."""
    found = sorted(project.glob(f"{PROJECT}_prj/solution1/syn/report/{PROJECT}_csynth.*"))
    found += sorted(project.glob(f"{PROJECT}_prj/solution1/syn/report/csynth.xml"))[: not found]
    found += sorted(project.glob("*_routed.rpt"))
    if not any("csynth" in path.name for path in found):
        raise Fault(
            "environment",
            Problem(
                what="the tool ended without an error and without a report of C synthesis",
                where=f"{PROJECT}_prj/solution1/syn/report",
                fix="look at the tool's log",
            ),
        )
    return [path for path in found if path.suffix in _REPORT_SUFFIXES]
