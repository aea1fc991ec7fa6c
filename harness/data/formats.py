"""The formats of data files, in one table: what opens each of them for the cache."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.challenge import Challenge, DataFile, FormatName, Part
from harness.data.constituent_tables import open_table_source
from harness.data.event_files import open_source
from harness.data.event_source import EventSource
from harness.data.feature_tables import compare_tables
from harness.data.level1.comparing import Comparison, compare
from harness.data.level1.disk import data_set_files
from harness.data.level1.reading import open_data_set
from harness.errors import UsageError
from harness.files import Progress, no_progress


@dataclass(frozen=True, kw_only=True, slots=True)
class FileFormat:
    """Each process has a file, or several, with an address of their own.

    Attributes
    ----------
    open : callable
        Of the challenge, one file, its process, its path and its checksum: makes the source of its
        events.
    compare : callable or None
        Of the challenge and a folder: compares the files there with all that is assumed of them.
    """

    open: Callable[[Challenge, DataFile, DataFile, Path, str], EventSource]
    compare: Callable[[Challenge, Path, Progress], Comparison] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FolderFormat:
    """All data sets of a challenge lie in one folder, each in many files.

    Attributes
    ----------
    open : callable
        Of the challenge, a data set, the folder and the parts: makes the source of its events.
    files : callable
        Of a data set, the folder and the parts: lists the files that are read.
    compare : callable
        Of the challenge and the folder: compares the files with all that is assumed of them.
    """

    open: Callable[[Challenge, DataFile, Path, Sequence[Part]], EventSource]
    files: Callable[[Challenge, DataFile, Path, Sequence[Part]], Sequence[Path]]
    compare: Callable[[Challenge, Path, Progress], Comparison]


FORMATS: Mapping[FormatName, FileFormat | FolderFormat] = {
    "hdf5": FileFormat(open=open_source),
    "pandas_hdf5": FileFormat(open=open_table_source, compare=compare_tables),
    "level1_parquet": FolderFormat(open=open_data_set, files=data_set_files, compare=compare),
}


def compare_files(
    challenge: Challenge, folder: Path, progress: Progress = no_progress
) -> Comparison:
    """Compare the files of a challenge with all that harness assumes of them.

    Raises
    ------
    DataError
        The folder holds none of them.
    UsageError
        Nothing is assumed of files of this format beyond the manifest.
    """
    found = folder_format(challenge) or file_format(challenge)
    if found.compare is None:
        raise UsageError(
            f"{challenge.name} has no source of a format of its own: there is nothing to compare",
            fix="leave the folder out; `harness fetch --from FOLDER` checks files of other formats",
        )
    return found.compare(challenge, folder, progress)


def file_format(challenge: Challenge) -> FileFormat:
    """Return the format of the files of a challenge without a source."""
    found = FORMATS["hdf5" if challenge.columns is None else "pandas_hdf5"]
    assert isinstance(found, FileFormat)
    return found


def folder_format(challenge: Challenge) -> FolderFormat | None:
    """Return the format of a challenge's source; None where each process has files of its own."""
    found = None if challenge.source is None else FORMATS[challenge.source.format]
    return found if isinstance(found, FolderFormat) else None
