"""Where the files of a data set lie in a folder, in either of the two layouts of the release."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from harness.challenge import Challenge, DataFile, Part
from harness.data.beside import has_algorithms
from harness.data.level1.columns import (
    COLLECTIONS,
    EVENT_INFO,
    MENU,
    ORDER,
    PART_NAMES,
    SEEDS,
    SEEDS_BESIDE,
    ZENODO_FOLDERS,
    all_of,
)
from harness.data.level1.streams import Stream, schema_of
from harness.errors import DataError

# What is read beside the events; the menu's column is that of the challenge.
BESIDE = ("run", "nPV_True", ORDER, "split")
HUB_FOLDER = "data"


class Disk(Protocol):
    """A folder with data sets."""

    @property
    def layout(self) -> Literal["hub", "zenodo"]:
        """Which of the two layouts of the release it has."""
        ...

    @property
    def root(self) -> Path:
        """The folder."""
        ...

    def data_sets(self) -> tuple[str, ...]:
        """Return the names of the data sets that are there."""
        ...

    def files(self, data_set: str, part: Part, collection: str | None) -> tuple[Path, ...]:
        """Return the files of a collection in their order; None: of the events; maybe none."""
        ...

    def streams(self, data_set: str, part: Part) -> tuple[Stream, ...]:
        """Return what the events of a part are read from.

        Raises
        ------
        DataError
            Files are missing.
        """
        ...

    def beside(self, data_set: str, part: Part, columns: Sequence[str]) -> tuple[Stream, ...]:
        """Return what the `columns` beside the events are read from."""
        ...

    def seeds(self, data_set: str, part: Part) -> tuple[Stream, tuple[str, ...]]:
        """Return the stream of the decisions of all algorithms, and the names of these."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class HubDisk:
    """``data/<data set>/<part>-NNNNN-of-NNNNN.parquet`` and ``seeds/`` beside them."""

    root: Path

    @property
    def layout(self) -> Literal["hub", "zenodo"]:
        """``hub``."""
        return "hub"

    def data_sets(self) -> tuple[str, ...]:
        """Return the names of the data sets that are there."""
        return _folders(self.root / HUB_FOLDER)

    def files(self, data_set: str, part: Part, collection: str | None) -> tuple[Path, ...]:
        """Return the files of the events, or of `SEEDS`, in their order."""
        folder = self.root / HUB_FOLDER / data_set
        if collection == SEEDS:
            folder /= SEEDS
        return tuple(sorted(folder.glob(f"{PART_NAMES[part]}-*.parquet")))

    def streams(self, data_set: str, part: Part) -> tuple[Stream, ...]:
        """Return what the events of a part are read from."""
        names = [one.column(branch) for one in COLLECTIONS for branch in one.branches.values()]
        return (self._events(data_set, part, names),)

    def beside(self, data_set: str, part: Part, columns: Sequence[str]) -> tuple[Stream, ...]:
        """Return what the `columns` beside the events are read from."""
        return (self._events(data_set, part, columns),)

    def seeds(self, data_set: str, part: Part) -> tuple[Stream, tuple[str, ...]]:
        """Return the stream of the decisions of all algorithms, and the names of these."""
        files = self._found(data_set, part, SEEDS)
        held = schema_of(files[0]).names
        columns = {name: name for name in held if name not in SEEDS_BESIDE}
        also = {f"{SEEDS}_{name}": name for name in (ORDER, MENU) if name in held}
        return Stream(name=SEEDS, files=files, columns={**columns, **also}), tuple(columns)

    def _events(self, data_set: str, part: Part, names: Sequence[str]) -> Stream:
        files = self._found(data_set, part, None)
        return Stream(name="events", files=files, columns={name: name for name in names})

    def _found(self, data_set: str, part: Part, collection: str | None) -> tuple[Path, ...]:
        files = self.files(data_set, part, collection)
        folder = self.root / HUB_FOLDER / data_set / (SEEDS if collection == SEEDS else "")
        _check_numbers(folder, part, files)
        return files


@dataclass(frozen=True, kw_only=True, slots=True)
class ZenodoDisk:
    """``zerobias|signal|background/<data set>/<part>/<collection>/*.parquet``."""

    root: Path

    @property
    def layout(self) -> Literal["hub", "zenodo"]:
        """``zenodo``."""
        return "zenodo"

    def data_sets(self) -> tuple[str, ...]:
        """Return the names of the data sets that are there."""
        found = (name for above in ZENODO_FOLDERS for name in _folders(self.root / above))
        return tuple(sorted(found))

    def files(self, data_set: str, part: Part, collection: str | None) -> tuple[Path, ...]:
        """Return the files of a collection in their order."""
        folder = self._folder(data_set, part)
        return tuple(sorted((folder / (collection or EVENT_INFO)).glob("*.parquet")))

    def streams(self, data_set: str, part: Part) -> tuple[Stream, ...]:
        """Return what the events of a part are read from: a stream for each collection."""
        return tuple(
            Stream(
                name=one.name,
                files=self._found(data_set, part, one.name),
                columns={one.column(branch): branch for branch in one.branches.values()},
            )
            for one in COLLECTIONS
        )

    def beside(self, data_set: str, part: Part, columns: Sequence[str]) -> tuple[Stream, ...]:
        """Return what the `columns` beside the events are read from."""
        known = {one.column(branch): (one.name, branch) for one in COLLECTIONS
                 for branch in one.branches.values()}  # fmt: skip
        wanted: dict[str, dict[str, str]] = {}
        for name in columns:
            folder, branch = known.get(name, (SEEDS if name == MENU else EVENT_INFO, name))
            wanted.setdefault(folder, {})[name] = branch
        return tuple(
            Stream(name=folder, files=self._found(data_set, part, folder), columns=of_folder)
            for folder, of_folder in wanted.items()
        )

    def seeds(self, data_set: str, part: Part) -> tuple[Stream, tuple[str, ...]]:
        """Return the stream of the decisions of all algorithms, and the names of these."""
        files = self._found(data_set, part, SEEDS)
        held = schema_of(files[0]).names
        columns = {name: name for name in held if name not in SEEDS_BESIDE}
        also = {f"{SEEDS}_{name}": name for name in (MENU,) if name in held}
        return Stream(name=SEEDS, files=files, columns={**columns, **also}), tuple(columns)

    def _folder(self, data_set: str, part: Part) -> Path:
        places = [self.root / above / data_set for above in ZENODO_FOLDERS]
        found = next((place for place in places if place.is_dir()), places[0])
        return found / PART_NAMES[part]

    def _found(self, data_set: str, part: Part, collection: str) -> tuple[Path, ...]:
        files = self.files(data_set, part, collection)
        if files:
            return files
        folder = self._folder(data_set, part)
        held = ", ".join(_folders(folder)) or "nothing"
        raise DataError(
            f"the collection {collection} of {data_set} has no Parquet file",
            where=str(folder / collection),
            expected=f"a folder {collection} with files *.parquet",
            fix=f"beside it there is {held}; unpack {PART_NAMES[part]}.tar again, or get the part "
            "that is missing",
        )


def find_disk(root: Path) -> Disk:
    """Find out in which layout a folder holds data sets.

    Raises
    ------
    DataError
        It holds none.
    """
    if any((root / name).is_dir() for name in ZENODO_FOLDERS):
        return ZenodoDisk(root=root)
    if (root / HUB_FOLDER).is_dir():
        return HubDisk(root=root)
    held = ", ".join(_folders(root)[:10]) or "no folder"
    raise DataError(
        f"it holds no data sets of the release; it has {held}",
        where=str(root),
        expected=f"the folder {HUB_FOLDER} of the Hub, or {', '.join(ZENODO_FOLDERS)} of the "
        "unpacked archives of Zenodo",
        fix="name the folder above them",
    )


def data_set_files(
    challenge: Challenge, file: DataFile, root: Path, parts: Sequence[Part]
) -> tuple[Path, ...]:
    """List the files of a data set that are read.

    Raises
    ------
    DataError
        Some are missing.
    """
    disk = find_disk(root)
    streams = []
    for part in parts:
        columns = (*BESIDE, *([] if challenge.menu is None else [challenge.menu]))
        streams += [*disk.streams(file.name, part), *disk.beside(file.name, part, columns)]
        if has_algorithms(challenge, file):
            streams.append(disk.seeds(file.name, part)[0])
    return tuple(dict.fromkeys(path for stream in streams for path in stream.files))


def _folders(folder: Path) -> tuple[str, ...]:
    if not folder.is_dir():
        return ()
    return tuple(sorted(one.name for one in folder.iterdir() if one.is_dir()))


def _check_numbers(folder: Path, part: Part, files: Sequence[Path]) -> None:
    """Refuse a data set of which a file is missing: their names say how many there are."""
    name = PART_NAMES[part]
    if not files:
        raise DataError(
            f"there is no file {name}-*.parquet",
            where=str(folder),
            expected=f"{name}-00000-of-NNNNN.parquet and its like",
            fix="download the part that is missing, or leave it out by --only or --parts",
        )
    if [file.name for file in files] != all_of(files[0].name):
        listed = ", ".join(file.name for file in files[:5])
        raise DataError(
            f"its files are not all of one release: {listed}",
            where=str(folder),
            expected=f"{name}-00000-of-NNNNN.parquet to {name}-NNNNN-of-NNNNN.parquet, all of them",
            fix="download the files that are missing, and move those of another release away",
        )
