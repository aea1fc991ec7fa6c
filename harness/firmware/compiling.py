"""C++ of the simulations, compiled as few source files: what each of them reads is read once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.firmware.tools import compiler, run_tool, safe_path

# A simulation runs once, for seconds: more optimisation takes longer than it saves.
_OPTIMISE = "-O1"
# One file is the whole program: no code is made of functions that it does not call.
_WHOLE = "-fwhole-program"


def shared_out(sources: Sequence[Path], most_bytes: int) -> list[list[Path]]:
    """Put source files together, in their order, until there are more bytes than at most.

    A single file that is larger stays by itself.
    """
    units: list[list[Path]] = []
    size = most_bytes
    for source in sources:
        own = source.stat().st_size
        if size + own > most_bytes:
            units.append([])
            size = 0
        units[-1].append(source)
        size += own
    return units


def compile_units(
    units: Sequence[Sequence[Path]],
    program: Path,
    options: Sequence[str],
    *,
    name: str,
    timeout_s: float,
) -> Path:
    """Compile each unit as one source file in the program's folder; link and return the program.

    Parameters
    ----------
    units : sequence of sequence of Path
        Source files of each.
    program : Path
        What is made. Tools run in its folder.
    options : sequence of str
        Of the compiler.
    name : str
        What a failure names.

    Raises
    ------
    EnvironmentFaultError, LimitError
        The compiler is missing, failed, or reached a limit.
    """
    folder = program.parent
    command = [safe_path(compiler(), folder), *options, _OPTIMISE]
    written = [_write_unit(unit, folder / f"unit{n}.cc") for n, unit in enumerate(units)]
    made = [written[0]] if len(written) == 1 else [path.with_suffix(".o") for path in written]
    calls: list[list[str | Path]] = []
    if made == written:
        command.append(_WHOLE)
    else:
        pairs = zip(written, made, strict=True)
        calls += [[*command, "-c", source, "-o", target] for source, target in pairs]
    calls.append([*command, *made, "-o", program])
    for call in calls:
        run_tool(call, name=name, folder=folder, timeout_s=timeout_s)
    return program


def _write_unit(sources: Sequence[Path], path: Path) -> Path:
    """Write a source file that includes others."""
    path.write_text("".join(f'#include "{source}"\n' for source in sources))
    return path
