"""Worker processes: many calls, a few ahead, results as they come."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TypeVar

from harness.errors import LimitError, UsageError
from harness.files import make_folder, remove_parts
from harness.simulate.worker import start_worker

# A chunk of 2,000 events takes seconds to minutes; one that takes this long hangs.
MAX_CHUNK_S = 3600.0
# Calls that are submitted ahead, for all workers together.
_MAX_WAITING = 64

Result = TypeVar("Result")


@contextmanager
def open_workers(n_jobs: int, parts: Path) -> Iterator[ProcessPoolExecutor]:
    """Start workers; if the work is interrupted, they are killed and unfinished files removed."""
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
        # Python 3.11 has no public way to kill the processes of a pool.
        for process in list((workers._processes or {}).values()):  # noqa: SLF001
            process.kill()
        workers.shutdown(wait=True, cancel_futures=True)
        remove_parts(parts)
        if isinstance(error, BrokenProcessPool):
            raise _crashed(logs) from error
        raise
    workers.shutdown(wait=True)


def _crashed(logs: Path) -> UsageError:
    """Return the error of a worker that died, with the last error in its log."""
    texts = [path.read_text("utf-8", "replace") for path in sorted(logs.iterdir())]
    lines = [line.strip() for text in texts for line in text.splitlines()]
    errors = [line for line in lines if "rror" in line or "bort" in line]
    return UsageError(
        "a worker died" + (f"; its log says: {errors[-1][:200]}" if errors else ""),
        where=str(logs),
        expected="settings with which Pythia works, and memory for each job (1 GB)",
        fix="run with fewer jobs; if it dies again, change the settings of the process",
    )


def completed(
    workers: ProcessPoolExecutor, calls: Sequence[Callable[[], Result]]
) -> Iterator[Result]:
    """Run `calls`, a few at a time, and yield their results as they come.

    Raises
    ------
    LimitError
        No call is finished for an hour.
    """
    waiting = iter(calls)
    running: set[Future[Result]] = set()
    while True:
        running |= {workers.submit(call) for call in islice(waiting, _MAX_WAITING - len(running))}
        if not running:
            return
        finished, running = wait(running, timeout=MAX_CHUNK_S, return_when=FIRST_COMPLETED)
        if not finished:
            raise LimitError(
                f"no part was finished within {MAX_CHUNK_S:.0f} s",
                expected="seconds to minutes for each",
                fix="change the settings of the process, so that more of its events pass",
            )
        for future in finished:
            yield future.result()
