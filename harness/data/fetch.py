"""Fetch: bring the files of a challenge to this machine and into the cache.

A file is accepted by its checksum alone: that of the manifest, or that of its Zenodo record, which
is read over HTTPS, and pinned once the file's structure was accepted. A mirror or a folder may hold
the bytes, but never decides what they should be.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from harness.challenge import PARTS, Challenge, DataFile, join_checksums
from harness.data import hdf5
from harness.data.beside import (
    Algorithms,
    conditions_of,
    has_algorithms,
    join_algorithms,
    join_conditions,
)
from harness.data.cache import (
    CacheRecord,
    EventSource,
    cache_bytes,
    cache_root,
    check_count,
    find_cached,
    has_parts,
    holding,
    index_of,
    lock_process,
    process_folder,
    store_events,
)
from harness.data.download import ANOTHER_FILE, Patience, download
from harness.data.events import decode_packaged, is_packaged
from harness.data.locks import disk_failed, sharing
from harness.data.pins import Pin, read_pins, write_pin
from harness.data.zenodo import find_in_record
from harness.errors import DataError, HarnessError, Problem, UsageError
from harness.files import (
    PART_SUFFIX,
    Progress,
    check_space,
    file_checksum,
    make_folder,
    no_progress,
    remove,
)

DOWNLOAD_FOLDER = "downloads"
_REPIN = "if its publisher corrected it: `harness fetch --repin`"
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
class FetchReport:
    """What `fetch` did, or, of a dry run, what it would do.

    Attributes
    ----------
    download_bytes : int
        Bytes that are, or were, still to be downloaded, as far as sizes are known.
    disk_bytes : int
        Bytes that downloads and caches take more on the disk, as far as sizes are known.
    """

    challenge: str
    root: Path
    is_dry_run: bool
    files: tuple[FetchedFile, ...]
    download_bytes: int
    disk_bytes: int


def fetch(
    challenge: Challenge,
    *,
    root: Path | None = None,
    mirror: str | None = None,
    source_folder: Path | None = None,
    dry_run: bool = False,
    trust_first_use: bool = False,
    repin: bool = False,
    with_blackbox: bool = False,
    progress: Progress = no_progress,
    zenodo: str | None = None,
    patience: Patience | None = None,
) -> FetchReport:
    """Bring all files of `challenge` into the cache.

    Parameters
    ----------
    challenge : Challenge
        Whose files.
    root : Path, optional
        The cache; see `harness.data.cache.cache_root`.
    mirror : str, optional
        Address of a folder that holds all files under their names.
    source_folder : Path, optional
        Folder on this machine that holds them; they are read in place.
    dry_run : bool
        Only report what would be done. Zenodo is asked for sizes; nothing is written.
    trust_first_use : bool
        Accept a file for which neither the manifest nor a Zenodo record has a checksum, and pin
        the one that it has.
    repin : bool
        Leave pinned checksums out of account: take them again from where they came. A file in the
        cache that has another one is replaced. Checksums of the manifest hold.
    with_blackbox : bool
        Fetch the black box too, which scoring does not need.
    progress : Progress
        Called with the bytes and events that are done.
    zenodo : str, optional
        Where Zenodo is, for sites with a copy of it.
    patience : Patience, optional
        How often a broken download is tried again.

    Returns
    -------
    FetchReport

    Raises
    ------
    DataError
        Files cannot be found, have no checksum or a wrong one, or are broken; what can be found
        before the first download is reported at once.
    EnvironmentFaultError
        The disk is full or not writable.
    UsageError
        Both a mirror and a folder are given, or an address that is none.
    """
    _check_usage(mirror, source_folder)
    root = cache_root(root)
    plan = _Plan(
        challenge=challenge,
        root=root,
        mirror=mirror,
        source_folder=source_folder,
        trust_first_use=trust_first_use,
        repin=repin,
        zenodo=zenodo,
        patience=patience,
    )
    files = [file for file in challenge.files if with_blackbox or file.role != "blackbox"]
    planned = _plan_all(plan, files, is_lenient=dry_run)
    wanted = list(chain.from_iterable(planned))
    download_bytes = sum(_missing_bytes(plan, file) for file in wanted)
    disk_bytes = download_bytes + sum(_cache_bytes(plan, file) for file in wanted)
    if not dry_run:
        make_folder(root / challenge.name)
        if disk_bytes:
            check_space(root / challenge.name, disk_bytes)
        wanted = [
            brought
            for file, one in zip(files, planned, strict=True)
            for brought in _bring(plan, file, one, progress)
        ]
    return FetchReport(
        challenge=challenge.name,
        root=root,
        is_dry_run=dry_run,
        files=tuple(wanted),
        download_bytes=download_bytes,
        disk_bytes=disk_bytes,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Plan:
    """Where everything comes from and goes to."""

    challenge: Challenge
    root: Path
    mirror: str | None
    source_folder: Path | None
    trust_first_use: bool
    repin: bool
    zenodo: str | None
    patience: Patience | None
    # What Zenodo's records say of files in this run.
    records: dict[str, Pin] = field(default_factory=dict)

    @property
    def pins_path(self) -> Path:
        return self.root / self.challenge.name / "pins.json"

    def download_path(self, name: str) -> Path:
        return self.root / self.challenge.name / DOWNLOAD_FOLDER / name


def _check_usage(mirror: str | None, source_folder: Path | None) -> None:
    if mirror is not None and source_folder is not None:
        raise UsageError("--mirror and --from exclude each other")
    if mirror is not None and not mirror.startswith(("http://", "https://")):
        raise UsageError(f"{mirror!r} is no address of a mirror", expected="http:// or https://")
    if source_folder is not None and not source_folder.is_dir():
        raise UsageError("there is no such folder", where=str(source_folder))


def _plan_all(
    plan: _Plan, files: Sequence[DataFile], *, is_lenient: bool
) -> list[list[FetchedFile]]:
    """Find out where the files of each process come from."""
    planned: list[list[FetchedFile]] = []
    problems: list[Problem] = []
    for file in files:
        cached = find_cached(plan.challenge, file, plan.root, is_read=True)
        if isinstance(cached, CacheRecord) and not _is_pinned_again(plan, file):
            planned.append([_cached(plan, file, cached)])
            continue
        sources = []
        for source in file.sources:
            try:
                sources.append(_plan_file(plan, source, is_lenient=is_lenient))
            except HarnessError as error:
                problems.extend(error.problems)
        if isinstance(cached, CacheRecord) and cached.checksum == _joined_checksum(sources):
            sources = [_cached(plan, file, cached)]
        planned.append(sources)
    if problems:
        raise DataError(*problems)
    return planned


def _plan_file(plan: _Plan, file: DataFile, *, is_lenient: bool) -> FetchedFile:
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


def _is_pinned_again(plan: _Plan, file: DataFile) -> bool:
    is_open = any(source.checksum is None for source in file.sources)
    return plan.repin and is_open and not is_packaged(file)


def _joined_checksum(planned: Sequence[FetchedFile]) -> str | None:
    """Return the checksum of all files of a process together; None where one is not known."""
    known = [one.checksum for one in planned if one.checksum is not None]
    return join_checksums(known) if known and len(known) == len(planned) else None


def _planned(plan: _Plan, file: DataFile, action: Action, source: str, pin: Pin) -> FetchedFile:
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


def _cached(plan: _Plan, file: DataFile, record: CacheRecord) -> FetchedFile:
    pin = Pin(checksum=record.checksum, n_bytes=None, origin="cache", url=None)
    return _done(_planned(plan, file, "cached", record.source, pin), record)


def _done(planned: FetchedFile, record: CacheRecord) -> FetchedFile:
    """Add what is known once the events are in the cache."""
    return replace(
        planned,
        checksum=record.checksum,
        checksum_origin="first use" if planned.checksum is None else planned.checksum_origin,
        n_events=record.n_events,
        remarks=record.structure.remarks,
    )


def _expectation(plan: _Plan, file: DataFile, *, is_lenient: bool) -> Pin:
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


def _pin_of_record(plan: _Plan, file: DataFile) -> Pin:
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


def _address(plan: _Plan, file: DataFile, pin: Pin) -> str:
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


def _missing_bytes(plan: _Plan, file: FetchedFile) -> int:
    """Count the bytes of `file` that are still to be downloaded."""
    if file.action != "download" or file.n_bytes is None:
        return 0
    path = plan.download_path(file.name)
    part = path.with_name(path.name + PART_SUFFIX)
    held = max((p.stat().st_size for p in (path, part) if p.exists()), default=0)
    return max(0, file.n_bytes - held)


def _cache_bytes(plan: _Plan, file: FetchedFile) -> int:
    if file.action == "cached" or file.n_events is None:
        return 0
    return cache_bytes(plan.challenge.layout, file.n_events)


def _bring(
    plan: _Plan, file: DataFile, planned: Sequence[FetchedFile], progress: Progress
) -> list[FetchedFile]:
    """Download and convert the files of one process; wait for another that does the same."""
    if planned[0].action == "cached":
        return list(planned)
    if planned[0].action == "packaged":
        record = decode_packaged(plan.challenge, file, plan.root, progress)
        return [_done(one, record) for one in planned]
    lock = lock_process(plan.challenge, file.process, plan.root)
    with holding(lock, file.name, progress):
        cached = find_cached(plan.challenge, file, plan.root, is_read=True)
        if isinstance(cached, CacheRecord) and not _is_pinned_again(plan, file):
            return [_cached(plan, file, cached)]
        paths = [_obtain(plan, one, progress) for one in planned]
        try:
            sources, record = _convert(plan, file, planned, paths, progress)
        except DataError:
            for one, path in zip(planned, paths, strict=True):
                if one.checksum is None and one.action == "download":
                    # It would be taken again in place of a corrected one.
                    remove(path)
            raise
        # Only now: a file that could not be read is not to be expected the next time.
        for one, source, path in zip(planned, sources, paths, strict=True):
            _pin(plan, one, source.checksum, path)
    return [
        replace(_done(one, record), checksum=source.checksum, n_events=source.n_events)
        for one, source in zip(planned, sources, strict=True)
    ]


def _convert(
    plan: _Plan,
    file: DataFile,
    planned: Sequence[FetchedFile],
    paths: Sequence[Path],
    progress: Progress,
) -> tuple[list[EventSource], CacheRecord]:
    """Check the whole files of a process and put their events into the cache."""
    sources = []
    with ExitStack() as shared:
        for one, piece, path in zip(planned, file.sources, paths, strict=True):
            # From the checksum to the last event: what was checked is what is read.
            shared.enter_context(sharing(path))
            checksum = _checked(one, path, progress)
            sources.append(_open(plan.challenge, piece, file, path, checksum))
        events = _join(sources)
        return sources, store_events(plan.challenge, file, events, plan.root, progress=progress)


def _open(
    challenge: Challenge, piece: DataFile, file: DataFile, path: Path, checksum: str
) -> EventSource:
    """Read everything of a file but its events, which are read later, chunk by chunk."""
    n_events = hdf5.count_events(path, challenge.layout)
    check_count(piece, n_events)
    menu = challenge.menu
    return EventSource(
        chunks=hdf5.read_chunks(path, challenge.layout),
        n_events=n_events,
        checksum=checksum,
        ids=hdf5.read_ids(path, n_events),
        menu=None if menu is None else hdf5.read_menu(path, menu, n_events),
        conditions={
            condition.name: hdf5.read_condition(path, condition.column, n_events)
            for condition in conditions_of(challenge, file)
        },
        algorithms=_algorithms(challenge, file, path, n_events),
        parts=_parts(challenge, piece, file, path, n_events),
    )


def _algorithms(
    challenge: Challenge, file: DataFile, path: Path, n_events: int
) -> Algorithms | None:
    """Return the decisions of the single algorithms of the menu, where the cache holds them."""
    if challenge.algorithms is None or not has_algorithms(challenge, file):
        return None
    return hdf5.read_algorithms(path, challenge.algorithms, n_events)


def _parts(
    challenge: Challenge, piece: DataFile, file: DataFile, path: Path, n_events: int
) -> NDArray[np.int8] | None:
    """Return the part of each event of a file, where the cache says it."""
    if not has_parts(challenge, file):
        return None
    index = index_of(challenge, piece)
    if index is not None:
        return hdf5.read_parts(path, index, n_events, is_one_of_several=bool(file.pieces))
    return np.full(n_events, PARTS.index(piece.part or "test"), np.int8)


def _join(sources: Sequence[EventSource]) -> EventSource:
    """Put the events of several files one after the other."""
    if len(sources) == 1:
        return sources[0]
    menus = [source.menu for source in sources if source.menu is not None]
    parts = [source.parts for source in sources if source.parts is not None]
    algorithms = [source.algorithms for source in sources if source.algorithms is not None]
    return EventSource(
        chunks=chain.from_iterable(source.chunks for source in sources),
        n_events=sum(source.n_events for source in sources),
        checksum=join_checksums([source.checksum for source in sources]),
        menu=np.concatenate(menus) if menus else None,
        conditions=join_conditions([source.conditions for source in sources]),
        algorithms=join_algorithms(algorithms),
        parts=np.concatenate(parts) if parts else None,
    )


def _pin(plan: _Plan, planned: FetchedFile, checksum: str, path: Path) -> None:
    """Pin what a file was compared with, or of the first use what it has."""
    pin = plan.records.get(planned.name)
    if pin is None and planned.checksum is None:
        n_bytes = path.stat().st_size
        pin = Pin(checksum=checksum, n_bytes=n_bytes, origin="first use", url=None)
    if pin is not None:
        write_pin(plan.pins_path, planned.name, pin)


def _obtain(plan: _Plan, planned: FetchedFile, progress: Progress) -> Path:
    """Bring the whole file to this machine; return its path."""
    if planned.action == "folder":
        return Path(planned.source)
    path = plan.download_path(planned.name)
    make_folder(path.parent)
    if plan.repin and planned.checksum is None:
        remove(path)
    download(
        planned.source,
        path,
        checksum=planned.checksum,
        n_bytes=planned.n_bytes,
        fix=ANOTHER_FILE if planned.checksum_origin == "manifest" else f"{ANOTHER_FILE}; {_REPIN}",
        progress=progress,
        patience=plan.patience,
    )
    return path


def _checked(planned: FetchedFile, path: Path, progress: Progress) -> str:
    """Return the checksum of a file, compared with the one that is known; a download's was."""
    if planned.action == "download" and planned.checksum is not None:
        return planned.checksum
    algorithm = (planned.checksum or "sha256:").partition(":")[0]
    try:
        checksum = file_checksum(path, algorithm, progress)
    except OSError as error:
        raise disk_failed(path, error) from error
    if planned.checksum not in {None, checksum}:
        raise DataError(
            f"its checksum is {checksum}",
            where=str(path),
            expected=f"{planned.checksum} ({planned.checksum_origin})",
            fix="name the folder of the right file, or leave --from out to download it; a file "
            "that was once opened for writing by HDF5 has another checksum"
            + ("" if planned.checksum_origin == "manifest" else f"; {_REPIN}"),
        )
    return checksum
