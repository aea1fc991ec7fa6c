"""The step that interprets a program on events; `harness.firmware.interpret` asks for it.

It imports no records: they would take longer than all else of its start.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.firmware.tools import Files, Report, Request, disk_faults, require_package
from harness.firmware.translate.program import (
    check_widths,
    input_formats,
    load_program,
    output_format,
    pack_words,
    quantise_inputs,
)
from harness.submission.events import open_rows

if TYPE_CHECKING:
    from da4ml.types import CombLogic


def warm_up() -> None:
    """Do what `interpret_events` needs before any file: import da4ml."""
    # Where it is not installed, the step says so.
    with contextlib.suppress(ImportError):
        import da4ml.types  # noqa: F401 - loaded for the step


@disk_faults()
def interpret_events(request: Request, inputs: Files, outputs: Files) -> Report:
    """Score every event (entry of a step).

    Request: ``n_threads``, and ``at_once``, the events that are interpreted together. Inputs:
    ``program``, ``events`` (see `harness.submission.events`). Outputs: ``scores`` (float64, one for
    each event); if asked for, ``words`` (uint32, the bits on the input port for each event).
    """
    require_package("da4ml")
    program = load_program(inputs["program"])
    check_widths(program)
    events = open_rows(inputs["events"])
    started = time.monotonic()
    with outputs["scores"].open("wb") as file:
        at_once = request["at_once"]
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
