"""From Pythia's events to the particles of those with a hard jet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.jets import cluster, from_components
from harness.simulate.boosted.energy_flow import DETECTORS, flow
from harness.simulate.boosted.finder import stable_particles
from harness.simulate.dijets.selection import DijetSelection
from harness.simulate.generator import Generator
from harness.simulate.observed import Observed
from harness.simulate.particles import Particles


@dataclass(frozen=True, kw_only=True, slots=True)
class DijetFinder:
    """Finds the events that a selection keeps."""

    selection: DijetSelection

    def observe(self, generator: Generator, n_events: int, rng: np.random.Generator) -> Observed:
        """Generate up to `n_events`; return those that the selection keeps."""
        array = generator.next_array(n_events)
        n_generated = len(array)
        seen = flow(
            stable_particles(array["prt"], generator), DETECTORS[self.selection.detector], rng
        )
        seen = seen.where(np.abs(seen.eta) < self.selection.max_particle_abs_eta)
        is_kept = has_hard_jet(seen, n_generated, self.selection)
        events = by_pt(seen.of_events(is_kept), int(is_kept.sum()), self.selection.n_constituents)
        return Observed(events=events, n_generated=n_generated, n_capped=0)


def has_hard_jet(seen: Particles, n_events: int, selection: DijetSelection) -> NDArray[np.bool_]:
    """Return which events have a leading jet that the selection keeps.

    Parameters
    ----------
    seen : Particles
        Ordered by their events.
    """
    order = np.argsort(seen.event, kind="stable")
    pt, eta, phi = (column[order] for column in (seen.pt, seen.eta, seen.phi))
    counts = np.bincount(seen.event, minlength=n_events)
    jets = cluster(pt, eta, phi, counts, radius=selection.radius, min_pt_gev=selection.min_pt_gev)
    jet_pt, jet_eta, _ = from_components(jets.momenta).T
    leading = np.lexsort((-jet_pt, jets.event))
    event, first = np.unique(jets.event[leading], return_index=True)
    is_kept = np.zeros(n_events, np.bool_)
    is_kept[event] = np.abs(jet_eta[leading[first]]) < selection.max_abs_eta
    return is_kept


def by_pt(particles: Particles, n_events: int, n_kept: int) -> NDArray[np.float32]:
    """Return the particles of each event by falling pT; shape (n_events, n_kept, 3)."""
    order = np.lexsort((-particles.pt, particles.event))
    event = particles.event[order]
    starts = np.searchsorted(event, np.arange(n_events))
    place = np.arange(len(event)) - starts[event]
    found = np.zeros((n_events, n_kept, 3), np.float32)
    is_in = place < n_kept
    chosen, rows, columns = order[is_in], event[is_in], place[is_in]
    # float32(pi) lies above pi.
    limit = np.nextafter(np.float32(np.pi), np.float32(0))
    found[rows, columns, 0] = particles.pt[chosen]
    found[rows, columns, 1] = particles.eta[chosen]
    found[rows, columns, 2] = np.clip(particles.phi[chosen].astype(np.float32), -limit, limit)
    return found
