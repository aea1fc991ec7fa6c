"""The firmware's scores of events: da4ml's interpreter of the very program that becomes Verilog."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from harness.card.figures import Count
from harness.challenge import Value, events_within
from harness.errors import IntegrityError
from harness.firmware.artefacts import decompress
from harness.firmware.backend import FAULTS, Amount, FirmwareRequest, FirmwareSettings
from harness.firmware.tools import Files, Report, Request, disk_faults, require_package
from harness.firmware.translate.program import (
    check_widths,
    input_formats,
    load_program,
    output_format,
    pack_words,
    quantise_inputs,
)
from harness.sandbox.step import MIB, Limits, StepResult
from harness.sandbox.workspace import Workspace
from harness.submission.events import open_rows

if TYPE_CHECKING:
    from da4ml.types import CombLogic

ENTRY = "harness.firmware.interpret:interpret_events"
BYTES_PER_SCORE = 8
# The slowest interpreter that is waited for, events per second.
_SLOWEST = 10_000
# Events at once: enough to fill the threads, few enough for the float64 copy to stay small.
_CHUNK_EVENTS = 65_536
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
        request={"n_threads": settings.n_threads},
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
    with workspace.start(
        f"firmware-{name}",
        ENTRY,
        warm_up="harness.firmware.interpret:warm_up",
        inputs={"program": program, "events": events},
        outputs={"scores": n_events * BYTES_PER_SCORE},
        limits=_limits(settings, n_events),
        may_raise=FAULTS,
    ) as early:

        def finish() -> StepResult[InterpreterReport]:
            if early.has_ended:
                return run_interpreter(workspace, settings, program, events, name=name)
            request = {"n_threads": settings.n_threads}
            done = workspace.finish(early, InterpreterReport, request=request)
            return _checked(done, n_events, name)

        yield finish


def _limits(settings: FirmwareSettings, n_events: int) -> Limits:
    return settings.limits(settings.trace_wall_s + n_events / _SLOWEST)


def _checked(
    done: StepResult[InterpreterReport], n_events: int, name: str
) -> StepResult[InterpreterReport]:
    if done.outputs["scores"].stat().st_size != n_events * BYTES_PER_SCORE:
        raise IntegrityError("not one score for each event", where=f"step {name}")
    return done


# --- The step -------------------------------------------------------------------------------------


def warm_up() -> None:
    """Do what `interpret_events` needs before any file: import da4ml."""
    # Where it is not installed, the step says so.
    with contextlib.suppress(ImportError):
        import da4ml.types  # noqa: F401 - loaded for the step


@disk_faults()
def interpret_events(request: Request, inputs: Files, outputs: Files) -> Report:
    """Score every event (entry of a step).

    Request: ``n_threads``. Inputs: ``program``, ``events`` (see `harness.submission.events`).
    Outputs: ``scores`` (float64, one for each event); if asked for, ``words`` (uint32, the bits on
    the input port for each event).
    """
    require_package("da4ml")
    program = load_program(inputs["program"])
    check_widths(program)
    events = open_rows(inputs["events"])
    started = time.monotonic()
    with outputs["scores"].open("wb") as file:
        at_once = min(_CHUNK_EVENTS, events_within(_CHUNK_BYTES, events.shape[1:]))
        for first in range(0, len(events), at_once):
            chunk = np.asarray(events[first : first + at_once])
            _interpret(program, chunk, request["n_threads"]).tofile(file)
    seconds = time.monotonic() - started
    if "words" in outputs:
        formats = input_formats(program)
        pack_words(quantise_inputs(np.asarray(events), formats), formats).tofile(outputs["words"])
    form = output_format(program)
    return {
        "n_events": len(events),
        "seconds": seconds,
        "step": form.step,
        "is_signed": form.is_signed,
        "width": form.width,
    }


def _interpret(
    program: CombLogic, events: NDArray[np.float32], n_threads: int
) -> NDArray[np.float64]:
    """Return the scores of events, shape (n,): exact, whole multiples of the output's step."""
    if events.shape[1] != program.shape[0]:
        raise ValueError(f"{events.shape[1]} inputs, the program reads {program.shape[0]}")
    if not any(form.width for form in input_formats(program)) or not len(events):
        return np.zeros(len(events))
    return np.asarray(program.predict(events, n_threads=n_threads), np.float64).ravel()
