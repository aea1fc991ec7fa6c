"""The libraries of soft events in the cache: made once, by all jobs, and used by every run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from filelock import FileLock

from harness.data.cache import cache_root
from harness.files import file_checksum, make_folder, write_whole
from harness.simulate.pileup import (
    KINDS,
    PART_EVENTS,
    Kind,
    Overlay,
    join_parts,
    library_name,
    make_part,
    read_library,
    to_bytes,
)

# A part of a library: its kind, its number, and how many events it holds.
Part = tuple[Kind, int, int]


def library_folder() -> Path:
    """Return where libraries lie in the cache."""
    return cache_root() / "simulate"


def library_path(kind: Kind, n_events: int) -> Path:
    """Return where a library lies, made or not."""
    return library_folder() / library_name(kind, n_events)


def library_lock() -> FileLock:
    """Return the lock that the maker of libraries holds."""
    folder = library_folder()
    make_folder(folder)
    return FileLock(folder / ".lock")


def missing_parts(n_library: Mapping[str, int]) -> tuple[Part, ...]:
    """Tell which parts of the libraries are still to be made."""
    return tuple(
        part
        for kind in KINDS
        if not library_path(kind, n_library[kind]).exists()
        for part in _parts(kind, n_library[kind])
        if not _part_path(part).exists()
    )


def make_library_part(part: Part) -> None:
    """Make one part of a library, in a worker."""
    path = _part_path(part)
    write_whole(path, to_bytes(make_part(*part)))


def finish_libraries(n_library: Mapping[str, int]) -> dict[str, str]:
    """Lay the parts together where that has not been done; return the libraries' checksums."""
    checksums: dict[str, str] = {}
    for kind in KINDS:
        path = library_path(kind, n_library[kind])
        if not path.exists():
            parts = [read_library(_part_path(part)) for part in _parts(kind, n_library[kind])]
            write_whole(path, to_bytes(join_parts(parts)))
        checksums[kind] = file_checksum(path)
    return checksums


def open_overlay(n_library: Mapping[str, int]) -> Overlay:
    """Read the libraries of a run."""
    found = {kind: read_library(library_path(kind, n_library[kind])) for kind in KINDS}
    return Overlay(pileup=found["inelastic"].without_tracks(), underlying=found["nondiffractive"])


def _parts(kind: Kind, n_events: int) -> list[Part]:
    return [
        (kind, number, min(PART_EVENTS, n_events - start))
        for number, start in enumerate(range(0, n_events, PART_EVENTS))
    ]


def _part_path(part: Part) -> Path:
    # A part does not depend on how many others there are.
    kind, number, n_events = part
    return library_folder() / "parts" / f"{library_name(kind, n_events)}.{number:04}"
