"""Files of the release compared with all that is assumed of them; every difference in one run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from harness.challenge import PARTS, Challenge, DataFile, Part
from harness.data.level1.columns import (
    ANOMALY_TRIGGERS,
    COLLECTIONS,
    EVENT_COLUMNS,
    EVENT_INFO,
    HUB_COLUMNS,
    MENU,
    N_ALGORITHMS,
    N_DROPPED,
    N_SHARED_ALGORITHMS,
    N_SIMULATED_ALGORITHMS,
    ORDER,
    PART_NAMES,
    PILE_UP,
    RUN,
    SEEDS,
    Collection,
)
from harness.data.level1.disk import Disk, find_disk
from harness.data.level1.streams import (
    Stream,
    count_rows,
    lists_of,
    numbers_of,
    read_chunks,
    schema_of,
    texts_of,
)
from harness.errors import HarnessError
from harness.files import Progress, no_progress


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """Something in the files that is not as assumed."""

    where: str
    found: str
    expected: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """What was looked at, and every difference.

    Attributes
    ----------
    layout : str
        ``hub`` or ``zenodo``.
    n_events : mapping of data set to mapping of part to int
        What is there.
    absent : tuple of str
        Data sets and parts of the manifest that are not there: nothing is said of them.
    figures : mapping of str to float
        What was measured on the way, by data set: objects of each kind in an event.
    """

    challenge: str
    root: str
    layout: str
    n_events: dict[str, dict[str, int]]
    absent: tuple[str, ...]
    differences: tuple[Difference, ...]
    figures: dict[str, float]


@dataclass(kw_only=True, slots=True)
class _Look:
    """One run: what it reads, and what it found."""

    challenge: Challenge
    disk: Disk
    progress: Progress
    found: list[Difference] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    menus: dict[str, frozenset[str]] = field(default_factory=dict)
    n_dropped: Counter[str] = field(default_factory=Counter)

    def differs(self, where: str, found: str, expected: str) -> None:
        self.found.append(Difference(where=where, found=found, expected=expected))

    def expect(self, is_so: bool, where: str, found: str, expected: str) -> None:  # noqa: FBT001
        if not is_so:
            self.differs(where, found, expected)

    @contextmanager
    def going_on(self, where: str) -> Iterator[None]:
        """Note what cannot be read as a difference, and go on with the next thing."""
        try:
            yield
        except HarnessError as error:
            for problem in error.problems:
                place = problem.where or where
                self.differs(place, problem.what, problem.expected or "a file of the release")


def compare(challenge: Challenge, root: Path, progress: Progress = no_progress) -> Comparison:
    """Read all files of the release in a folder and say in what they are not as assumed.

    Parameters
    ----------
    challenge : Challenge
        With a source of the format ``level1_parquet``.
    root : Path
        Folder of the files, in either layout.
    progress : Progress
        Called with the events that were looked at.

    Raises
    ------
    DataError
        The folder holds no data set of the release.
    """
    look = _Look(challenge=challenge, disk=find_disk(root), progress=progress)
    n_events: dict[str, dict[str, int]] = {}
    absent: list[str] = []
    for name in look.disk.data_sets():
        if name not in {file.name for file in challenge.files}:
            look.differs(name, "a data set that the manifest does not name", "one of the manifest")
    for file in challenge.files:
        for part in PARTS:
            if not look.disk.files(file.name, part, None):
                if part in file.part_events:
                    absent.append(f"{file.name}/{PART_NAMES[part]}")
                continue
            n_events.setdefault(file.name, {})[part] = _compare_part(look, file, part)
    if not challenge.synthetic:
        _compare_menus(look)
        _compare_dropped(look, n_events)
    return Comparison(
        challenge=challenge.name,
        root=str(root),
        layout=look.disk.layout,
        n_events=n_events,
        absent=tuple(absent),
        differences=tuple(look.found),
        figures=look.figures,
    )


def _compare_part(look: _Look, file: DataFile, part: Part) -> int:
    where = f"{file.name}/{PART_NAMES[part]}"
    counts: dict[str, int] = {}
    folders = [EVENT_INFO, *(one.name for one in COLLECTIONS), SEEDS]
    for folder in folders if look.disk.layout == "zenodo" else [None, SEEDS]:
        with look.going_on(where):
            counts[folder or "events"] = _compare_columns(look, file, part, folder)
    listed = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    look.expect(len(set(counts.values())) <= 1, where, f"rows {listed}", "as many in each")
    n_rows = max(counts.values(), default=0)
    stated = file.part_events.get(part)
    if stated is not None:
        look.expect(n_rows == stated, where, f"{n_rows:,} events", f"{stated:,}, by the manifest")
    for one in COLLECTIONS:
        with look.going_on(where):
            _compare_objects(look, file, part, one, n_rows)
    with look.going_on(where):
        _compare_beside(look, file, part)
    with look.going_on(where):
        _compare_seeds(look, file, part)
    return n_rows


def _compare_columns(look: _Look, file: DataFile, part: Part, folder: str | None) -> int:
    """Compare names and types of the columns of all files; return their rows."""
    files = look.disk.files(file.name, part, folder)
    place = "/".join([file.name, PART_NAMES[part], *([folder] if folder else [])])
    if not files:
        look.differs(place, "no file", "files *.parquet")
        return 0
    expected = _expected_types(look, file, folder)
    decision = "bool" if look.disk.layout == "hub" else "list<item: bool>"
    for path in files:
        with look.going_on(place):
            schema = schema_of(path)
            held = dict(zip(schema.names, map(str, schema.types), strict=True))
            for name, type_ in held.items():
                wanted = expected.get(name, decision if folder == SEEDS else None)
                if wanted is None:
                    look.differs(f"{path}, {name}", f"a column of {type_}", "no such column")
                else:
                    _expect_type(look, f"{path}, {name}", type_, wanted)
            for name in sorted(expected.keys() - held.keys()):
                look.differs(f"{path}, {name}", "no such column", expected[name])
    return count_rows(files)


def _expect_type(look: _Look, where: str, found: str, wanted: str) -> None:
    """Compare a type; lists of either size of offsets are the same."""
    plain = found.replace("large_list", "list").replace("element:", "item:")
    is_same = plain.replace(" not null", "") == wanted.replace("float32", "float")
    look.expect(is_same, where, found, wanted)


def _expected_types(look: _Look, file: DataFile, folder: str | None) -> dict[str, str]:
    """Return the columns that a file should have, and their types."""
    events = dict(EVENT_COLUMNS)
    if not _is_averaged(file):
        events[PILE_UP] = "int32"
    objects = {
        one.name: {**dict.fromkeys(one.branches.values(), "int16"), **one.others}
        for one in COLLECTIONS
    }
    if look.disk.layout == "hub":
        if folder == SEEDS:
            return {ORDER: "int64", "event": "uint64", "dataset": "string", MENU: "bool"}
        lists = {
            f"{name}_{branch}": f"list<item: {type_}>"
            for name, branches in objects.items()
            for branch, type_ in branches.items()
        }
        return {**lists, **events, **HUB_COLUMNS}
    if folder == SEEDS:
        return {MENU: "list<item: bool>"}
    if folder == EVENT_INFO:
        flat = {"split", ORDER}
        return {
            name: type_ if name in flat else f"list<item: {type_}>"
            for name, type_ in events.items()
        }
    return {branch: f"list<item: {type_}>" for branch, type_ in objects[str(folder)].items()}


def _is_averaged(file: DataFile) -> bool:
    """Whether the pile-up is an average: of recorded events, and of those overlaid on some."""
    return file.role == "background" or file.name == "haa-4b-ma15"


def _streams_of(look: _Look, file: DataFile, part: Part, one: Collection) -> Sequence[Stream]:
    names = {one.column(branch): branch for branch in one.branches.values()}
    is_hub = look.disk.layout == "hub"
    files = look.disk.files(file.name, part, None if is_hub else one.name)
    columns = {name: name if is_hub else branch for name, branch in names.items()}
    return [Stream(name=one.name, files=files, columns=columns)] if files else []


def _compare_objects(look: _Look, file: DataFile, part: Part, one: Collection, n_rows: int) -> None:
    """Compare the numbers of objects, their codes and their order with what is assumed."""
    where = f"{file.name}/{PART_NAMES[part]}, {one.name}"
    group = next(group for group in look.challenge.layout.objects if group.name == one.kind)
    turn = group.units["phi"].turn if "phi" in group.units else 0
    limits = {
        "pt": (0, 2 ** one.n_bits["pt"] - 1),
        "eta": (-(2 ** (one.n_bits.get("eta", 1) - 1)), 2 ** (one.n_bits.get("eta", 1) - 1) - 1),
        "phi": (0, turn - 1),
    }
    seen: Counter[str] = Counter()
    ends: dict[str, tuple[int, int]] = {}
    for chunk in read_chunks(_streams_of(look, file, part, one)):
        counts, pt = lists_of(chunk, one.column(one.branches["pt"]), "iu")
        seen["objects"] += len(pt)
        seen["too many"] += int(np.count_nonzero(counts > group.n_slots))
        seen["not one"] += int(np.count_nonzero(counts != 1))
        seen["zeros"] += int(np.count_nonzero(pt == 0))
        if len(pt):
            is_next = np.repeat(np.arange(len(counts)), counts)
            rises = (np.diff(pt.astype(np.int64)) > 0) & (np.diff(is_next) == 0)
            seen["rising"] += int(np.count_nonzero(rises))
        for feature, branch in one.branches.items():
            _, values = lists_of(chunk, one.column(branch), "iu")
            if len(values):
                low, high = ends.get(feature, (0, 0))
                ends[feature] = (min(low, int(values.min())), max(high, int(values.max())))
        look.progress(f"compare {where}", chunk.first + chunk.n_rows, n_rows, "events")
    for feature, (low, high) in ends.items():
        least, most = limits[feature]
        is_inside = least <= low and high <= most
        branch = f"{where}, {one.branches[feature]}"
        look.expect(is_inside, branch, f"codes {low} to {high}", f"{least} to {most}")
    is_sum = group.n_slots == 1
    n_too_many, n_not_one = seen["too many"], seen["not one"]
    look.expect(not n_too_many, where, f"{n_too_many:,} longer lists", f"at most {group.n_slots}")
    look.expect(not (is_sum and n_not_one), where, f"{n_not_one:,} events without one", "one each")
    if not is_sum:
        look.figures[f"{where}: objects in an event"] = seen["objects"] / max(n_rows, 1)
        zeros = f"{seen['zeros']:,} objects of code 0"
        look.expect(not seen["zeros"], where, zeros, "codes of 1 and above: 0 is no object")
    if not is_sum and one.kind not in _sorted_here(look.challenge):
        rising = f"{seen['rising']:,} objects harder than the one before"
        look.expect(not seen["rising"], where, rising, "objects by falling ET")


def _sorted_here(challenge: Challenge) -> tuple[str, ...]:
    return () if challenge.source is None else challenge.source.reading.sort_by_pt


def _compare_beside(look: _Look, file: DataFile, part: Part) -> None:
    """Compare what stands beside the events with what is assumed of it."""
    where = f"{file.name}/{PART_NAMES[part]}"
    et = next(one for one in COLLECTIONS if one.name == "ET")
    column = et.column(et.branches["pt"])
    streams = look.disk.beside(file.name, part, (column, ORDER, RUN, PILE_UP, "split"))
    rules = look.challenge.source.reading if look.challenge.source else None
    limit = 2 ** et.n_bits["pt"] - 1 if rules is None else rules.drop_saturated.get(et.kind, 2**12)
    n_marked = n_saturated = n_other = 0
    runs: set[int] = set()
    said: set[str | None] = set()
    orders: list[np.ndarray] = []
    least = np.inf
    for chunk in read_chunks(streams):
        is_marked = numbers_of(chunk, ORDER, "iu") == -1
        is_saturated = numbers_of(chunk, column, "iu") >= limit
        n_marked += int(np.count_nonzero(is_marked))
        n_saturated += int(np.count_nonzero(is_saturated))
        n_other += int(np.count_nonzero(is_marked != is_saturated))
        orders.append(numbers_of(chunk, ORDER, "iu")[~is_marked])
        runs.update(np.unique(numbers_of(chunk, RUN, "iu")).tolist())
        least = min(least, float(numbers_of(chunk, PILE_UP, "iuf").min()))
        said.update(texts_of(chunk, "split"))
    look.expect(
        not n_other, f"{where}, {ORDER}",
        f"{n_other:,} events for which only one of order = -1 ({n_marked:,} events) and ET of "
        f"{limit} or more ({n_saturated:,} events) holds", "the same events",
    )  # fmt: skip
    every = np.concatenate(orders)
    is_unique = len(np.unique(every)) == len(every)
    look.expect(is_unique, f"{where}, {ORDER}", "a place is there twice", "another for each event")
    expected = PART_NAMES[part]
    look.expect(said == {expected}, f"{where}, split", f"{sorted(map(str, said))}", expected)
    if file.role == "background":
        look.n_dropped[file.name] += n_marked
        number = file.name.rpartition("run")[2]
        look.expect(runs == {int(number)} if number.isdecimal() else True, f"{where}, {RUN}",
                    f"{sorted(runs)[:5]}", number)  # fmt: skip
    look.expect(least >= 0, f"{where}, {PILE_UP}", f"{least:g} at least", "0 and above")


def _compare_seeds(look: _Look, file: DataFile, part: Part) -> None:
    """Compare the decisions of the algorithms with that of the menu."""
    where = f"{file.name}/{PART_NAMES[part]}, {SEEDS}"
    stream, names = look.disk.seeds(file.name, part)
    menu = f"{SEEDS}_{MENU}"
    known = look.menus.setdefault(file.name, frozenset(names))
    look.expect(
        known == frozenset(names), where, "other algorithms than in another part", "the same"
    )
    n_other = 0
    is_here = menu in stream.columns
    look.expect(is_here, where, f"no column {MENU}", f"{MENU}, the OR of all algorithms")
    for chunk in read_chunks([stream]) if is_here else ():
        accepted = np.logical_or.reduce([numbers_of(chunk, name, "b") for name in names])
        n_other += int(np.count_nonzero(accepted != numbers_of(chunk, menu, "b")))
    look.expect(not n_other, where, f"{n_other:,} events in which {MENU} is another", "their OR")


def _compare_menus(look: _Look) -> None:
    """Compare the numbers of algorithms with what the publisher says of them."""
    roles = {file.name: file.role for file in look.challenge.files}
    recorded = [names for name, names in look.menus.items() if roles[name] == "background"]
    simulated = [names for name, names in look.menus.items() if roles[name] != "background"]
    for name, names in look.menus.items():
        wanted = N_ALGORITHMS if roles[name] == "background" else N_SIMULATED_ALGORITHMS
        look.expect(
            len(names) == wanted, f"{name}, {SEEDS}", f"{len(names)} algorithms", f"{wanted}"
        )
        own = sorted(one for one in names if one.startswith(ANOMALY_TRIGGERS))
        look.expect(not own, f"{name}, {SEEDS}", ", ".join(own[:5]), "no anomaly trigger")
    if recorded and simulated:
        shared = len(frozenset.intersection(*recorded, *simulated))
        look.expect(shared == N_SHARED_ALGORITHMS, SEEDS, f"{shared} algorithms are in all menus",
                    f"{N_SHARED_ALGORITHMS}")  # fmt: skip


def _compare_dropped(look: _Look, n_events: dict[str, dict[str, int]]) -> None:
    """Compare the number of dropped zero-bias events, if all of them are here."""
    background = [file for file in look.challenge.files if file.role == "background"]
    if all(set(n_events.get(file.name, {})) == set(PARTS) for file in background):
        n_dropped = sum(look.n_dropped.values())
        look.expect(n_dropped == N_DROPPED, f"zero bias, {ORDER}", f"{n_dropped:,} events of -1",
                    f"{N_DROPPED}")  # fmt: skip
