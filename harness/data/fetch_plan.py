"""What a fetch has to do: where each file comes from, its checksum, what is here already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from harness.challenge import Challenge, DataFile, Part, join_checksums
from harness.data.cache import cache_bytes, find_cached, process_folder
from harness.data.cache_record import CacheRecord
from harness.data.events import is_packaged
from harness.data.hub_release import HubDataSet, HubRelease
from harness.data.pins import Pin, read_pins
from harness.data.web import Patience
from harness.data.zenodo import find_in_record
from harness.errors import DataError, HarnessError, Problem
from harness.files import PART_SUFFIX, Progress, no_progress

DOWNLOAD_FOLDER = "downloads"
Action = Literal["cached", "packaged", "folder", "download"]


@dataclass(frozen=True, kw_only=True, slots=True)
class FetchedFile:
    """What was done, or is to be done, about one file.

    Attributes
    ----------
    action : str
        ``cached``: it was there already; ``packaged``: decoded from the harness itself;
        ``folder``: read from a folder; ``download``: downloaded.
    source : str
        Address or path that it comes from.
    target : Path
        Folder of the cache that it goes to.
    checksum : str or None
        Of the file; None as long as it is not known.
    checksum_origin : str
        Who says so: the manifest, a Zenodo record, or the first use.
    n_bytes, n_events : int or None
        As far as they are known.
    remarks : tuple of str
        What is unusual about its events.
    """

    name: str
    process: str
    action: Action
    source: str
    target: Path
    checksum: str | None
    checksum_origin: str
    n_bytes: int | None
    n_events: int | None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Where everything comes from and goes to."""

    challenge: Challenge
    root: Path
    mirror: str | None
    source_folder: Path | None
    trust_first_use: bool
    repin: bool
    zenodo: str | None
    patience: Patience | None
    dry_run: bool = False
    progress: Progress = no_progress
    # Of data sets; none: all that there are.
    parts: tuple[Part, ...] = ()
    # What Zenodo's records say of files in this run.
    records: dict[str, Pin] = field(default_factory=dict)
    # What the Hub says in this run: of the repository of a challenge, and of a data set.
    releases: dict[str, HubRelease] = field(default_factory=dict)
    data_sets: dict[str, HubDataSet] = field(default_factory=dict)
    # Bytes of each file of the Hub that are here.
    brought: dict[str, int] = field(default_factory=dict)

    @property
    def pins_path(self) -> Path:
        """File of the pinned checksums."""
        return self.root / self.challenge.name / "pins.json"

    @property
    def download_folder(self) -> Path:
        """Where files are downloaded to."""
        return self.root / self.challenge.name / DOWNLOAD_FOLDER

    def download_path(self, name: str) -> Path:
        """Return where a file is downloaded to."""
        return self.download_folder / name


def plan_files(plan: Plan, file: DataFile, *, is_lenient: bool) -> list[FetchedFile]:
    """Find out where the files of a process come from.

    Parameters
    ----------
    plan : Plan
        Of the whole fetch.
    file : DataFile
        The process.
    is_lenient : bool
        An unknown checksum is no fault.

    Raises
    ------
    DataError
        With all problems of all its files.
    """
    cached = find_cached(plan.challenge, file, plan.root, is_read=True)
    if isinstance(cached, CacheRecord) and not is_pinned_again(plan, file):
        return [plan_cached(plan, file, cached)]
    planned: list[FetchedFile] = []
    problems: list[Problem] = []
    for source in file.sources:
        try:
            planned.append(_plan_file(plan, source, is_lenient=is_lenient))
        except HarnessError as error:
            problems.extend(error.problems)
    if problems:
        raise DataError(*problems)
    if isinstance(cached, CacheRecord) and cached.checksum == _joined_checksum(planned):
        return [plan_cached(plan, file, cached)]
    return planned


def _plan_file(plan: Plan, file: DataFile, *, is_lenient: bool) -> FetchedFile:
    """Find out where `file` comes from and what its checksum should be."""
    if is_packaged(file):
        pin = Pin(checksum=file.checksum, n_bytes=None, origin="manifest", url=None)
        return _planned(plan, file, "packaged", str(file.url), pin)
    pin = _expectation(plan, file, is_lenient=is_lenient)
    if plan.source_folder is None:
        return _planned(plan, file, "download", _address(plan, file, pin), pin)
    path = plan.source_folder / file.name
    if not path.is_file():
        raise DataError("there is no such file", where=str(path))
    known = pin.model_copy(update={"n_bytes": path.stat().st_size})
    return _planned(plan, file, "folder", str(path), known)


def is_pinned_again(plan: Plan, file: DataFile) -> bool:
    """Whether the checksum of `file` is taken again from where it came."""
    is_open = any(source.checksum is None for source in file.sources)
    return plan.repin and is_open and not is_packaged(file)


def _joined_checksum(planned: Sequence[FetchedFile]) -> str | None:
    """Return the checksum of all files of a process together; None where one is not known."""
    known = [one.checksum for one in planned if one.checksum is not None]
    return join_checksums(known) if known and len(known) == len(planned) else None


def _planned(plan: Plan, file: DataFile, action: Action, source: str, pin: Pin) -> FetchedFile:
    return FetchedFile(
        name=file.name,
        process=file.process,
        action=action,
        source=source,
        target=process_folder(plan.challenge, file.process, plan.root),
        checksum=pin.checksum,
        checksum_origin=pin.origin,
        n_bytes=pin.n_bytes,
        n_events=file.n_events,
    )


def plan_cached(plan: Plan, file: DataFile, record: CacheRecord) -> FetchedFile:
    """Say of `file` that its events are in the cache."""
    pin = Pin(checksum=record.checksum, n_bytes=None, origin="cache", url=None)
    return done(_planned(plan, file, "cached", record.source, pin), record)


def done(planned: FetchedFile, record: CacheRecord) -> FetchedFile:
    """Add what is known once the events are in the cache."""
    return replace(
        planned,
        checksum=record.checksum,
        checksum_origin="first use" if planned.checksum is None else planned.checksum_origin,
        n_events=record.n_events,
        remarks=record.remarks,
    )


def _expectation(plan: Plan, file: DataFile, *, is_lenient: bool) -> Pin:
    """Return what is known of `file`: by the manifest, an earlier pin, or its Zenodo record."""
    if file.checksum is not None:
        return Pin(checksum=file.checksum, n_bytes=file.n_bytes, origin="manifest", url=None)
    pinned = read_pins(plan.pins_path).get(file.name)
    if pinned is not None and pinned.is_of(file) and not plan.repin:
        return pinned
    try:
        return _pin_of_record(plan, file)
    except DataError:
        if plan.trust_first_use or is_lenient:
            return Pin(checksum=None, n_bytes=file.n_bytes, origin="unknown", url=None)
        raise


def _pin_of_record(plan: Plan, file: DataFile) -> Pin:
    if file.record is None:
        raise DataError(_no_checksum(file, "the manifest has no checksum and no Zenodo record"))
    try:
        found = find_in_record(file.record, file.name, zenodo=plan.zenodo, patience=plan.patience)
    except DataError as error:
        unread = _no_checksum(file, "its Zenodo record cannot be read")
        raise DataError(*error.problems, unread) from error
    origin = f"Zenodo record {file.record}"
    pin = Pin(checksum=found.checksum, n_bytes=found.size, origin=origin, url=found.url)
    plan.records[file.name] = pin
    return pin


def _no_checksum(file: DataFile, reason: str) -> Problem:
    return Problem(
        what=f"no checksum is known: {reason}",
        where=file.name,
        expected="a published checksum to compare the file with",
        fix="state it in a manifest of your own, or accept the file as it comes by "
        "--trust-first-use",
    )


def _address(plan: Plan, file: DataFile, pin: Pin) -> str:
    if plan.mirror is not None:
        return f"{plan.mirror.rstrip('/')}/{quote(file.name)}"
    if file.url is not None:
        return file.url
    if pin.url is not None:
        return pin.url
    if file.record is not None:
        return f"https://zenodo.org/records/{file.record}/files/{quote(file.name)}?download=1"
    raise DataError(
        "the manifest does not say where the file is to be had",
        where=file.name,
        fix="give --mirror or --from, or a url or record in the manifest",
    )


def missing_bytes(plan: Plan, file: FetchedFile) -> int:
    """Count the bytes of `file` that are still to be downloaded."""
    if file.action != "download" or file.n_bytes is None:
        return 0
    if file.name in plan.data_sets:
        return plan.data_sets[file.name].missing_bytes(plan.download_folder)
    path = plan.download_path(file.name)
    part = path.with_name(path.name + PART_SUFFIX)
    held = max((p.stat().st_size for p in (path, part) if p.exists()), default=0)
    return max(0, file.n_bytes - held)


def cache_bytes_of(plan: Plan, file: FetchedFile) -> int:
    """Return the bytes that the events of `file` will take in the cache, as far as known."""
    if file.action == "cached" or file.n_events is None:
        return 0
    return cache_bytes(plan.challenge.layout, file.n_events)
