"""A run, made: chunks by workers, kept until all files are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache, partial
from pathlib import Path

from harness.data.hdf5_writer import write_events
from harness.errors import DataError
from harness.files import Progress, no_progress, read_json, replacing, write_json
from harness.simulate.folder_run import FolderRun, run_to_folder
from harness.simulate.level1.crossings import open_library
from harness.simulate.pileup import SoftEvents
from harness.simulate.plan import Chunk
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
    made: dict[str, SuepYield] = {}

    def write(parts: Path, folder: Path) -> None:
        for name in plan.n_events:
            made[name] = _yield_of(plan, parts, name)
            _write(plan, parts, folder, name, made[name])
        if is_a_challenge(plan):
            (folder / MANIFEST_NAME).write_text(manifest_text(plan, folder), encoding="utf-8")

    run = FolderRun(
        plan=plan,
        name="simulate suep",
        chunks=plan.chunks(),
        prepare=partial(open_library, plan.n_library),
        n_library=plan.n_library,
        bytes_per_event=_BYTES_PER_EVENT,
        make=partial(make_chunk, plan),
        is_there=is_there,
        write=write,
    )
    run_to_folder(run, out, n_jobs=n_jobs, progress=progress)
    return made


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


def is_there(parts: Path, chunk: Chunk) -> bool:
    """Whether a chunk is made."""
    return _report(parts, chunk) is not None


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
