"""Backend ``estimate``: seconds, no tools; for designing, never ranked.

LUTs are the cost model of da4ml, which counts the bits of adders; cycles and period are those of a
planned pipeline, predicted from the widths of its operations.
"""

from __future__ import annotations

from harness.card.records import Figure, Firmware, NotMeasured
from harness.firmware.backend import Built, FirmwareRequest
from harness.firmware.delays import period_ns
from harness.firmware.parts import find_part
from harness.firmware.program_scores import PROGRAM, compress, score_events
from harness.firmware.steps import PipelineReport, StepRunner, TraceReport, UntranslatableError
from harness.firmware.verdict import judge, nanoseconds
from harness.sandbox.step import GIB

__all__ = ["build_estimate", "estimate_from_trace"]

_COST_SOURCE = "da4ml's cost model: bits of adders and multiplexers"
_PLAN_SOURCE = "a pipeline planned by the widths of the operations, not synthesised"


def build_estimate(request: FirmwareRequest) -> Built:
    """Estimate a network's firmware, and score the events if there are any."""
    runner = StepRunner(request=request)
    part = find_part(request.target.part)
    try:
        trace, files = runner.run(
            "trace",
            "translate.translator:trace_network",
            TraceReport,
            request={
                "precision": request.precision.model_dump() if request.precision else None,
                "has_hls4ml": False,
                "part": part.part,
                "clock_period_ns": request.target.clock_period_ns,
            },
            inputs={"graph": request.graph, "weights": request.weights},
            outputs={"program": GIB, "layers": GIB},
            wall_s=request.settings.trace_wall_s,
        )
    except UntranslatableError as error:
        return Built(report=NotMeasured(not_measured=str(error)), usage=tuple(runner.usage))
    logic_ns = request.target.clock_period_ns * (1.0 - request.settings.routing_share)
    pipeline, _ = runner.run(
        "verilog",
        "translate.verilog:write_pipeline",
        PipelineReport,
        request={
            "logic_ns": logic_ns,
            "layers": [[name, number] for name, number in trace.layers],
        },
        inputs={"program": files["program"], "layers": files["layers"]},
        outputs={"design": GIB},
        wall_s=request.settings.trace_wall_s,
    )
    scored = score_events(runner, files["program"], request)
    report = estimate_from_trace(request, trace, pipeline=pipeline)
    folder = request.folder / "artefacts"
    folder.mkdir()
    return Built(
        report=report,
        scores=scored[0] if scored else None,
        artefacts=(compress(files["program"], folder / PROGRAM),),
        usage=tuple(runner.usage),
    )


def estimate_from_trace(
    request: FirmwareRequest,
    trace: TraceReport,
    *,
    pipeline: PipelineReport | None = None,
    backend: str = "estimate",
) -> Firmware:
    """Report what a traced network would take; without a planned pipeline no timing."""
    target = request.target
    lut = Figure(value=round(trace.cost_lut), evidence="estimate", source=_COST_SOURCE)
    n_multipliers = trace.operations.get("multipliers", 0)
    dsp = Figure(
        value=n_multipliers if request.settings.has_dsp else 0,
        evidence="estimate",
        source="one for each multiplication of two variables",
    )
    bram18 = Figure(value=0, evidence="estimate", source="tables are built of LUTs")
    latency: Figure | NotMeasured = NotMeasured(not_measured="no pipeline was planned")
    interval = period = ff = latency
    if pipeline is not None:
        latency = Figure(value=pipeline.n_stages + 1, evidence="estimate", source=_PLAN_SOURCE)
        interval = Figure(value=1, evidence="estimate", source=_PLAN_SOURCE)
        estimated_ns = period_ns(pipeline.logic_ns, request.settings.routing_share)
        period = Figure(
            value=max(target.clock_period_ns, estimated_ns),
            evidence="estimate",
            source=_PLAN_SOURCE,
        )
        ff = Figure(value=pipeline.n_register_bits, evidence="estimate", source=_PLAN_SOURCE)
    latency_ns = nanoseconds(latency, period, _PLAN_SOURCE)
    return Firmware(
        backend=backend,
        target=target,
        latency_cycles=latency,
        interval_cycles=interval,
        clock_period_ns=period,
        latency_ns=latency_ns,
        lut=lut,
        ff=ff,
        dsp=dsp,
        bram18=bram18,
        available=find_part(target.part).available,
        input_bits=trace.input_bits,
        output_bits=trace.output_bits,
        verdicts=judge(
            target,
            latency_ns=latency_ns,
            interval_ns=nanoseconds(interval, period, ""),
            lut=lut,
            ff=ff,
            dsp=dsp,
            bram18=bram18,
        ),
        notes=("estimates only: nothing was synthesised or simulated; never ranked",),
    )
