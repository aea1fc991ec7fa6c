"""Trigger towers: what the calorimeters see of the particles of each crossing.

Towers have 0.087 in eta and 2 pi/72 in phi everywhere, up to |eta| = 4.96. Energies are whole steps
of 0.5 GeV of transverse energy, rounded down. A charged particle bends in the field before it
reaches the calorimeter, and does not reach it at low pT.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.simulate.level1.crossings import Crossings
from harness.simulate.level1.response import Level1Response
from harness.simulate.particles import CHARGED, ELECTRON, MUON, PHOTON, Column, Indices

TOWER_ETA = 0.087
N_PHI = 72
# Towers on each side in eta.
N_SIDE = 57
N_ETA = 2 * N_SIDE
STEP_GEV = 0.5
# Where the barrel's and endcap's fine calorimeters, and so e/gamma and tau objects, end.
CENTRAL_ETA = 3.0
# Bending: half the curvature in 3.8 T [GeV/m]; radius of the barrel calorimeter, distance of the
# endcap [m].
_BEND_GEV_PER_M = 0.57
_BARREL_M, _ENDCAP_M = 1.29, 3.2
# Relative resolution of energy E: stochastic [sqrt(GeV)] and constant terms.
_EM_TERMS, _HAD_TERMS = (0.05, 0.01), (1.0, 0.08)

Grid = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Towers:
    """Transverse energies in steps of 0.5 GeV, whole numbers.

    Attributes
    ----------
    em, had : ndarray of float32, shape (n, N_ETA, N_PHI)
    """

    em: Grid
    had: Grid

    @property
    def total(self) -> Grid:
        """Both parts of the calorimeter."""
        both: Grid = self.em + self.had
        return both


def tower_eta(number: NDArray[np.integer]) -> Column:
    """Return the centre of towers in eta."""
    centre: Column = (number.astype(np.float64) - N_SIDE + 0.5) * TOWER_ETA
    return centre


def fill_towers(crossings: Crossings, response: Level1Response, rng: np.random.Generator) -> Towers:
    """Let the particles of `crossings` deposit their energy."""
    seen = crossings.particles.where(crossings.particles.kind != MUON)
    is_charged = (seen.kind == CHARGED) | (seen.kind == ELECTRON)
    phi, reaches = _bend(seen.pt, seen.eta, seen.phi, is_charged, rng)
    is_em = (seen.kind == PHOTON) | (seen.kind == ELECTRON)
    energy = seen.pt * np.cosh(seen.eta)
    scale = _smear(energy, is_em, rng) * np.where(is_em, response.em_scale, response.had_scale)
    scale = np.where(np.abs(seen.eta) > CENTRAL_ETA, response.forward_scale, scale)
    # A hadron may begin to shower in the electromagnetic part.
    em_share = np.where(is_em, 0.98, rng.beta(0.6, 1.4, len(seen)))
    deposited = np.maximum(seen.pt * scale, 0.0) * reaches
    cell = _cells(seen.event, seen.eta, phi)
    n_cells = crossings.n_crossings * N_ETA * N_PHI
    em: Column = np.bincount(cell, deposited * em_share, n_cells).astype(np.float64, copy=False)
    had: Column = np.bincount(cell, deposited * (1 - em_share), n_cells).astype(
        np.float64, copy=False
    )
    _add_noise(em, crossings.n_crossings, response, rng)
    shape = (crossings.n_crossings, N_ETA, N_PHI)
    return Towers(em=_steps(em).reshape(shape), had=_steps(had).reshape(shape))


def _bend(
    pt: Column, eta: Column, phi: Column, is_charged: NDArray[np.bool_], rng: np.random.Generator
) -> tuple[Column, NDArray[np.bool_]]:
    """Return phi at the calorimeter, and which particles reach it."""
    radius = np.minimum(_BARREL_M, _ENDCAP_M / np.maximum(np.abs(np.sinh(eta)), 1e-9))
    sine = _BEND_GEV_PER_M * radius / pt
    sign = rng.integers(0, 2, len(pt)) * 2.0 - 1.0
    bent = phi + np.where(is_charged, sign * np.arcsin(np.minimum(sine, 1.0)), 0.0)
    return bent, ~is_charged | (sine < 1.0)


def _smear(energy: Column, is_em: NDArray[np.bool_], rng: np.random.Generator) -> Column:
    stochastic = np.where(is_em, _EM_TERMS[0], _HAD_TERMS[0])
    constant = np.where(is_em, _EM_TERMS[1], _HAD_TERMS[1])
    width = np.sqrt(stochastic**2 / energy + constant**2)
    smeared: Column = 1.0 + width * rng.standard_normal(len(energy))
    return smeared


def _cells(event: Indices, eta: Column, phi: Column) -> Indices:
    in_eta = np.clip(np.floor(eta / TOWER_ETA).astype(np.int64) + N_SIDE, 0, N_ETA - 1)
    in_phi = np.floor(phi * (N_PHI / (2 * np.pi))).astype(np.int64) % N_PHI
    cells: Indices = (event * N_ETA + in_eta) * N_PHI + in_phi
    return cells


def _add_noise(
    em: Column, n_crossings: int, response: Level1Response, rng: np.random.Generator
) -> None:
    n_noisy = rng.poisson(response.noise_towers * n_crossings)
    at = rng.integers(0, len(em), n_noisy)
    np.add.at(em, at, rng.exponential(response.noise_gev, n_noisy))


def _steps(energy: Column) -> Grid:
    steps: Grid = np.floor(energy / STEP_GEV).astype(np.float32)
    return steps
