"""The vendor's tools on an hls4ml project: C synthesis, place and route (entry of a step)."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.errors import EnvironmentFaultError
from harness.firmware.artefacts import pack, unpack
from harness.firmware.tools import Files, Report, Request, build_folder, disk_faults, run_tool
from harness.firmware.translate.hls4ml_project import PROJECT

REPORT_SUFFIXES = (".rpt", ".xml")
IMPLEMENT = "implement.tcl"
# Of hls4ml's script: C synthesis alone. The C simulation was run before, on many more events.
_OPTIONS = {
    "reset": 1,
    "csim": 0,
    "synth": 1,
    "cosim": 0,
    "validation": 0,
    "export": 0,
    "vsynth": 0,
    "fifo_opt": 0,
}
_LICENCE_WORDS = re.compile(
    r"licen[cs]e (?:was not found|checkout failed|server)|FLEXnet|FlexNet|No license|"
    r"Cannot (?:connect|find) .{0,40}licen[cs]e",
    re.IGNORECASE,
)
_SCHEDULE_WORDS = re.compile(r"ERROR: \[(?:SCHED|HLS|SYN|BIND)[^\]]*\][^\n]*")


@disk_faults()
def run_vendor_tool(request: Request, inputs: Files, outputs: Files) -> Report:
    """Run the vendor's tools on an hls4ml project (entry of a step).

    Request: ``program``, ``vivado`` (paths; the latter null for no place and route), ``licences``
    (environment variables), ``timeout_s``. Inputs: ``project`` (tar). Outputs: ``reports`` (tar).
    """
    with build_folder("vendor") as folder:
        unpack(inputs["project"], folder)
        reports = _run_flow(folder / PROJECT, request)
        pack(outputs["reports"], [(path, path.name) for path in reports])
        return {"reports": [path.name for path in reports]}


def _run_flow(project: Path, request: Request) -> list[Path]:
    """Synthesise a project, place and route it if asked to, and return the reports."""
    shutil.copyfile(Path(__file__).parent / IMPLEMENT, project / IMPLEMENT)
    write_options(project)
    commands = [hls_command(request["program"])]
    if request["vivado"]:
        options = ["-mode", "batch", "-nojournal", "-source", IMPLEMENT]
        commands.append([request["vivado"], *options])
    for command in commands:
        _run_licensed(command, project, request["timeout_s"], request["licences"])
    return _collect(project)


def write_options(project: Path) -> None:
    """Write the options that hls4ml's script for Vitis reads from a file."""
    lines = (f"    {name} {value}\n" for name, value in _OPTIONS.items())
    (project / "build_opt.tcl").write_text(f"array set opt {{\n{''.join(lines)}}}\n")


def hls_command(program: str) -> list[str]:
    """Return the command of C synthesis; hls4ml's script for Vivado reads its arguments alone."""
    script = "build_prj.tcl"
    name = Path(program).name
    if name == "vitis-run":
        return [program, "--mode", "hls", "--tcl", script]
    if name == "vivado_hls":
        # The script finds `synth=` in `vsynth=` too; what is left out stays 0.
        given = (f"{key}={value}" for key, value in _OPTIONS.items() if key != "vsynth")
        return [program, "-f", script, " ".join(given)]
    return [program, "-f", script]


def _run_licensed(
    command: Sequence[str], folder: Path, timeout_s: float, licences: Mapping[str, str]
) -> None:
    """Run a vendor's tool, and tell a missing licence and a failed schedule from other failures."""
    name = Path(command[0]).name
    try:
        printed = run_tool(
            command, name=name, folder=folder, timeout_s=timeout_s, environment=licences
        )
    except EnvironmentFaultError as error:
        reason = explain(name, error.problems[0].what)
        if reason is None:
            raise
        raise reason from error
    # The tools end with status 0 after some errors.
    if "ERROR" in printed and (reason := explain(name, printed)):
        raise reason


def explain(name: str, printed: str) -> EnvironmentFaultError | None:
    """Say what a tool's output shows: no licence, or a failed schedule; None for neither."""
    if _LICENCE_WORDS.search(printed):
        return EnvironmentFaultError(
            f"{name} found no licence",
            where=printed.strip()[-300:],
            expected="a licence file named by XILINXD_LICENSE_FILE; of one that is bound to the "
            "machine or comes from a server, also --host-licence: without it, steps have neither "
            "the machine's name nor a network",
            fix="run again with --host-licence, hand in reports by --from-reports, or use "
            "--backend rtl",
        )
    schedule = _SCHEDULE_WORDS.search(printed)
    if schedule:
        return EnvironmentFaultError(
            f"{name} could not synthesise the design: {schedule[0][:300]}",
            fix="make the network smaller, or use --backend rtl",
        )
    return None


def _collect(project: Path) -> list[Path]:
    """Return the top function's reports and Vivado's."""
    folder = f"{PROJECT}_prj/solution1/syn/report"
    found = sorted(project.glob(f"{folder}/{PROJECT}_csynth.*"))
    found = found or sorted(project.glob(f"{folder}/csynth.xml"))
    if not found:
        raise EnvironmentFaultError(
            "the tool ended without an error and without a report of C synthesis",
            where=folder,
            fix="look at the tool's log",
        )
    found += sorted([*project.glob("*_synth.rpt"), *project.glob("*_routed.rpt")])
    return [path for path in found if path.suffix in REPORT_SUFFIXES]
