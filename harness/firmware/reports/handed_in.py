"""Reports that a participant hands in: found in a folder, held against each other and the target.

What C synthesis says is evidence ``csynth``; resources and clock after routing are ``post_route``.
All of it is marked as handed in: whether it counts is the organiser's policy.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

import yaml
from pydantic import Field, JsonValue

from harness.card.files import describe_file
from harness.card.records import Figure, Firmware, NotMeasured
from harness.challenge import Evidence, Target, Value
from harness.errors import InvalidSubmissionError, Problem, UsageError
from harness.firmware.archive import pack
from harness.firmware.parts import find_part
from harness.firmware.program_scores import compress
from harness.firmware.reports.vendor import (
    MAX_REPORT_BYTES,
    Csynth,
    RoutedTiming,
    RoutedUtilisation,
    parse_csynth_rpt,
    parse_csynth_xml,
    parse_timing,
    parse_utilisation,
)
from harness.firmware.verdict import judge, nanoseconds
from harness.sandbox.step import RunStep, Step

__all__ = [
    "REPORTS",
    "HandedIn",
    "compare_models",
    "find_reports",
    "read_reports",
    "report_from_vendor",
    "with_witnesses",
]

# Name of the packed reports among the artefacts.
REPORTS = "handed_in_reports.tar.zst"
_CONFIG = "hls4ml_config.yml"
_MODELS = ("keras_model.h5", "keras_model.keras")
_MAX_FILES = 5_000
_MAX_CONFIG_BYTES = 4 * 1024**2
Parsed = TypeVar("Parsed")


@dataclass(frozen=True, kw_only=True, slots=True)
class HandedIn:
    """What a folder of reports holds.

    Attributes
    ----------
    files : tuple of Path
        The reports and the configuration that were read.
    """

    csynth: Csynth
    utilisation: RoutedUtilisation | None
    timing: RoutedTiming | None
    config: Path | None
    model: Path | None
    files: tuple[Path, ...]


class _Comparison(Value):
    """How many of the submission's weight arrays a handed-in model holds."""

    n_arrays: int = Field(ge=0)
    n_found: int = Field(ge=0)


def read_reports(
    folder: Path,
    *,
    target: Target,
    graph: Path | None = None,
    weights: Path | None = None,
    run_step: RunStep | None = None,
    work: Path | None = None,
    kept: Path | None = None,
) -> Firmware:
    """Read the reports in a folder into the firmware's record.

    Parameters
    ----------
    folder : Path
        csynth.xml or csynth.rpt; utilisation and timing after routing, if the design was routed;
        hls4ml_config.yml and the Keras model, if hls4ml made the project.
    target : Target
        The challenge's.
    graph, weights : Path, optional
        The exported network, which the Keras model is compared with.
    run_step : RunStep, optional
        Needed to read the Keras model, as that is done in a sandbox.
    work : Path, optional
        Empty folder for that step.
    kept : Path, optional
        File that the reports are packed into; it becomes an artefact of the record.

    Raises
    ------
    InvalidSubmissionError
        A report is damaged, of another design, part or version, or there are two solutions.
    """
    handed_in = find_reports(folder)
    notes = list(_check_design(handed_in, target))
    if graph is not None and weights is not None and run_step is not None and work is not None:
        notes += compare_models(handed_in.model, graph, weights, run_step, work)
    else:
        notes.append("the reports were not compared with the submission's network")
    report = report_from_vendor(handed_in, target, backend="vendor", is_handed_in=True, notes=notes)
    if kept is None:
        return report
    _pack(handed_in.files, folder, kept)
    return report.model_copy(update={"artefacts": (describe_file(kept),)})


# --- Finding --------------------------------------------------------------------------------------


def find_reports(folder: Path) -> HandedIn:
    """Find and read all reports below a folder.

    Raises
    ------
    UsageError
        There is no such folder.
    InvalidSubmissionError
        There is no report of C synthesis, or more than one solution.
    """
    if not folder.is_dir():
        raise UsageError(Problem(what="there is no such folder", where=str(folder)))
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    if len(files) > _MAX_FILES:
        raise _invalid(folder, f"{len(files)} files", f"at most {_MAX_FILES}")
    config = next((path for path in files if path.name == _CONFIG), None)
    csynth, of_synthesis = _csynth(folder, files, _project_name(config))
    utilisation, of_resources = _only(folder, files, "utilization", parse_utilisation)
    timing, of_timing = _only(folder, files, "timing", parse_timing)
    return HandedIn(
        csynth=csynth,
        utilisation=utilisation,
        timing=timing,
        config=config,
        model=next((path for path in files if path.name in _MODELS), None),
        files=(*of_synthesis, *of_resources, *of_timing, *([config] if config else [])),
    )


def _pack(files: Sequence[Path], folder: Path, kept: Path) -> None:
    """Pack files below `folder`; the same files always give the same bytes."""
    archive = kept.with_suffix("")
    pack(archive, ((path, str(Path("handed_in", path.relative_to(folder)))) for path in files))
    compress(archive, kept)


def _project_name(config: Path | None) -> str | None:
    return str(name) if (name := _config_value(config, "ProjectName")) else None


def _config_value(config: Path | None, key: str) -> object:
    """Return a top-level value of an hls4ml configuration; its tags are not resolved."""
    if config is None:
        return None
    if config.stat().st_size > _MAX_CONFIG_BYTES:
        raise _invalid(config, "it is too large", f"at most {_MAX_CONFIG_BYTES:,} bytes")

    class Loader(yaml.SafeLoader):
        """Reads plain values; what hls4ml tags, such as !keras_model, becomes text."""

    Loader.add_multi_constructor("!", lambda loader, _, node: loader.construct_scalar(node))
    try:
        content = yaml.load(config.read_text(encoding="utf-8"), Loader)  # noqa: S506 a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise _invalid(config, f"it is no readable YAML: {str(error)[:200]}") from error
    return content.get(key) if isinstance(content, dict) else None


def _csynth(
    folder: Path, files: Sequence[Path], project: str | None
) -> tuple[Csynth, tuple[Path, ...]]:
    """Read the top function's report, and say where; where both forms are there, they agree."""
    found = [path for path in files if path.name.endswith(("csynth.xml", "csynth.rpt"))]
    if not found:
        raise _invalid(folder, "there is no report of C synthesis", "csynth.xml or *_csynth.rpt")
    solutions = sorted({path.parent for path in found})
    if len(solutions) > 1:
        listed = ", ".join(str(path.relative_to(folder)) for path in solutions)
        raise _invalid(folder, f"there are two or more solutions: {listed}", "one solution")
    names = _top_names(found, project)
    paths = tuple(path for path in found if path.name in names)
    reports = [_read(path, folder) for path in paths]
    if not reports:
        raise _invalid(
            folder,
            f"none of {len(found)} reports is that of the top function",
            "csynth.xml, or hls4ml_config.yml with the project's name",
        )
    for report in reports[1:]:
        if report != reports[0]:
            raise _invalid(folder, "the reports in XML and in text are of different designs")
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
        raise _invalid(path, "it is too large", f"at most {MAX_REPORT_BYTES:,} bytes")
    return path.read_bytes()


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
        raise _invalid(folder, f"there are two {word} reports: {listed}", "one")
    if not found:
        return None, ()
    text = _content(found[0]).decode("utf-8", errors="replace")
    return parse(text, str(found[0].relative_to(folder))), tuple(found)


def _invalid(where: Path, what: str, expected: str = "") -> InvalidSubmissionError:
    return InvalidSubmissionError(
        Problem(
            what=what,
            where=where.name,
            expected=expected,
            fix="hand in one project's reports as the tool wrote them",
        )
    )


# --- Comparing ------------------------------------------------------------------------------------


def _check_design(handed_in: HandedIn, target: Target) -> Iterator[str]:
    """Hold parts and clocks against each other and against the target's."""
    csynth = handed_in.csynth
    wanted = find_part(target.part)
    parts = {"csynth": csynth.part}
    if handed_in.utilisation:
        parts["utilisation"] = handed_in.utilisation.part
    if handed_in.timing:
        parts["timing"] = handed_in.timing.part
    for name, part in parts.items():
        if not part.startswith(wanted.device):
            raise InvalidSubmissionError(
                Problem(
                    what=f"the {name} report is for {part}",
                    where="reports",
                    expected=f"the challenge's part, {wanted.part}",
                    fix="build for that part",
                )
            )
    config_part = _config_value(handed_in.config, "Part")
    if isinstance(config_part, str) and not config_part.lower().startswith(wanted.device):
        raise _invalid(Path(_CONFIG), f"it is for {config_part}", wanted.part)
    if csynth.clock_target_ns > target.clock_period_ns:
        yield (
            f"synthesised for a clock of {csynth.clock_target_ns:g} ns; the challenge's is "
            f"{target.clock_period_ns:g} ns"
        )


def compare_models(
    model: Path | None, graph: Path, weights: Path, run_step: RunStep, work: Path
) -> list[str]:
    """Compare a handed-in Keras model with the submission, weight by weight.

    Raises
    ------
    InvalidSubmissionError
        It holds none of the submission's weights: it is another design.
    """
    if model is None:
        return [
            "no Keras model stands beside the reports: that they are this network's is not shown"
        ]
    step = Step(
        name="firmware-compare",
        entry="harness.firmware.reports.handed_in:count_common_weights",
        inputs={"model": model, "graph": graph, "weights": weights},
    )
    report = _Comparison.model_validate(run_step(step, work).report)
    if report.n_arrays and not report.n_found:
        raise InvalidSubmissionError(
            Problem(
                what=f"the Keras model beside the reports holds none of the submission's "
                f"{report.n_arrays} weight arrays",
                where=model.name,
                expected="the reports of this network",
                fix="synthesise the network that is submitted",
            )
        )
    share = f"{report.n_found} of the submission's {report.n_arrays} weight arrays"
    return [f"the Keras model beside the reports holds {share}"]


def count_common_weights(
    _: Mapping[str, JsonValue], inputs: Mapping[str, Path], __: Mapping[str, Path]
) -> dict[str, JsonValue]:
    """Count the submission's weight arrays that a Keras file holds (entry of a step)."""
    own = set(_exported_arrays(inputs["graph"], inputs["weights"]))
    theirs = set(_keras_arrays(inputs["model"]))
    return {"n_arrays": len(own), "n_found": len(own & theirs)}


def _exported_arrays(graph: Path, weights: Path) -> Iterator[str]:
    """Yield a digest of each kernel and the like: arrays of more than one dimension."""
    import numpy as np

    content = weights.read_bytes()
    position = 0
    for entry in json.loads(graph.read_text())["weights"]:
        dtype = np.dtype(entry["dtype"]).newbyteorder("<")
        count = int(np.prod(entry["shape"], dtype=np.int64))
        array = np.frombuffer(content, dtype, count, position).reshape(entry["shape"])
        position += array.nbytes
        if array.ndim > 1:
            yield _array_digest(array)


def _keras_arrays(path: Path) -> Iterator[str]:
    """Yield a digest of every array of more than one dimension in an .h5 or .keras file."""
    import io
    import zipfile

    import h5py

    is_archive = zipfile.is_zipfile(path)
    source = io.BytesIO(zipfile.ZipFile(path).read("model.weights.h5")) if is_archive else path
    digests: list[str] = []

    def visit(_: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.ndim > 1:
            digests.append(_array_digest(item[()]))

    with h5py.File(source, "r") as file:
        file.visititems(visit)
    yield from digests


def _array_digest(array: object) -> str:
    import numpy as np

    values = np.ascontiguousarray(
        cast("np.ndarray[tuple[int, ...], np.dtype[np.float32]]", array), "<f4"
    )
    return hashlib.sha256(repr(values.shape).encode() + values.tobytes()).hexdigest()


# --- The record -----------------------------------------------------------------------------------


def report_from_vendor(
    handed_in: HandedIn,
    target: Target,
    *,
    backend: str,
    is_handed_in: bool,
    notes: Sequence[str],
) -> Firmware:
    """Bring a vendor's figures into the firmware's record; the worst latency and interval."""
    csynth, routed = handed_in.csynth, handed_in.utilisation
    tool = f"{'Vivado' if csynth.version.startswith('2019') else 'Vitis'} HLS {csynth.version}"
    latency = Figure(
        value=csynth.latency_cycles, evidence="csynth", source=f"{tool}, worst latency"
    )
    interval = Figure(
        value=csynth.interval_cycles, evidence="csynth", source=f"{tool}, worst interval"
    )
    period = _period(handed_in, tool)
    used: Mapping[str, int] = routed.used if routed else csynth.used
    evidence: Evidence = "post_route" if routed else "csynth"
    source = f"Vivado {routed.version}, utilisation after routing" if routed else f"{tool} estimate"
    figures: dict[str, Figure | NotMeasured] = {
        name: Figure(value=used[name], evidence=evidence, source=source)
        for name in ("lut", "ff", "dsp", "bram18")
    }
    latency_ns = nanoseconds(latency, period, "worst latency in cycles, times the clock period")
    return Firmware(
        backend=backend,
        is_handed_in=is_handed_in,
        target=target,
        latency_cycles=latency,
        interval_cycles=interval,
        clock_period_ns=period,
        latency_ns=latency_ns,
        **figures,
        other_cells={"carry8": routed.carry8} if routed else {},
        available=find_part(target.part).available,
        input_bits=NotMeasured(not_measured="not in the reports"),
        output_bits=NotMeasured(not_measured="not in the reports"),
        verdicts=judge(
            target,
            latency_ns=latency_ns,
            interval_ns=nanoseconds(interval, period, ""),
            **figures,
        ),
        notes=tuple(notes),
    )


def with_witnesses(handed_in: Firmware, made: Firmware) -> Firmware:
    """Add what was found here of the same network: its words, and who agrees on its scores.

    Timing, resources and verdicts stay the vendor's; those of the netlist that was made here are
    told in a note.
    """
    figures = ", ".join(
        f"{figure.value:g} {unit}"
        for figure, unit in (
            (made.latency_cycles, "cycles"),
            (made.clock_period_ns, "ns clock"),
            (made.lut, "LUT"),
            (made.ff, "FF"),
            (made.dsp, "DSP"),
        )
        if isinstance(figure, Figure)
    )
    return handed_in.model_copy(
        update={
            "input_bits": made.input_bits,
            "output_bits": made.output_bits,
            "overflow": made.overflow,
            "agreements": made.agreements,
            "artefacts": (*made.artefacts, *handed_in.artefacts),
            "notes": (
                *handed_in.notes,
                "the scores were computed here; no witness ran the vendor's netlist",
                f"backend {made.backend} made of the same network, by another flow: {figures}",
            ),
        }
    )


def _period(handed_in: HandedIn, tool: str) -> Figure:
    """Return the clock period that the design keeps: of the routed design, else as estimated."""
    csynth, timing = handed_in.csynth, handed_in.timing
    if timing:
        return Figure(
            value=max(timing.clock_period_ns, timing.achieved_period_ns),
            evidence="post_route",
            source=f"Vivado {timing.version}: clock of {timing.clock_period_ns:g} ns, worst slack "
            f"{timing.worst_slack_ns:g} ns",
        )
    return Figure(
        value=max(csynth.clock_target_ns, csynth.clock_estimated_ns),
        evidence="csynth",
        source=f"{tool}: target {csynth.clock_target_ns:g} ns, estimated "
        f"{csynth.clock_estimated_ns:g} ns, uncertainty {csynth.clock_uncertainty_ns:g} ns",
    )
