"""A whole run: many workers, chunks that are kept, one file at the end.

Chunks lie in ``FILE.parts/`` until the file is whole, so that a run that was killed goes on where
it was. A lock keeps two runs into one file apart.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from harness.errors import DataError, LimitError, Problem, UsageError
from harness.files import (
    Progress,
    check_space,
    make_folder,
    no_progress,
    read_json,
    remove_parts,
    write_json,
)
from harness.simulate.chunk import ChunkReport
from harness.simulate.generator import import_pythia
from harness.simulate.layout import Events
from harness.simulate.libraries import finish_libraries, library_lock, missing_parts
from harness.simulate.plan import Chunk, Plan
from harness.simulate.provenance import ProcessYield, Provenance, make_provenance, read_provenance
from harness.simulate.worker import report_name, run_chunk, run_library_part, start_worker
from harness.simulate.writer import FILE_BYTES_PER_EVENT, PART_BYTES_PER_EVENT, write_events

BLOCK_EVENTS = 65_536
# A chunk of 2,000 events takes seconds to minutes; one that takes this long hangs.
MAX_CHUNK_S = 3600.0
_PLAN_NAME = "plan.json"
# Units of work that are handed out ahead, for all workers together.
_MAX_WAITING = 64

Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True, slots=True)
class Simulated:
    """A file of simulated events.

    Attributes
    ----------
    n_resumed : int
        Events that an earlier, broken run had left; all of them if the file was there already.
    """

    path: Path
    provenance: Provenance
    n_resumed: int


def simulate(
    plan: Plan, out: Path, *, n_jobs: int = 1, progress: Progress = no_progress
) -> Simulated:
    """Simulate what `plan` says into the HDF5 file `out`.

    The bytes of the file depend on the plan alone, not on `n_jobs` or on interruptions.

    Raises
    ------
    UsageError
        `out` holds something else, another run writes it, or the process can't be simulated.
    EnvironmentFaultError
        There is too little room, or the extra `simulate` is missing.
    """
    if n_jobs < 1:
        raise UsageError(Problem(what=f"{n_jobs} jobs were asked for", expected="one at least"))
    import_pythia()
    out = out.expanduser().absolute()
    make_folder(out.parent)
    parts = out.with_name(f"{out.name}.parts")
    with _owning(out):
        there = _already_there(plan, out)
        if there is not None:
            return there
        per_event = FILE_BYTES_PER_EVENT + PART_BYTES_PER_EVENT
        check_space(out.parent, plan.n_events * per_event - _bytes_in(parts))
        _claim(plan, parts)
        with _workers(n_jobs, parts) as workers:
            checksums = _make_libraries(plan, workers, progress)
            n_resumed = _make_chunks(plan, parts, workers, progress)
            provenance = make_provenance(plan, _yields(plan, parts), checksums)
            progress("write", 0, plan.n_events, "events")
            # In a worker: on a full disk h5py prints tracebacks when it lets go of a file.
            workers.submit(_write_file, plan, parts, out, provenance).result()
            progress("write", plan.n_events, plan.n_events, "events")
        shutil.rmtree(parts)
    return Simulated(path=out, provenance=provenance, n_resumed=n_resumed)


@contextmanager
def _owning(out: Path) -> Iterator[None]:
    """Keep other runs off `out`."""
    lock = FileLock(out.with_name(f".{out.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise UsageError(
            Problem(
                what="another run is writing this file",
                where=str(out),
                fix="wait for it, or name another file",
            )
        ) from error
    try:
        yield
    finally:
        lock.release()


def _already_there(plan: Plan, out: Path) -> Simulated | None:
    """Return the file at `out` if it is what `plan` would make; None if there is none."""
    if not out.exists():
        return None
    provenance = read_provenance(out)
    if provenance is None or provenance.plan_digest != plan.digest:
        raise UsageError(
            Problem(
                what="there is a file already, and it holds something else",
                where=str(out),
                expected="no file, or one of the same process, number, seed and version",
                fix="name another file, or delete it",
            )
        )
    return Simulated(path=out, provenance=provenance, n_resumed=plan.n_events)


def _claim(plan: Plan, parts: Path) -> None:
    """Make the folder of the parts, or go on with the one that is there."""
    make_folder(parts)
    path = parts / _PLAN_NAME
    if path.exists():
        try:
            is_ours = read_json(path, Plan).digest == plan.digest
        except DataError:
            is_ours = False
        if not is_ours:
            raise UsageError(
                Problem(
                    what="parts of another run are here",
                    where=str(parts),
                    expected="none, or those of the same process, number, seed and version",
                    fix="name another file, or delete that folder",
                )
            )
        return
    write_json(path, plan)


@contextmanager
def _workers(n_jobs: int, parts: Path) -> Iterator[ProcessPoolExecutor]:
    """Give workers; they are killed if the work is broken off, and what they were writing goes."""
    logs = parts / "logs"
    make_folder(logs)
    workers = ProcessPoolExecutor(
        n_jobs,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=start_worker,
        initargs=(logs, os.getpid()),
    )
    try:
        yield workers
    except BaseException as error:
        # Python 3.11 keeps the processes in a private place, and has no public way to kill them.
        for process in list((workers._processes or {}).values()):  # noqa: SLF001
            process.kill()
        workers.shutdown(wait=True, cancel_futures=True)
        remove_parts(parts)
        if isinstance(error, BrokenProcessPool):
            raise _crashed(logs) from error
        raise
    workers.shutdown(wait=True)


def _crashed(logs: Path) -> UsageError:
    """Tell that a worker has died, and what it said last."""
    words = [path.read_text("utf-8", "replace").strip() for path in sorted(logs.iterdir())]
    lines = [line for word in words for line in word.splitlines()]
    said = [line for line in lines if "rror" in line or "bort" in line]
    return UsageError(
        Problem(
            what="a worker died" + (f"; it said: {said[-1].strip()[:200]}" if said else ""),
            where=str(logs),
            expected="settings that Pythia bears, and memory for each job (1 GB)",
            fix="run with fewer jobs; if it dies again, change the settings of the process",
        )
    )


def _make_libraries(plan: Plan, workers: ProcessPoolExecutor, progress: Progress) -> dict[str, str]:
    with library_lock():
        wanted = missing_parts(plan.n_library)
        n_events = sum(part[2] for part in wanted)
        done = 0
        for made in _completed(workers, [(run_library_part, (part,)) for part in wanted]):
            done += made
            progress("soft events", done, n_events, "events")
        return finish_libraries(plan.n_library)


def _make_chunks(plan: Plan, parts: Path, workers: ProcessPoolExecutor, progress: Progress) -> int:
    """Make the chunks that are missing; return how many events were there before."""
    chunks = plan.chunks()
    missing = [chunk for chunk in chunks if _report(parts, chunk) is None]
    n_resumed = plan.n_events - sum(chunk.n_events for chunk in missing)
    done = n_resumed
    progress(f"simulate {plan.name}", done, plan.n_events, "events")
    calls = [(run_chunk, (plan, chunk, parts)) for chunk in missing]
    for report in _completed(workers, calls):
        done += report.n_events
        progress(f"simulate {plan.name}", done, plan.n_events, "events")
    return n_resumed


def _completed(
    workers: ProcessPoolExecutor, calls: Sequence[tuple[Callable[..., Result], tuple[object, ...]]]
) -> Iterator[Result]:
    """Run `calls`, a few at a time, and give their results as they come."""
    waiting = iter(calls)
    running: dict[Future[Result], float] = {}
    while True:
        while len(running) < _MAX_WAITING and (call := next(waiting, None)) is not None:
            running[workers.submit(call[0], *call[1])] = time.monotonic()
        if not running:
            return
        finished, _ = wait(running, timeout=MAX_CHUNK_S, return_when=FIRST_COMPLETED)
        if not finished:
            raise LimitError(
                Problem(
                    what=f"no part was finished within {MAX_CHUNK_S:.0f} s",
                    expected="seconds to minutes for each",
                    fix="change the settings of the process, or let more of its events pass",
                )
            )
        for future in finished:
            del running[future]
            yield future.result()


def _report(parts: Path, chunk: Chunk) -> ChunkReport | None:
    """Return the report of a chunk that is whole; None if it is still to be made."""
    try:
        report = read_json(parts / report_name(chunk), ChunkReport)
        events = np.load(parts / chunk.file_name, mmap_mode="r", allow_pickle=False)
    except (DataError, OSError, ValueError):
        return None
    return report if len(events) == chunk.n_events == report.n_events else None


def _yields(plan: Plan, parts: Path) -> dict[str, ProcessYield]:
    """Sum up what the chunks of each process have taken."""
    reports: dict[str, list[ChunkReport]] = {}
    for chunk in plan.chunks():
        report = _report(parts, chunk)
        if report is not None:
            reports.setdefault(chunk.process, []).append(report)
    found = {}
    for name, of_process in reports.items():
        n_generated = sum(report.n_generated for report in of_process)
        weighted = sum(report.cross_section_mb * report.n_generated for report in of_process)
        found[name] = ProcessYield(
            n_events=sum(report.n_events for report in of_process),
            n_generated=n_generated,
            efficiency=sum(report.n_accepted for report in of_process) / n_generated,
            cross_section_mb=weighted / n_generated,
        )
    return found


def _blocks(plan: Plan, parts: Path) -> Iterator[Events]:
    """Give the events of all processes, mixed, block by block.

    Events of one process are alike and independent, so a random order of the processes is enough:
    which process comes next is drawn, and its next event is taken.
    """
    names = list(plan.counts)
    sources = {name: _Source(plan, parts, name) for name in names}
    order = _order(plan)
    for start in range(0, plan.n_events, BLOCK_EVENTS):
        labels = order[start : start + BLOCK_EVENTS]
        block = np.empty((len(labels), 19, 3), np.float32)
        for label, name in enumerate(names):
            at = labels == label
            block[at] = sources[name].take(int(at.sum()))
        yield block


def _order(plan: Plan) -> NDArray[np.uint8]:
    """Draw which process each event of the file comes from; one byte an event."""
    counts = list(plan.counts.values())
    order = np.repeat(np.arange(len(counts), dtype=np.uint8), counts)
    np.random.default_rng(np.random.SeedSequence([plan.seed, 7])).shuffle(order)
    return order


class _Source:
    """The events of one process, chunk by chunk."""

    def __init__(self, plan: Plan, parts: Path, name: str) -> None:
        self._paths = iter(
            [parts / chunk.file_name for chunk in plan.chunks() if chunk.process == name]
        )
        self._rest: Events = np.empty((0, 19, 3), np.float32)

    def take(self, n_events: int) -> Events:
        """Return the next `n_events`."""
        taken = [self._rest]
        while sum(map(len, taken)) < n_events:
            taken.append(np.load(next(self._paths), allow_pickle=False))
        joined = np.concatenate(taken)
        self._rest = joined[n_events:]
        return joined[:n_events]


def _write_file(plan: Plan, parts: Path, out: Path, provenance: Provenance) -> None:
    """Write the file from its parts."""
    write_events(out, _blocks(plan, parts), plan.n_events, provenance)


def _bytes_in(folder: Path) -> int:
    """Count the bytes of a run's parts that are there already."""
    return sum(path.stat().st_size for path in folder.glob("*.npy")) if folder.exists() else 0
