"""Which files of the Hub hold a data set of the release."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from harness.challenge import Part
from harness.data.hub import HubFile, HubListing
from harness.data.level1.columns import all_of, hub_file
from harness.errors import DataError, Problem

_MAX_NAMED = 10


def files_of(
    listing: HubListing, data_set: str, parts: Sequence[Part], *, with_seeds: bool
) -> tuple[HubFile, ...]:
    """Find the files of some parts of a data set in what the Hub lists.

    Parameters
    ----------
    listing : HubListing
        Of the folder that holds all data sets.
    data_set : str
        Its name.
    parts : sequence of str
        Those that are wanted.
    with_seeds : bool
        Whether the decisions of the single algorithms of the menu are wanted too.

    Raises
    ------
    DataError
        There is no such data set, or not all files of a part of it; or the Hub lists one without a
        checksum. All that is wrong is reported at once.
    """
    held = {file.path: file for file in listing.files}
    known = {PurePosixPath(path).parts[1] for path in held if path.count("/") > 1}
    if data_set not in known:
        others = ", ".join(sorted(known)[:_MAX_NAMED]) or "none"
        raise DataError(
            f"the Hub has no data set {data_set}",
            where=f"{listing.repository}, commit {listing.revision}",
            expected=f"one of {others}{', ...' if len(known) > _MAX_NAMED else ''}",
            fix="leave it out by --only, or name the commit that has it by `revision` in a "
            "manifest of your own",
        )
    found: list[HubFile] = []
    problems: list[Problem] = []
    for part in parts:
        for seeds in (False, True) if with_seeds else (False,):
            first = hub_file(data_set, part, 0, 1, seeds=seeds)
            paths = _like(first, sorted(held))
            if not paths or paths != all_of(paths[0]):
                problems.append(_incomplete(listing, first, paths))
                continue
            found.extend(held[path] for path in paths)
    problems.extend(_unchecked(listing, file) for file in found if file.checksum is None)
    if problems:
        raise DataError(*problems)
    return tuple(found)


def _like(first: str, paths: Sequence[str]) -> list[str]:
    """Choose the files beside `first` that have its name, whatever their numbers are."""
    stem = first.removesuffix("00000-of-00001.parquet")
    return [path for path in paths if path.startswith(stem) and "/" not in path[len(stem) :]]


def _incomplete(listing: HubListing, first: str, paths: Sequence[str]) -> Problem:
    folder = str(PurePosixPath(first).parent)
    name = PurePosixPath(first).name.partition("-")[0]
    listed = ", ".join(PurePosixPath(path).name for path in paths[:_MAX_NAMED])
    few = f"not all of its files are listed: {listed}"
    return Problem(
        what=few if listed else f"no file {name}-*.parquet is listed",
        where=f"{listing.repository}: {folder}",
        expected=f"{name}-00000-of-NNNNN.parquet to {name}-NNNNN-of-NNNNN.parquet",
        fix="leave the part out by --parts, or the data set by --only; or write to the publisher",
    )


def _unchecked(listing: HubListing, file: HubFile) -> Problem:
    return Problem(
        what="the Hub lists it without a checksum",
        where=f"{listing.repository}: {file.path}",
        expected="a large file, of which the Hub states the SHA-256",
        fix="write to the publisher; or get the files in another way, and give --from FOLDER",
    )
