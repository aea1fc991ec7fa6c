"""A run, made: chunks by workers, kept until all files are written."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path

from harness.data.hdf5_writer import write_events
from harness.errors import DataError, UsageError
from harness.files import (
    Progress,
    check_new,
    check_space,
    make_folder,
    no_progress,
    read_json,
    replacing,
    replacing_folder,
    write_json,
)
from harness.simulate.generator import import_pythia
from harness.simulate.level1.crossings import open_library
from harness.simulate.pileup import SoftEvents
from harness.simulate.plan import Chunk
from harness.simulate.pool import completed, open_workers
from harness.simulate.run import claim
from harness.simulate.suep.events import Source, SuepYield, make_events
from harness.simulate.suep.images import LAYOUT
from harness.simulate.suep.manifest import MANIFEST_NAME, is_a_challenge, manifest_text
from harness.simulate.suep.plan import SuepPlan
from harness.simulate.suep.processes import find
from harness.submission.events import Events, open_events, save_events

# Of one event, in the parts and in the files.
_BYTES_PER_EVENT = 25_000


def simulate_suep(
    plan: SuepPlan, out: Path, *, n_jobs: int = 1, progress: Progress = no_progress
) -> Mapping[str, SuepYield]:
    """Make what `plan` says in the new folder `out`: an HDF5 file for each process, a manifest.

    Chunks are in ``OUT.parts/`` until all are made, so a run that was killed can continue. The
    content of the files depends on the plan alone.

    Returns
    -------
    mapping of process to SuepYield

    Raises
    ------
    UsageError
        `out` exists, or the parts beside it are those of another plan.
    EnvironmentFaultError
        There is too little room, or the extra `simulate` is missing.
    """
    if n_jobs < 1:
        raise UsageError(f"the number of jobs is {n_jobs}", expected="at least one")
    import_pythia()
    out = out.expanduser().absolute()
    check_new(out)
    parts = out.with_name(f"{out.name}.parts")
    make_folder(parts)
    check_space(parts, sum(plan.n_events.values()) * _BYTES_PER_EVENT)
    claim(plan, parts)
    with open_workers(n_jobs, parts) as workers:
        progress("soft events", 0, plan.n_library, "events")
        workers.submit(open_library, plan.n_library).result()
        _make_chunks(plan, parts, workers, progress)
    made = {name: _yield_of(plan, parts, name) for name in plan.n_events}
    with replacing_folder(out) as folder:
        for name, found in made.items():
            _write(plan, parts, folder, name, found)
        if is_a_challenge(plan):
            (folder / MANIFEST_NAME).write_text(manifest_text(plan, folder), encoding="utf-8")
    shutil.rmtree(parts)
    return made


def _make_chunks(
    plan: SuepPlan, parts: Path, workers: ProcessPoolExecutor, progress: Progress
) -> None:
    missing = [chunk for chunk in plan.chunks() if _report(parts, chunk) is None]
    n_events = sum(plan.n_events.values())
    done = n_events - sum(chunk.n_events for chunk in missing)
    progress("simulate suep", done, n_events, "events")
    for made in completed(workers, [partial(make_chunk, plan, chunk, parts) for chunk in missing]):
        done += made
        progress("simulate suep", done, n_events, "events")


def make_chunk(plan: SuepPlan, chunk: Chunk, parts: Path) -> int:
    """Make one chunk in `parts`, in a worker, its report last; return its number of events."""
    seed, rng = chunk.seeds(plan.seed)
    source = Source.of(find(chunk.process), seed, _library(plan.n_library))
    images, made = make_events(source, chunk.n_events, rng)
    with replacing(parts / chunk.file_name) as part:
        save_events(part, images)
    write_json(parts / f"{chunk.file_name}.json", made)
    return chunk.n_events


@cache
def _library(n_events: int) -> SoftEvents:
    return open_library(n_events)


def _report(parts: Path, chunk: Chunk) -> SuepYield | None:
    """Return the report of a chunk that is complete; None if it is not made yet."""
    try:
        report = read_json(parts / f"{chunk.file_name}.json", SuepYield)
        n_there = len(open_events(parts / chunk.file_name))
    except (DataError, OSError, ValueError):
        return None
    return report if n_there == chunk.n_events else None


def _yield_of(plan: SuepPlan, parts: Path, name: str) -> SuepYield:
    total = SuepYield(n_generated=0, n_accepted=0, n_pixels=0)
    for chunk in plan.chunks():
        if chunk.process == name and (report := _report(parts, chunk)) is not None:
            total = total.plus(report)
    return total


def _write(plan: SuepPlan, parts: Path, folder: Path, name: str, made: SuepYield) -> None:
    def chunks() -> Iterator[Events]:
        for chunk in plan.chunks():
            if chunk.process == name:
                yield open_events(parts / chunk.file_name)

    attributes = {
        "synthetic": "true",
        "made_by": "harness simulate suep",
        "weights": "none: every event counts once",
        "plan": plan.model_dump_json(),
        "yield": made.model_dump_json(),
    }
    path = folder / f"{name}.h5"
    write_events(path, LAYOUT, chunks(), n_events=plan.n_events[name], attributes=attributes)
    write_json(path.with_name(f"{path.name}.json"), made)
