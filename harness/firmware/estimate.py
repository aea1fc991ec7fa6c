"""Backend ``estimate``: seconds, no tools; for designing, never ranked.

LUTs are the cost model of da4ml, which counts the bits of adders; cycles and period are those of a
planned pipeline, predicted from the widths of its operations.
"""

from __future__ import annotations

from harness.card.figures import NotMeasured
from harness.card.hardware import Figure, Firmware
from harness.firmware.artefacts import PROGRAM, keep
from harness.firmware.backend import FirmwareRequest, FirmwareResult
from harness.firmware.interpret import interpret_all
from harness.firmware.record import Timing, make_record
from harness.firmware.translate.size import NetworkSize
from harness.firmware.translate.translation import SHORT_S, TraceReport, Untranslated, translate
from harness.firmware.translate.verilog import PipelineReport, write_first
from harness.firmware.witnesses.graph import compare_quickly

_COST_SOURCE = "da4ml's cost model: bits of adders and multiplexers"
_PLAN_SOURCE = "a pipeline planned by the widths of the operations, not synthesised"
_SIZE_SOURCE = "nonzero digits of the weights, and the bits that they add"
_LARGEST_LAYERS = 3
_NO_PLAN = NotMeasured(not_measured="no pipeline was planned")


def build_estimate(request: FirmwareRequest) -> FirmwareResult:
    """Estimate a network's firmware, and score the events if there are any.

    Raises
    ------
    UntranslatableError
        da4ml cannot translate the network.
    IntegrityError
        da4ml's program and Keras differ in the score of an event.
    """
    translation = translate(request, has_hls4ml=False, patience_s=SHORT_S)
    if isinstance(translation, Untranslated):
        return untranslated(request, translation, backend="estimate")
    verilog = write_first(request, translation)
    scores = interpret_all(request, translation.program)
    agreement, overflow = compare_quickly(request, translation, scores)
    report = estimate_figures(request, translation.report, pipeline=verilog.report)
    return FirmwareResult(
        report=report.model_copy(update={"agreements": (agreement,), "overflow": overflow}),
        scores=scores,
        artefacts=keep({PROGRAM: translation.program}, request.folder / "artefacts"),
    )


def estimate_figures(
    request: FirmwareRequest,
    trace: TraceReport,
    *,
    pipeline: PipelineReport | None = None,
    backend: str = "estimate",
) -> Firmware:
    """Report what a traced network would take; without a planned pipeline no timing."""
    n_multipliers = trace.operations.get("multipliers", 0) if request.has_dsp else 0
    ff = _NO_PLAN if pipeline is None else _estimate(pipeline.n_register_bits, _PLAN_SOURCE)
    return make_record(
        request.target,
        _plan_timing(request, pipeline),
        {
            "lut": _estimate(round(trace.cost_lut), _COST_SOURCE),
            "ff": ff,
            "dsp": _estimate(n_multipliers, "one for each multiplication of two variables"),
            "bram18": _estimate(0, "tables are built of LUTs"),
        },
        backend=backend,
        input_bits=trace.input_bits,
        output_bits=trace.output_bits,
        score_word=trace.score_word,
        notes=(
            "estimates only: nothing was synthesised or simulated; never ranked",
            *trace.warnings,
        ),
    )


def untranslated(
    request: FirmwareRequest, network: Untranslated, *, backend: str
) -> FirmwareResult:
    """Report a network that is not translated, as it is far too large: its LUTs by estimate."""
    size = network.size
    n_multipliers = size.n_multipliers if request.has_dsp else 0
    why = NotMeasured(not_measured="the network was not translated")
    report = make_record(
        request.target,
        Timing(latency_cycles=why, interval_cycles=why, clock_period_ns=why, source=_PLAN_SOURCE),
        {
            "lut": _estimate(round(size.lut), _SIZE_SOURCE),
            "ff": why,
            "dsp": _estimate(n_multipliers, "one for each multiplication of two variables"),
            "bram18": _estimate(0, "tables are built of LUTs"),
        },
        backend=backend,
        input_bits=why,
        output_bits=why,
        notes=(
            f"not translated: {size.describe()}; {network.reason}",
            _smaller(size),
            "estimates only: nothing was synthesised or simulated; never ranked",
        ),
    )
    return FirmwareResult(report=report, is_cut_short=True)


def _smaller(size: NetworkSize) -> str:
    """Say what takes the LUTs, and how a network becomes smaller."""
    largest = sorted(size.layers.items(), key=lambda layer: -layer[1])[:_LARGEST_LAYERS]
    named = ", ".join(f"{name} {cost / max(size.lut, 1):.0%}" for name, cost in largest if cost)
    return (
        f"most of the LUTs are in {named}. They grow with the number of weights and with the "
        "bits of weights and values: use fewer units, shorter words (`precision`, or the words of "
        "the quantisers), and weights that are zero (pruning). To translate it all the same, raise "
        "--max-lut and --time-limit"
    )


def _plan_timing(request: FirmwareRequest, pipeline: PipelineReport | None) -> Timing:
    if pipeline is None:
        return Timing(
            latency_cycles=_NO_PLAN,
            interval_cycles=_NO_PLAN,
            clock_period_ns=_NO_PLAN,
            source=_PLAN_SOURCE,
        )
    estimated_ns = request.period_ns(pipeline.logic_ns)
    return Timing(
        latency_cycles=_estimate(request.latency_of(pipeline.n_stages), _PLAN_SOURCE),
        interval_cycles=_estimate(1, _PLAN_SOURCE),
        clock_period_ns=_estimate(max(request.target.clock_period_ns, estimated_ns), _PLAN_SOURCE),
        source=_PLAN_SOURCE,
    )


def _estimate(value: float, source: str) -> Figure:
    return Figure(value=value, evidence="estimate", source=source)
