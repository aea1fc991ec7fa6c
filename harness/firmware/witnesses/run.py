"""The steps that every backend with a real design shares: translation, events, witnesses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.card.records import Agreement
from harness.firmware.parts import find_part
from harness.firmware.program_scores import BYTES_PER_SCORE, interpret_step
from harness.firmware.steps import (
    CsimReport,
    ExtremesReport,
    InterpretReport,
    ReferenceReport,
    StepRunner,
    TraceReport,
)
from harness.firmware.witnesses.equality import Witnesses, choose_events, compare
from harness.sandbox.step import GIB, MIB

__all__ = [
    "CSIM",
    "INTERPRETER",
    "KERAS",
    "MAX_FILE",
    "Bench",
    "Traced",
    "compare_csim",
    "compare_graph",
    "prepare",
    "trace",
]

MAX_FILE = GIB
INTERPRETER = "da4ml's interpreter"
KERAS = "the quantised Keras graph"
CSIM = "hls4ml's compiled C simulation"


@dataclass(frozen=True, kw_only=True, slots=True)
class Traced:
    """What translation gave; the project is None where hls4ml can't translate the network."""

    report: TraceReport
    program: Path
    layers: Path
    project: Path | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """The events that the witnesses are compared on, with the program's scores.

    Attributes
    ----------
    events : Path
        .npy: real events, then those at the edges of the words, then further real ones.
    n_ordinary, n_compared : int
        Real events before the edges; events up to the end of the edges.
    scores : ndarray of float64, shape (n,)
        Of all of them.
    words : ndarray of uint32, shape (n_compared, n_words)
    """

    events: Path
    rows: NDArray[np.float32]
    n_ordinary: int
    n_compared: int
    scores: NDArray[np.float64]
    words: NDArray[np.uint32]
    form: InterpretReport


def trace(runner: StepRunner, hls_backend: Literal["Vitis", "Vivado"] = "Vitis") -> Traced:
    """Translate the network by da4ml and by hls4ml.

    Raises
    ------
    UntranslatableError
        It can't be translated.
    """
    request, settings = runner.request, runner.request.settings
    request.progress("translating the network")
    report, files = runner.run(
        "trace",
        "translate.translator:trace_network",
        TraceReport,
        request={
            "precision": request.precision.model_dump() if request.precision else None,
            "has_hls4ml": settings.has_hls4ml,
            "hls_backend": hls_backend,
            "part": find_part(request.target.part).part,
            "clock_period_ns": request.target.clock_period_ns,
        },
        inputs={"graph": request.graph, "weights": request.weights},
        outputs={"program": MAX_FILE, "layers": MAX_FILE, "project": MAX_FILE},
        wall_s=settings.trace_wall_s,
    )
    project = files.get("project")
    has_project = project is not None and project.stat().st_size > 0
    return Traced(
        report=report,
        program=files["program"],
        layers=files["layers"],
        project=project if has_project else None,
    )


def prepare(runner: StepRunner, traced: Traced, scores: Path | None) -> Bench:
    """Choose the events that all witnesses see, and score them."""
    request, settings = runner.request, runner.request.settings
    extremes = _list_extremes(runner, traced)
    ordinary, further = extremes[:0], extremes[:0]
    if request.events is not None and scores is not None:
        all_scores = np.fromfile(scores, np.float64)
        events = np.load(request.events, mmap_mode="r").reshape(len(all_scores), -1)
        chosen = choose_events(all_scores, settings.n_witness_events, request.must_include)
        many = choose_events(all_scores, settings.n_csim_events, chosen)
        ordinary = np.asarray(events[chosen], np.float32)
        further = np.asarray(events[np.setdiff1d(many, chosen)], np.float32)
    rows = np.concatenate([ordinary, extremes, further])
    path = request.folder / "witnesses.npy"
    np.save(path, rows)
    n_words = max(1, -(-traced.report.input_bits // 32))
    form, files = interpret_step(runner, traced.program, path, len(rows), "witnesses", n_words)
    n_compared = len(ordinary) + len(extremes)
    words = np.fromfile(files["words"], "<u4").reshape(len(rows), n_words)
    return Bench(
        events=path,
        rows=rows,
        n_ordinary=len(ordinary),
        n_compared=n_compared,
        scores=np.fromfile(files["scores"], "<f8"),
        words=words[:n_compared],
        form=form,
    )


def _list_extremes(runner: StepRunner, traced: Traced) -> NDArray[np.float32]:
    report, files = runner.run(
        "extremes",
        "witnesses.interpret:list_extremes",
        ExtremesReport,
        request={},
        inputs={"program": traced.program},
        outputs={"events": 256 * MIB},
        wall_s=runner.request.settings.trace_wall_s,
    )
    return np.fromfile(files["events"], "<f4").reshape(report.n_events, report.n_inputs)


def compare_csim(runner: StepRunner, traced: Traced, bench: Bench) -> Agreement | None:
    """Compare with hls4ml's C simulation, where hls4ml translates the network."""
    request, settings = runner.request, runner.request.settings
    if traced.project is None:
        return None
    request.progress(f"compiling hls4ml's C simulation for {len(bench.rows):,} events")
    _, files = runner.run(
        "csim",
        "witnesses.csim:simulate_project",
        CsimReport,
        request={"n_processes": settings.n_threads, "timeout_s": settings.simulation_wall_s},
        inputs={"project": traced.project, "events": bench.events},
        outputs={"scores": BYTES_PER_SCORE * len(bench.rows)},
        wall_s=settings.simulation_wall_s + 60,
        has_tools=True,
    )
    layers = traced.report.da4ml_layers
    note = f"hls4ml hands {', '.join(layers)} to da4ml" if layers else ""
    return compare(
        Witnesses(names=(INTERPRETER, CSIM), is_independent=not layers, note=note),
        bench.scores,
        [np.fromfile(files["scores"], "<f8")],
        bench.rows,
    )


def compare_graph(runner: StepRunner, bench: Bench) -> tuple[Agreement, dict[str, float]]:
    """Compare with the quantised Keras graph, and see where its words overflow."""
    request, settings = runner.request, runner.request.settings
    compared = request.folder / "compared.npy"
    np.save(compared, bench.rows[: bench.n_compared])
    report, files = runner.run(
        "reference",
        "witnesses.reference:evaluate_graph",
        ReferenceReport,
        request={
            "precision": request.precision.model_dump() if request.precision else None,
            "n_ordinary": bench.n_ordinary,
        },
        inputs={"graph": request.graph, "weights": request.weights, "events": compared},
        outputs={
            "single": BYTES_PER_SCORE * bench.n_compared,
            "double": BYTES_PER_SCORE * bench.n_compared,
        },
        wall_s=settings.trace_wall_s,
    )
    single, double = (np.fromfile(files[name], "<f8") for name in ("single", "double"))
    scores = bench.scores[: bench.n_compared]
    n_rounded = int((single != scores).sum())
    note = f"float32 rounds {n_rounded} of them; float64 agrees" if n_rounded else ""
    agreement = compare(
        Witnesses(names=(INTERPRETER, KERAS), is_independent=True, note=note),
        scores,
        [double, single],
        bench.rows,
    )
    return agreement, report.overflow
