"""Selection efficiencies with what the study's own code does otherwise than this simulation.

python -m tools.suep_study PROCESS VARIANT [--events N] [--seed S]

PROCESS is one of `harness simulate suep`; VARIANT is `here`, or `study`: a scalar as wide as a
Higgs boson of its mass is in the Standard Model, and QCD that is made flatter and has no weights.
Printed are the share of events that pass, for three sums H_T, and the spread of the mass. The sums:
the one here; one with the median energy of each event subtracted, as Delphes does it; the latter
for jets of radius 0.5 within |eta| < 3.

References
----------
The code of S. S. Chhibra et al., arXiv:2306.13595, https://github.com/schhibra/ConvAEforSUEP:
`gensim/pythia8244` makes the events, `gensim/Delphes-3.5.0/cards/delphes_card_CMS_PileUp_ML.tcl` is
the detector, `gensim/Delphes-3.5.0/hdf5/hdf5-generator.py` selects and draws.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from harness.metrics.intervals import clopper_pearson
from harness.simulate.generator import make_generator
from harness.simulate.jets import cluster
from harness.simulate.level1.crossings import open_library
from harness.simulate.level1.datasets import PYTHIA_SETTINGS
from harness.simulate.particles import Column, Particles, join
from harness.simulate.response import JET_RADIUS
from harness.simulate.suep.events import Source, scalars_of, see_batch
from harness.simulate.suep.images import HT_JET_GEV, MAX_ABS_ETA, Seen
from harness.simulate.suep.processes import BY_NAME, MIN_HT_GEV, QCD, SCALAR, SuepProcess, find
from harness.simulate.suep.shower import invariant_masses
from tools.pages import table
from tools.suep_sample import N_LIBRARY

HERE, STUDY = "here", "study"
STUDY_RADIUS, STUDY_ABS_ETA = 0.5, 3.0
# `PhaseSpace` of the study's QCD.
FLATTENED = (
    *("HardQCD:all = on", "PhaseSpace:pTHatMin = 200", "PhaseSpace:pTHatMax = 7000"),
    *("PhaseSpace:bias2Selection = on", "PhaseSpace:bias2SelectionPow = 4.5"),
    "PhaseSpace:bias2SelectionRef = 200",
)
# Of the grid in which Delphes takes the median: steps of 1 in rapidity and, nearly, in phi.
N_ETA, N_PHI = 5, 6
AREA = 2 * MAX_ABS_ETA / N_ETA * 2 * np.pi / N_PHI


def process_of(name: str, variant: str) -> SuepProcess:
    """Return a process as it is made here, or as the study made it."""
    known = find(name)
    if variant == HERE:
        return known
    settings = FLATTENED
    if known.name != QCD.name:
        # One channel stays open, so that Pythia knows a width; the scalar is left undecayed.
        settings = (
            *("HiggsSM:gg2H = on", f"{SCALAR}:m0 = {known.mass_gev:g}", f"{SCALAR}:onMode = off"),
            *(f"{SCALAR}:0:onMode = on", f"{SCALAR}:mayDecay = off", f"{SCALAR}:isVisible = off"),
        )
    return replace(known, process=known.process.model_copy(update={"settings": settings}))


def median_sum(seen: Seen, radius: float, max_abs_eta: float) -> Column:
    """Return H_T with the median energy per area of each event subtracted from its jets [GeV].

    The area of a jet is that of a circle.
    """
    every = join([seen.tracks, seen.ecal, seen.hcal])
    jets = cluster(every, seen.n_events, radius)
    pt = jets.pt - _medians(every, seen.n_events)[jets.event] * np.pi * radius**2
    counts = (pt > HT_JET_GEV) & (np.abs(jets.eta) < max_abs_eta)
    return np.bincount(jets.event[counts], pt[counts], minlength=seen.n_events).astype(np.float64)


def _medians(every: Particles, n_events: int) -> Column:
    """Return the median transverse energy of the tiles of each event, per area [GeV]."""
    inside = every.where(np.abs(every.eta) < MAX_ABS_ETA)
    row = np.floor((inside.eta + MAX_ABS_ETA) / (2 * MAX_ABS_ETA) * N_ETA).astype(np.int64)
    column = np.floor((inside.phi / (2 * np.pi) + 0.5) * N_PHI).astype(np.int64) % N_PHI
    tile = (inside.event * N_ETA + row) * N_PHI + column
    sums = np.bincount(tile, inside.pt, minlength=n_events * N_ETA * N_PHI)
    found: Column = np.median(sums.reshape(n_events, -1), axis=1) / AREA
    return found


def count_passing(process: SuepProcess, n_events: int, seed: int) -> tuple[Mapping[str, int], int]:
    """Return how many events pass with each sum, and how many were made."""
    source = Source.of(process, seed, open_library(N_LIBRARY))
    rng = np.random.default_rng(seed)
    passing: Counter[str] = Counter()
    n_made = 0
    while n_made < n_events:
        seen, total, n_batch = see_batch(source, rng)
        sums: dict[str, NDArray[np.float64]] = {
            "as here": total,
            "median subtracted": median_sum(seen, JET_RADIUS, MAX_ABS_ETA),
            "median subtracted, jets of 0.5 up to 3 in eta": median_sum(
                seen, STUDY_RADIUS, STUDY_ABS_ETA
            ),
        }
        passing.update({name: int((one > MIN_HT_GEV).sum()) for name, one in sums.items()})
        n_made += n_batch
    return passing, n_made


def mass_text(process: SuepProcess, n_events: int, seed: int) -> str:
    """Say how the masses of `n_events` scalars are spread, in one line; empty for QCD."""
    if process.mass_gev is None:
        return ""
    generator = make_generator(process.process, seed, PYTHIA_SETTINGS)
    found = invariant_masses(scalars_of(generator.next_array(n_events)))
    low, middle, high = np.quantile(found, (0.05, 0.5, 0.95))
    return (
        f"mass of {len(found)} scalars: median {middle:.0f} GeV, 90 % from {low:.0f} to {high:.0f}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("process", choices=BY_NAME)
    parser.add_argument("variant", choices=(HERE, STUDY))
    parser.add_argument("--events", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    process = process_of(given.process, given.variant)
    passing, n_made = count_passing(process, given.events, given.seed)
    rows = []
    for name, count in passing.items():
        limits = clopper_pearson(count, n_made)
        share = f"{count / n_made:.1%} ({limits.lower:.1%} to {limits.upper:.1%})"
        rows.append((name, f"{count:,} of {n_made:,}", share))
    print(table(("H_T", "events", "efficiency, 95 %"), rows))
    print(mass_text(process, given.events, given.seed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
