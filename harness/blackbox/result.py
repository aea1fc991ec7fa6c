"""The challenge's result file ``<team>.h5``: written, read by a step, and checked.

References
----------
The result files of the challenge's own repository, mpp-hep/ADC2021-results.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.blackbox.box import Box, find_box
from harness.blackbox.reading import ATTRIBUTES, MAX_IDS, RESULT, ResultReport
from harness.card.run import IsolationKind
from harness.data.cache import cache_root
from harness.data.hdf5_writer import replacing_hdf5
from harness.data.locks import sharing
from harness.data.manifest import load_manifest
from harness.errors import InvalidSubmissionError, Problem, UsageError
from harness.files import check_new
from harness.sandbox import Workspace, open_tried_workspace
from harness.sandbox.step import GIB, MIB, Limits

# A million ids are 8 MB before they are packed.
MAX_RESULT_BYTES = 16 * MIB
_LIMITS = Limits(
    wall_s=60.0, cpu_s=60.0, memory_bytes=GIB, n_processes=64, scratch_bytes=MIB, log_bytes=MIB
)
UNITS = {"FLOPs": "", "Device": "", "Latency": "µs", "DSP": "%", "LUT": "%", "FF": "%", "BRAM": "%"}
SELF_DECLARED = "self-declared by the team, not checked"
_SHOWN = 5

DeclaredFigures = Mapping[str, int | float | str]


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultFile:
    """A result as it was read.

    Attributes
    ----------
    team : str
        The file's name without its ending.
    ids : int64 array
        ``EvtId`` of the chosen events, in the file's order.
    declared : mapping of attribute to number or text
        Self-declared; attributes that are not there are missing.
    remarks : tuple of str
        What else is in the file, or not as it should be.
    """

    team: str
    ids: NDArray[np.int64]
    declared: DeclaredFigures
    remarks: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultCheck:
    """What is wrong with a result.

    Attributes
    ----------
    faults : tuple of Problem
        Each of them rules the result out.
    remarks : tuple of str
        What a reader should know; nothing is scored by them.
    """

    faults: tuple[Problem, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportedResult:
    """A result file, the box that it was compared with, and what is wrong with it."""

    result: ResultFile
    box: Box
    check: ResultCheck

    def as_dict(self) -> dict[str, object]:
        """Turn it into plain values."""
        return {
            "team": self.result.team,
            "blackbox": self.box.title,
            "n_events": self.box.n_events,
            "n_allowed": self.box.n_allowed,
            "n_named": len(self.result.ids),
            "ids": self.result.ids.tolist(),
            "self_declared": dict(self.result.declared),
            "is_valid": not self.check.faults,
            "faults": [str(problem) for problem in self.check.faults],
            "remarks": list(self.check.remarks),
        }


def import_result(
    path: Path,
    *,
    challenge: str = "adc2021",
    blackbox: Path | None = None,
    manifests: Sequence[Path] = (),
    cache: Path | None = None,
    isolation: IsolationKind = "bwrap",
) -> ImportedResult:
    """Read a result file and find everything that is wrong with it.

    Parameters
    ----------
    path : Path
        ``<team>.h5``.
    challenge : str
        Whose black box it answers.
    blackbox : Path, optional
        The file of the box; else that of the challenge, if it was fetched.

    Raises
    ------
    InvalidSubmissionError
        No list of ids can be read from it.
    """
    rules = load_manifest(*manifests).challenge(challenge)
    box = find_box(rules, blackbox, cache)
    with open_tried_workspace(isolation, cache_root(cache)) as workspace:
        result = read_result_file(path, workspace)
    return ImportedResult(result=result, box=box, check=check_result(result, box))


def read_result_file(path: Path, workspace: Workspace) -> ResultFile:
    """Read a result file in a sandbox.

    Raises
    ------
    InvalidSubmissionError
        It is too large, no regular file, or holds no list of ids.
    UsageError
        There is no such file.
    DataError
        Another program has it open for writing.
    """
    _check_file(path)
    try:
        with sharing(path):
            found = workspace.run(
                "read-result",
                "harness.blackbox.reading:read_result",
                ResultReport,
                inputs={"result": path},
                outputs={"ids": 8 * MAX_IDS},
                limits=_LIMITS,
            )
    except InvalidSubmissionError as error:
        problems = (replace(problem, where=str(path)) for problem in error.problems)
        raise InvalidSubmissionError(*problems) from error
    declared = found.report.declared
    return ResultFile(
        team=path.stem,
        ids=np.frombuffer(found.outputs["ids"].read_bytes(), "<i8").astype(np.int64),
        declared={name: value for name, value in declared.items() if name in ATTRIBUTES},
        remarks=found.report.remarks,
    )


def _check_file(path: Path) -> None:
    try:
        found = path.lstat()
    except OSError as error:
        raise UsageError(error.strerror or str(error), where=str(path)) from error
    if not stat.S_ISREG(found.st_mode):
        raise InvalidSubmissionError(
            "it is a link, a folder or no file", where=str(path), expected="a file"
        )
    if not 0 < found.st_size <= MAX_RESULT_BYTES:
        raise InvalidSubmissionError(
            f"it has {found.st_size:,} bytes",
            where=str(path),
            expected=f"1 to {MAX_RESULT_BYTES:,}: a list of ids is small",
            fix="submit only the ids of the chosen events",
        )


def check_result(result: ResultFile, box: Box) -> ResultCheck:
    """Find everything that is wrong with a result.

    Faults are: more ids than the rate allows, an id twice, one that is not in the box, none.
    Figures that the team declared are never a fault: nothing is scored by them.
    """
    return ResultCheck(
        faults=tuple(_faults(result, box)),
        remarks=(*result.remarks, *_id_remarks(result, box), *_declared_remarks(result, box)),
    )


def _faults(result: ResultFile, box: Box) -> Iterator[Problem]:
    where = f"{result.team}.h5, {RESULT}"
    n_ids, n_allowed = len(result.ids), box.n_allowed
    if n_ids == 0:
        yield Problem(what="it names no event", where=where, expected=f"1 to {n_allowed:,} ids")
    if n_ids > n_allowed:
        yield Problem(
            what=f"it names {n_ids:,} events, {n_ids / max(n_allowed, 1):.3g} times as many as "
            f"are allowed: a rate of {n_ids / box.n_events:.3g}",
            where=where,
            expected=f"at most {n_allowed:,}: {box.working_point:g} of {box.n_events:,}",
            fix="name the events of the highest scores alone; a longer list has no order from "
            "which they could be taken",
        )
    values, counts = np.unique(result.ids, return_counts=True)
    repeated = values[counts > 1]
    if len(repeated):
        yield Problem(
            what=f"{len(repeated):,} ids are named more than once: {_first(repeated)}",
            where=where,
            expected="each id once",
        )
    unknown = values[values < 0] if box.ids is None else values[~np.isin(values, box.ids)]
    if len(unknown):
        yield Problem(
            what=f"{len(unknown):,} ids are of no event of {box.title}: {_first(unknown)}",
            where=where,
            expected="values of EvtId of the published black box",
            fix="take the ids from the file's EvtId, not from the position in another array",
        )


def _first(ids: NDArray[np.int64]) -> str:
    more = ", ..." if len(ids) > _SHOWN else ""
    return ", ".join(str(one) for one in ids[:_SHOWN].tolist()) + more


def _id_remarks(result: ResultFile, box: Box) -> Iterator[str]:
    if box.ids is None:
        yield (
            f"whether the ids are of {box.title} was not checked: the box is not here (give "
            "--blackbox FILE, or harness fetch CHALLENGE --with-blackbox)"
        )
    if 0 < len(result.ids) < box.n_allowed:
        yield f"{len(result.ids):,} of the {box.n_allowed:,} events that are allowed are named"


def _declared_remarks(result: ResultFile, box: Box) -> Iterator[str]:
    """Say what cannot be right about the figures that the team declares."""
    missing = [name for name in ATTRIBUTES if name not in result.declared]
    if missing:
        yield f"not declared: {', '.join(missing)}"
    zero = [
        name
        for name, value in result.declared.items()
        if value == 0 and name not in {"Device", "DSP", "BRAM"}
    ]
    if zero:
        yield f"declared as 0, which no firmware is: {', '.join(zero)}"
    for name, value in result.declared.items():
        if name == "Device":
            if not isinstance(value, str) or not value.strip():
                yield f"Device is {value!r}, not the name of a part"
        elif isinstance(value, str):
            yield f"{name} is {value!r}, not a number"
        elif value < 0:
            yield f"{name} is {value:g}: negative"
        elif UNITS[name] == "%" and value > 100:
            yield f"{name} is {value:g} % of the device: more than all of it"
        elif name == "Latency" and box.max_latency_us and value > box.max_latency_us:
            yield (
                f"Latency is {value:g} µs, over the challenge's limit of "
                f"{box.max_latency_us:g} µs; the attribute is in µs, not ns"
            )


def write_result(path: Path, ids: NDArray[np.int64], declared: DeclaredFigures) -> None:
    """Write a result file, whole or not at all.

    Parameters
    ----------
    ids : int64 array
        ``EvtId`` of the chosen events; written in rising order, which shows nothing of the scores.
    declared : mapping of attribute to number or text
        One for each of `ATTRIBUTES`.

    Raises
    ------
    UsageError
        The file exists.
    EnvironmentFaultError
        It cannot be written.
    """
    check_new(path)
    with replacing_hdf5(path) as file:
        file.create_dataset(
            RESULT, data=np.sort(ids).astype("<i8"), compression="gzip", track_times=False
        )
        for name in ATTRIBUTES:
            file.attrs[name] = declared[name]
