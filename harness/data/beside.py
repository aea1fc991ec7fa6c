"""What is kept beside the events of a process: a number, or some yes and no, for each of them.

- ``ids.npy``: int64, the ``EvtId`` of each event, where the file has one;
- ``parts.npy``: int8, the part of each event, where a dataset of the file says it;
- ``menu.npy``: bool, which events the menu of the trigger accepts, where the challenge has one;
- ``condition-<name>.npy``: float64, what a condition was for each event of background; as
  ``condition-mass.npy`` the mass of each event of a scored process, where a dataset of the file
  says it;
- ``mass-<kind>.npy``: float64, the mass of each event, where it is made from the event itself; see
  `harness.data.mass`;
- ``algorithms.npy``: uint8, the decisions of the single algorithms of the menu, eight to a byte
  (`numpy.packbits` along the second axis); their names are in ``about.json``.

None of it is ever an input of a step: it says what the events are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.challenge import MASS, Challenge, Condition, DataFile, MassObservable
from harness.data.npy import map_npy, writing_npy
from harness.data.seal import remove_sealed, seal
from harness.errors import DataError

IDS_NAME = "ids.npy"
MENU_NAME = "menu.npy"
PARTS_NAME = "parts.npy"
ALGORITHMS_NAME = "algorithms.npy"
# More values are no bins that anybody looks at.
MAX_VALUES = 100
MAX_ALGORITHMS, MAX_ALGORITHM_NAME = 2_000, 120
SCORED_ROLES = frozenset({"background", "signal", "hidden"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Algorithms:
    """Decisions of the single algorithms of a menu, on their way into the cache.

    Attributes
    ----------
    names : tuple of str
        Of the algorithms, no two alike.
    chunks : iterable of bool array, shape (m, len(names))
        The decisions of some events after the others; read once, when they are asked for.
    is_packed : bool
        The chunks are of uint8, eight decisions to a byte, as they are stored.
    """

    names: tuple[str, ...]
    chunks: Iterable[NDArray[Any]]
    is_packed: bool = False

    def only(self, names: Sequence[str]) -> Algorithms:
        """Return the decisions of some of the algorithms, in the order of `names`."""
        columns = [self.names.index(name) for name in names]
        every = self.chunks
        if self.is_packed:
            every = (np.unpackbits(chunk, axis=1) for chunk in self.chunks)
        chunks = (chunk[:, columns].astype(np.bool_) for chunk in every)
        return Algorithms(names=tuple(names), chunks=chunks)


def condition_file(name: str) -> str:
    """Return the name of the file of one condition."""
    return f"condition-{name}.npy"


def mass_file(mass: MassObservable) -> str:
    """Return the name of the file of the mass of a challenge."""
    return condition_file(MASS) if mass.kind == "column" else f"mass-{mass.kind}.npy"


def conditions_of(challenge: Challenge, file: DataFile) -> tuple[Condition, ...]:
    """Return the conditions that the cache holds of a process: those of background, and a mass."""
    conditions = challenge.conditions if file.role == "background" else ()
    mass = challenge.mass
    if mass is None or mass.column is None or file.role not in SCORED_ROLES:
        return conditions
    ends = (mass.lower, mass.upper)
    held = Condition(name=MASS, title=mass.title, column=mass.column, edges=ends)
    return (*conditions, held)


def has_algorithms(challenge: Challenge, file: DataFile) -> bool:
    """Whether the cache holds the single algorithms of the menu: for a process that is scored."""
    return challenge.algorithms is not None and file.role in SCORED_ROLES


def names_beside(challenge: Challenge) -> tuple[str, ...]:
    """Return the names of all files that may stand beside the events of a process."""
    conditions = [condition_file(condition.name) for condition in challenge.conditions]
    if challenge.mass is not None:
        conditions.append(mass_file(challenge.mass))
    return (IDS_NAME, MENU_NAME, PARTS_NAME, ALGORITHMS_NAME, *conditions)


def lacks_beside(
    challenge: Challenge, file: DataFile, folder: Path, *, has_parts: bool
) -> str | None:
    """Say what a cache of `file` lacks of what the challenge wants beside the events."""
    wanted = {
        MENU_NAME: (challenge.menu is not None, "decisions of the menu"),
        PARTS_NAME: (has_parts, "parts of the events"),
        ALGORITHMS_NAME: (has_algorithms(challenge, file), "decisions of single algorithms"),
    }
    for condition in conditions_of(challenge, file):
        wanted[condition_file(condition.name)] = (True, f"values of {condition.name}")
    for name, (is_wanted, what) in wanted.items():
        if is_wanted and not (folder / name).exists():
            return f"the cache holds no {what}"
    return None


def store_column(path: Path, values: NDArray[np.generic] | None, dtype: str) -> None:
    """Write one value for each event; remove what another file left where there is none."""
    if values is None:
        remove_sealed(path)
        return
    with writing_npy(path, values.shape, dtype) as stream:
        stream.write(values.astype(dtype, copy=False).data)
    seal(path)


def store_condition(
    folder: Path,
    condition: Condition,
    chunks: Iterable[NDArray[np.float64]],
    n_events: int,
    *,
    where: str,
) -> None:
    """Write what a condition was for each event.

    Raises
    ------
    DataError
        It is not one finite number for each event, or has too many values to be shown by each.
    """
    path = folder / condition_file(condition.name)
    seen: set[float] = set()
    done = 0
    with writing_npy(path, (n_events,), "<f8") as stream:
        for chunk in chunks:
            if not np.isfinite(chunk).all():
                raise _wrong(
                    where, condition.column, "is NaN or infinite for some events", "numbers"
                )
            if not condition.edges:
                seen.update(np.unique(chunk).tolist())
            if len(seen) > MAX_VALUES:
                raise _wrong(
                    where,
                    condition.column,
                    f"has more than {MAX_VALUES} values",
                    f"a few values, such as the numbers of runs; else `edges` of the condition "
                    f"{condition.name} in the manifest",
                )
            stream.write(chunk.astype("<f8", copy=False).data)
            done += len(chunk)
        _check_number(where, condition.column, done, n_events)
    seal(path)


def store_algorithms(
    folder: Path, algorithms: Algorithms | None, n_events: int, *, where: str
) -> None:
    """Write the decisions of the single algorithms, packed.

    Raises
    ------
    DataError
        There is not one decision of each for each event, or their names are no names.
    """
    path = folder / ALGORITHMS_NAME
    if algorithms is None:
        remove_sealed(path)
        return
    check_names(algorithms.names, where=where)
    n_bytes = -(-len(algorithms.names) // 8)
    done = 0
    with writing_npy(path, (n_events, n_bytes), "|u1") as stream:
        for chunk in algorithms.chunks:
            packed = chunk if algorithms.is_packed else np.packbits(chunk, axis=1)
            stream.write(np.ascontiguousarray(packed).data)
            done += len(chunk)
        _check_number(where, "single algorithms", done, n_events)
    seal(path)


def check_names(names: Sequence[str], *, where: str) -> None:
    """Refuse names of algorithms that are none, or twice there.

    Raises
    ------
    DataError
        See above.
    """
    is_sound = all(name.isprintable() and 0 < len(name) <= MAX_ALGORITHM_NAME for name in names)
    if is_sound and 0 < len(names) <= MAX_ALGORITHMS and len(set(names)) == len(names):
        return
    raise DataError(
        f"the names of the single algorithms are {', '.join(map(repr, names[:3]))}, ...",
        expected=f"1 to {MAX_ALGORITHMS:,} different names of at most {MAX_ALGORITHM_NAME} letters",
        where=where,
        fix="correct them in the file",
    )


def decisions(packed: NDArray[np.uint8], column: int) -> NDArray[np.bool_]:
    """Return the decisions of one algorithm, shape (n,), from packed ones, shape (n, n_bytes).

    Examples
    --------
    >>> decisions(np.packbits([[0, 1, 1], [0, 0, 1]], axis=1), 1)
    array([ True, False])
    """
    byte, bit = divmod(column, 8)
    found: NDArray[np.bool_] = (packed[:, byte] & np.uint8(128 >> bit)) != 0
    return found


def map_algorithms(folder: Path) -> NDArray[np.uint8]:
    """Map the packed decisions of the single algorithms, shape (n, n_bytes)."""
    return map_npy(folder / ALGORITHMS_NAME)


def map_condition(folder: Path, name: str) -> NDArray[np.float64]:
    """Map what a condition was for each event, shape (n,)."""
    return map_npy(folder / condition_file(name))


def join_algorithms(several: Sequence[Algorithms]) -> Algorithms | None:
    """Put the decisions of several files one after the other: of the algorithms that all have.

    Raises
    ------
    DataError
        There is none that all have.
    """
    if not several:
        return None
    first, *rest = several
    shared = [name for name in first.names if all(name in one.names for one in rest)]
    if not shared:
        raise DataError(
            "the files of one process share no single algorithm",
            expected="the same names in all of them",
            fix="leave `algorithms` out of the manifest, or correct the names in the files",
        )
    chunks = chain.from_iterable(one.only(shared).chunks for one in several)
    return Algorithms(names=tuple(shared), chunks=chunks)


def join_conditions(
    several: Sequence[Mapping[str, Iterable[NDArray[np.float64]]]],
) -> dict[str, Iterator[NDArray[np.float64]]]:
    """Put the conditions of several files one after the other."""
    names = several[0] if several else {}
    return {name: chain.from_iterable([one[name] for one in several]) for name in names}


def _check_number(where: str, what: str, done: int, n_events: int) -> None:
    if done != n_events:
        raise _wrong(
            where, what, f"are there for {done:,} events", f"one value for each of {n_events:,}"
        )


def _wrong(where: str, column: str, what: str, expected: str) -> DataError:
    return DataError(
        f"{column} {what}", where=where, expected=expected, fix="is it the right file?"
    )
