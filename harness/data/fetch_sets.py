"""Fetching the data sets of a challenge's source: from a folder, or from the Hub."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.challenge import PARTS, Challenge, DataFile, Part
from harness.data.beside import has_algorithms
from harness.data.cache import find_cached, holding, lock_process, process_folder, store_events
from harness.data.cache_record import CacheRecord
from harness.data.cached_parts import cached_part, joined
from harness.data.event_source import EventSource
from harness.data.events import is_packaged
from harness.data.fetch_plan import FetchedFile, Plan
from harness.data.formats import FolderFormat, folder_format
from harness.data.hub_release import (
    HubDataSet,
    HubRelease,
    is_of_another_commit,
    is_pinned,
    list_release,
    pin_files,
)
from harness.data.level1.columns import PART_NAMES
from harness.data.level1.disk import find_disk
from harness.data.pins import Pin, read_pins, write_pin
from harness.errors import DataError, Problem, UsageError
from harness.files import Progress


def choose_files(
    challenge: Challenge, only: Sequence[str], parts: Sequence[Part], *, with_blackbox: bool
) -> list[DataFile]:
    """Choose the files that are asked for.

    Parameters
    ----------
    only : sequence of str
        Names of files, data sets or processes; none: all, the black box if `with_blackbox`.
    parts : sequence of str
        Parts of data sets; none: all. A data set without any of them is left out.

    Raises
    ------
    UsageError
        There is no such file or data set, or none has these parts.
    """
    if parts and challenge.source is None:
        raise UsageError(
            f"--parts: the files of {challenge.name} hold all parts",
            fix="leave it out; --only chooses files",
        )
    # A file may hold the events of several processes.
    names: dict[str, set[str]] = defaultdict(set)
    for file in challenge.files:
        for name in (file.name, file.process):
            names[name].add(file.process)
    unknown = [name for name in only if name not in names]
    if unknown:
        close = difflib.get_close_matches(unknown[0], names, n=1)
        raise UsageError(
            f"--only: {challenge.name} has no {unknown[0]!r}",
            expected=f"some of {', '.join(file.name for file in challenge.files)}",
            fix=f"did you mean {close[0]}?" if close else "",
        )
    wanted = {process for name in only for process in names[name]}
    chosen = [
        file
        for file in challenge.files
        if (file.process in wanted if only else with_blackbox or file.role != "blackbox")
        and (not file.part_events or asked_parts(file, parts))
    ]
    if not chosen:
        raise UsageError(
            f"--parts: none of these data sets has {' or '.join(parts)}",
            expected=f"one of {', '.join(PARTS)}",
        )
    return chosen


def is_data_set(file: DataFile) -> bool:
    """Whether a process is a data set of the source, and no file that comes with the harness."""
    return bool(file.part_events) and not is_packaged(file)


def plan_data_set(plan: Plan, file: DataFile) -> FetchedFile:
    """Find out where a data set comes from.

    Parts that are in the cache already are read again together with those that are missing, but
    where a folder does not have them: then they stay as they are.

    Raises
    ------
    DataError
        The Hub cannot be reached, refuses, or does not have the data set.
    UsageError
        A mirror is given, which such data sets have not.
    """
    if plan.mirror is not None:
        raise UsageError(
            f"{plan.challenge.name} has data sets, not files: --mirror cannot hold them",
            fix="name a copy of the Hub in HF_ENDPOINT, or give --from FOLDER",
        )
    cached = find_cached(plan.challenge, file, plan.root, is_read=True)
    parts = _parts(plan, file, cached)
    is_here = isinstance(cached, CacheRecord) and set(parts) == set(_held(cached))
    if isinstance(cached, CacheRecord) and is_here and not _is_in_question(plan, file):
        return _done(_planned(plan, file, parts), cached)
    if plan.source_folder is not None:
        kept = _kept(plan.source_folder, file, parts, cached)
        _check_folder(plan.source_folder, file, parts, kept)
        brought = [part for part in parts if part not in kept]
        expected = _expected(plan, file)
        if expected is None and "test" in brought and not (plan.trust_first_use or plan.dry_run):
            raise DataError(_no_checksum(file))
        files = _format(plan.challenge).files(plan.challenge, file, plan.source_folder, brought)
        return replace(
            _planned(plan, file, parts),
            action="folder",
            source=str(plan.source_folder),
            checksum=None if expected is None else expected.checksum,
            checksum_origin="unknown" if expected is None else expected.origin,
            n_bytes=sum(path.stat().st_size for path in files),
            remarks=(f"stays as it is in the cache: {', '.join(kept)}",) if kept else (),
        )
    wanted = _release(plan).data_set(
        file.name, parts, with_seeds=has_algorithms(plan.challenge, file)
    )
    if isinstance(cached, CacheRecord) and is_here and is_pinned(plan.pins_path, wanted):
        if not plan.dry_run:
            pin_files(plan.pins_path, file.name, wanted)
        return _done(_planned(plan, file, parts), cached)
    plan.data_sets[file.name] = wanted
    n_files = len(wanted.files)
    return replace(
        _planned(plan, file, parts),
        action="download",
        source=wanted.address,
        checksum=wanted.checksum,
        checksum_origin=f"the Hub, commit {wanted.revision[:12]}",
        n_bytes=wanted.n_bytes,
        remarks=(f"{n_files} file{'s' if n_files > 1 else ''}", *wanted.remarks),
    )


def _over_all(plan: Plan, progress: Progress) -> Progress:
    """Show the bytes of all files of the Hub that this run brings as one piece of work."""
    files = {file.path: file.n_bytes for one in plan.data_sets.values() for file in one.files}
    every = f"{len(files)} file{'s' if len(files) > 1 else ''} of {plan.challenge.name}"

    def show(label: str, done: int, total: int | None, unit: str) -> None:
        if label not in files or unit != "bytes":
            progress(label, done, total, unit)
            return
        plan.brought[label] = done
        progress(every, sum(plan.brought.values()), sum(files.values()), unit)

    return show


def _missing(folder: Path, file: DataFile, parts: Sequence[Part]) -> list[Part]:
    disk = find_disk(folder)
    return [part for part in parts if not disk.files(file.name, part, None)]


def _kept(
    folder: Path, file: DataFile, parts: Sequence[Part], cached: CacheRecord | str
) -> tuple[Part, ...]:
    """Return the parts that stay as they are in the cache, since the folder has not all of them."""
    held = _held(cached)
    return held if set(_missing(folder, file, parts)) & set(held) else ()


def _opened(
    plan: Plan, file: DataFile, folder: Path, parts: Sequence[Part], kept: CacheRecord | str | None
) -> EventSource:
    """Open the parts of a data set: those that are kept in the cache, all others in the folder."""
    read = _format(plan.challenge).open
    if not isinstance(kept, CacheRecord):
        return read(plan.challenge, file, folder, parts)
    held = _held(kept)
    return joined(
        [
            cached_part(plan.challenge, file, plan.root, kept, part)
            if part in held
            else read(plan.challenge, file, folder, (part,))
            for part in parts
        ],
        held=kept,
    )


def _check_folder(
    folder: Path, file: DataFile, parts: Sequence[Part], kept: Sequence[Part]
) -> None:
    """Refuse a folder without the files of a data set before another one is read."""
    disk = find_disk(folder)
    missing = [PART_NAMES[part] for part in _missing(folder, file, parts) if part not in kept]
    if missing:
        held = ", ".join(disk.data_sets()[:10]) or "none"
        raise DataError(
            f"there are no {' and no '.join(missing)} files of {file.name}",
            where=str(folder),
            expected=f"all its files; of these data sets there are some: {held}",
            fix="get the files that are missing, or leave them out by --only or --parts",
        )


def bring_data_set(
    plan: Plan, file: DataFile, planned: FetchedFile, progress: Progress
) -> FetchedFile:
    """Bring a data set to this machine and into the cache; wait for another that does the same.

    Raises
    ------
    DataError
        The Hub refuses or gives up, or files are missing, damaged or not what was announced.
    EnvironmentFaultError
        The disk is full or not writable.
    """
    if planned.action == "cached":
        return planned
    lock = lock_process(plan.challenge, file.process, plan.root)
    with holding(lock, file.name, progress):
        cached = find_cached(plan.challenge, file, plan.root, is_read=True)
        parts = _parts(plan, file, cached)
        wanted = plan.data_sets.get(file.name)
        is_here = isinstance(cached, CacheRecord) and set(parts) == set(_held(cached))
        if isinstance(cached, CacheRecord) and is_here and not _is_in_question(plan, file):
            return _done(_planned(plan, file, parts), cached)
        if wanted is None:
            if plan.source_folder is None:
                raise DataError(f"the data set {file.name} was not planned")
            folder = plan.source_folder
        else:
            folder = _release(plan).bring(wanted, plan.download_folder, _over_all(plan, progress))
        kept = _kept(folder, file, parts, cached) if wanted is None else ()
        source = _opened(plan, file, folder, parts, cached if kept else None)
        record = store_events(
            plan.challenge,
            file,
            source,
            plan.root,
            expected=_expected(plan, file),
            progress=progress,
        )
        pin_files(plan.pins_path, file.name, wanted)
        if record.holds_test_events:
            write_pin(plan.pins_path, file.name, _pin_of(record, wanted))
    return _done(planned, record)


def _expected(plan: Plan, file: DataFile) -> Pin | None:
    """Return what the decoded test events are compared with; None as long as nothing is known.

    The files of the Hub are compared with its own checksums, so that what an earlier fetch decoded
    says nothing about them.
    """
    if file.checksum is not None:
        return Pin(checksum=file.checksum, n_bytes=None, origin="manifest", url=None)
    if plan.repin or plan.source_folder is None:
        return None
    return read_pins(plan.pins_path).get(file.name)


def _pin_of(record: CacheRecord, wanted: HubDataSet | None) -> Pin:
    """Say what was decoded, so that a folder is compared with it later."""
    origin = "first use" if wanted is None else f"the Hub, commit {wanted.revision}"
    return Pin(checksum=record.checksum, n_bytes=None, origin=origin, url=None)


def _no_checksum(file: DataFile) -> Problem:
    return Problem(
        what="no checksum of its events is known",
        where=file.name,
        expected="one in the manifest, or one of an earlier fetch",
        fix="fetch it once from the Hub, without --from; or state the checksum in a manifest of "
        "your own; or accept the files as they are by --trust-first-use",
    )


def _format(challenge: Challenge) -> FolderFormat:
    found = folder_format(challenge)
    assert found is not None
    return found


def _is_in_question(plan: Plan, file: DataFile) -> bool:
    """Whether the Hub may have other files of a data set than those that are in the cache."""
    return plan.repin or is_of_another_commit(plan.challenge, plan.pins_path, file.name)


def _parts(plan: Plan, file: DataFile, cached: CacheRecord | str) -> tuple[Part, ...]:
    """Return the parts to be in the cache: those that are asked for, and those that are there."""
    held = _held(cached)
    return tuple(part for part in PARTS if part in held or part in asked_parts(file, plan.parts))


def asked_parts(file: DataFile, parts: Sequence[Part]) -> tuple[Part, ...]:
    """Return the parts of a data set that are asked for; all that it has where none is named."""
    return tuple(part for part in file.part_events if not parts or part in parts)


def _held(cached: CacheRecord | str) -> tuple[Part, ...]:
    if isinstance(cached, str) or cached.reading is None:
        return ()
    return tuple(cached.reading.n_read)


def _release(plan: Plan) -> HubRelease:
    """Ask the Hub, once in a run."""
    name = plan.challenge.name
    if name not in plan.releases:
        plan.releases[name] = list_release(
            plan.challenge,
            plan.pins_path,
            repin=plan.repin,
            dry_run=plan.dry_run,
            patience=plan.patience,
            progress=plan.progress,
        )
    return plan.releases[name]


def _planned(plan: Plan, file: DataFile, parts: tuple[Part, ...]) -> FetchedFile:
    counts = [file.part_events.get(part) for part in parts]
    known = [count for count in counts if count is not None]
    return FetchedFile(
        name=file.name,
        process=file.process,
        action="cached",
        source=file.name,
        target=process_folder(plan.challenge, file.process, plan.root),
        checksum=None,
        checksum_origin="unknown",
        n_bytes=None,
        n_events=sum(known) if len(known) == len(counts) else None,
    )


def _done(planned: FetchedFile, record: CacheRecord) -> FetchedFile:
    """Add what is known once the events are in the cache."""
    return replace(
        planned,
        checksum=record.checksum,
        checksum_origin="its decoded events",
        n_events=record.n_events,
        remarks=(*planned.remarks, *record.remarks),
    )
