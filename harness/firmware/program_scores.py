"""The firmware's scores of all events, by a step; needed by every backend and by the cache."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import zstandard

from harness.errors import IntegrityError, Problem
from harness.firmware.backend import FirmwareRequest, Settings
from harness.firmware.steps import InterpretReport, StepRunner
from harness.firmware.tools import raise_fault
from harness.sandbox.step import RunStep, Step, Usage

__all__ = [
    "PROGRAM",
    "compress",
    "decompress",
    "interpret_step",
    "score_by_program",
    "score_events",
]

# Name of the kept program among the artefacts.
PROGRAM = "program.json.zst"
BYTES_PER_SCORE = 8
# The slowest interpreter that is waited for, events per second.
_SLOWEST = 10_000


def score_events(
    runner: StepRunner, program: Path, request: FirmwareRequest
) -> tuple[Path, InterpretReport] | None:
    """Score every event of a request by da4ml's interpreter; None if it has none."""
    if request.events is None:
        return None
    n_events = len(np.load(request.events, mmap_mode="r"))
    request.progress(f"scoring {n_events:,} events by the firmware's arithmetic")
    report, files = interpret_step(runner, program, request.events, n_events, "interpret")
    return files["scores"], report


def interpret_step(
    runner: StepRunner,
    program: Path,
    events: Path,
    n_events: int,
    name: str,
    n_words: int = 0,
) -> tuple[InterpretReport, Mapping[str, Path]]:
    """Interpret a program on events; with `n_words`, pack the input port's bits as well.

    Raises
    ------
    IntegrityError
        There is not one score for each event.
    """
    outputs = {"scores": n_events * BYTES_PER_SCORE}
    if n_words:
        outputs["words"] = 4 * n_words * n_events
    report, files = runner.run(
        name,
        "witnesses.interpret:interpret_events",
        InterpretReport,
        request={"n_threads": runner.request.settings.n_threads},
        inputs={"program": program, "events": events},
        outputs=outputs,
        wall_s=runner.request.settings.trace_wall_s + n_events / _SLOWEST,
    )
    if files["scores"].stat().st_size != n_events * BYTES_PER_SCORE:
        raise IntegrityError(Problem(what="not one score for each event", where=f"step {name}"))
    return report, files


def score_by_program(
    packed: Path, events: Path, *, run_step: RunStep, folder: Path
) -> tuple[Path, Usage]:
    """Score further events by firmware that was made before, from the program that it kept.

    Parameters
    ----------
    packed : Path
        The artefact `PROGRAM`.
    events : Path
        float32 .npy, events first.
    run_step : RunStep
        Runs a step in a sandbox.
    folder : Path
        Exists and is empty.

    Returns
    -------
    Path, Usage
        One little-endian float64 for each event: what the netlist computes, bit for bit; and what
        the step used.

    Raises
    ------
    HarnessError
        The step failed; see `harness.sandbox.step.RunStep`.
    """
    n_events = len(np.load(events, mmap_mode="r", allow_pickle=False))
    program = decompress(packed, folder / "program.json")
    outputs = folder / "outputs"
    outputs.mkdir()
    settings = Settings()
    step = Step(
        name="firmware-interpret",
        entry="harness.firmware.witnesses.interpret:interpret_events",
        request={"n_threads": settings.n_threads},
        inputs={"program": program, "events": events},
        outputs={"scores": n_events * BYTES_PER_SCORE},
        limits=settings.limits(settings.trace_wall_s + n_events / _SLOWEST),
    )
    result = run_step(step, outputs)
    raise_fault(result.report, "interpret")
    return result.outputs["scores"], result.usage


def compress(source: Path, target: Path) -> Path:
    """Write a file compressed by zstandard, and return where."""
    with source.open("rb") as reader, target.open("wb") as writer:
        zstandard.ZstdCompressor(level=6).copy_stream(reader, writer)
    return target


def decompress(source: Path, target: Path) -> Path:
    """Write a file that `compress` wrote as it was, and return where."""
    with source.open("rb") as reader, target.open("wb") as writer:
        zstandard.ZstdDecompressor().copy_stream(reader, writer)
    return target
