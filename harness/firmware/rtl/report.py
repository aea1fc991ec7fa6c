"""The record of a design that was simulated and synthesised here, and the notes beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.card.figures import Band
from harness.card.hardware import NO_SECOND_TRANSLATOR, Figure, Firmware, StageLatency
from harness.files import package_version
from harness.firmware.backend import FirmwareRequest
from harness.firmware.delays import DELAY_SCALE
from harness.firmware.record import Timing, make_record, resource_figures
from harness.firmware.rtl.closing import Closed
from harness.firmware.rtl.simulation import SimulatedVerilog
from harness.firmware.rtl.synthesis import SynthesisReport
from harness.firmware.translate.fixed_layers import INPUT_WORDS
from harness.firmware.translate.translation import TraceReport
from harness.firmware.wires import WIRED_FAMILIES

_COUNTED = {
    "both": "input and output register",
    "input": "the input register, not the output register,",
    "output": "the output register, not the input register,",
}
# Shares of overflowing events below this are the tails that saturation is for.
ORDINARY_OVERFLOW = 0.01


def report_design(
    request: FirmwareRequest,
    trace: TraceReport,
    closed: Closed,
    simulated: SimulatedVerilog,
    overflow: Mapping[str, float],
) -> Firmware:
    """Report what was measured of a design; its agreements are added by the backend."""
    synthesis, layer_cycles = closed.mapped.report, closed.mapped.verilog.report.layer_cycles
    source = (
        f"Yosys synth_xilinx -family xcup ({synthesis.version}) of the Verilog of "
        f"da4ml {package_version('da4ml') or 'of unknown version'}"
    )
    record = make_record(
        request.target,
        _timing(request, synthesis, simulated),
        resource_figures(synthesis.model_dump(), "rtl", source),
        backend="rtl",
        input_bits=trace.input_bits,
        output_bits=trace.output_bits,
        score_word=trace.score_word,
        notes=tuple(notes(request, trace, closed, overflow)),
    )
    cycles = dict(layer_cycles)
    if layer_cycles:
        # The last entry holds the registers at either end.
        cycles[layer_cycles[-1][0]] -= request.target.n_uncounted_registers
    stages = (StageLatency(stage=name, cycles=max(0.0, taken)) for name, taken in cycles.items())
    return record.model_copy(
        update={
            "other_cells": {"carry8": synthesis.carry8},
            "overflow": dict(overflow),
            "stages": tuple(stages),
        }
    )


def _timing(
    request: FirmwareRequest, synthesis: SynthesisReport, simulated: SimulatedVerilog
) -> Timing:
    waveform = simulated.waveform
    source = f"{simulated.verilator}, seen in the simulation of the Verilog"
    estimated_ns, band = request.netlist_period(synthesis.logic_ns, synthesis.wired_ns)
    return Timing(
        latency_cycles=Figure(
            value=waveform.latency_cycles - request.target.n_uncounted_registers,
            evidence="rtl",
            source=f"{source}: {_COUNTED[request.target.count_registers]} counted",
        ),
        interval_cycles=Figure(value=waveform.interval_cycles, evidence="rtl", source=source),
        clock_period_ns=Figure(
            value=max(request.target.clock_period_ns, estimated_ns),
            evidence="estimate",
            source=_period_source(request, synthesis, estimated_ns),
            band=_clocked_band(request, band),
        ),
        source="cycles as simulated, times the clock period",
    )


def _clocked_band(request: FirmwareRequest, band: Band) -> Band | None:
    """Return the band of the clock period; None where the target's clock is kept at either end."""
    slowest = request.target.clock_period_ns
    if band.upper <= slowest:
        return None
    return Band(lower=max(slowest, band.lower), upper=band.upper)


def _period_source(
    request: FirmwareRequest, synthesis: SynthesisReport, estimated_ns: float
) -> str:
    target_ns = request.target.clock_period_ns
    outcome = "met" if estimated_ns <= target_ns else "missed"
    if request.family in WIRED_FAMILIES:
        made_of = f"cells and wires of the longest path take {estimated_ns:.2f} ns"
    else:
        made_of = (
            f"cells {synthesis.logic_ns:.2f} ns × {DELAY_SCALE[request.family]:g} for a part of "
            f"the {request.family} and {request.settings.routing_share:.0%} of the path allowed "
            f"for routing make {estimated_ns:.2f} ns"
        )
    return (
        f"static timing of the netlist: {made_of}; the target's clock of {target_ns:g} ns is "
        f"{outcome}"
    )


def notes(
    request: FirmwareRequest, trace: TraceReport, closed: Closed, overflow: Mapping[str, float]
) -> Iterator[str]:
    """Yield what a reader of the figures has to know."""
    synthesis = closed.mapped.report
    yield "latency counts neither the chip's inputs nor its outputs"
    yield (
        "the netlist is da4ml's, built of adders; figures of another flow, such as hls4ml's HLS, "
        "are not to be compared without saying so"
    )
    if synthesis.unevaluated:
        yield f"the mapped netlist was not evaluated, only its Verilog: {synthesis.unevaluated}"
    if synthesis.untimed:
        cells = ", ".join(f"{n} {kind}" for kind, n in synthesis.untimed.items())
        yield f"cells without known delays, whose paths were not timed: {cells}"
    if request.family == "7series":
        yield (
            "mapped to cells of UltraScale+: a 7 series has the same LUTs and flip-flops, carries "
            "in fours, and DSP slices that multiply 25 × 18 in place of 27 × 18 bits"
        )
    yield from trace.warnings
    n_stages, chosen = closed.mapped.verilog.report.n_stages, request.chosen_stages
    if chosen is not None and n_stages < chosen:
        yield (
            f"the latency is {request.latency_of(n_stages)} cycles, not {request.chosen_cycles}: "
            "more stages would not make the slowest one shorter"
        )
    if closed.n_attempts > 1:
        yield f"the pipeline was deepened {closed.n_attempts - 1} times to meet the clock"
    if trace.hls4ml != "translated" and request.settings.has_hls4ml:
        yield f"{NO_SECOND_TRANSLATOR}: hls4ml says {trace.hls4ml}"
    if trace.da4ml_layers:
        layers = ", ".join(trace.da4ml_layers)
        yield f"hls4ml hands {layers} to da4ml: the two are not independent there"
    for name, share in overflow.items():
        if share >= ORDINARY_OVERFLOW:
            yield (
                f"{_place(name)} overflows in {100 * share:.3g} % of the background events: its "
                "word has too few bits before the point for ordinary events. Give it more bits "
                "there, or make the values smaller"
            )


def _place(name: str) -> str:
    """Return a quantiser's name as the participant knows it."""
    return "the network's input" if name == INPUT_WORDS else name
