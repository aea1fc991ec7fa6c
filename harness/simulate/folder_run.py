"""A run into a folder: chunks by workers, kept until all files are written.

What `harness.simulate.level1` and `harness.simulate.suep` share; each says what makes a chunk, when
a chunk is there, and what writes the files.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from harness.challenge import Value
from harness.errors import UsageError
from harness.files import Progress, check_new, check_space, make_folder, replacing_folder
from harness.simulate.generator import import_pythia
from harness.simulate.pool import completed, open_workers
from harness.simulate.run import claim


class _Chunk(Protocol):
    @property
    def n_events(self) -> int: ...


ChunkT = TypeVar("ChunkT", bound=_Chunk)


@dataclass(frozen=True, kw_only=True, slots=True)
class FolderRun(Generic[ChunkT]):
    """What a run into a folder consists of.

    Attributes
    ----------
    plan : Value
        What the parts belong to.
    name : str
        As the progress shows it.
    prepare : callable
        Makes in a worker what all of them read: the library of soft events.
    n_library : int
        Soft events in it.
    bytes_per_event : int
        In the parts and in the files together.
    make : callable
        Makes a chunk in the folder of the parts, in a worker; returns its number of events.
    is_there : callable
        Whether a chunk is complete in the folder of the parts.
    write : callable
        Writes all files, from the folder of the parts to a new one.
    """

    plan: Value
    name: str
    chunks: Sequence[ChunkT]
    prepare: Callable[[], object]
    n_library: int
    bytes_per_event: int
    make: Callable[[ChunkT, Path], int]
    is_there: Callable[[Path, ChunkT], bool]
    write: Callable[[Path, Path], None]

    @property
    def n_events(self) -> int:
        """Events of all chunks."""
        return sum(chunk.n_events for chunk in self.chunks)


def run_to_folder(run: FolderRun[ChunkT], out: Path, *, n_jobs: int, progress: Progress) -> Path:
    """Make the new folder `out`; return it.

    Chunks are in ``OUT.parts/`` until all are made, so a run that was killed can continue.

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
    check_space(parts, run.n_events * run.bytes_per_event)
    claim(run.plan, parts)
    with open_workers(n_jobs, parts) as workers:
        progress("soft events", 0, run.n_library, "events")
        workers.submit(run.prepare).result()
        _make_chunks(run, parts, workers, progress)
    progress("write", 0, run.n_events, "events")
    with replacing_folder(out) as folder:
        run.write(parts, folder)
    progress("write", run.n_events, run.n_events, "events")
    shutil.rmtree(parts)
    return out


def _make_chunks(
    run: FolderRun[ChunkT], parts: Path, workers: ProcessPoolExecutor, progress: Progress
) -> None:
    missing = [chunk for chunk in run.chunks if not run.is_there(parts, chunk)]
    done = run.n_events - sum(chunk.n_events for chunk in missing)
    progress(run.name, done, run.n_events, "events")
    for made in completed(workers, [partial(run.make, chunk, parts) for chunk in missing]):
        done += made
        progress(run.name, done, run.n_events, "events")
