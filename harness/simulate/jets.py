"""The jets of an event: anti-kT, many events in one call."""

from __future__ import annotations

import numpy as np

from harness.jets import cluster as cluster_particles
from harness.simulate.particles import NEUTRAL, Particles

# No correction makes a softer cluster a jet. [GeV]
MIN_CLUSTER_GEV = 7.0


def cluster(particles: Particles, n_events: int, radius: float) -> Particles:
    """Cluster `particles`, which come in the order of their events, into jets.

    Returns
    -------
    Particles
        The jets, in the order of their events; their `kind` means nothing.
    """
    found = cluster_particles(
        particles.pt,
        particles.eta,
        particles.phi,
        np.bincount(particles.event, minlength=n_events),
        radius=radius,
        min_pt_gev=MIN_CLUSTER_GEV,
    )
    _, px, py, pz = found.momenta.T
    pt = np.hypot(px, py)
    return Particles(
        event=found.event,
        pt=pt,
        eta=np.arcsinh(pz / pt),
        phi=np.arctan2(py, px),
        kind=np.full(len(pt), NEUTRAL, np.int8),
    )
