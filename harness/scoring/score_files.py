"""Scores from a file: one number for each public test event, read in a sandbox.

The file may be NumPy's (npy, npz), HDF5, Parquet or CSV. What it is, its first bytes say. Its
scores are called ``score`` or ``scores`` and its ids, where it has some, ``id`` or ``ids``; scores
that stand alone may have any name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue, NonNegativeInt

from harness.challenge import Value
from harness.errors import InvalidSubmissionError, UsageError
from harness.files import open_regular
from harness.sandbox.scores import BYTES_PER_SCORE
from harness.sandbox.step import GIB, MIB, Limits

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.sandbox import Workspace

FORMATS = "npy, npz, HDF5, Parquet or CSV"
MAX_FILE_BYTES = 2 * GIB
_SCORES, _IDS = ("scores", "score"), ("ids", "id")
_LIMITS = Limits(wall_s=300.0, memory_bytes=8 * GIB, scratch_bytes=MIB, log_bytes=MIB)
_NAMED, _MAX_TEXT = 5, 80


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreTable:
    """Scores as a file has them, and their ids; None where they are in the published order."""

    scores: NDArray[np.float64]
    ids: NDArray[np.int64] | None


class ScoreFileReport(Value):
    """What `read_step` reports."""

    n_scores: NonNegativeInt
    has_ids: bool


def read_score_file(path: Path, n_events: int, workspace: Workspace) -> ScoreTable:
    """Read a file of scores in a sandbox.

    Parameters
    ----------
    path : Path
        Whoever wrote it.
    n_events : int
        How many scores there must be.

    Raises
    ------
    InvalidSubmissionError
        It holds no scores that can be read, or not as many.
    """
    import numpy as np

    check_score_file(path)
    n_bytes = BYTES_PER_SCORE * n_events
    try:
        found = workspace.run(
            "read-scores",
            "harness.scoring.score_files:read_step",
            ScoreFileReport,
            request={"n_events": n_events},
            inputs={"file": path.resolve()},
            outputs={"scores": n_bytes, "ids": n_bytes},
            limits=_LIMITS,
        )
    except InvalidSubmissionError as error:
        problems = (replace(problem, where=str(path)) for problem in error.problems)
        raise InvalidSubmissionError(*problems) from error
    scores = np.frombuffer(found.outputs["scores"].read_bytes(), "<f8").astype(np.float64)
    ids = None
    if found.report.has_ids:
        ids = np.frombuffer(found.outputs["ids"].read_bytes(), "<i8").astype(np.int64)
    return ScoreTable(scores=scores, ids=ids)


def check_score_file(path: Path) -> None:
    """Look at a file of scores from outside, before any work is done.

    Raises
    ------
    UsageError
        It is not there.
    InvalidSubmissionError
        It is no file of a size that can be.
    """
    try:
        n_bytes = path.stat().st_size
        open_regular(path).close()
    except OSError as error:
        raise UsageError(
            error.strerror or str(error), where=str(path), expected=f"a file: {FORMATS}"
        ) from error
    if not 0 < n_bytes <= MAX_FILE_BYTES:
        raise InvalidSubmissionError(
            f"it has {n_bytes:,} bytes", where=str(path), expected=f"1 to {MAX_FILE_BYTES:,}"
        )


def read_step(
    request: Mapping[str, JsonValue], inputs: Mapping[str, Path], outputs: Mapping[str, Path]
) -> dict[str, JsonValue]:
    """Read a file of scores (entry of a step).

    Inputs: ``file``. Outputs: ``scores``, little-endian float64, and ``ids``, int64, empty where
    there are none.
    """
    import numpy as np

    n_events = request["n_events"]
    assert isinstance(n_events, int)
    with inputs["file"].open("rb") as stream:
        read = _format_of(stream.read(8))
    try:
        columns = read(inputs["file"])
    except InvalidSubmissionError:
        raise
    except Exception as error:
        said = (str(error).partition("\n")[0] or type(error).__name__)[:200]
        raise _wrong(f"it cannot be read: {said}", FORMATS) from error
    scores, ids = _chosen(columns)
    for values, kinds, what in ((scores, "fiu", "scores"), (ids, "iu", "ids")):
        if values is None:
            continue
        if values.ndim != 1 or values.dtype.kind not in kinds:
            expected = "whole numbers" if what == "ids" else "one number for each event"
            raise _wrong(f"{what} of shape {values.shape} and type {values.dtype}", expected)
        if len(values) != n_events:
            raise _wrong(
                f"{len(values):,} {what}",
                f"{n_events:,}, one for each event of harness.data.test_events(challenge)",
            )
    assert scores is not None
    outputs["scores"].write_bytes(scores.astype("<f8").tobytes())
    outputs["ids"].write_bytes(b"" if ids is None else ids.astype("<i8").tobytes())
    return {"n_scores": int(np.size(scores)), "has_ids": ids is not None}


def _format_of(head: bytes) -> Callable[[Path], dict[str, NDArray[Any]]]:
    """Return the reader of a file that begins with `head`."""
    for magic, read in _MAGIC.items():
        if head.startswith(magic):
            return read
    return _csv


def _chosen(columns: Mapping[str, NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Choose scores and ids among the columns of a file."""
    folded = {name.strip().lower(): name for name in columns}
    ids = next((folded[name] for name in _IDS if name in folded), None)
    scores = next((folded[name] for name in _SCORES if name in folded), None)
    others = [name for name in columns if name != ids]
    if scores is None and len(others) == 1:
        scores = others[0]
    if scores is None:
        held = ", ".join(name[:_MAX_TEXT] for name in list(columns)[:_NAMED]) or "nothing"
        raise _wrong(f"it holds {held}", "scores called `scores`, and perhaps `ids`")
    return columns[scores], None if ids is None else columns[ids]


def _npy(path: Path) -> dict[str, NDArray[Any]]:
    import numpy as np

    with path.open("rb") as stream:
        return {"scores": np.load(stream, allow_pickle=False)}


def _npz(path: Path) -> dict[str, NDArray[Any]]:
    import numpy as np

    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
        return {name: file[name] for name in _wanted(file.files)}


def _hdf5(path: Path) -> dict[str, NDArray[Any]]:
    import h5py
    import numpy as np

    with h5py.File(path, "r", locking=False) as file:
        names = [name for name in file if isinstance(file.get(name), h5py.Dataset)]
        return {name: np.asarray(file[name][()]) for name in _wanted(names)}


def _parquet(path: Path) -> dict[str, NDArray[Any]]:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        table = file.read(columns=_wanted(file.schema_arrow.names))
    return {name: table[name].to_numpy() for name in table.column_names}


def _csv(path: Path) -> dict[str, NDArray[Any]]:
    """Read a CSV file, with a line of names or, if that is all numbers, without."""
    import pandas as pd

    with path.open(encoding="utf-8") as stream:
        first = stream.readline(4096).strip().split(",")
    has_names = not all(map(_is_number, first))
    table = pd.read_csv(path, header=0 if has_names else None, skipinitialspace=True)
    if not has_names:
        names = {1: ["scores"], 2: ["ids", "scores"]}.get(len(first))
        if names is None:
            raise _wrong(f"{len(first)} columns without names", "a first line such as id,score")
        table.columns = pd.Index(names)
    return {str(name): table[name].to_numpy() for name in table.columns}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _wanted(names: list[str]) -> list[str]:
    """Leave out what is neither scores nor ids, where there are such."""
    known = [name for name in names if name.strip().lower() in {*_SCORES, *_IDS}]
    has_scores = any(name.strip().lower() in _SCORES for name in known)
    return known if has_scores else names[: _NAMED + 1]


_MAGIC: dict[bytes, Callable[[Path], dict[str, NDArray[Any]]]] = {
    b"\x93NUMPY": _npy,
    b"PK\x03\x04": _npz,
    b"\x89HDF": _hdf5,
    b"PAR1": _parquet,
}


def _wrong(what: str, expected: str) -> InvalidSubmissionError:
    return InvalidSubmissionError(
        what,
        expected=expected,
        fix='numpy.savez("scores.npz", scores=...), a number for each event of test_events',
    )
