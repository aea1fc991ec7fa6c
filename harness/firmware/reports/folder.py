"""A folder of vendor's reports: those of the one design are found and read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from harness.errors import DataError, UsageError
from harness.files import decode_text, load_yaml, open_regular, read_bounded
from harness.firmware.reports.csynth import Csynth, parse_csynth_rpt, parse_csynth_xml
from harness.firmware.reports.routed import (
    RoutedTiming,
    RoutedUtilisation,
    parse_timing,
    parse_utilisation,
)
from harness.firmware.reports.source import MAX_REPORT_BYTES, Source

CONFIG = "hls4ml_config.yml"
_MODELS = ("keras_model.h5", "keras_model.keras")
_MAX_FILES = 5_000
_MAX_CONFIG_BYTES = 4 * 1024**2
Parsed = TypeVar("Parsed")


@dataclass(frozen=True, kw_only=True, slots=True)
class VendorReports:
    """What a folder of reports holds.

    Attributes
    ----------
    config_part : str or None
        The part that hls4ml's configuration names.
    model : Path or None
        The Keras model from which hls4ml made the project.
    files : tuple of Path
        The reports and the configuration that were read.
    """

    csynth: Csynth
    utilisation: RoutedUtilisation | None
    timing: RoutedTiming | None
    config_part: str | None
    model: Path | None
    files: tuple[Path, ...]


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
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    if len(files) > _MAX_FILES:
        raise Source(folder.name).refusal(f"{len(files)} files", f"at most {_MAX_FILES}")
    configs = [path for path in files if path.name == CONFIG][:1]
    config = _read_config(configs[0]) if configs else {}
    csynth, of_synthesis = _csynth(folder, files, _text(config, "ProjectName"))
    utilisation, of_resources = _only(folder, files, "utilization", parse_utilisation)
    timing, of_timing = _only(folder, files, "timing", parse_timing)
    return VendorReports(
        csynth=csynth,
        utilisation=utilisation,
        timing=timing,
        config_part=_text(config, "Part"),
        model=next((path for path in files if path.name in _MODELS), None),
        files=(*of_synthesis, *of_resources, *of_timing, *configs),
    )


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
        raise source.refusal(f"there are two or more solutions: {listed}", "one solution")
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


def _only(
    folder: Path, files: Sequence[Path], word: str, parse: Callable[[str, str], Parsed]
) -> tuple[Parsed | None, tuple[Path, ...]]:
    """Read the one report of a routed design whose name holds `word`, if there is one."""
    found = [
        path
        for path in files
        if word in path.name.lower() and "rout" in path.name.lower() and path.suffix == ".rpt"
    ]
    if len(found) > 1:
        listed = ", ".join(str(path.relative_to(folder)) for path in found)
        raise Source(folder.name).refusal(f"there are two {word} reports: {listed}", "one")
    if not found:
        return None, ()
    text = _content(found[0]).decode("utf-8", errors="replace")
    return parse(text, str(found[0].relative_to(folder))), tuple(found)
