"""The libraries of soft events in the cache: made once, by all jobs, and used by every run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from harness.data.cache import cache_root
from harness.files import file_checksum, make_folder, write_whole
from harness.simulate.pileup import (
    KINDS,
    PART_EVENTS,
    Overlay,
    SoftKind,
    join_parts,
    library_name,
    make_part,
    read_library,
    to_bytes,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class LibraryPart:
    """A part of a library; it does not depend on the number of the others."""

    kind: SoftKind
    number: int
    n_events: int

    @property
    def path(self) -> Path:
        """Where it is in the cache, made or not."""
        name = f"{library_name(self.kind, self.n_events)}.{self.number:04}"
        return _library_folder() / "parts" / name


def _library_folder() -> Path:
    return cache_root() / "simulate"


def _library_path(kind: SoftKind, n_events: int) -> Path:
    return _library_folder() / library_name(kind, n_events)


def library_lock() -> FileLock:
    """Return the lock that the maker of libraries holds."""
    folder = _library_folder()
    make_folder(folder)
    return FileLock(folder / ".lock")


def missing_parts(n_library: Mapping[str, int]) -> tuple[LibraryPart, ...]:
    """Return the parts of the libraries that are not made yet."""
    return tuple(
        part
        for kind in KINDS
        if not _library_path(kind, n_library[kind]).exists()
        for part in _parts(kind, n_library[kind])
        if not part.path.exists()
    )


def make_library_part(part: LibraryPart) -> int:
    """Make one part of a library, in a worker; return how many events it holds."""
    write_whole(part.path, to_bytes(make_part(part.kind, part.number, part.n_events)))
    return part.n_events


def finish_libraries(n_library: Mapping[str, int]) -> dict[str, str]:
    """Join the parts of libraries that are not complete yet; return the libraries' checksums."""
    checksums: dict[str, str] = {}
    for kind in KINDS:
        path = _library_path(kind, n_library[kind])
        if not path.exists():
            parts = [read_library(part.path) for part in _parts(kind, n_library[kind])]
            write_whole(path, to_bytes(join_parts(parts)))
        checksums[kind] = file_checksum(path)
    return checksums


def open_overlay(n_library: Mapping[str, int]) -> Overlay:
    """Read the libraries of a run."""
    found = {kind: read_library(_library_path(kind, n_library[kind])) for kind in KINDS}
    return Overlay(pileup=found["inelastic"].without_tracks(), underlying=found["nondiffractive"])


def _parts(kind: SoftKind, n_events: int) -> list[LibraryPart]:
    return [
        LibraryPart(kind=kind, number=number, n_events=min(PART_EVENTS, n_events - start))
        for number, start in enumerate(range(0, n_events, PART_EVENTS))
    ]
