"""Fetch: bring the files of a challenge to this machine and into the cache.

A file is accepted by its checksum alone: that of the manifest, or that of its Zenodo record, which
is read over HTTPS, and pinned once the file's structure was accepted. A mirror or a folder may hold
the bytes, but never decides what they should be.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from harness.challenge import Challenge, DataFile, Part
from harness.data.cache import cache_root, find_cached, holding, lock_process, store_events
from harness.data.cache_record import CacheRecord
from harness.data.download import ANOTHER_FILE, download
from harness.data.event_files import join_sources
from harness.data.event_source import EventSource
from harness.data.events import decode_packaged
from harness.data.fetch_plan import (
    FetchedFile,
    Plan,
    cache_bytes_of,
    done,
    is_pinned_again,
    missing_bytes,
    plan_cached,
    plan_files,
)
from harness.data.fetch_sets import bring_data_set, choose_files, is_data_set, plan_data_set
from harness.data.formats import file_format
from harness.data.locks import disk_failed, sharing
from harness.data.pins import Pin, write_pin
from harness.data.web import Patience
from harness.errors import DataError, Problem, UsageError
from harness.files import Progress, check_space, file_checksum, make_folder, no_progress, remove

_REPIN = "if its publisher corrected it: `harness fetch --repin`"


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
    only: Sequence[str] = (),
    parts: Sequence[Part] = (),
) -> FetchReport:
    """Bring the files of `challenge` into the cache.

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
    only : sequence of str
        Names of files, data sets or processes; by default all.
    parts : sequence of str
        Parts of data sets: ``train``, ``validation``, ``test``; by default all.

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
        Both a mirror and a folder are given, or an address that is none; or there is no such file
        or part.
    """
    _check_usage(mirror, source_folder)
    root = cache_root(root)
    plan = Plan(
        challenge=challenge,
        root=root,
        mirror=mirror,
        source_folder=source_folder,
        trust_first_use=trust_first_use,
        repin=repin,
        zenodo=zenodo,
        patience=patience,
        dry_run=dry_run,
        progress=progress,
        parts=tuple(parts),
    )
    files = choose_files(challenge, only, parts, with_blackbox=with_blackbox)
    planned = _plan_all(plan, files)
    wanted = list(chain.from_iterable(planned))
    # A file may hold several processes; it is downloaded once.
    by_name = {file.name: file for file in wanted}
    download_bytes = sum(missing_bytes(plan, file) for file in by_name.values())
    disk_bytes = download_bytes + sum(cache_bytes_of(plan, file) for file in wanted)
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


def _plan_all(plan: Plan, files: Sequence[DataFile]) -> list[list[FetchedFile]]:
    """Find out where the files of each process come from; report all problems at once."""
    planned: list[list[FetchedFile]] = []
    problems: list[Problem] = []
    for file in files:
        try:
            if is_data_set(file):
                planned.append([plan_data_set(plan, file)])
            else:
                planned.append(plan_files(plan, file, is_lenient=plan.dry_run))
        except DataError as error:
            problems.extend(error.problems)
            if is_data_set(file) and plan.source_folder is None and not plan.releases:
                # The Hub would say the same of the next data set.
                break
    if problems:
        raise DataError(*problems)
    return planned


def _check_usage(mirror: str | None, source_folder: Path | None) -> None:
    if mirror is not None and source_folder is not None:
        raise UsageError("--mirror and --from exclude each other")
    if mirror is not None and not mirror.startswith(("http://", "https://")):
        raise UsageError(f"{mirror!r} is no address of a mirror", expected="http:// or https://")
    if source_folder is not None and not source_folder.is_dir():
        raise UsageError("there is no such folder", where=str(source_folder))


def _bring(
    plan: Plan, file: DataFile, planned: Sequence[FetchedFile], progress: Progress
) -> list[FetchedFile]:
    """Download and convert the files of one process; wait for another that does the same."""
    if is_data_set(file):
        return [bring_data_set(plan, file, planned[0], progress)]
    if planned[0].action == "cached":
        return list(planned)
    if planned[0].action == "packaged":
        record = decode_packaged(plan.challenge, file, plan.root, progress)
        return [done(one, record) for one in planned]
    lock = lock_process(plan.challenge, file.process, plan.root)
    with holding(lock, file.name, progress):
        cached = find_cached(plan.challenge, file, plan.root, is_read=True)
        if isinstance(cached, CacheRecord) and not is_pinned_again(plan, file):
            return [plan_cached(plan, file, cached)]
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
            _pin(plan, one, str(source.checksum), path)
    return [
        replace(done(one, record), checksum=source.checksum, n_events=source.n_events)
        for one, source in zip(planned, sources, strict=True)
    ]


def _convert(
    plan: Plan,
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
            sources.append(
                file_format(plan.challenge).open(plan.challenge, piece, file, path, checksum)
            )
        events = join_sources(sources)
        return sources, store_events(plan.challenge, file, events, plan.root, progress=progress)


def _pin(plan: Plan, planned: FetchedFile, checksum: str, path: Path) -> None:
    """Pin what a file was compared with, or of the first use what it has."""
    pin = plan.records.get(planned.name)
    if pin is None and planned.checksum is None:
        n_bytes = path.stat().st_size
        pin = Pin(checksum=checksum, n_bytes=n_bytes, origin="first use", url=None)
    if pin is not None:
        write_pin(plan.pins_path, planned.name, pin)


def _obtain(plan: Plan, planned: FetchedFile, progress: Progress) -> Path:
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
