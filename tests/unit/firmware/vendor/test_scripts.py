"""hls4ml's own scripts and ours, run by Tcl with stand-ins for the commands of the tools."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from harness.firmware.vendor import tool
from tests.firmware_bench import make_project

COMMANDS = {
    "hls": (
        "open_project set_top add_files open_solution config_array_partition config_compile "
        "set_part config_schedule create_clock set_clock_uncertainty csim_design csynth_design "
        "cosim_design export_design"
    ),
    "vivado": (
        "read_verilog read_xdc synth_design opt_design place_design phys_opt_design route_design "
        "report_utilization report_timing_summary create_clock set_max_delay"
    ),
}
# The command line of a tool: its arguments are those that the script sees.
STAND_IN = """
foreach name {{{commands}}} {{ proc $name args "puts \\"CALL $name \\$args\\"" }}
proc get_ports args {{ return {{{ports}}} }}
proc all_inputs args {{ return inputs }}
proc all_outputs args {{ return outputs }}
proc read_xdc args {{ puts "CALL read_xdc $args"; source [lindex $args end] }}
set argv {{{arguments}}}
source {script}
"""


@pytest.fixture(scope="module", params=["Vitis", "Vivado"])
def flow(request, tiny, tmp_path_factory) -> tuple[str, Path]:
    """A backend of hls4ml and its project, unpacked."""
    folder = tmp_path_factory.mktemp("project")
    packed = make_project(tiny, folder, backend=request.param)
    with tarfile.open(packed) as archive:
        archive.extractall(folder, filter="data")
    return request.param, folder / "anomaly"


def run(folder: Path, commands: str, script: str, *, arguments: str = "", ports: str = "ap_clk"):
    """Run a script of `folder`, and return the commands that it gave, in order."""
    text = STAND_IN.format(
        commands=COMMANDS[commands], script=script, arguments=arguments, ports=ports
    )
    (folder / "stand_in.tcl").write_text(text)
    tclsh = shutil.which("tclsh")
    assert tclsh is not None, "install tcl, which runs the scripts of the tools"
    command = [tclsh, "stand_in.tcl"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("CALL ")]
    return [line.removeprefix("CALL ").strip() for line in lines]


@pytest.mark.parametrize("is_one_word", [True, False])
def test_the_tool_synthesises_and_simulates_nothing(flow, is_one_word):
    backend, project = flow
    program = {"Vitis": "/opt/vitis_hls", "Vivado": "/opt/vivado_hls"}[backend]
    tool.write_options(project)
    _, _, script, *arguments = tool.hls_command(program)

    # Tcl may receive a quoted argument as one word or as several.
    given = " ".join(f"{{{one}}}" if is_one_word else one for one in arguments)
    calls = run(project, "hls", script, arguments=given)

    names = [call.split()[0] for call in calls]
    assert names.count("csynth_design") == 1
    assert not {"csim_design", "cosim_design", "export_design"} & set(names)
    assert "open_project -reset anomaly_prj" in calls
    assert "create_clock -period 5.0 -name default" in calls
    assert "set_part xcvu9p-flga2104-2-e" in calls


@pytest.mark.parametrize(
    ("ports", "constraint"),
    [
        ("ap_clk", "create_clock -name ap_clk -period 5.0 ap_clk"),
        ("", "set_max_delay 5.0 -from inputs -to outputs"),
    ],
)
def test_the_constraint_is_known_before_the_synthesis(flow, ports, constraint):
    _, project = flow
    verilog = project / "anomaly_prj/solution1/syn/verilog"
    verilog.mkdir(parents=True, exist_ok=True)
    (verilog / "anomaly.v").write_text("module anomaly; endmodule")
    shutil.copyfile(Path(tool.__file__).parent / tool.IMPLEMENT, project / tool.IMPLEMENT)

    calls = run(project, "vivado", tool.IMPLEMENT, ports=ports)

    names = [call.split()[0] for call in calls]
    assert calls[names.index("read_xdc") + 1] == constraint
    assert names.index("read_xdc") < names.index("synth_design")
    reports = ["synth_design", "report_utilization", "place_design", "route_design"]
    assert [name for name in names if name in reports][:4] == reports
    assert calls[-2:] == [
        "report_utilization -file utilization_routed.rpt",
        "report_timing_summary -file timing_routed.rpt",
    ]
