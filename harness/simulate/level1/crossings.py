"""Crossings: pile-up from a library, hard collisions generated afresh, all as particles.

A crossing holds a Poisson number of inelastic collisions. Those below `HARD_GEV` are drawn from a
library, each rotated about the beam and reflected at random. Those above, and W and Z bosons, are
generated for the one crossing that holds them; their share of all is the ratio of Pythia's cross
sections.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.data.cache import cache_root
from harness.files import make_folder, write_whole
from harness.simulate.generator import (
    MAX_ABS_ETA,
    MIN_PT_GEV,
    Generator,
    import_pythia,
    make_generator,
    read_batch,
)
from harness.simulate.level1.datasets import HARD, HARD_GEV, PYTHIA_SETTINGS, SOFT, WEAK
from harness.simulate.particles import Indices, Particles, concatenate, join
from harness.simulate.pileup import SoftEvents, join_parts, read_library, to_bytes
from harness.simulate.process import Process

LIBRARY_EVENTS = 20_000
_LIBRARY_SEED = 29
_PART_EVENTS = 2_000
# Events that one call of Pythia generates.
_BATCH = 500
# Cross sections of Pythia 8.317 with `PYTHIA_SETTINGS` [mb]: `HARD` 0.760, `WEAK` 3.1e-4 (leading
# order), `SOFT` 78.6.
RATIOS: Mapping[str, float] = {HARD.name: 0.760 / 78.6, WEAK.name: 3.1e-4 / 78.6}
_GENERATED = {HARD.name: HARD, WEAK.name: WEAK}


def make_library(n_events: int) -> SoftEvents:
    """Generate inelastic events without a hard collision, `n_events` before that is asked."""
    import awkward as ak

    generator = make_generator(SOFT, _LIBRARY_SEED, PYTHIA_SETTINGS)
    rng = np.random.default_rng(_LIBRARY_SEED)
    parts = []
    for start in range(0, n_events, _PART_EVENTS):
        array = generator.next_array(min(_PART_EVENTS, n_events - start))
        is_soft = ak.to_numpy(array["info"]["pT2Hat"]) < HARD_GEV**2
        seen = _visible(array[is_soft], generator, rng)
        counts = np.bincount(seen.event, minlength=int(is_soft.sum()))
        parts.append(
            SoftEvents(
                starts=np.concatenate([[0], np.cumsum(counts)]),
                pt=seen.pt.astype(np.float32),
                eta=seen.eta.astype(np.float32),
                phi=seen.phi.astype(np.float32),
                kind=seen.kind,
            )
        )
    return join_parts(parts)


def open_library(n_events: int) -> SoftEvents:
    """Read the library of `n_events` from the cache; make it first if it is not there."""
    path = _library_path(n_events)
    if not path.exists():
        make_folder(path.parent)
        write_whole(path, to_bytes(make_library(n_events)))
    return read_library(path)


def _library_path(n_events: int) -> Path:
    module = import_pythia()
    recipe = repr((SOFT.settings, PYTHIA_SETTINGS, HARD_GEV, MIN_PT_GEV, _LIBRARY_SEED, n_events))
    version = getattr(module, "__version__", "")
    digest = hashlib.sha256(f"{recipe}{version}".encode()).hexdigest()[:12]
    return cache_root() / "simulate" / f"level1-{n_events}-{digest}.events"


def _visible(array: object, generator: Generator, rng: np.random.Generator) -> Particles:
    batch = read_batch(array, generator, rng)
    leptons = batch.leptons.where(np.abs(batch.leptons.eta) < MAX_ABS_ETA)
    return join([batch.particles, leptons])


@dataclass(frozen=True, kw_only=True, slots=True)
class Crossings:
    """Particles of some crossings.

    Attributes
    ----------
    n_crossings : int
    particles : Particles
        In the order of the crossings.
    n_collisions : ndarray of int64, shape (n_crossings,)
    """

    n_crossings: int
    particles: Particles
    n_collisions: Indices


class Collider:
    """Makes crossings of one process, or of none.

    Parameters
    ----------
    process : Process or None
        What each crossing holds beside pile-up.
    library : SoftEvents
        The soft collisions.
    seed : int
        Of Pythia.
    """

    def __init__(self, process: Process | None, library: SoftEvents, seed: int) -> None:
        self._process = process
        self._library = library
        self._seed = seed
        self._generators: dict[str, Generator] = {}

    def collide(self, mean: np.ndarray, rng: np.random.Generator) -> Crossings:
        """Make one crossing for each mean number of collisions in `mean`, shape (n,)."""
        n_collisions = rng.poisson(mean).astype(np.int64)
        n_soft = n_collisions.copy()
        parts = []
        for name, ratio in RATIOS.items():
            numbers = rng.binomial(n_soft, ratio)
            n_soft -= numbers
            if numbers.any():
                parts.append(self._generate(_GENERATED[name], numbers, rng))
        if self._process is not None:
            parts.append(self._generate(self._process, np.ones(len(mean), np.int64), rng))
        parts.append(self._library.draw(n_soft, rng))
        return Crossings(n_crossings=len(mean), particles=join(parts), n_collisions=n_collisions)

    def _generate(self, process: Process, numbers: Indices, rng: np.random.Generator) -> Particles:
        """Generate `numbers[i]` events for crossing i."""
        owner = np.repeat(np.arange(len(numbers)), numbers)
        found = []
        done = 0
        while done < len(owner):
            array = self._generator(process).next_array(min(_BATCH, len(owner) - done))
            seen = _visible(array, self._generator(process), rng)
            found.append(
                Particles(
                    event=owner[done + seen.event],
                    pt=seen.pt, eta=seen.eta, phi=seen.phi, kind=seen.kind,
                )
            )  # fmt: skip
            done += len(array)
        return concatenate(found)

    def _generator(self, process: Process) -> Generator:
        if process.name not in self._generators:
            self._generators[process.name] = make_generator(process, self._seed, PYTHIA_SETTINGS)
        return self._generators[process.name]
