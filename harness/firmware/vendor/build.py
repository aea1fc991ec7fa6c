"""Backends ``vitis`` and ``vivado``: the vendor's own tools on hls4ml's project, where installed.

What they estimate by C synthesis is evidence ``csynth``; with place and route it is ``post_route``.
The firmware's scores come from da4ml's interpreter, which hls4ml's C simulation and the Keras graph
must equal bit for bit; the vendor's tool compiles the very C++ that was simulated.

The tool runs in a sandbox like every other, without network: a licence that it needs must be a
file, unless the settings let it have the machine's name and network (`has_host_licence`). No
machine of this project has one of these tools; the backends are tested by a stand-in that writes
the reports, and fails, as the real ones do.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.card.hardware import Firmware
from harness.challenge import Value
from harness.errors import EnvironmentFaultError, IntegrityError, InvalidSubmissionError
from harness.firmware.artefacts import keep, unpack
from harness.firmware.backend import FirmwareRequest, FirmwareResult, UntranslatableError
from harness.firmware.estimate import untranslated
from harness.firmware.interpret import interpret_all
from harness.firmware.reports.folder import find_reports
from harness.firmware.reports.record import record_reports
from harness.firmware.tools import not_found
from harness.firmware.translate.hls4ml_project import PROJECT
from harness.firmware.translate.translation import Translation, Untranslated, translate
from harness.firmware.vendor.tool import REPORT_SUFFIXES
from harness.firmware.witnesses.csim import compare_csim
from harness.firmware.witnesses.events import choose_common_events
from harness.firmware.witnesses.graph import compare_graph
from harness.sandbox.step import GIB

_INSTEAD_OF_HLS = "source the settings64.sh of the tool, or use --backend rtl, which pip installs"
_INSTEAD_OF_VIVADO = "source Vivado's settings64.sh, or leave --impl out"
_LICENCE_VARIABLES = ("XILINXD_LICENSE_FILE", "LM_LICENSE_FILE")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Flow:
    """One vendor flow: which program synthesises, and how it is called."""

    backend: str
    hls_backend: Literal["Vitis", "Vivado"]
    programs: tuple[str, ...]


_VITIS = _Flow(backend="vitis", hls_backend="Vitis", programs=("vitis_hls", "vitis-run"))
_VIVADO = _Flow(backend="vivado", hls_backend="Vivado", programs=("vivado_hls",))


class VendorReport(Value):
    """Names of the reports that the vendor's tool wrote."""

    reports: tuple[str, ...]


def build_vitis(request: FirmwareRequest) -> FirmwareResult:
    """Synthesise by Vitis HLS; see `harness.firmware.backend.Backend`."""
    return _build(request, _VITIS)


def build_vivado(request: FirmwareRequest) -> FirmwareResult:
    """Synthesise by Vivado HLS; see `harness.firmware.backend.Backend`."""
    return _build(request, _VIVADO)


def require_tools(backend: str, *, has_implementation: bool) -> None:
    """Say at once, before anything that takes long, that a vendor's tool is missing.

    Raises
    ------
    EnvironmentFaultError
        It is not on PATH.
    """
    flow = {flow.backend: flow for flow in (_VITIS, _VIVADO)}.get(backend)
    if flow is not None:
        _programs(flow, has_implementation=has_implementation)


def _programs(flow: _Flow, *, has_implementation: bool) -> tuple[Path, Path | None]:
    """Find the program of C synthesis and, if it is asked for, Vivado."""
    program = _find(flow.programs, f"backend {flow.backend}", _INSTEAD_OF_HLS)
    if not has_implementation:
        return program, None
    return program, _find(("vivado",), "place and route", _INSTEAD_OF_VIVADO)


def _build(request: FirmwareRequest, flow: _Flow) -> FirmwareResult:
    program, vivado = _programs(flow, has_implementation=request.has_implementation)
    translation = translate(
        request, has_hls4ml=request.settings.has_hls4ml, hls_backend=flow.hls_backend
    )
    if isinstance(translation, Untranslated):
        return untranslated(request, translation, backend=flow.backend)
    if translation.project is None:
        raise UntranslatableError(
            f"hls4ml cannot translate the network: {translation.report.hls4ml}"
        )
    scores = interpret_all(request, translation.program)
    events = choose_common_events(request, translation, scores)
    keras_agreement, overflow = compare_graph(request, events)
    csim_agreement = compare_csim(request, translation, events)
    folder = _synthesise(request, translation.project, program, vivado)
    record = _record(request, folder, flow)
    record = record.model_copy(
        update={
            "notes": (*record.notes, *translation.report.warnings),
            "input_bits": translation.report.input_bits,
            "output_bits": translation.report.output_bits,
            "score_word": translation.report.score_word,
            "agreements": (keras_agreement, *((csim_agreement,) if csim_agreement else ())),
            "overflow": overflow,
        }
    )
    artefacts = keep(_artefacts(translation, folder), request.folder / "artefacts")
    return FirmwareResult(report=record, scores=scores, artefacts=artefacts)


def _find(programs: Sequence[str], where: str, fix: str) -> Path:
    """Return the first of the programs that is on PATH, behind its links."""
    for found in map(shutil.which, programs):
        if found:
            return Path(os.path.realpath(found))
    raise not_found(programs[0], f"{' or '.join(programs)} on PATH", fix=fix, where=where)


def _synthesise(
    request: FirmwareRequest, project: Path, program: Path, vivado: Path | None
) -> Path:
    """Run the vendor's tools, and return the folder of their reports."""
    request.progress(f"{program.name}: C synthesis" + (", place and route" if vivado else ""))
    licences = {name: os.environ[name] for name in _LICENCE_VARIABLES if name in os.environ}
    roots = [path.parent.parent for path in (program, vivado) if path]
    files = [Path(value) for value in licences.values() if Path(value).is_file()]
    done = request.run(
        "vendor",
        "vendor.tool:run_vendor_tool",
        VendorReport,
        request={
            "program": str(program),
            "vivado": str(vivado) if vivado else None,
            "licences": dict(licences),
        },
        inputs={"project": project},
        outputs={"reports": GIB},
        tools_s=request.settings.vendor_wall_s,
        memory_bytes=request.settings.vendor_memory_bytes,
        n_tools=1 if vivado is None else 2,
        more_tools=(*roots, *files),
        sees_host=request.settings.has_host_licence,
    )
    folder = request.workspace.new_folder("reports")
    unpack(done.outputs["reports"], folder)
    return folder


def _record(request: FirmwareRequest, folder: Path, flow: _Flow) -> Firmware:
    """Read the reports; what a tool of this machine leaves unreadable is the machine's fault."""
    try:
        reports = find_reports(folder)
    except InvalidSubmissionError as error:
        raise EnvironmentFaultError(
            f"{flow.programs[0]} left no usable report",
            where=str(error.problems[0]),
            fix="look at the tool's log in the build folder",
        ) from error
    csynth = reports.csynth
    if csynth.top != PROJECT:
        raise IntegrityError(
            f"the report is of {csynth.top}, not of {PROJECT}", where=f"backend {flow.backend}"
        )
    notes = ["latency counts neither the chip's inputs nor its outputs"]
    if request.settings.has_host_licence:
        notes.append("the vendor's tool had the machine's name and network, for its licence")
    asked = request.choices.largest_reuse
    if csynth.interval_cycles != asked:
        notes.append(
            f"the tool scheduled an initiation interval of {csynth.interval_cycles}; "
            f"{asked} was asked for"
        )
    return record_reports(
        reports, request.target, backend=flow.backend, is_handed_in=False, notes=notes
    )


def _artefacts(translation: Translation, reports: Path) -> dict[str, Path]:
    found = (path for path in sorted(reports.rglob("*")) if path.suffix in REPORT_SUFFIXES)
    return {**translation.artefacts(), **{path.name: path for path in found}}
