"""The firmware's scores of events: by the arithmetic of the very program that becomes Verilog.

`harness.firmware.arrays` computes them for many events at once. da4ml's own interpreter does so for
a few events, and for a program that `as_arrays` leaves to it; the scores are the same bit for bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from harness.card.figures import Count
from harness.challenge import Value, events_within
from harness.errors import IntegrityError
from harness.firmware.arrays.blocks import BLOCK_EVENTS, BlockScorer, score_blocks
from harness.firmware.arrays.program import as_arrays
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
from harness.sandbox.step import MIB, StepResult
from harness.sandbox.workspace import Workspace
from harness.submission.events import open_rows

if TYPE_CHECKING:
    from da4ml.types import CombLogic

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
        "harness.firmware.interpret:interpret_events",
        InterpreterReport,
        request={"n_threads": settings.n_threads},
        inputs={"program": program, "events": events},
        outputs=outputs,
        limits=settings.limits(settings.trace_wall_s + n_events / _SLOWEST),
        may_raise=FAULTS,
    )
    if done.outputs["scores"].stat().st_size != n_events * BYTES_PER_SCORE:
        raise IntegrityError("not one score for each event", where=f"step {name}")
    return done


# --- The step -------------------------------------------------------------------------------------


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
    if events.shape[1] != program.shape[0]:
        raise ValueError(f"{events.shape[1]} inputs, the program reads {program.shape[0]}")
    started = time.monotonic()
    score = _choose(program, len(events), request["n_threads"])
    with outputs["scores"].open("wb") as file:
        at_once = min(_CHUNK_EVENTS, events_within(_CHUNK_BYTES, events.shape[1:]))
        for first in range(0, len(events), at_once):
            score(np.asarray(events[first : first + at_once])).tofile(file)
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


def _choose(
    program: CombLogic, n_events: int, n_threads: int
) -> Callable[[NDArray[np.float32]], NDArray[np.float64]]:
    """Return what scores events, shape (n, n_inputs): whole multiples of the output's step."""
    # To translate an operation takes as long as da4ml takes for it on some thousand events.
    arrays = as_arrays(program) if n_events >= BLOCK_EVENTS else None
    if arrays is None:
        return partial(_interpret, program, n_threads=n_threads)
    return partial(score_blocks, [BlockScorer(arrays) for _ in range(max(1, n_threads))])


def _interpret(
    program: CombLogic, events: NDArray[np.float32], n_threads: int
) -> NDArray[np.float64]:
    """Return the scores of events by da4ml's interpreter."""
    if not any(form.width for form in input_formats(program)) or not len(events):
        return np.zeros(len(events))
    return np.asarray(program.predict(events, n_threads=n_threads), np.float64).ravel()
