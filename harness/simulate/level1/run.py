"""A stand-in, made: chunks by workers, kept until all files are written."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from harness.files import Progress, no_progress
from harness.simulate.folder_run import FolderRun, run_to_folder
from harness.simulate.level1.crossings import open_library
from harness.simulate.level1.manifest import is_a_challenge, manifest_text
from harness.simulate.level1.parts import is_there, make_chunk
from harness.simulate.level1.plan import Level1Plan
from harness.simulate.level1.release import Layout, write_release

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

    def write(parts: Path, folder: Path) -> None:
        write_release(plan, parts, folder, layout)
        if is_a_challenge(plan):
            (folder / MANIFEST_NAME).write_text(manifest_text(plan, folder), encoding="utf-8")

    run = FolderRun(
        plan=plan,
        name="simulate cmsl1t",
        chunks=plan.chunks(),
        prepare=partial(open_library, plan.n_library),
        n_library=plan.n_library,
        bytes_per_event=_BYTES_PER_EVENT,
        make=partial(make_chunk, plan),
        is_there=is_there,
        write=write,
    )
    return run_to_folder(run, out, n_jobs=n_jobs, progress=progress)
