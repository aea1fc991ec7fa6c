"""The smallest latency in ns: pipelines of other depths, each with a clock of its own.

A shallow pipeline has few registers and long paths. Its latency is smaller than that of a deep one
where the target's clock leaves a part of each cycle unused, or adds registers that nothing needs.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.card.hardware import TriedDepth
from harness.errors import LimitError
from harness.firmware.backend import FirmwareRequest
from harness.firmware.rtl.closing import Closed
from harness.firmware.rtl.synthesis import Mapped, synthesise_verilog
from harness.firmware.translate.translation import Translation
from harness.firmware.translate.verilog import DepthsReport, write_verilog
from harness.firmware.witnesses.events import CommonEvents

# No deeper pipelines are planned: each takes a part of a second.
_MAX_STAGES = 64


def try_depths(
    request: FirmwareRequest, translation: Translation, events: CommonEvents, closed: Closed
) -> tuple[TriedDepth, ...]:
    """Synthesise the pipelines of the smallest latency by prediction, and the one that was made.

    As many are tried as `max_attempts` of the settings. A new event comes in every cycle, so none
    has a clock slower than the target's interval allows. What the cells of each compute is compared
    with the interpreter, as for the design itself.

    Returns
    -------
    tuple of TriedDepth
        By their cycles; `closed` is among them.

    Raises
    ------
    IntegrityError
        A netlist computes another score.
    """
    made = closed.mapped.verilog.report.n_stages
    tried = {made: _describe(request, closed.mapped)}
    for n_stages in _most_promising(request, translation, without=made):
        request.progress(f"smallest latency: synthesis of {n_stages} pipeline stages")
        verilog = write_verilog(request, translation, request.logic_budget_ns, n_stages=n_stages)
        try:
            mapped = synthesise_verilog(request, events, verilog)
        except LimitError as error:
            request.progress(f"smallest latency: {error}; those before stand")
            break
        tried[n_stages] = _describe(request, mapped)
    return tuple(tried[n_stages] for n_stages in sorted(tried))


def _most_promising(
    request: FirmwareRequest, translation: Translation, *, without: int
) -> list[int]:
    """Return the depths of the smallest latency by prediction, the smallest first."""
    done = request.run(
        "depths",
        "translate.verilog:plan_depths",
        DepthsReport,
        request={"n_stages": _MAX_STAGES, "has_dsp": request.has_dsp},
        inputs={"program": translation.program},
    )

    def predicted() -> Iterator[tuple[float, int]]:
        for n_stages, logic_ns in done.report.plans:
            period_ns, band = request.period_ns(logic_ns), request.period_band(logic_ns)
            if n_stages != without and band.upper <= request.target.max_interval_ns:
                yield period_ns * request.latency_of(n_stages), n_stages

    return [n_stages for _, n_stages in sorted(predicted())][: request.settings.max_attempts]


def _describe(request: FirmwareRequest, mapped: Mapped) -> TriedDepth:
    report = mapped.report
    cycles = request.latency_of(mapped.verilog.report.n_stages)
    period_ns, _ = request.netlist_period(report.logic_ns, report.wired_ns)
    return TriedDepth(
        latency_cycles=cycles,
        clock_period_ns=period_ns,
        latency_ns=cycles * period_ns,
        lut=report.lut,
        ff=report.ff,
        dsp=report.dsp,
    )


def smallest_latency_note(request: FirmwareRequest, tried: tuple[TriedDepth, ...]) -> str:
    """Say which of the pipelines that were tried has the smallest latency."""
    period_ns, band = request.netlist_period(1.0, 1.0)
    slower = band.upper / period_ns
    limit_ns = request.target.max_interval_ns / slower
    allowed = [one for one in tried if one.clock_period_ns <= limit_ns]
    if not allowed:
        return "smallest latency: no clock of the pipelines that were tried keeps the interval"
    best = min(allowed, key=lambda one: one.latency_ns)
    return (
        f"smallest latency of {len(tried)} pipelines that were synthesised: {best.latency_ns:.3g} "
        f"ns by estimate, {best.latency_cycles} cycles of {best.clock_period_ns:.3g} ns, with "
        f"{best.lut:,} LUTs and {best.ff:,} flip-flops; all other figures are of the design that "
        "was made, and it alone is ranked"
    )
