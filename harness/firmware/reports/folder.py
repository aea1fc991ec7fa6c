"""A folder of vendor's reports: those of the one design are found and read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from harness.errors import DataError, UsageError
from harness.files import decode_text, load_yaml, open_regular, read_bounded
from harness.firmware.reports.csynth import Csynth, parse_csynth_rpt, parse_csynth_xml
from harness.firmware.reports.source import MAX_REPORT_BYTES, Source
from harness.firmware.reports.vivado import (
    HEAD_BYTES,
    ReportKind,
    RoutedTiming,
    Utilisation,
    kind_of,
    parse_timing,
    parse_utilisation,
)

CONFIG = "hls4ml_config.yml"
_MODELS = ("keras_model.h5", "keras_model.keras")
# hls4ml's folder of C++ in a project, and its file of words.
_FIRMWARE, _DEFINES = "firmware", "defines.h"
_MAX_FILES = 5_000
_MAX_CONFIG_BYTES = 4 * 1024**2
Parsed = TypeVar("Parsed")


@dataclass(frozen=True, kw_only=True, slots=True)
class VendorReports:
    """What a folder of reports holds.

    Attributes
    ----------
    folder : Path
        That of the project, below which all files lie.
    utilisation : Utilisation or None
        Of the routed design; else of the synthesised one.
    config_part : str or None
        The part that hls4ml's configuration names.
    model : Path or None
        The Keras model from which hls4ml made the project.
    files : tuple of Path
        The reports and the configuration that were read.
    sources : mapping of str to Path
        hls4ml's C++ beside them, by the path below its folder ``firmware``.
    """

    folder: Path
    csynth: Csynth
    utilisation: Utilisation | None
    timing: RoutedTiming | None
    config_part: str | None
    model: Path | None
    files: tuple[Path, ...]
    sources: Mapping[str, Path] = field(default_factory=dict)


def find_reports(folder: Path) -> VendorReports:
    """Find and read all reports below a folder.

    Raises
    ------
    UsageError
        There is no such folder.
    InvalidSubmissionError
        There is no report of C synthesis, or more than one solution.
    """
    if not folder.is_dir():
        raise UsageError("there is no such folder", where=str(folder))
    folder, files = _files_of(folder)
    if len(files) > _MAX_FILES:
        raise Source(folder.name).refusal(f"{len(files)} files", f"at most {_MAX_FILES}")
    configs = [path for path in files if path.name == CONFIG][:1]
    config = _read_config(configs[0]) if configs else {}
    csynth, of_synthesis = _csynth(folder, files, _text(config, "ProjectName"))
    kinds = dict(_vivado_reports(files))
    utilisation, of_resources = _utilisation(folder, kinds)
    timing, of_timing = _timing(folder, kinds)
    return VendorReports(
        folder=folder,
        csynth=csynth,
        utilisation=utilisation,
        timing=timing,
        config_part=_text(config, "Part"),
        model=next((path for path in files if path.name in _MODELS), None),
        files=(*of_synthesis, *of_resources, *of_timing, *configs),
        sources=_sources(files),
    )


def _files_of(folder: Path) -> tuple[Path, list[Path]]:
    """List the files of a folder; of one solution, also those of its project that are for all."""
    found = _regular_files(folder)
    project = folder.resolve().parent.parent
    if not folder.resolve().name.startswith("solution") or not (project / CONFIG).is_file():
        return folder, found
    of_all = [path for path in sorted(project.iterdir()) if path.is_file()]
    own = [project / path.relative_to(project) for path in _regular_files(folder.resolve())]
    return project, [*of_all, *_regular_files(project / _FIRMWARE), *own]


def _regular_files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]


def _sources(files: Sequence[Path]) -> dict[str, Path]:
    """Return the C++ of a project that says what is computed: its words, layers and weights."""
    roots = [path.parent for path in files if path.name == _DEFINES][:1]
    return {
        path.relative_to(root).as_posix(): path
        for root in roots
        for path in files
        if path.parent == root or path.parent == root / "weights"
    }


def _read_config(path: Path) -> dict[object, object]:
    """Read hls4ml's configuration as text alone; its tags, such as !keras_model, have no effect."""
    try:
        text = decode_text(read_bounded(path, _MAX_CONFIG_BYTES), source=path.name)
        content = load_yaml(text, source=path.name, as_text=True).content
    except DataError as error:
        why = error.problems[0].what
        raise Source(path.name).refusal(f"it is no readable YAML: {why[:200]}") from error
    return content if isinstance(content, dict) else {}


def _text(config: dict[object, object], key: str) -> str | None:
    value = config.get(key)
    return value if isinstance(value, str) and value else None


def _csynth(
    folder: Path, files: Sequence[Path], project: str | None
) -> tuple[Csynth, tuple[Path, ...]]:
    """Read the top function's report, and say where; where both forms are there, they agree."""
    source = Source(folder.name)
    found = [path for path in files if path.name.endswith(("csynth.xml", "csynth.rpt"))]
    if not found:
        raise source.refusal("there is no report of C synthesis", "csynth.xml or *_csynth.rpt")
    solutions = sorted({path.parent for path in found})
    if len(solutions) > 1:
        listed = ", ".join(str(path.relative_to(folder)) for path in solutions)
        raise source.refusal(
            f"there are two or more solutions: {listed}",
            "one solution",
            f"hand in the folder of one, such as {solutions[0]}; hls4ml_config.yml and the folder "
            "firmware are found above it",
        )
    names = _top_names(found, project)
    paths = tuple(path for path in found if path.name in names)
    reports = [_read(path, folder) for path in paths]
    if not reports:
        raise source.refusal(
            f"none of {len(found)} reports is that of the top function",
            "csynth.xml, or hls4ml_config.yml with the project's name",
        )
    for report in reports[1:]:
        if report != reports[0]:
            raise source.refusal("the reports in XML and in text are of different designs")
    return reports[0], paths


def _top_names(found: Sequence[Path], project: str | None) -> tuple[str, ...]:
    """Return the file names that the top function's reports may have."""
    names = {path.name for path in found}
    if project and names & {f"{project}_csynth.xml", f"{project}_csynth.rpt"}:
        return f"{project}_csynth.xml", f"{project}_csynth.rpt"
    if "csynth.xml" in names:
        return ("csynth.xml",)
    stems = {path.stem for path in found}
    return tuple(names) if len(stems) == 1 else ()


def _read(path: Path, folder: Path) -> Csynth:
    where = str(path.relative_to(folder))
    if path.suffix == ".xml":
        return parse_csynth_xml(_content(path), where)
    return parse_csynth_rpt(_content(path).decode("utf-8", errors="replace"), where)


def _content(path: Path) -> bytes:
    if path.stat().st_size > MAX_REPORT_BYTES:
        raise Source(path.name).refusal("it is too large", f"at most {MAX_REPORT_BYTES:,} bytes")
    with open_regular(path) as stream:
        return stream.read(MAX_REPORT_BYTES)


def _vivado_reports(files: Sequence[Path]) -> Iterator[tuple[Path, ReportKind]]:
    """Find Vivado's reports by their heads; those of other kinds and states are left out."""
    for path in files:
        if path.suffix == ".rpt":
            with open_regular(path) as stream:
                head = stream.read(HEAD_BYTES)
            kind = kind_of(head.decode("utf-8", errors="replace"))
            if kind is not None:
                yield path, kind


def _utilisation(
    folder: Path, kinds: Mapping[Path, ReportKind]
) -> tuple[Utilisation | None, tuple[Path, ...]]:
    """Read the utilisation of the routed design, else of the synthesised one."""
    read = list(_parsed(folder, kinds, "utilisation", parse_utilisation))
    for evidence in ("post_route", "post_synth"):
        of_it = {path: report for path, report in read if report.header.evidence == evidence}
        if of_it:
            return _only(folder, of_it, "utilisation")
    return None, ()


def _timing(
    folder: Path, kinds: Mapping[Path, ReportKind]
) -> tuple[RoutedTiming | None, tuple[Path, ...]]:
    """Read the timing summary of the routed design, else the report of its paths."""
    for kind in ("timing summary", "timing paths"):
        read = dict(_parsed(folder, kinds, kind, parse_timing))
        if read:
            return _only(folder, read, "timing")
    return None, ()


def _parsed(
    folder: Path, kinds: Mapping[Path, ReportKind], wanted: str, parse: Callable[[str, str], Parsed]
) -> Iterator[tuple[Path, Parsed]]:
    for path, kind in kinds.items():
        if kind == wanted:
            text = _content(path).decode("utf-8", errors="replace")
            yield path, parse(text, str(path.relative_to(folder)))


def _only(folder: Path, read: Mapping[Path, Parsed], word: str) -> tuple[Parsed, tuple[Path, ...]]:
    """Return the one report, or several that agree."""
    first, *others = read.values()
    if any(other != first for other in others):
        listed = ", ".join(str(path.relative_to(folder)) for path in read)
        raise Source(folder.name).refusal(
            f"there are two {word} reports that differ: {listed}",
            "reports of one design",
            "hand in the folder of one solution",
        )
    return first, tuple(read)
