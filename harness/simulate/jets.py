"""Jets: anti-kT by fastjet, many events in one call."""

from __future__ import annotations

import numpy as np

from harness.simulate.particles import NEUTRAL, Particles, flat

# No correction makes a softer cluster a jet. [GeV]
MIN_CLUSTER_GEV = 7.0


def cluster(particles: Particles, n_events: int, radius: float) -> Particles:
    """Cluster `particles`, which come in the order of their events, into jets.

    Returns
    -------
    Particles
        The jets, in the order of their events; their `kind` means nothing.

    References
    ----------
    M. Cacciari, G. P. Salam, G. Soyez, anti-kT, arXiv:0802.1189; FastJet, arXiv:1111.6097.
    """
    import awkward as ak
    import fastjet

    momenta = ak.zip(
        {
            "px": particles.pt * np.cos(particles.phi),
            "py": particles.pt * np.sin(particles.phi),
            "pz": particles.pt * np.sinh(particles.eta),
            "E": particles.pt * np.cosh(particles.eta),
        },
        with_name="Momentum4D",
    )
    counts = np.bincount(particles.event, minlength=n_events)
    definition = fastjet.JetDefinition(fastjet.antikt_algorithm, radius)
    sequence = fastjet.ClusterSequence(ak.unflatten(momenta, counts), definition)
    found = sequence.inclusive_jets(min_pt=MIN_CLUSTER_GEV)
    px, py, pz = (flat(found[name]).astype(np.float64) for name in ("px", "py", "pz"))
    n_jets = ak.to_numpy(ak.num(found["px"])).astype(np.int64)
    pt = np.hypot(px, py)
    return Particles(
        event=np.repeat(np.arange(n_events), n_jets),
        pt=pt,
        eta=np.arcsinh(pz / pt),
        phi=np.arctan2(py, px),
        kind=np.full(len(pt), NEUTRAL, np.int8),
    )
