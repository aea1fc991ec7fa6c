"""The files of a run of a trigger: accepted events, sections, and how far the run is.

``accepted/section-N.parquet`` and ``sections/section-N.parquet`` hold a chunk of sections, of which
N is the first; ``trigger.json`` is the `TriggerRun`, written after them. The columns of the first:

========= ================== ===================================================================
section   int64              luminosity section
source    dictionary(string) where the event came from
row       int64              its position there, from 0
score     float64            exact score of the firmware; higher = more anomalous
threshold float64            that it passed
event     list of float32    all numbers of the event, flattened as the layout has them; fixed size
========= ================== ===================================================================

Those of the second are the fields of `harness.trigger.records.Section`; the interval is two
columns, ``share_low`` and ``share_high``. For each condition, such as ``npv``, lists of int64 count
events and accepted ones in its bins: ``npv_events``, ``npv_accepted``. `harness.trigger.reading`
reads them.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.challenge import Condition
from harness.errors import UsageError
from harness.files import (
    PART_SUFFIX,
    disk_fault,
    held_alone,
    make_folder,
    read_json,
    replacing,
    write_json,
)
from harness.trigger.records import Section, TriggerRun, TriggerSettings

if TYPE_CHECKING:
    import pyarrow as pa

STATE = "trigger.json"
ACCEPTED, SECTIONS = "accepted", "sections"
# A state with the names of many thousand files.
_MAX_STATE_BYTES = 64 * 1024**2


@dataclass(frozen=True, kw_only=True, slots=True)
class AcceptedEvents:
    """Some accepted events.

    Attributes
    ----------
    events : float32 array, shape (n, *layout.shape)
    sections, rows : int64 arrays, shape (n,)
    scores, thresholds : float64 arrays, shape (n,)
    sources : object array of text, shape (n,)
        Few different ones, each held once.
    """

    events: NDArray[np.float32]
    sections: NDArray[np.int64]
    rows: NDArray[np.int64]
    scores: NDArray[np.float64]
    thresholds: NDArray[np.float64]
    sources: NDArray[np.object_]

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.scores)

    def part(self, start: int, stop: int) -> AcceptedEvents:
        """Return consecutive events; nothing is copied."""
        return AcceptedEvents(
            **{one.name: getattr(self, one.name)[start:stop] for one in fields(self)}
        )

    def where(self, keep: NDArray[np.bool_]) -> AcceptedEvents:
        """Return some of the events."""
        return AcceptedEvents(**{one.name: getattr(self, one.name)[keep] for one in fields(self)})


def join_accepted(parts: Sequence[AcceptedEvents], shape: tuple[int, ...]) -> AcceptedEvents:
    """Put accepted events one after the other; `shape` is that of one event."""
    return AcceptedEvents(
        events=np.concatenate([np.zeros((0, *shape), np.float32), *(one.events for one in parts)]),
        sections=np.concatenate([np.zeros(0, np.int64), *(one.sections for one in parts)]),
        rows=np.concatenate([np.zeros(0, np.int64), *(one.rows for one in parts)]),
        scores=np.concatenate([np.zeros(0), *(one.scores for one in parts)]),
        thresholds=np.concatenate([np.zeros(0), *(one.thresholds for one in parts)]),
        sources=np.concatenate([np.zeros(0, np.object_), *(one.sources for one in parts)]),
    )


# --- writing ------------------------------------------------------------------------------------


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Make the folder of a run and hold it: no second run writes into it meanwhile.

    Raises
    ------
    UsageError
        Another run holds it, or what lies in it is a link to another place.
    EnvironmentFaultError
        It cannot be written.
    """
    locked = folder / f"{STATE}.lock"
    for each in (folder / ACCEPTED, folder / SECTIONS, locked):
        if each.is_symlink():
            raise UsageError(
                "it is a link",
                where=str(each),
                expected="a folder of harness trigger, whose files lie in it",
                fix="name another folder by --out",
            )
    for each in (folder, folder / ACCEPTED, folder / SECTIONS):
        make_folder(each)
    with held_alone(
        locked,
        what="writing into this folder",
        where=folder,
        fix="wait until it ends, or name another folder by --out",
    ):
        yield


def begin(folder: Path, settings: TriggerSettings) -> TriggerRun:
    """Return the state of a folder that is held, to go on from; a new one if it is empty.

    What a killed run left half written is removed.

    Raises
    ------
    UsageError
        The folder was begun with other settings, or something else has the name of such a file.
    """
    if not (folder / STATE).exists():
        _remove_parts(folder)
        return TriggerRun(settings=settings)
    run = read_run(folder)
    if run.settings == settings:
        _remove_parts(folder)
        return run
    before, now = run.settings.model_dump(mode="json"), settings.model_dump(mode="json")
    changed = [name for name in now if before[name] != now[name]]
    raise UsageError(
        f"the folder holds a run with another {', '.join(changed)}",
        where=str(folder),
        expected="the settings that it was begun with",
        fix="name another folder by --out, or remove this one",
    )


def _remove_parts(folder: Path) -> None:
    """Remove files of the names that `replacing` gives to those of a run, and nothing else."""
    parts = [
        *folder.glob(f"{STATE}{PART_SUFFIX}"),
        *(folder / ACCEPTED).glob(f"section-*.parquet{PART_SUFFIX}"),
        *(folder / SECTIONS).glob(f"section-*.parquet{PART_SUFFIX}"),
    ]
    for part in parts:
        if not stat.S_ISREG(part.lstat().st_mode):
            raise UsageError(
                "it is no regular file",
                where=str(part),
                expected="a file that a killed run of harness trigger left",
                fix="move it away, or name another folder by --out",
            )
    for part in parts:
        try:
            part.unlink()
        except OSError as error:
            raise disk_fault(part, error) from error


def write_chunk(
    folder: Path, accepted: AcceptedEvents, sections: Sequence[Section], run: TriggerRun
) -> None:
    """Write the files of a chunk of sections, then the state that counts them.

    Raises
    ------
    EnvironmentFaultError
        The disk is full, or not writable; the state before is kept.
    """
    name = part_name(sections[0].section)
    _write(folder / ACCEPTED / name, _accepted_table(accepted))
    _write(folder / SECTIONS / name, _sections_table(sections, run.settings.conditions))
    write_state(folder, run)


def write_state(folder: Path, run: TriggerRun) -> None:
    """Write how far a run is."""
    write_json(folder / STATE, run)


def part_name(first_section: int) -> str:
    """Name the file of a chunk by its first section; names are in the order of time.

    Examples
    --------
    >>> part_name(412)
    'section-0000000000000412.parquet'
    """
    return f"section-{first_section:016d}.parquet"


def _write(path: Path, table: pa.Table) -> None:
    from pyarrow import parquet

    with replacing(path) as part:
        parquet.write_table(table, part, compression="zstd")


def _accepted_table(accepted: AcceptedEvents) -> pa.Table:
    import pyarrow as pa

    n_values = int(np.prod(accepted.events.shape[1:]))
    flat = pa.array(np.ascontiguousarray(accepted.events, np.float32).reshape(-1), pa.float32())
    columns = {
        "section": pa.array(accepted.sections, pa.int64()),
        "source": pa.array(accepted.sources.tolist(), pa.string()).dictionary_encode(),
        "row": pa.array(accepted.rows, pa.int64()),
        "score": pa.array(accepted.scores, pa.float64()),
        "threshold": pa.array(accepted.thresholds, pa.float64()),
        "event": pa.FixedSizeListArray.from_arrays(flat, n_values),
    }
    return pa.table(columns)


def bin_column(condition: str, *, is_accepted: bool) -> str:
    """Name the column of the sections that counts events by the bins of a condition.

    Examples
    --------
    >>> bin_column("npv", is_accepted=True)
    'npv_accepted'
    """
    return f"{condition}_{'accepted' if is_accepted else 'events'}"


def _sections_table(sections: Sequence[Section], conditions: Sequence[Condition]) -> pa.Table:
    import pyarrow as pa

    def column(name: str, kind: pa.DataType) -> pa.Array:
        return pa.array([getattr(one, name) for one in sections], kind)

    whole, real = pa.int64(), pa.float64()
    kinds = {"section": whole, "n_events": whole, "n_accepted": whole, "n_kept": whole}
    columns = {name: column(name, kind) for name, kind in kinds.items()}
    columns["share"] = column("share", real)
    columns["share_low"] = pa.array([one.interval.lower for one in sections], real)
    columns["share_high"] = pa.array([one.interval.upper for one in sections], real)
    columns["threshold"] = column("threshold", real)
    columns["prescale"] = column("prescale", whole)
    for one in conditions:
        n_bins = len(one.edges) - 1
        nothing = ((0,) * n_bins, (0,) * n_bins)
        counts = np.array([each.bins.get(one.name, nothing) for each in sections], np.int64)
        for place, is_accepted in enumerate((False, True)):
            flat = pa.array(np.ascontiguousarray(counts[:, place]).reshape(-1), whole)
            columns[bin_column(one.name, is_accepted=is_accepted)] = (
                pa.FixedSizeListArray.from_arrays(flat, n_bins)
            )
    return pa.table(columns)


def read_run(folder: Path) -> TriggerRun:
    """Read the state of a folder of accepted events.

    Raises
    ------
    DataError
        It is none.
    """
    return read_json(
        folder / STATE,
        TriggerRun,
        max_bytes=_MAX_STATE_BYTES,
        expected="a folder that harness trigger wrote",
        fix="harness trigger ENTRY EVENTS... --out FOLDER",
    )


def check_same(
    one: tuple[Path, TriggerRun],
    other: tuple[Path, TriggerRun],
    names: Sequence[str],
    *,
    expected: str,
    fix: str,
) -> None:
    """Check that two folders were made with the same settings of these names.

    Raises
    ------
    UsageError
        One of them differs; `expected` and `fix` go into it.
    """
    (folder, run), (path, compared) = one, other
    for name in names:
        if getattr(compared.settings, name) != getattr(run.settings, name):
            raise UsageError(
                f"its {name} is another than that of {folder}",
                where=str(path),
                expected=expected,
                fix=fix,
            )
