"""Timing closure: the pipeline is deepened until the synthesised netlist keeps the clock."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.errors import LimitError
from harness.firmware.backend import FirmwareRequest
from harness.firmware.rtl.synthesis import Mapped, synthesise_verilog
from harness.firmware.translate.translation import Translation
from harness.firmware.translate.verilog import Verilog, write_verilog
from harness.firmware.witnesses.events import CommonEvents

# Plans that are tried for another pipeline, each for paths shorter by this factor.
_MAX_PLANS = 8
_SHORTER = 0.95
# A path as long as predicted: to the rounding of widths to blocks of four bits.
_ABOUT = 1.05


@dataclass(frozen=True, kw_only=True, slots=True)
class Closed:
    """The design that keeps the clock, or the fastest one, and how many syntheses it took."""

    mapped: Mapped
    n_attempts: int


def close_timing(
    request: FirmwareRequest, translation: Translation, events: CommonEvents, first: Verilog
) -> Closed:
    """Synthesise; deepen the pipeline until the target's clock is met or nothing more helps.

    A pipeline of a chosen latency stays as deep as it is.

    Raises
    ------
    LimitError
        Not even the first synthesis ended within its limits.
    """
    budget_ns = request.logic_budget_ns
    best: Closed | None = None
    least = math.inf
    verilog, planned_ns = first, budget_ns
    for attempt in range(1, request.settings.max_attempts + 1):
        request.progress(f"synthesis {attempt}: {verilog.report.n_stages} pipeline stages")
        try:
            mapped = synthesise_verilog(request, events, verilog)
        except LimitError as error:
            if best is None:
                raise
            request.progress(f"synthesis {attempt}: {error}; the one before stands")
            break
        logic_ns = mapped.report.logic_ns
        taken = request.part_of_clock(logic_ns, mapped.report.wired_ns)
        if best is None or taken < least:
            best, least = Closed(mapped=mapped, n_attempts=attempt), taken
        if taken <= 1 or request.chosen_stages is not None:
            return Closed(mapped=mapped, n_attempts=attempt)
        # The predicted time of a plan is over the budget only where a single operation's is.
        slowest_ns = verilog.report.logic_ns
        if slowest_ns > budget_ns and logic_ns <= _ABOUT * slowest_ns:
            request.progress("one operation alone takes longer than the clock allows")
            break
        planned_ns *= 0.98 / taken
        deeper = deepen(request, translation, verilog, planned_ns)
        if deeper is None:
            break  # single operations take longer than the clock allows
        planned_ns, verilog = deeper
    if best is None:
        raise ValueError("max_attempts is not positive")
    return best


def deepen(
    request: FirmwareRequest, translation: Translation, verilog: Verilog, planned_ns: float
) -> tuple[float, Verilog] | None:
    """Plan for ever shorter paths until the pipeline is another one; None if it never is.

    Paths grow by whole operations: a plan that is a little shorter may cut them in the same places.
    """
    before = verilog.report
    for _ in range(_MAX_PLANS):
        deeper = write_verilog(request, translation, planned_ns)
        if deeper.report.n_stages > before.n_stages or deeper.report.logic_ns < before.logic_ns:
            return planned_ns, deeper
        planned_ns *= _SHORTER
    return None
