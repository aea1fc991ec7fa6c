"""The recipe of a sample: which runs of `harness simulate` make its files, and a slice of them.

python -m tools.sample_recipe simulate FOLDER [--jobs J]   all files; hours; can be continued
python -m tools.sample_recipe slice                        write the slice that the tests compare

`make sample` runs the first, and then `python -m tools.make_sample build`.

The slice is the first accepted event of each process of each run, made with the same seeds and
settings; only its soft events come from a library of `SLICE_LIBRARY` instead of the full one, which
takes minutes to make.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.cli.progress import progress_bars
from harness.simulate.chunk import make_chunk
from harness.simulate.detector import Detector
from harness.simulate.libraries import (
    finish_libraries,
    make_library_part,
    missing_parts,
    open_overlay,
)
from harness.simulate.plan import Chunk, SimulationPlan, make_plan
from harness.simulate.presets import BACKGROUND
from harness.simulate.response import CMS_LIKE
from harness.simulate.run import simulate
from tools.pages import ROOT

SLICE = ROOT / "tests" / "golden" / "simulate" / "sample_slice.json"
SLICE_LIBRARY = {"inelastic": 200, "nondiffractive": 100}


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One run of `harness simulate`."""

    process: str
    file_name: str
    n_events: int
    seed: int

    @property
    def plan(self) -> SimulationPlan:
        """Return what `harness simulate` is asked to make."""
        return make_plan(self.process, n_events=self.n_events, seed=self.seed)

    @property
    def role(self) -> str:
        """Return what the events are to the challenge."""
        return "background" if self.process == BACKGROUND else "signal"

    @property
    def title(self) -> str:
        """Return how the process is printed."""
        return self.plan.title


# The names are those of the challenge's files, so that the same code reads both.
RUNS = (
    Run(
        process="background", file_name="background_for_training.h5", n_events=2_180_000, seed=20211
    ),
    Run(
        process="ato4l", file_name="Ato4l_lepFilter_13TeV_filtered.h5", n_events=40_000, seed=20212
    ),
    Run(
        process="lq",
        file_name="leptoquark_LOWMASS_lepFilter_13TeV_filtered.h5",
        n_events=40_000,
        seed=20213,
    ),
    Run(process="h0", file_name="hToTauTau_13TeV_PU20_filtered.h5", n_events=40_000, seed=20214),
    Run(
        process="hplus", file_name="hChToTauNu_13TeV_PU20_filtered.h5", n_events=40_000, seed=20215
    ),
)


def simulate_all(folder: Path, n_jobs: int) -> None:
    """Make every file of the recipe in `folder`; finished ones are left as they are."""
    simulate_runs(RUNS, folder, n_jobs)


def simulate_runs(runs: Sequence[Run], folder: Path, n_jobs: int) -> None:
    """Make the files of runs in `folder`; finished ones are left as they are."""
    with progress_bars() as progress:
        for run in runs:
            simulate(run.plan, folder / run.file_name, n_jobs=n_jobs, progress=progress)


def make_slice(n_library: Mapping[str, int] = SLICE_LIBRARY) -> dict[str, dict[str, object]]:
    """Make the first event of each process of each run, with libraries of `n_library` soft events.

    Returns
    -------
    dict of str to dict
        For each process the checksum of the event's float32 bytes, and its objects as rows of
        slot, pT, eta, phi.
    """
    for part in missing_parts(n_library):
        make_library_part(part)
    finish_libraries(n_library)
    detector = Detector(response=CMS_LIKE, overlay=open_overlay(n_library))
    found = {}
    for run in RUNS:
        for process in run.plan.processes:
            found[process.name] = _first_event(run.plan, process.name, detector)
    return found


def _first_event(plan: SimulationPlan, process: str, detector: Detector) -> dict[str, object]:
    chunk = Chunk(process=process, number=0, n_events=1)
    events, _ = make_chunk(plan.process(process), chunk, plan.seed, detector)
    event = events[0]
    filled = np.flatnonzero(event[:, 0] > 0)
    return {
        "sha256": hashlib.sha256(event.astype("<f4").tobytes()).hexdigest(),
        "objects": [[int(slot), *map(float, event[slot])] for slot in filled],
    }


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    simulating = commands.add_parser("simulate")
    simulating.add_argument("folder", type=Path)
    simulating.add_argument("--jobs", type=int, default=2)
    commands.add_parser("slice")
    arguments = parser.parse_args()
    if arguments.command == "simulate":
        simulate_all(arguments.folder, arguments.jobs)
    else:
        # Not printed: fastjet prints too.
        SLICE.write_text(json.dumps(make_slice(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
