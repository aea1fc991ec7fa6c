"""Events of one process that pass the selection: hard collision, pile-up, detector, image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from pydantic import Field
from scipy.special import ndtr

from harness.challenge import Value
from harness.errors import UsageError
from harness.simulate.generator import MAX_ABS_ETA as GENERATED_ABS_ETA
from harness.simulate.generator import MIN_PT_GEV, Generator, make_generator, read_batch
from harness.simulate.jets import cluster
from harness.simulate.level1.crossings import Collider
from harness.simulate.level1.datasets import PYTHIA_SETTINGS
from harness.simulate.particles import Column, Indices, Particles, flat, join
from harness.simulate.pileup import SoftEvents
from harness.simulate.response import JET_RADIUS
from harness.simulate.suep.images import (
    MAX_ABS_ETA,
    Seen,
    draw_images,
    see,
    transverse_sum,
    without_tracks,
)
from harness.simulate.suep.processes import MIN_HT_GEV, PILEUP_MEAN, SCALAR, SuepProcess
from harness.simulate.suep.shower import Momenta, shower
from harness.submission.events import SparseEvents, joined

# Width of the luminous region along the beam, and how near to the vertex a track must begin [mm].
# Neither is published for these images: 53 mm is in Delphes's pile-up card for CMS, 1 mm is chosen,
# ten times the resolution of the vertex there.
BEAM_SPOT_MM, WINDOW_MM = 53.0, 1.0
# Hard collisions below this H_T, made of generated particles, get no pile-up: they cannot pass.
_LEAST_HT_GEV, _LEAST_JET_GEV = 250.0, 10.0
# Events that one call of Pythia generates, and after how many without an accepted one it ends.
_BATCH, _MAX_BARREN = 100, 20_000


class SuepYield(Value):
    """How many events were generated and passed.

    Attributes
    ----------
    n_pixels : int
        Pixels that are not zero, in all accepted events.
    """

    n_generated: int = Field(ge=0)
    n_accepted: int = Field(ge=0)
    n_pixels: int = Field(ge=0)

    @property
    def efficiency(self) -> float:
        """Share of the generated events that passed the selection."""
        return self.n_accepted / max(self.n_generated, 1)

    def plus(self, other: SuepYield) -> SuepYield:
        """Return both together."""
        return SuepYield(
            n_generated=self.n_generated + other.n_generated,
            n_accepted=self.n_accepted + other.n_accepted,
            n_pixels=self.n_pixels + other.n_pixels,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Makes events of one process, with pile-up from a library."""

    generator: Generator
    has_scalar: bool
    collider: Collider

    @classmethod
    def of(cls, process: SuepProcess, seed: int, library: SoftEvents) -> Source:
        """Set Pythia up."""
        return cls(
            generator=make_generator(process.process, seed, PYTHIA_SETTINGS),
            has_scalar=process.mass_gev is not None,
            collider=Collider(None, library, seed),
        )

    def hard(self, n_events: int, rng: np.random.Generator) -> tuple[Particles, int]:
        """Generate hard collisions; return their particles, and how many there are."""
        array = self.generator.next_array(n_events)
        batch = read_batch(array, self.generator, rng)
        parts = [batch.particles, batch.leptons]
        if self.has_scalar:
            parts.append(shower(scalars_of(array), rng))
        particles = join(parts)
        is_kept = (particles.pt > MIN_PT_GEV) & (np.abs(particles.eta) < GENERATED_ABS_ETA)
        return particles.where(is_kept), len(array)


def scalars_of(array: Any) -> Momenta:  # noqa: ANN401 - an awkward array
    """Return px, py, pz, E of the scalars of a batch of Pythia [GeV], shape (n, 4)."""
    record = array["prt"]
    scalar = record[(record["id"] == SCALAR) & (record["status"] > 0)]
    return np.stack([flat(scalar["p"][name]) for name in ("px", "py", "pz", "e")], -1)


def make_events(
    source: Source, n_events: int, rng: np.random.Generator, *, max_barren: int = _MAX_BARREN
) -> tuple[SparseEvents, SuepYield]:
    """Generate until `n_events` events have passed the selection.

    Raises
    ------
    UsageError
        Nothing passes among `max_barren` generated events.
    """
    found: list[SparseEvents] = []
    n_generated = n_accepted = 0
    while n_accepted < n_events:
        seen, total, n_made = see_batch(source, rng)
        passes = total > MIN_HT_GEV
        n_generated += n_made
        n_accepted += int(passes.sum())
        found.append(draw_images(seen.of_events(passes)))
        if n_accepted == 0 and n_generated >= max_barren:
            raise UsageError(
                f"no event passed H_T > {MIN_HT_GEV:g} GeV among {n_generated:,} generated ones",
                where=source.generator.process.name,
                expected="some events with this transverse energy",
            )
    images = cast("SparseEvents", joined(found))
    made = SuepYield(
        n_generated=n_generated, n_accepted=n_accepted, n_pixels=int(images.bounds[-1])
    )
    return images.part(0, n_events), made


def see_batch(source: Source, rng: np.random.Generator) -> tuple[Seen, Column, int]:
    """Generate a batch; return what is seen of events that may pass, their H_T, and its size."""
    hard, n_made = source.hard(_BATCH, rng)
    may_pass = _hard_sum(hard, n_made) > _LEAST_HT_GEV
    seen, total = cross(source.collider, hard.of_events(may_pass), int(may_pass.sum()), rng)
    return seen, total, n_made


def cross(
    collider: Collider, hard: Particles, n_events: int, rng: np.random.Generator
) -> tuple[Seen, Column]:
    """Add pile-up to hard collisions; return what is seen, and H_T.

    Vertices lie along the beam as a Gaussian has it. Tracks of collisions within `WINDOW_MM` of the
    hard one cannot be told apart from its own; those of all others are removed.
    """
    vertex = BEAM_SPOT_MM * rng.standard_normal(n_events)
    near = ndtr((vertex + WINDOW_MM) / BEAM_SPOT_MM) - ndtr((vertex - WINDOW_MM) / BEAM_SPOT_MM)
    at_vertex = collider.collide(PILEUP_MEAN * near, rng)
    elsewhere = collider.collide(PILEUP_MEAN * (1 - near), rng)
    particles = join([hard, at_vertex.particles, without_tracks(elsewhere.particles)])
    seen = see(particles, n_events, rng)
    n_pileup: Indices = at_vertex.n_collisions + elsewhere.n_collisions
    return seen, transverse_sum(seen, n_pileup)


def _hard_sum(hard: Particles, n_events: int) -> Column:
    jets = cluster(hard, n_events, JET_RADIUS)
    counts = (jets.pt > _LEAST_JET_GEV) & (np.abs(jets.eta) < MAX_ABS_ETA)
    return np.bincount(jets.event[counts], jets.pt[counts], minlength=n_events).astype(np.float64)
