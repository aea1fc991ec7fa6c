"""From Pythia's events to the constituents of one jet of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.jets import ClusteredJets, cluster, from_components
from harness.simulate.boosted.energy_flow import DETECTORS, MAX_ABS_ETA, flow
from harness.simulate.boosted.partons import Partons, find_partons
from harness.simulate.boosted.selection import N_CONSTITUENTS, JetSelection
from harness.simulate.generator import Generator, visible_kinds
from harness.simulate.observed import Observed
from harness.simulate.particles import Particles, flat, join

# Softer particles are not read. [GeV]
_MIN_PARTICLE_GEV = 0.3


@dataclass(frozen=True, kw_only=True, slots=True)
class JetFinder:
    """Finds the jets that a selection keeps."""

    selection: JetSelection

    def observe(self, generator: Generator, n_events: int, rng: np.random.Generator) -> Observed:
        """Generate up to `n_events`; return the jets of those that have one which is kept."""
        array = generator.next_array(n_events)
        record = array["prt"]
        particles = stable_particles(record, generator)
        objects = join([flow(particles, DETECTORS[self.selection.detector], rng)])
        jets = find_jets(objects, len(record), self.selection)
        partons = None
        if self.selection.heavy_code is not None:
            partons = find_partons(record, self.selection.heavy_code)
        kept = choose(jets, self.selection, partons, rng)
        return Observed(
            events=constituents(objects, jets, kept), n_generated=len(record), n_capped=0
        )


def stable_particles(record: Any, generator: Generator) -> Particles:  # noqa: ANN401 - an awkward array
    """Return the visible stable particles of many events."""
    import awkward as ak

    lengths = ak.to_numpy(ak.num(record["id"])).astype(np.int64)
    is_stable = np.flatnonzero(flat(record["status"]) > 0)
    event = np.repeat(np.arange(len(lengths)), lengths)[is_stable]
    px, py, pz = (flat(record["p"][name])[is_stable] for name in ("px", "py", "pz"))
    pt = np.hypot(px, py)
    eta = np.arcsinh(pz / np.maximum(pt, 1e-9))
    kind = visible_kinds(flat(record["id"])[is_stable], generator.pythia)
    is_read = (kind >= 0) & (pt > _MIN_PARTICLE_GEV) & (np.abs(eta) < MAX_ABS_ETA)
    every = Particles(event=event, pt=pt, eta=eta, phi=np.arctan2(py, px), kind=kind)
    return every.where(is_read)


def find_jets(objects: Particles, n_events: int, selection: JetSelection) -> ClusteredJets:
    """Cluster the objects of many events; jets below the window are left out."""
    return cluster(
        objects.pt,
        objects.eta,
        objects.phi,
        np.bincount(objects.event, minlength=n_events),
        radius=selection.radius,
        min_pt_gev=selection.min_pt_gev,
        with_members=True,
    )


def choose(
    jets: ClusteredJets, selection: JetSelection, partons: Partons | None, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Choose at most one jet of each event; return positions in `jets`."""
    pt, eta, phi = from_components(jets.momenta).T
    is_good = (pt < selection.max_pt_gev) & (np.abs(eta) < selection.max_abs_eta)
    kept = []
    first = 0
    for event, count in enumerate(jets.n_jets.tolist()):
        # By falling pT, as fastjet's jets need not come.
        order = first + np.argsort(-pt[first : first + count], kind="stable")
        first += count
        candidates = rng.permutation(order[:2]) if selection.either else order[:1]
        for jet in candidates.tolist():
            if is_good[jet] and _is_matched(partons, event, eta[jet], phi[jet], selection):
                kept.append(jet)
                break
    return np.array(kept, np.int64)


def _is_matched(
    partons: Partons | None, event: int, eta: float, phi: float, selection: JetSelection
) -> bool:
    if partons is None:
        return True
    return partons.near(event, eta, phi, selection.match_radius, selection.merge_radius)


def constituents(
    objects: Particles, jets: ClusteredJets, kept: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return the constituents of some jets, the leading 200 of each; shape (n, 200, 3)."""
    ends = np.cumsum(jets.n_members)
    found = np.zeros((len(kept), N_CONSTITUENTS, 3), np.float32)
    # float32(pi) lies above pi.
    limit = np.nextafter(np.float32(np.pi), np.float32(0))
    for number, jet in enumerate(kept.tolist()):
        members = jets.members[ends[jet] - jets.n_members[jet] : ends[jet]]
        order = members[np.argsort(-objects.pt[members], kind="stable")][:N_CONSTITUENTS]
        rows = found[number, : len(order)]
        rows[:, 0], rows[:, 1] = objects.pt[order], objects.eta[order]
        rows[:, 2] = np.clip(objects.phi[order].astype(np.float32), -limit, limit)
    return found
