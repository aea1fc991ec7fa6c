"""The data sets of a challenge on the Hub: at which commit, which files, and how they come here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.challenge import Challenge, Part, Source, join_checksums
from harness.data.hub import HubFile, HubListing, bring_file, list_files, missing_bytes
from harness.data.hub_api import Hub, open_hub
from harness.data.level1.on_hub import files_of
from harness.data.pins import Pin, read_pins, read_revision, replace_pins, write_revision
from harness.data.web import Patience
from harness.errors import DataError
from harness.files import PART_SUFFIX, Progress, no_progress, remove

# The folder of a repository that holds all data sets.
_FOLDER = "data"


@dataclass(frozen=True, kw_only=True, slots=True)
class HubDataSet:
    """The files of some parts of a data set.

    Attributes
    ----------
    address : str
        A page that shows them.
    name : str
        Of the data set.
    files : tuple of HubFile
        All of them.
    repository, revision : str
        The commit that states their checksums.
    remarks : tuple of str
        What is unusual.
    """

    address: str
    name: str
    files: tuple[HubFile, ...]
    repository: str
    revision: str
    remarks: tuple[str, ...]

    @property
    def n_bytes(self) -> int:
        """Size of all files."""
        return sum(file.n_bytes for file in self.files)

    @property
    def checksum(self) -> str:
        """Of all files together."""
        return join_checksums([str(file.checksum) for file in self.files])

    def missing_bytes(self, folder: Path) -> int:
        """Count the bytes that are not in `folder` yet."""
        return missing_bytes(self.files, folder)


@dataclass(frozen=True, kw_only=True, slots=True)
class HubRelease:
    """All data sets of a challenge, at one commit of its repository.

    Attributes
    ----------
    hub : Hub
        Where it is.
    listing : HubListing
        What the repository holds.
    """

    hub: Hub
    listing: HubListing

    def data_set(self, name: str, parts: Sequence[Part], *, with_seeds: bool) -> HubDataSet:
        """Find the files of some parts of a data set.

        Raises
        ------
        DataError
            See `harness.data.level1.on_hub.files_of`.
        """
        repository, revision = self.listing.repository, self.listing.revision
        return HubDataSet(
            address=f"{self.hub.endpoint}/datasets/{repository}/tree/{revision}/{_FOLDER}/{name}",
            name=name,
            files=files_of(self.listing, name, parts, with_seeds=with_seeds),
            repository=repository,
            revision=revision,
            remarks=self.listing.remarks,
        )

    def bring(self, wanted: HubDataSet, folder: Path, progress: Progress = no_progress) -> Path:
        """Download the files of a data set into `folder`, where they lie as on the Hub.

        Files of the same parts that another commit had are removed: together they would be no data
        set. What came before an interruption is kept.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        DataError
            The Hub refuses, gives up, or sends another file.
        EnvironmentFaultError
            The disk is full or not writable.
        """
        _remove_others(wanted.files, folder)
        for file in wanted.files:
            bring_file(self.hub, self.listing.repository, file, folder, progress)
            # Also of one that was here already.
            progress(file.path, file.n_bytes, file.n_bytes, "bytes")
        return folder


def list_release(
    challenge: Challenge,
    pins: Path,
    *,
    repin: bool = False,
    dry_run: bool = False,
    patience: Patience | None = None,
    progress: Progress = no_progress,
) -> HubRelease:
    """Ask the Hub for the data sets of a challenge.

    The commit is the one that the manifest states; else the pinned one; else the newest, which is
    pinned now, so that what is fetched later belongs to what is here.

    Parameters
    ----------
    challenge : Challenge
        Its source names the repository.
    pins : Path
        File of the pins.
    repin : bool
        Take the newest commit, whatever is pinned.
    dry_run : bool
        Pin nothing.
    patience : Patience, optional
        How often and how long the Hub is asked.
    progress : Progress
        Called when it has to be waited for.

    Raises
    ------
    DataError
        The challenge has no repository; or the Hub cannot be reached, refuses, or answers something
        else.
    UsageError
        The environment names no Hub, or no login that works.
    """
    source, repository = _repository(challenge)
    pinned = None if repin else read_revision(pins, repository)
    hub = open_hub(patience=patience, progress=progress)
    listing = list_files(hub, repository, source.revision or pinned, folder=_FOLDER)
    if source.revision is None and pinned is None and not dry_run:
        write_revision(pins, repository, listing.revision)
    return HubRelease(hub=hub, listing=listing)


def _repository(challenge: Challenge) -> tuple[Source, str]:
    source = challenge.source
    if source is None or source.hub is None:
        raise DataError(
            "the manifest does not say where its data sets are to be had",
            where=challenge.name,
            fix="give --from FOLDER, or `source.hub` in the manifest",
        )
    return source, source.hub


def pin_files(pins: Path, name: str, brought: HubDataSet | None) -> None:
    """Pin the files of a data set that the cache was made of; none, if they were of a folder.

    Raises
    ------
    EnvironmentFaultError
        It cannot be written.
    """
    made_of = {} if brought is None else {file.path: _pin(brought, file) for file in brought.files}
    below = f"{_FOLDER}/{name}/"
    if brought is not None or any(path.startswith(below) for path in read_pins(pins)):
        replace_pins(pins, made_of, below=below)


def _pin(brought: HubDataSet, file: HubFile) -> Pin:
    origin = f"{brought.repository}, commit {brought.revision}"
    return Pin(checksum=file.checksum, n_bytes=file.n_bytes, origin=origin, url=file.url)


def is_of_another_commit(challenge: Challenge, pins: Path, name: str) -> bool:
    """Whether the cache of a data set was made of files of another commit than the manifest states.

    Raises
    ------
    DataError
        The file of the pins is broken.
    """
    revision = None if challenge.source is None else challenge.source.revision
    if revision is None:
        return False
    below = f"{_FOLDER}/{name}/"
    made_of = [pin for path, pin in read_pins(pins).items() if path.startswith(below)]
    return any(not pin.origin.endswith(f"commit {revision}") for pin in made_of)


def is_pinned(pins: Path, wanted: HubDataSet) -> bool:
    """Whether the cache was made of these files, whatever commit they are of.

    Raises
    ------
    DataError
        The file of the pins is broken.
    """
    known = read_pins(pins)
    return all(
        file.path in known and known[file.path].checksum == file.checksum for file in wanted.files
    )


def _remove_others(files: Sequence[HubFile], folder: Path) -> None:
    """Remove files of the same parts, with other numbers."""
    wanted = {folder / file.path for file in files}
    parts = {(path.parent, path.name.partition("-")[0]) for path in wanted}
    for parent, part in parts:
        for path in parent.glob(f"{part}-*"):
            whole = path.with_name(path.name.removesuffix(PART_SUFFIX))
            if whole not in wanted:
                remove(path)
