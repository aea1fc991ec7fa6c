"""The step that interprets a program on events; `harness.firmware.interpret` asks for it.

It imports no records: they would take longer than all else of its start.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.firmware.arrays.blocks import BLOCK_EVENTS, block_scorers, score_blocks
from harness.firmware.arrays.program import as_arrays
from harness.firmware.tools import Files, Report, Request, disk_faults, require_package
from harness.firmware.translate.program import (
    check_widths,
    input_formats,
    load_program,
    output_format,
    pack_words,
    quantise_inputs,
    within_reach,
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
    if events.shape[1] != program.shape[0]:
        raise ValueError(f"{events.shape[1]} inputs, the program reads {program.shape[0]}")
    started = time.monotonic()
    at_once = request["at_once"]
    score = _choose(program, len(events), request["n_threads"], at_once)
    with outputs["scores"].open("wb") as file:
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
    program: CombLogic, n_events: int, n_threads: int, at_once: int
) -> Callable[[NDArray[np.float32]], NDArray[np.float64]]:
    """Return what scores events, shape (n, n_inputs): whole multiples of the output's step."""
    # To translate an operation takes as long as da4ml takes for it on some thousand events.
    arrays = as_arrays(program) if n_events >= BLOCK_EVENTS else None
    scorers = block_scorers(arrays, max(1, n_threads), at_once) if arrays else []
    if not scorers:
        return partial(_interpret, program, n_threads=n_threads)
    return partial(score_blocks, scorers)


def _interpret(
    program: CombLogic, events: NDArray[np.float32], n_threads: int
) -> NDArray[np.float64]:
    """Return the scores of events by da4ml's interpreter."""
    # A score without an operation is 0.
    if program.out_idxs[0] < 0 or not len(events):
        return np.zeros(len(events))
    given = within_reach(program, events)
    return np.asarray(program.predict(given, n_threads=n_threads), np.float64).ravel()
