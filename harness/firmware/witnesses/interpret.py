"""Firmware scores of all events: da4ml's interpreter of the very program that becomes Verilog."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from harness.firmware.tools import require_package, step_entry
from harness.firmware.translate.program import (
    input_formats,
    load_program,
    output_format,
    pack_words,
    quantise_inputs,
)
from harness.firmware.witnesses.equality import extreme_events

if TYPE_CHECKING:
    from da4ml.types import CombLogic

__all__ = ["interpret", "interpret_events", "list_extremes", "open_events"]

# Events at once: enough to fill the threads, few enough for the float64 copy to stay small.
CHUNK_EVENTS = 65_536


@step_entry
def interpret_events(
    request: Mapping[str, JsonValue], inputs: Mapping[str, Path], outputs: Mapping[str, Path]
) -> dict[str, JsonValue]:
    """Score every event (entry of a step).

    Request: ``n_threads``. Inputs: ``program``, ``events`` (float32 .npy, any shape with events
    first). Outputs: ``scores`` (float64, one for each event); if asked for, ``words`` (uint32, the
    bits on the input port for each event).
    """
    require_package("da4ml")
    program = load_program(inputs["program"])
    events = open_events(inputs["events"])
    started = time.monotonic()
    with outputs["scores"].open("wb") as file:
        for first in range(0, len(events), CHUNK_EVENTS):
            chunk = np.asarray(events[first : first + CHUNK_EVENTS])
            interpret(program, chunk, cast("int", request["n_threads"])).tofile(file)
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


@step_entry
def list_extremes(
    _: Mapping[str, JsonValue], inputs: Mapping[str, Path], outputs: Mapping[str, Path]
) -> dict[str, JsonValue]:
    """Write events at the edges of a program's input words (entry of a step).

    Inputs: ``program``. Outputs: ``events`` (float32, rows of inputs, no header).
    """
    require_package("da4ml")
    events = extreme_events(input_formats(load_program(inputs["program"])))
    np.ascontiguousarray(events, "<f4").tofile(outputs["events"])
    return {"n_events": len(events), "n_inputs": events.shape[1]}


def open_events(path: Path) -> NDArray[np.float32]:
    """Map events from a .npy file as rows of numbers, shape (n, n_inputs)."""
    events = np.load(path, mmap_mode="r", allow_pickle=False)
    return cast("NDArray[np.float32]", events.reshape(len(events), -1))


def interpret(
    program: CombLogic, events: NDArray[np.float32], n_threads: int
) -> NDArray[np.float64]:
    """Return the scores of events by da4ml's interpreter.

    Parameters
    ----------
    program : CombLogic
        The traced network.
    events : ndarray of float32, shape (n, n_inputs)
    n_threads : int

    Returns
    -------
    ndarray of float64, shape (n,)
        Exact: whole multiples of the output's step.
    """
    if events.shape[1] != program.shape[0]:
        raise ValueError(f"{events.shape[1]} inputs, the program reads {program.shape[0]}")
    if not any(form.width for form in input_formats(program)) or not len(events):
        return np.zeros(len(events))
    return np.asarray(program.predict(events, n_threads=n_threads), np.float64).ravel()
