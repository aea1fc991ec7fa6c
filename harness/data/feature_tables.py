"""Tables of constituents in a folder, compared with what is assumed, and with published features.

Features of the two leading jets are computed from the constituents, and compared row by row with
those of a table that was published beside them. How its N-subjettiness is normalised, and by which
axes, is not stated there: of tau the ratio and the correlation are reported, and judged by nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.challenge import Challenge, DataFile
from harness.data.constituent_tables import open_table_source, read_rows
from harness.data.level1.comparing import Comparison, Difference
from harness.data.pandas_hdf5 import PandasTable, opened_table
from harness.errors import DataError, HarnessError
from harness.files import Progress, no_progress
from harness.jets import DIJET_FEATURES, JET_FEATURES, dijet_features

# Rows of a file that are looked at: clustering takes about a millisecond an event.
N_ROWS = 5_000
# Two programs that cluster the same particles agree to rounding, unless two jets have nearly the
# same pT and change places, or a particle lies on the border of a jet.
_TOLERANCE, _SHARE = 0.01, 0.98


@dataclass(kw_only=True, slots=True)
class _Look:
    """What was found in one run."""

    differences: list[Difference] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)
    n_events: dict[str, dict[str, int]] = field(default_factory=dict)


def compare_tables(
    challenge: Challenge, folder: Path, progress: Progress = no_progress, *, n_rows: int = N_ROWS
) -> Comparison:
    """Compare the tables of a challenge in a folder with the manifest and with published features.

    Parameters
    ----------
    n_rows : int
        How many of the first rows of each file have their features compared.

    Raises
    ------
    DataError
        The folder holds none of the files.
    """
    assert challenge.columns is not None
    look = _Look()
    files = [(source, file) for file in challenge.files for source in file.sources]
    here = [pair for pair in files if (folder / pair[0].name).is_file()]
    if not here:
        names = ", ".join(sorted({source.name for source, _ in files}))
        raise DataError("it holds none of the files", where=str(folder), expected=names[:300])
    look.absent += [source.name for source, _ in files if not (folder / source.name).is_file()]
    for number, (source, file) in enumerate(here):
        progress("compare", number, len(here), "files")
        _compare_file(challenge, source, file, folder / source.name, look)
    for events, features in challenge.columns.features.items():
        if (folder / events).is_file() and (folder / features).is_file():
            _going_on(look, folder, events, features, challenge, n_rows)
        else:
            look.absent.append(features)
    return Comparison(
        challenge=challenge.name,
        root=str(folder),
        layout="pandas",
        n_events=look.n_events,
        absent=tuple(sorted(set(look.absent))),
        differences=tuple(look.differences),
        figures=look.figures,
    )


def _compare_file(
    challenge: Challenge, source: DataFile, file: DataFile, path: Path, look: _Look
) -> None:
    """Read the events of one process of a file as a fetch does."""
    try:
        opened = open_table_source(challenge, source, file, path, "sha256:" + "0" * 64)
        counts = [_count(events) for events, _ in opened.chunks]
    except HarnessError as error:
        _note(look, path, error)
        return
    n_events, total = sum(one[0] for one in counts), sum(one[1] for one in counts)
    look.n_events[file.process] = {source.part or "test": n_events}
    look.figures[f"{file.process}: constituents an event"] = total / n_events
    look.figures[f"{file.process}: most constituents"] = float(max(one[2] for one in counts))
    changed = {} if opened.reading is None else opened.reading().changed
    look.figures[f"{file.process}: events that had to be put in order"] = float(
        sum(changed.values())
    )


def _count(events: object) -> tuple[int, int, int]:
    filled = np.count_nonzero(np.asarray(events)[..., 0] > 0, axis=1)
    return len(filled), int(filled.sum()), int(filled.max(initial=0))


def _going_on(
    look: _Look, folder: Path, events: str, features: str, challenge: Challenge, n_rows: int
) -> None:
    try:
        found, published = paired_features(challenge, folder / events, folder / features, n_rows)
    except HarnessError as error:
        _note(look, folder / features, error)
        return
    look.figures[f"{features}: rows compared"] = float(len(found))
    for name, ours, theirs in zip(DIJET_FEATURES, found.T, published.T, strict=True):
        _compare_feature(look, features, name, ours, theirs)


def paired_features(
    challenge: Challenge, events: Path, features: Path, n_rows: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the computed and the published features of the first rows that both files have.

    Returns
    -------
    computed, published : float64 arrays, shape (n, 14)
        In the order of `harness.jets.DIJET_FEATURES`.

    Raises
    ------
    DataError
        The table of features has other columns, or fewer rows than the one of events.
    """
    with opened_table(features) as table, opened_table(events) as beside:
        if table.n_rows != beside.n_rows:
            raise DataError(
                f"it has {table.n_rows:,} rows",
                where=str(features),
                expected=f"{beside.n_rows:,}, as {events.name}",
                fix="compare tables of the same version of the data",
            )
        rows = slice(0, min(n_rows, table.n_rows))
        published = _published(table, rows)
    computed = dijet_features(read_rows(challenge, events, rows))
    return computed, published


def _published(table: PandasTable, rows: slice) -> NDArray[np.float64]:
    """Read the columns of the features by their names, or where they have none by their places."""
    columns = []
    for place, name in enumerate(DIJET_FEATURES):
        found = table.find(name) or table.find(place)
        if found is None:
            raise DataError(
                f"there is no column {name}",
                where=str(table.path),
                expected=f"{', '.join(DIJET_FEATURES)}, or as many columns in this order",
            )
        columns.append(table.read_column(found, rows).astype(np.float64))
    return np.stack(columns, axis=1)


def _compare_feature(
    look: _Look, file: str, name: str, ours: NDArray[np.float64], theirs: NDArray[np.float64]
) -> None:
    """Judge a momentum or a mass; report how tau compares."""
    where = f"{file}: {name}"
    if name[:-2] in JET_FEATURES[:4]:
        # Components are compared on the scale of the momentum: one that is near 0 has no own.
        scale = np.maximum(np.abs(theirs), 0.1 * np.median(np.abs(theirs)))
        share = float(np.mean(np.abs(ours - theirs) <= _TOLERANCE * scale))
        look.figures[f"{where}, share within 1 %"] = share
        if share < _SHARE:
            look.differences.append(
                Difference(
                    where=where,
                    found=f"{share:.1%} of the rows agree within 1 %",
                    expected=f"{_SHARE:.0%}: the same jets of the same constituents",
                )
            )
        return
    is_there = (ours > 0) & (theirs > 0)
    if is_there.sum() > 2:
        ratio = theirs[is_there] / ours[is_there]
        look.figures[f"{where}, median of published / computed"] = float(np.median(ratio))
        correlation = np.corrcoef(ours[is_there], theirs[is_there])[0, 1]
        look.figures[f"{where}, correlation"] = float(correlation)


def _note(look: _Look, path: Path, error: HarnessError) -> None:
    """Note what cannot be read as differences."""
    look.differences += list(_differences(path, error))


def _differences(path: Path, error: HarnessError) -> Iterator[Difference]:
    for problem in error.problems:
        where, expected = problem.where or path.name, problem.expected or "a table as described"
        yield Difference(where=where, found=problem.what, expected=expected)
