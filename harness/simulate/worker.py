"""What runs in a worker process: Pythia may print, crash or hang there.

The messages of Pythia and fastjet go to a log file, so that the reason can be reported.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from functools import cache
from pathlib import Path

import numpy as np

from harness.files import write_json, writing
from harness.simulate.boosted.finder import JetFinder
from harness.simulate.chunk import ChunkReport, make_chunk
from harness.simulate.detector import Detector
from harness.simulate.dijets.finder import DijetFinder
from harness.simulate.dijets.selection import DijetSelection
from harness.simulate.libraries import open_overlay
from harness.simulate.observed import Observer
from harness.simulate.plan import Chunk, SimulationPlan
from harness.simulate.response import CMS_LIKE

# prctl(2): the signal that a process gets when its parent dies.
_PR_SET_PDEATHSIG = 1


def start_worker(log_folder: Path, parent: int) -> None:
    """Prepare a worker: it ends with its parent, ignores Ctrl-C, and prints to a log."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the call above
        os._exit(1)
    log = os.open(log_folder / f"worker-{os.getpid()}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)


def run_chunk(plan: SimulationPlan, chunk: Chunk, folder: Path) -> ChunkReport:
    """Make one chunk and write it to `folder`, its report last."""
    events, report = make_chunk(plan.process(chunk.process), chunk, plan.seed, _observer(plan))
    with writing(folder / chunk.file_name) as stream:
        np.lib.format.write_array(stream, events, allow_pickle=False)
    write_json(folder / report_name(chunk), report)
    return report


def report_name(chunk: Chunk) -> str:
    """Name the file whose presence shows that a chunk is complete."""
    return f"{chunk.file_name}.json"


def _observer(plan: SimulationPlan) -> Observer:
    if isinstance(plan.jets, DijetSelection):
        return DijetFinder(selection=plan.jets)
    if plan.jets is not None:
        return JetFinder(selection=plan.jets)
    return _detector(tuple(plan.n_library.items()))


@cache
def _detector(n_library: tuple[tuple[str, int], ...]) -> Detector:
    """Read the libraries once in each worker."""
    return Detector(response=CMS_LIKE, overlay=open_overlay(dict(n_library)))
