"""A whole run: many workers, chunks that are kept, one file at the end.

Chunks are in ``FILE.parts/`` until the file is complete, so a run that was killed can continue. A
lock keeps two runs from writing the same file.
"""

from __future__ import annotations

import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import numpy as np

from harness.challenge import Value
from harness.errors import DataError, UsageError
from harness.files import (
    Progress,
    check_space,
    held_alone,
    make_folder,
    no_progress,
    read_json,
    write_json,
)
from harness.simulate.chunk import ChunkReport
from harness.simulate.generator import import_pythia
from harness.simulate.libraries import (
    finish_libraries,
    library_lock,
    make_library_part,
    missing_parts,
)
from harness.simulate.plan import Chunk, SimulationPlan
from harness.simulate.pool import completed, open_workers
from harness.simulate.provenance import ProcessYield, Provenance, make_provenance, read_provenance
from harness.simulate.worker import report_name, run_chunk
from harness.simulate.writer import bytes_per_event, write_file

_PLAN_NAME = "plan.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Simulated:
    """A file of simulated events.

    Attributes
    ----------
    n_resumed : int
        Events that an interrupted run had left; all of them if the file was there already.
    """

    path: Path
    provenance: Provenance
    n_resumed: int


def simulate(
    plan: SimulationPlan, out: Path, *, n_jobs: int = 1, progress: Progress = no_progress
) -> Simulated:
    """Simulate what `plan` says into the HDF5 file `out`.

    The bytes of the file depend on the plan alone, not on `n_jobs` or on interruptions.

    Raises
    ------
    UsageError
        `out` holds something else, another run writes it, or the process cannot be simulated.
    EnvironmentFaultError
        There is too little room, or the extra `simulate` is missing.
    """
    if n_jobs < 1:
        raise UsageError(f"the number of jobs is {n_jobs}", expected="at least one")
    import_pythia()
    out = out.expanduser().absolute()
    make_folder(out.parent)
    parts = out.with_name(f"{out.name}.parts")
    with held_alone(
        out.with_name(f".{out.name}.lock"),
        what="writing this file",
        where=out,
        fix="wait for it, or name another file",
    ):
        there = _already_there(plan, out)
        if there is not None:
            return there
        per_event = bytes_per_event(plan)
        check_space(out.parent, plan.n_events * per_event - _bytes_in(parts))
        claim(plan, parts)
        with open_workers(n_jobs, parts) as workers:
            checksums = _make_libraries(plan, workers, progress)
            n_resumed = _make_chunks(plan, parts, workers, progress)
            provenance = make_provenance(plan, _yields(plan, parts), checksums)
            progress("write", 0, plan.n_events, "events")
            # In a worker: on a full disk h5py prints tracebacks when it closes a file.
            workers.submit(write_file, plan, parts, out, provenance).result()
            progress("write", plan.n_events, plan.n_events, "events")
        shutil.rmtree(parts)
    return Simulated(path=out, provenance=provenance, n_resumed=n_resumed)


def _already_there(plan: SimulationPlan, out: Path) -> Simulated | None:
    """Return the file at `out` if it is what `plan` would make; None if there is none."""
    if not out.exists():
        return None
    provenance = read_provenance(out)
    if provenance is None or provenance.plan_digest != plan.digest:
        raise UsageError(
            "there is a file already, and it holds something else",
            where=str(out),
            expected="no file, or one of the same process, number, seed and version",
            fix="name another file, or move this one away",
        )
    return Simulated(path=out, provenance=provenance, n_resumed=plan.n_events)


def claim(plan: Value, parts: Path) -> None:
    """Make the folder of the parts, or continue with the one that is there.

    Raises
    ------
    UsageError
        The parts there are those of another plan.
    """
    make_folder(parts)
    path = parts / _PLAN_NAME
    if path.exists():
        try:
            is_ours = read_json(path, type(plan)) == plan
        except DataError:
            is_ours = False
        if not is_ours:
            raise UsageError(
                "parts of another run are here",
                where=str(parts),
                expected="none, or those of the same process, number, seed and version",
                fix="name another file, or move that folder away",
            )
        return
    write_json(path, plan)


def _make_libraries(
    plan: SimulationPlan, workers: ProcessPoolExecutor, progress: Progress
) -> dict[str, str]:
    if not plan.n_library:
        return {}
    with library_lock():
        wanted = missing_parts(plan.n_library)
        n_events = sum(part.n_events for part in wanted)
        done = 0
        for made in completed(workers, [partial(make_library_part, part) for part in wanted]):
            done += made
            progress("soft events", done, n_events, "events")
        return finish_libraries(plan.n_library)


def _make_chunks(
    plan: SimulationPlan, parts: Path, workers: ProcessPoolExecutor, progress: Progress
) -> int:
    """Make the chunks that are missing; return how many events were there before."""
    chunks = plan.chunks()
    missing = [chunk for chunk in chunks if _report(parts, chunk) is None]
    n_resumed = plan.n_events - sum(chunk.n_events for chunk in missing)
    done = n_resumed
    progress(f"simulate {plan.name}", done, plan.n_events, "events")
    for report in completed(workers, [partial(run_chunk, plan, chunk, parts) for chunk in missing]):
        done += report.n_events
        progress(f"simulate {plan.name}", done, plan.n_events, "events")
    return n_resumed


def _report(parts: Path, chunk: Chunk) -> ChunkReport | None:
    """Return the report of a chunk that is complete; None if it is not made yet."""
    try:
        report = read_json(parts / report_name(chunk), ChunkReport)
        events = np.load(parts / chunk.file_name, mmap_mode="r", allow_pickle=False)
    except (DataError, OSError, ValueError):
        return None
    return report if len(events) == chunk.n_events == report.n_events else None


def _yields(plan: SimulationPlan, parts: Path) -> dict[str, ProcessYield]:
    """Add up the reports of the chunks of each process."""
    found = {}
    for name, chunks in groupby(plan.chunks(), attrgetter("process")):
        reports = [report for chunk in chunks if (report := _report(parts, chunk)) is not None]
        n_generated = sum(report.n_generated for report in reports)
        weighted = sum(report.cross_section_mb * report.n_generated for report in reports)
        found[name] = ProcessYield(
            n_events=sum(report.n_events for report in reports),
            n_generated=n_generated,
            efficiency=sum(report.n_accepted for report in reports) / n_generated,
            cross_section_mb=weighted / n_generated,
        )
    return found


def _bytes_in(folder: Path) -> int:
    """Count the bytes of a run's parts that are there already."""
    return sum(path.stat().st_size for path in folder.glob("*.npy")) if folder.exists() else 0
