"""A scalar that turns into many soft dark mesons, and their decays to particles that are seen.

The momenta of the mesons are drawn, in the rest frame of the scalar, from a relativistic
Maxwell-Boltzmann distribution of a temperature, in all directions alike, until their energies reach
the mass of the scalar. The mean momentum is then subtracted from all, and all are scaled so that
the energies add up to the mass. Every meson decays to two dark photons, these to pairs.

References
----------
S. Knapen, S. Pagan Griso, M. Papucci, D. J. Robinson, arXiv:1612.00850 (the model and the
distribution); S. S. Chhibra et al., arXiv:2306.13595 (masses, temperature, branching fractions).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from harness.simulate.particles import CHARGED, ELECTRON, MUON, Column, Indices, Particles

TEMPERATURE_GEV = 2.0
MESON_GEV = 2.0
DARK_PHOTON_GEV = 0.7
# Kind, mass [GeV] (PDG) and share of the pairs of a dark photon.
PAIRS = ((ELECTRON, 0.000511, 0.15), (MUON, 0.10566, 0.15), (CHARGED, 0.13957, 0.70))
# Momenta up to this many temperatures are drawn: exp(-40) is beyond any number of events.
_MAX_TEMPERATURES = 40.0
_GRID = 20_001

Momenta = NDArray[np.float64]


def shower(scalars: Momenta, rng: np.random.Generator) -> Particles:
    """Let each scalar decay; return all stable particles.

    Parameters
    ----------
    scalars : float64 array, shape (n, 4)
        px, py, pz, E of the scalars [GeV].

    Returns
    -------
    Particles
        In the order of the scalars; electrons, muons and charged pions.
    """
    event, mesons = _mesons(invariant_masses(scalars), rng)
    mesons = boost(mesons, scalars[event])
    photons, parents = _decay(mesons, np.full(len(mesons), DARK_PHOTON_GEV), rng)
    pair = rng.choice(len(PAIRS), len(photons), p=[share for _, _, share in PAIRS])
    masses = np.array([mass for _, mass, _ in PAIRS])[pair]
    products, of_photon = _decay(photons, masses, rng)
    px, py, pz, _ = products.T
    pt = np.hypot(px, py)
    return Particles(
        event=event[parents[of_photon]],
        pt=pt,
        eta=np.arcsinh(pz / pt),
        phi=np.arctan2(py, px),
        kind=np.array([kind for kind, _, _ in PAIRS], np.int8)[pair[of_photon]],
    )


def invariant_masses(momenta: Momenta) -> Column:
    """Return the mass of each momentum [GeV]."""
    squared: Column = momenta[:, 3] ** 2 - (momenta[:, :3] ** 2).sum(axis=1)
    return np.sqrt(squared)


def _mesons(masses: Column, rng: np.random.Generator) -> tuple[Indices, Momenta]:
    """Draw the mesons of scalars at rest; return whose each is, and the momenta, shape (m, 4)."""
    # The mean energy is above the mass: twice as many as it could take are always enough.
    n_drawn = int(2 * masses.max() / MESON_GEV) + 2
    size = momentum_sizes(rng.random((len(masses), n_drawn)))
    energy = np.hypot(size, MESON_GEV)
    before = np.cumsum(energy, axis=1) - energy
    is_taken = before < masses[:, None]
    event = np.nonzero(is_taken)[0]
    momenta = size[is_taken][:, None] * directions(len(event), rng)
    counts = is_taken.sum(axis=1)
    mean = np.stack([np.bincount(event, one) / counts for one in momenta.T], axis=1)
    momenta -= mean[event]
    momenta *= _scale(event, (momenta**2).sum(axis=1), masses)[event][:, None]
    energies = np.sqrt((momenta**2).sum(axis=1) + MESON_GEV**2)
    return event, np.column_stack([momenta, energies])


def momentum_sizes(quantiles: Column) -> Column:
    """Return sizes of momenta at quantiles of p^2 exp(-E/T) [GeV]."""
    return np.interp(quantiles, *_distribution())


@cache
def _distribution() -> tuple[Column, Column]:
    size = np.linspace(0.0, _MAX_TEMPERATURES * TEMPERATURE_GEV, _GRID)
    density = size**2 * np.exp(-np.hypot(size, MESON_GEV) / TEMPERATURE_GEV)
    summed = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    # Values that repeat at the far end would have no inverse.
    quantile, place = np.unique(summed / summed[-1], return_index=True)
    return quantile, size[place]


def directions(n: int, rng: np.random.Generator) -> Momenta:
    """Draw unit vectors in all directions alike, shape (n, 3)."""
    cosine = rng.uniform(-1.0, 1.0, n)
    angle = rng.uniform(-np.pi, np.pi, n)
    sine = np.sqrt(1 - cosine**2)
    return np.column_stack([sine * np.cos(angle), sine * np.sin(angle), cosine])


def _scale(event: Indices, squared: Column, masses: Column) -> Column:
    """Return the factor on the momenta of each event with which the energies give its mass."""
    low, high = np.zeros(len(masses)), np.full(len(masses), 10.0)
    for _ in range(60):
        middle = (low + high) / 2
        total = np.bincount(event, np.sqrt(middle[event] ** 2 * squared + MESON_GEV**2))
        is_high = total > masses
        low, high = np.where(is_high, low, middle), np.where(is_high, middle, high)
    scale: Column = (low + high) / 2
    return scale


def _decay(
    parents: Momenta, masses: Column, rng: np.random.Generator
) -> tuple[Momenta, NDArray[np.int64]]:
    """Decay each parent to two particles of one mass; return them, and whose each is."""
    half = invariant_masses(parents) / 2
    size = np.sqrt(np.maximum(half**2 - masses**2, 0.0))
    momentum = size[:, None] * directions(len(parents), rng)
    both = np.stack([momentum, -momentum], axis=1).reshape(-1, 3)
    of = np.repeat(np.arange(len(parents)), 2)
    return boost(np.column_stack([both, half[of]]), parents[of]), of


def boost(momenta: Momenta, frames: Momenta) -> Momenta:
    """Bring momenta from the rest frames of `frames` to the frame in which these are given."""
    mass = invariant_masses(frames)
    along = (momenta[:, :3] * frames[:, :3]).sum(axis=1)
    energy = (momenta[:, 3] * frames[:, 3] + along) / mass
    factor = (momenta[:, 3] + energy) / (frames[:, 3] + mass)
    return np.column_stack([momenta[:, :3] + factor[:, None] * frames[:, :3], energy])
