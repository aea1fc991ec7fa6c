"""A stand-in, made: chunks by workers, kept until all files are written."""

from __future__ import annotations

import shutil
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from harness.errors import UsageError
from harness.files import (
    Progress,
    check_new,
    check_space,
    make_folder,
    no_progress,
    replacing_folder,
)
from harness.simulate.generator import import_pythia
from harness.simulate.level1.crossings import open_library
from harness.simulate.level1.manifest import is_a_challenge, manifest_text
from harness.simulate.level1.parts import is_there, make_chunk
from harness.simulate.level1.plan import Level1Plan
from harness.simulate.level1.release import Layout, write_release
from harness.simulate.pool import completed, open_workers
from harness.simulate.run import claim

MANIFEST_NAME = "manifest.yaml"
# Of one event: in the parts and in the files.
_BYTES_PER_EVENT = 600


def simulate_level1(
    plan: Level1Plan,
    out: Path,
    *,
    layout: Layout = "hub",
    n_jobs: int = 1,
    progress: Progress = no_progress,
) -> Path:
    """Make the stand-in that `plan` says in the new folder `out`; return it.

    Chunks are in ``OUT.parts/`` until all are made, so a run that was killed can continue. The
    content of the files depends on the plan alone.

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
    n_events = sum(plan.n_events.values())
    progress("write", 0, n_events, "events")
    with replacing_folder(out) as folder:
        write_release(plan, parts, folder, layout)
        if is_a_challenge(plan):
            (folder / MANIFEST_NAME).write_text(manifest_text(plan, folder), encoding="utf-8")
    progress("write", n_events, n_events, "events")
    shutil.rmtree(parts)
    return out


def _make_chunks(
    plan: Level1Plan, parts: Path, workers: ProcessPoolExecutor, progress: Progress
) -> None:
    chunks = plan.chunks()
    missing = [chunk for chunk in chunks if not is_there(parts, chunk)]
    n_events = sum(plan.n_events.values())
    done = n_events - sum(chunk.n_events for chunk in missing)
    progress("simulate cmsl1t", done, n_events, "events")
    for made in completed(workers, [partial(make_chunk, plan, chunk, parts) for chunk in missing]):
        done += made
        progress("simulate cmsl1t", done, n_events, "events")
