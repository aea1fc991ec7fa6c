"""How fast fresh background events are made, where the time goes, and that memory stays flat.

python benchmarks/simulate.py [--quick] [--json FILE]

Each process is made in this process for a while; processor seconds are counted, which other work on
the machine disturbs less than the wall clock. What two cores give on an idle machine follows from
the mix: 2 / (mean processor seconds of an event).
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass

import numpy as np
import psutil
from _table import Cell, Goal, Report, publish, read_options

from harness.simulate.detector import Detector
from harness.simulate.generator import import_pythia, make_generator
from harness.simulate.hadrons import library
from harness.simulate.libraries import (
    finish_libraries,
    make_library_part,
    missing_parts,
    open_overlay,
)
from harness.simulate.plan import CHUNK_EVENTS
from harness.simulate.presets import COMPONENTS
from harness.simulate.process import Process
from harness.simulate.response import CMS_LIKE

LIBRARY = {"inelastic": 5000, "nondiffractive": 5000}
BATCH_EVENTS = 500
N_CORES = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """Processor seconds of one process; `start_s` is spent once in each chunk of 2,000 events."""

    n_generated: int
    n_accepted: int
    start_s: float
    generator_s: float
    detector_s: float
    grown_mb: float

    @property
    def cpu_s(self) -> float:
        """Processor seconds of an accepted event."""
        return (self.generator_s + self.detector_s) / self.n_accepted + self.start_s / CHUNK_EVENTS


def main() -> int:
    """Measure and print."""
    options = read_options(__doc__ or "")
    import_pythia()
    for part in missing_parts(LIBRARY):
        make_library_part(part)
    finish_libraries(LIBRARY)
    detector = Detector(response=CMS_LIKE, overlay=open_overlay(LIBRARY))
    budget_s = 1.0 if options.quick else 4.0
    measured = {process: measure(process, detector, budget_s) for process in COMPONENTS}
    mean_s = sum(share * measured[process].cpu_s for process, share in COMPONENTS.items())
    rows: list[tuple[Cell, ...]] = [
        (
            process.name,
            f"{share:.1%}",
            one.n_accepted,
            one.n_generated / one.n_accepted,
            1e3 * one.start_s / CHUNK_EVENTS,
            1e3 * one.generator_s / one.n_accepted,
            1e3 * one.detector_s / one.n_accepted,
            1e3 * one.cpu_s,
            share * one.cpu_s / mean_s,
            one.grown_mb,
        )
        for process, share in COMPONENTS.items()
        for one in (measured[process],)
    ]
    report = Report(
        name="simulate",
        title="Fresh background events",
        columns=(
            "process",
            "share",
            "accepted",
            "hadronised/accepted",
            "start ms",
            "Pythia, decays ms",
            "detector ms",
            "ms/accepted",
            "share of the time",
            "memory grown MB",
        ),
        rows=tuple(rows),
        goals=(
            Goal(
                name="accepted background events a second on 2 cores",
                value=N_CORES / mean_s,
                relation=">=",
                limit=600.0,
            ),
            Goal(
                name="memory grown while a process is made",
                value=max(one.grown_mb for one in measured.values()),
                relation="<=",
                limit=100.0,
                unit=" MB",
            ),
        ),
        conditions={"processor seconds for each process": budget_s, "batch": BATCH_EVENTS},
    )
    return publish(report, options)


def measure(process: Process, detector: Detector, budget_s: float) -> Measured:
    """Make events of one process for `budget_s` processor seconds."""
    library(process.leptons_of)
    started = time.process_time()
    generator = make_generator(process, 1)
    start_s = time.process_time() - started
    rng = np.random.default_rng(1)
    n_generated = n_accepted = 0
    generator_s = detector_s = 0.0
    memory = psutil.Process(os.getpid()).memory_info
    before = 0
    while generator_s + detector_s < budget_s or n_accepted == 0:
        started = time.process_time()
        batch = generator.next_batch(BATCH_EVENTS, rng)
        generated = time.process_time()
        events = detector.see(batch, rng, is_fake=process.is_fake)
        detector_s += time.process_time() - generated
        generator_s += generated - started
        n_generated += batch.n_generated
        n_accepted += len(events)
        before = before or memory().rss
    return Measured(
        n_generated=n_generated,
        n_accepted=n_accepted,
        start_s=start_s,
        generator_s=generator_s,
        detector_s=detector_s,
        grown_mb=(memory().rss - before) / 1e6,
    )


if __name__ == "__main__":
    sys.exit(main())
