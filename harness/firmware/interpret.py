"""The firmware's scores of events: by the arithmetic of the very program that becomes Verilog.

`harness.firmware.arrays` computes them for many events at once. da4ml's own interpreter does so for
a few events, and for a program that `as_arrays` leaves to it; the scores are the same bit for bit.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field, JsonValue

from harness.card.figures import Count
from harness.challenge import Value, events_within
from harness.errors import EnvironmentFaultError, IntegrityError
from harness.firmware.artefacts import decompress
from harness.firmware.backend import FAULTS, Amount, FirmwareRequest, FirmwareSettings
from harness.sandbox.step import MIB, Limits, StepResult
from harness.sandbox.workspace import EarlyStep, Workspace
from harness.submission.events import open_rows

ENTRY = "harness.firmware.interpreter:interpret_events"
BYTES_PER_SCORE = 8
# The slowest interpreter that is waited for, events per second.
_SLOWEST = 10_000
# Events at once: enough to fill the threads, few enough for the float64 copy to stay small.
CHUNK_EVENTS = 65_536
_CHUNK_BYTES = 64 * MIB


class InterpreterReport(Value):
    """What the interpreter reports: the form of the scores.

    Attributes
    ----------
    step : float
        Every score is a whole multiple of it.
    width : int
        Bits of a score.
    """

    n_events: Count
    seconds: Amount
    step: Annotated[float, Field(gt=0)]
    is_signed: bool
    width: Annotated[int, Field(ge=1, le=53)]


def interpret_all(request: FirmwareRequest, program: Path) -> Path | None:
    """Score every event of a request; None if it has none."""
    if request.events is None:
        return None
    n_events = len(open_rows(request.events))
    request.progress(f"scoring {n_events:,} events by the firmware's arithmetic")
    done = run_interpreter(request.workspace, request.settings, program, request.events)
    return done.outputs["scores"]


def score_by_program(packed: Path, events: Path, workspace: Workspace) -> Path:
    """Score further events by firmware that was made before, from the program that it kept.

    Parameters
    ----------
    packed : Path
        The artefact `harness.firmware.artefacts.PROGRAM`.
    events : Path
        See `harness.submission.events`.

    Returns
    -------
    Path
        One little-endian float64 for each event: what the netlist computes, bit for bit.

    Raises
    ------
    HarnessError
        The step failed; see `harness.sandbox.step.RunStep`.
    """
    program = decompress(packed, workspace.new_folder("program") / "program.json")
    return run_interpreter(workspace, FirmwareSettings(), program, events).outputs["scores"]


def run_interpreter(
    workspace: Workspace,
    settings: FirmwareSettings,
    program: Path,
    events: Path,
    *,
    name: str = "interpret",
    n_words: int = 0,
) -> StepResult[InterpreterReport]:
    """Interpret a program on events; with `n_words`, pack the input port's bits as well.

    Raises
    ------
    IntegrityError
        There is not one score for each event.
    """
    n_events = len(open_rows(events))
    outputs = {"scores": n_events * BYTES_PER_SCORE}
    if n_words:
        outputs["words"] = 4 * n_words * n_events
    done = workspace.run(
        f"firmware-{name}",
        ENTRY,
        InterpreterReport,
        request=_request(settings, events),
        inputs={"program": program, "events": events},
        outputs=outputs,
        limits=_limits(settings, n_events),
        may_raise=FAULTS,
    )
    return _checked(done, n_events, name)


@contextlib.contextmanager
def started_interpreter(
    workspace: Workspace,
    settings: FirmwareSettings,
    program: Path,
    events: Path,
    n_events: int,
    *,
    name: str,
) -> Iterator[Callable[[], StepResult[InterpreterReport]]]:
    """Start the interpreter while its events are still to be written; on leaving it is ended.

    That only saves time: one that cannot be started now, or is lost, is run at its turn.

    Parameters
    ----------
    events : Path
        A regular file that everyone can read: the step has this very file, no copy of it.
    n_events : int
        That it will hold.

    Yields
    ------
    callable
        Interprets the events, which are written now; see `run_interpreter`.
    """
    starting = workspace.start(
        f"firmware-{name}",
        ENTRY,
        warm_up="harness.firmware.interpreter:warm_up",
        inputs={"program": program, "events": events},
        outputs={"scores": n_events * BYTES_PER_SCORE},
        limits=_limits(settings, n_events),
        may_raise=FAULTS,
    )
    with contextlib.ExitStack() as stack:
        early: EarlyStep | None = None
        with contextlib.suppress(EnvironmentFaultError, OSError):
            early = stack.enter_context(starting)

        def finish() -> StepResult[InterpreterReport]:
            if early is None or early.has_ended:
                return run_interpreter(workspace, settings, program, events, name=name)
            request = _request(settings, events)
            done = workspace.finish(early, InterpreterReport, request=request)
            return _checked(done, n_events, name)

        yield finish


def _request(settings: FirmwareSettings, events: Path) -> dict[str, JsonValue]:
    at_once = min(CHUNK_EVENTS, events_within(_CHUNK_BYTES, open_rows(events).shape[1:]))
    return {"n_threads": settings.n_threads, "at_once": at_once}


def _limits(settings: FirmwareSettings, n_events: int) -> Limits:
    return settings.limits(settings.trace_wall_s + n_events / _SLOWEST)


def _checked(
    done: StepResult[InterpreterReport], n_events: int, name: str
) -> StepResult[InterpreterReport]:
    if done.outputs["scores"].stat().st_size != n_events * BYTES_PER_SCORE:
        raise IntegrityError("not one score for each event", where=f"step {name}")
    return done
