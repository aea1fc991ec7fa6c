"""The simulated Verilog as a witness: every compared event, one a cycle, through Verilator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.card.hardware import Agreement
from harness.challenge import Value
from harness.errors import IntegrityError
from harness.firmware.backend import FirmwareRequest, Text
from harness.firmware.rtl.verilator import compile_design, verilator_version
from harness.firmware.rtl.waveform import (
    SimulationError,
    Waveform,
    format_cycles,
    measure_waveform,
    write_waveform,
)
from harness.firmware.tools import Files, Report, Request, build_folder, disk_faults, run_tool
from harness.firmware.translate.verilog import PipelineReport, Verilog
from harness.firmware.witnesses.equality import INTERPRETER, compare, describe_event
from harness.firmware.witnesses.events import CommonEvents

VERILOG = "the simulated Verilog"
# Cycles beyond the expected latency for which the first event is held.
_HOLD_MARGIN = 16


class SimulationReport(Value):
    """What simulated the Verilog."""

    verilator: Text


@dataclass(frozen=True, kw_only=True, slots=True)
class SimulatedVerilog:
    """A design that was simulated, and its waveform as a value change dump."""

    waveform: Waveform
    verilator: str
    vcd: Path
    agreement: Agreement


def simulate_verilog(
    request: FirmwareRequest, events: CommonEvents, verilog: Verilog
) -> SimulatedVerilog:
    """Simulate the Verilog, measure its timing, and compare its scores.

    Raises
    ------
    IntegrityError
        A score differs, or the timing is not that of the pipeline.
    """
    pipeline = verilog.report
    request.progress(f"simulating the Verilog on {events.n_compared:,} events")
    expected = np.rint(events.scores / events.form.step).astype(np.int64)
    order = np.concatenate([[_held_event(expected)], np.arange(events.n_compared)])
    hold = pipeline.latency_cycles + _HOLD_MARGIN
    verilator, trace = _run(request, events.words[order], hold, verilog)
    waveform = _measure(trace, expected[order], hold, events)
    check_timing(waveform, pipeline)
    vcd = request.workspace.new_folder("waveform") / "latency.vcd"
    write_waveform(
        vcd,
        events.words[order],
        trace,
        hold,
        input_bits=pipeline.input_bits,
        output_bits=pipeline.output_bits,
        latency_cycles=waveform.latency_cycles,
        period_ns=request.target.clock_period_ns,
    )
    agreement = compare(
        (INTERPRETER, VERILOG),
        events.scores,
        [np.asarray(waveform.scores * events.form.step, np.float64)],
        events.rows,
        is_independent=False,
        note="the Verilog is written from the program that is interpreted",
    )
    return SimulatedVerilog(waveform=waveform, verilator=verilator, vcd=vcd, agreement=agreement)


def _run(
    request: FirmwareRequest, words: NDArray[np.uint32], hold: int, verilog: Verilog
) -> tuple[str, NDArray[np.uint64]]:
    """Simulate one event a cycle; return which Verilator did, and the port after each cycle."""
    path = request.workspace.new_folder("words") / "words.u32"
    words.tofile(path)
    n_cycles = hold + len(words) - 1 + hold
    done = request.run(
        "simulation",
        "rtl.simulation:simulate_design",
        SimulationReport,
        request={
            "input_bits": verilog.report.input_bits,
            "n_events": len(words),
            "hold": hold,
            "drain": hold,
        },
        inputs={"design": verilog.path, "words": path},
        outputs={"trace": 8 * n_cycles},
        tools_s=request.settings.simulation_wall_s,
    )
    return done.report.verilator, np.fromfile(done.outputs["trace"], "<u8")


def _held_event(expected: NDArray[np.int64]) -> int:
    """Return an event whose score is not that of the first one."""
    others = np.flatnonzero(expected != expected[0])
    if not len(others):
        raise IntegrityError(
            f"all {len(expected)} compared events have the same score, {expected[0]}",
            where="firmware, simulation",
            expected="scores that differ, or nothing can be measured",
            fix="give the network's words more bits",
        )
    return int(others[0])


def _measure(
    trace: NDArray[np.uint64], expected: NDArray[np.int64], hold: int, events: CommonEvents
) -> Waveform:
    form = events.form
    try:
        return measure_waveform(trace, expected, hold, form.width, is_signed=form.is_signed)
    except SimulationError as error:
        raise IntegrityError(
            str(error),
            where=f"the simulated Verilog, first event {describe_event(events.rows[0])}",
            expected="each event's score, in its turn",
        ) from error


def check_timing(waveform: Waveform, pipeline: PipelineReport) -> None:
    """Make sure that the simulated timing is the pipeline's.

    Raises
    ------
    IntegrityError
        It is not.
    """
    expected, latency = pipeline.latency_cycles, waveform.latency_cycles
    if waveform.interval_cycles != 1:
        what = f"a score comes out right only every {waveform.interval_cycles} cycles"
        promise = "an initiation interval of 1, as the flow promises"
    elif latency != expected:
        what = f"a score comes out {format_cycles(latency)} after its event"
        promise = f"{expected}: {pipeline.n_stages} stages with a register at either end"
    else:
        return
    raise IntegrityError(what, where=VERILOG, expected=promise)


# --- The step -------------------------------------------------------------------------------------


@disk_faults()
def simulate_design(request: Request, inputs: Files, outputs: Files) -> Report:
    """Build the simulation of a design and run it (entry of a step).

    Request: ``input_bits``, ``n_events``, ``hold``, ``drain``, ``timeout_s``. Inputs: ``design``
    (Verilog), ``words`` (uint32, one row of words for each event). Outputs: ``trace`` (uint64, the
    output port after each clock edge).
    """
    timeout_s = request["timeout_s"]
    arguments = [str(request[name]) for name in ("n_events", "hold", "drain")]
    with build_folder("verilator") as folder:
        program = compile_design(inputs["design"], folder, request["input_bits"], timeout_s)
        run_tool(
            [program, inputs["words"], outputs["trace"], *arguments],
            name="the simulation of the Verilog",
            folder=folder,
            timeout_s=timeout_s,
        )
    return {"verilator": verilator_version()}
