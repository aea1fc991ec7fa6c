"""The two leading jets of an event: momenta, masses, N-subjettiness."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.jets.clustering import ClusteredJets, cluster
from harness.jets.momenta import Array, invariant_mass, jet_momentum, pieces
from harness.jets.subjettiness import subjettiness

# As the columns of the published features of the LHC Olympics are called (Zenodo 4536377).
JET_FEATURES = ("px", "py", "pz", "m", "tau1", "tau2", "tau3")
DIJET_FEATURES = tuple(f"{name}j{jet}" for jet in (1, 2) for name in JET_FEATURES)
_MIN_JET_GEV = 20.0
_N_EVENTS = 1024


def dijet_features(events: NDArray[np.floating], *, radius: float = 1.0) -> Array:
    """Return the features of the two jets with the largest pT, by anti-kT.

    Parameters
    ----------
    events : ndarray, shape (n, m, 3)
        pT [GeV], eta, phi [rad] of all constituents of each event.
    radius : float
        Of the jets.

    Returns
    -------
    ndarray of float64, shape (n, 14)
        In the order of `DIJET_FEATURES`: px, py, pz, m [GeV] and tau1, tau2, tau3 as
        `harness.jets.subjettiness` has them; of the first jet, then of the second. Zeros where
        there is no such jet above 20 GeV.

    Raises
    ------
    EnvironmentFaultError
        fastjet is not installed.
    """
    found = np.zeros((len(events), len(DIJET_FEATURES)))
    for piece in pieces(events, _N_EVENTS):
        block = np.asarray(events[piece], np.float64)
        for number, jets in enumerate(leading_jets(block, radius=radius)):
            first = number * len(JET_FEATURES)
            is_there = jets[:, 0, 0] > 0
            rows = np.flatnonzero(is_there) + piece.start
            momenta = jet_momentum(jets[is_there])
            found[rows, first : first + 3] = momenta[:, 1:]
            found[rows, first + 3] = invariant_mass(momenta)
            if len(rows):
                found[rows, first + 4 : first + 7] = subjettiness(jets[is_there], radius=radius)
    return found


def dijet_mass(features: Array) -> Array:
    """Return the mass [GeV] of both jets together, of what `dijet_features` gives; shape (n,)."""
    momenta = np.zeros((len(features), 4))
    for first in (0, len(JET_FEATURES)):
        vector, mass = features[:, first : first + 3], features[:, first + 3]
        momenta[:, 1:] += vector
        momenta[:, 0] += np.sqrt(mass**2 + (vector**2).sum(axis=1))
    return invariant_mass(momenta)


def dijet_observables(features: Array) -> Array:
    """Return what searches for a resonance of two jets look at, of what `dijet_features` gives.

    Returns
    -------
    ndarray of float64, shape (n, 5)
        Mass of the lighter jet and the difference to the heavier one [GeV], tau2/tau1 of the
        lighter and of the heavier one (0 where there is no tau1), mass of both together [GeV].

    References
    ----------
    B. Nachman, D. Shih, "Anomaly detection with density estimation", arXiv:2001.04990.
    """
    n_each = len(JET_FEATURES)
    jets = np.stack([features[:, :n_each], features[:, n_each:]], axis=1)
    lighter_first = np.argsort(jets[..., 3], axis=1, kind="stable")
    ordered = np.take_along_axis(jets, lighter_first[..., None], axis=1)
    mass, tau1, tau2 = ordered[..., 3], ordered[..., 4], ordered[..., 5]
    ratio = np.divide(tau2, tau1, out=np.zeros_like(tau1), where=tau1 > 0)
    return np.column_stack(
        [mass[:, 0], mass[:, 1] - mass[:, 0], ratio[:, 0], ratio[:, 1], dijet_mass(features)]
    )


def leading_jets(events: Array, *, radius: float = 1.0, n_jets: int = 2) -> list[Array]:
    """Return the constituents of the jets with the largest pT, by anti-kT.

    Parameters
    ----------
    events : ndarray of float64, shape (n, m, 3)

    Returns
    -------
    list of ndarray, shape (n, k, 3)
        Of the first jet, of the second and so on: constituents by falling pT, then zeros.
    """
    particles, jets, places = _clustered(events, radius, n_jets, with_members=True)
    return [_members(particles, jets, chosen) for chosen in places]


def leading_momenta(events: Array, *, radius: float = 1.0, n_jets: int = 2) -> list[Array]:
    """Return the four-momenta of the jets with the largest pT, by anti-kT.

    About half the time of `leading_jets`, which gives their constituents.

    Parameters
    ----------
    events : ndarray of float64, shape (n, m, 3)

    Returns
    -------
    list of ndarray, shape (n, 4)
        Of the first jet, of the second and so on: E, px, py, pz [GeV]; zeros where there is none.
    """
    _, jets, places = _clustered(events, radius, n_jets, with_members=False)
    found = [np.zeros((len(events), 4)) for _ in places]
    for momenta, chosen in zip(found, places, strict=True):
        momenta[jets.event[chosen]] = jets.momenta[chosen]
    return found


def _clustered(
    events: Array, radius: float, n_jets: int, *, with_members: bool
) -> tuple[Array, ClusteredJets, list[NDArray[np.int64]]]:
    """Return all particles, all jets, and which jets are the first, the second and so on."""
    is_there = events[..., 0] > 0
    particles, counts = events[is_there], np.count_nonzero(is_there, axis=1)
    pt, eta, phi = particles.T
    jets = cluster(
        pt, eta, phi, counts, radius=radius, min_pt_gev=_MIN_JET_GEV, with_members=with_members
    )
    jet_pt = np.hypot(jets.momenta[:, 1], jets.momenta[:, 2])
    order = np.lexsort((-jet_pt, jets.event))
    place = np.arange(len(order)) - np.searchsorted(jets.event[order], jets.event[order])
    return particles, jets, [order[place == number] for number in range(n_jets)]


def _members(particles: Array, jets: ClusteredJets, chosen: NDArray[np.int64]) -> Array:
    """Return the constituents of at most one jet of each event."""
    n_events, sizes = len(jets.n_jets), jets.n_members[chosen]
    starts = np.cumsum(jets.n_members) - jets.n_members
    place = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    member = jets.members[np.repeat(starts[chosen], sizes) + place]
    event = np.repeat(jets.event[chosen], sizes)
    by_pt = np.lexsort((-particles[member, 0], event))
    found = np.zeros((n_events, max(int(sizes.max(initial=0)), 1), 3))
    found[event, place] = particles[member[by_pt]]
    return found
