"""A data set of the release, opened for the cache."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.challenge import PARTS, Challenge, DataFile, Part, ReadingRules
from harness.data.beside import Algorithms, conditions_of, has_algorithms
from harness.data.cache_record import ReadingReport
from harness.data.event_source import EventSource
from harness.data.level1.bits import transpose_bits
from harness.data.level1.columns import COLLECTIONS, MENU, PART_NAMES, SEEDS
from harness.data.level1.disk import Disk, find_disk
from harness.data.level1.events import Decoder
from harness.data.level1.streams import (
    GET_ANOTHER,
    Chunk,
    bits_of,
    check_rows,
    lists_of,
    numbers_of,
    read_chunks,
    texts_of,
)
from harness.data.read_ahead import ahead
from harness.errors import DataError

# Numbers beside the events are decoded many at a time: no event is made of them.
_BESIDE_ROWS = 262_144
_SEED_ROWS = 32_768


def open_data_set(
    challenge: Challenge, file: DataFile, root: Path, parts: Sequence[Part]
) -> EventSource:
    """Read everything of a data set but its events, which are read later, chunk by chunk.

    Parameters
    ----------
    root : Path
        Folder of the files, in either layout of the release.
    parts : sequence of str
        Those that are read; the data set has them.

    Raises
    ------
    DataError
        Files are missing, damaged, out of step, or not what the release says; or hold other numbers
        of events than the manifest says.
    """
    disk = find_disk(root)
    rules = challenge.source.reading if challenge.source is not None else ReadingRules()
    opened = [_open_part(challenge, file, disk, part) for part in PARTS if part in parts]
    report = _Report(sources=opened)
    decoder = Decoder(layout=challenge.layout, rules=rules)
    conditions = {
        condition.name: [one.numbers[condition.column][one.is_kept] for one in opened]
        for condition in conditions_of(challenge, file)
    }
    return EventSource(
        chunks=ahead((events, None) for one in opened for events in _read(one, decoder)),
        n_events=sum(one.n_kept for one in opened),
        checksum=None,
        menu=None
        if challenge.menu is None
        else np.concatenate([one.numbers[challenge.menu][one.is_kept] for one in opened]),
        conditions={
            name: (values.astype(np.float64) for values in several)
            for name, several in conditions.items()
        },
        algorithms=_algorithms(challenge, file, opened),
        parts=np.concatenate(
            [np.full(one.n_kept, PARTS.index(one.part), np.int8) for one in opened]
        ),
        reading=lambda: report.of(decoder.counts),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    """One part of a data set, and what is known of each of its events before any is decoded."""

    data_set: str
    part: Part
    disk: Disk
    n_rows: int
    is_kept: NDArray[np.bool_]
    # By which rules events are left out, and how many by each.
    left_out: Counter[str]
    numbers: dict[str, NDArray[Any]]

    @property
    def n_kept(self) -> int:
        return int(np.count_nonzero(self.is_kept))


@dataclass(kw_only=True, slots=True)
class _Report:
    sources: list[_Part] = field(default_factory=list)

    def of(self, counts: Counter[str]) -> ReadingReport:
        """Say what was read, once all events are decoded."""
        left_out: Counter[str] = Counter()
        for one in self.sources:
            left_out += one.left_out
        return ReadingReport(
            n_read={one.part: one.n_rows for one in self.sources},
            layout=self.sources[0].disk.layout,
            left_out=dict(left_out),
            changed={name: count for name, count in sorted(counts.items()) if count},
        )


def _open_part(challenge: Challenge, file: DataFile, disk: Disk, part: Part) -> _Part:
    rules = challenge.source.reading if challenge.source is not None else ReadingRules()
    every = disk.streams(file.name, part)
    columns = _beside(challenge, file, rules)
    streams = disk.beside(file.name, part, columns)
    checked = [*every, *streams]
    if has_algorithms(challenge, file):
        checked.append(disk.seeds(file.name, part)[0])
    n_rows = check_rows(checked)
    expected = file.part_events.get(part)
    if expected is not None and n_rows != expected:
        raise DataError(
            f"its part {PART_NAMES[part]} holds {n_rows:,} events",
            where=f"{disk.root}, data set {file.name}",
            expected=f"{expected:,}, as the manifest says",
            fix="get the files of the right release, or state the number in a manifest of your own",
        )
    found = _read_beside(challenge, file, part, read_chunks(streams, _BESIDE_ROWS), columns)
    is_out: dict[str, NDArray[np.bool_]] = {
        f"{column} = {value}": found[column] == value for column, value in rules.drop_marked.items()
    }
    is_out |= {
        f"{kind} of {code} or more": found[_pt_column(kind)] >= code
        for kind, code in rules.drop_saturated.items()
    }
    is_kept = ~np.logical_or.reduce([np.zeros(n_rows, np.bool_), *is_out.values()])
    left_out = Counter({rule: int(np.count_nonzero(out)) for rule, out in is_out.items()})
    left_out["in all"] = n_rows - int(np.count_nonzero(is_kept))
    if not is_kept.any():
        raise DataError(
            "every event is left out by the rules for reading",
            where=f"{disk.root}, data set {file.name}, part {PART_NAMES[part]}",
            expected="events that are kept",
            fix="look at `source.reading` in the manifest, and at the file",
        )
    wanted = {challenge.menu, *(one.column for one in conditions_of(challenge, file))}
    return _Part(
        data_set=file.name,
        part=part,
        disk=disk,
        n_rows=n_rows,
        is_kept=is_kept,
        left_out=left_out,
        numbers={name: values for name, values in found.items() if name in wanted},
    )


def _pt_column(kind: str) -> str:
    one = next(one for one in COLLECTIONS if one.kind == kind)
    return one.column(one.branches["pt"])


def _beside(challenge: Challenge, file: DataFile, rules: ReadingRules) -> list[str]:
    """List the columns that are read before the events are."""
    names = [
        *([] if challenge.menu is None else [challenge.menu]),
        *(condition.column for condition in conditions_of(challenge, file)),
        *rules.drop_marked,
        *(_pt_column(kind) for kind in rules.drop_saturated),
        "split",
    ]
    return list(dict.fromkeys(names))


def _read_beside(
    challenge: Challenge, file: DataFile, part: Part, chunks: Iterator[Chunk], columns: list[str]
) -> dict[str, NDArray[Any]]:
    """Read columns of one number for each event, shape (n,) each."""
    found: dict[str, list[NDArray[Any]]] = {name: [] for name in columns}
    of_sums = {_pt_column(one.kind) for one in COLLECTIONS}
    for chunk in chunks:
        for name in columns:
            if name == "split":
                _check_split(chunk, file, part)
            elif name == challenge.menu:
                found[name].append(numbers_of(chunk, name, "b"))
            elif name in of_sums:
                found[name].append(_largest(chunk, name))
            else:
                found[name].append(_finite(chunk, name))
    return {name: np.concatenate(several) for name, several in found.items() if several}


def _largest(chunk: Chunk, name: str) -> NDArray[np.int64]:
    """Return the largest code of each event; 0 where there is none."""
    counts, values = lists_of(chunk, name, "iu")
    largest = np.zeros(chunk.n_rows, np.int64)
    is_filled = counts > 0
    if is_filled.any():
        begins = (np.cumsum(counts) - counts)[is_filled]
        largest[is_filled] = np.maximum.reduceat(values, begins)
    return largest


def _finite(chunk: Chunk, name: str) -> NDArray[Any]:
    values = numbers_of(chunk, name, "iuf")
    is_bad = ~np.isfinite(values)
    if is_bad.any():
        row = int(np.argmax(is_bad))
        raise chunk.wrong(name, row, f"it is {values[row]}", "a number", GET_ANOTHER)
    return values


def _check_split(chunk: Chunk, file: DataFile, part: Part) -> None:
    """Refuse files of another part: each row says its own."""
    said = texts_of(chunk, "split")
    if set(said) != {PART_NAMES[part]}:
        raise chunk.wrong(
            "split",
            None,
            f"it says {', '.join(map(str, said[:3]))}",
            f"{PART_NAMES[part]}: the part of {file.name} that is read",
            "put each file into the folder of its part, under its own name",
        )


def _read(one: _Part, decoder: Decoder) -> Iterator[NDArray[np.float32]]:
    """Give the events that are kept, chunk by chunk."""
    for chunk in read_chunks(one.disk.streams(one.data_set, one.part)):
        events = decoder.decode(chunk)
        is_kept = one.is_kept[chunk.first : chunk.first + chunk.n_rows]
        yield events if is_kept.all() else events[is_kept]


def _algorithms(challenge: Challenge, file: DataFile, opened: Sequence[_Part]) -> Algorithms | None:
    """Return the decisions of all algorithms that every part has, in the order of the first."""
    if not has_algorithms(challenge, file):
        return None
    names = [one.disk.seeds(one.data_set, one.part)[1] for one in opened]
    shared = tuple(name for name in names[0] if all(name in others for others in names))
    if not shared:
        raise DataError(
            f"the seeds of {file.name} have no algorithm that all its parts have",
            where=str(opened[0].disk.root),
            expected="a column of yes and no for each algorithm",
            fix="get the folders `seeds` of one release",
        )
    chunks = (found for one in opened for found in _read_seeds(one, shared))
    return Algorithms(names=shared, chunks=chunks, is_packed=True)


def _read_seeds(one: _Part, names: tuple[str, ...]) -> Iterator[NDArray[np.uint8]]:
    """Give the decisions beside the events that are kept, packed."""
    stream, _ = one.disk.seeds(one.data_set, one.part)
    menu, menu_again = one.numbers.get(MENU), f"{SEEDS}_{MENU}"
    for chunk in read_chunks([stream], _SEED_ROWS):
        place = slice(chunk.first, chunk.first + chunk.n_rows)
        decisions = transpose_bits([bits_of(chunk, name) for name in names], chunk.n_rows)
        if menu is not None and menu_again in chunk.columns:
            again = numbers_of(chunk, menu_again, "b")
            if not np.array_equal(again, menu[place]):
                row = int(np.argmax(again != menu[place]))
                raise chunk.wrong(
                    menu_again, row, "the decision of the menu is not that beside the events",
                    "row i of the seeds is row i of the events", GET_ANOTHER,
                )  # fmt: skip
        yield decisions[one.is_kept[place]]
