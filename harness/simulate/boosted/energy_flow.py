"""Energy flow: what a detector makes of stable particles, one massless object for each.

Charged particles become tracks with an efficiency and a resolution. All other energy goes into
the towers of two calorimeters, which are smeared as a whole; a tower gives one object, at a random
place within it. The subtraction of tracks from towers is perfect, and there is no magnetic field.

Numbers are those of the cards of Delphes 3 for ATLAS and CMS (delphes/delphes,
cards/delphes_card_ATLAS.tcl and delphes_card_CMS.tcl); arXiv:1307.6346.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from harness.simulate.particles import (
    CHARGED,
    ELECTRON,
    MUON,
    NEUTRAL,
    PHOTON,
    Column,
    Particles,
    concatenate,
)
from harness.simulate.response import electromagnetic_resolution, hadronic_resolution

# Beyond this nothing is read: jets lie within |eta| < 2.
MAX_ABS_ETA = 3.2
MIN_TRACK_GEV = 0.5
_TRACKER_ABS_ETA = 2.5
# Of the energy of a tower.
_MIN_ECAL_GEV, _MIN_HCAL_GEV = 0.5, 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class FlowDetector:
    """A detector.

    Attributes
    ----------
    track_resolution : tuple of (constant, slope per GeV)
        Relative, of charged hadrons up to |eta| of 0.5, 1.5 and 2.5.
    ecal, hcal : callable
        Relative resolution of an energy [GeV] at |eta|.
    ecal_tower, hcal_tower : float
        Extent of a tower in eta; in phi the whole number of towers is the next one.
    """

    track_resolution: tuple[tuple[float, float], ...]
    ecal: Callable[[Column, Column], Column]
    hcal: Callable[[Column, Column], Column]
    ecal_tower: tuple[float, int]
    hcal_tower: tuple[float, int]


def _atlas_ecal(energy: Column, abs_eta: Column) -> Column:
    del abs_eta
    resolution: Column = np.sqrt(0.0017**2 + 0.101**2 / energy)
    return resolution


def _atlas_hcal(energy: Column, abs_eta: Column) -> Column:
    barrel = np.sqrt(0.0302**2 + 0.5205**2 / energy + (1.59 / energy) ** 2)
    resolution: Column = np.where(abs_eta <= 1.7, barrel, np.hypot(0.05, 0.706 / np.sqrt(energy)))
    return resolution


DETECTORS: Mapping[str, FlowDetector] = {
    "atlas": FlowDetector(
        track_resolution=((0.06, 1.3e-3), (0.10, 1.7e-3), (0.25, 3.1e-3)),
        ecal=_atlas_ecal,
        hcal=_atlas_hcal,
        ecal_tower=(0.0174, 360),
        hcal_tower=(0.1, 36),
    ),
    "cms": FlowDetector(
        track_resolution=((0.01, 1.5e-4), (0.015, 2.5e-4), (0.025, 5.5e-4)),
        ecal=electromagnetic_resolution,
        hcal=hadronic_resolution,
        ecal_tower=(0.0174, 360),
        hcal_tower=(0.087, 72),
    ),
}


def flow(particles: Particles, detector: FlowDetector, rng: np.random.Generator) -> Particles:
    """Return the objects that a detector sees, in no order; their `kind` is that of a particle."""
    is_charged = np.isin(particles.kind, (CHARGED, ELECTRON, MUON))
    is_track = is_charged & (rng.random(len(particles)) < _efficiency(particles))
    tracks = particles.where(is_track)
    factor = 1 + _track_resolution(tracks, detector) * rng.standard_normal(len(tracks))
    tracks = Particles(
        event=tracks.event,
        pt=tracks.pt * np.clip(factor, 0.0, 3.0),
        eta=tracks.eta,
        phi=tracks.phi,
        kind=tracks.kind,
    )
    rest = particles.where(~is_track & (particles.kind != MUON))
    is_ecal = np.isin(rest.kind, (PHOTON, ELECTRON))
    photons = _towers(
        rest.where(is_ecal), detector.ecal_tower, detector.ecal, _MIN_ECAL_GEV, PHOTON, rng
    )
    hadrons = _towers(
        rest.where(~is_ecal), detector.hcal_tower, detector.hcal, _MIN_HCAL_GEV, NEUTRAL, rng
    )
    return concatenate([tracks.where(tracks.pt > MIN_TRACK_GEV), photons, hadrons])


def _efficiency(particles: Particles) -> Column:
    """Return the efficiency of tracks of charged hadrons, electrons and muons."""
    is_barrel, is_inside = np.abs(particles.eta) <= 1.5, np.abs(particles.eta) <= _TRACKER_ABS_ETA
    is_soft = particles.pt <= 1.0
    hadron = np.where(is_barrel, np.where(is_soft, 0.70, 0.95), np.where(is_soft, 0.60, 0.85))
    muon = np.where(is_barrel, np.where(is_soft, 0.75, 0.99), np.where(is_soft, 0.70, 0.98))
    efficiency = np.where(particles.kind == MUON, muon, hadron)
    inside: Column = np.where(is_inside & (particles.pt > MIN_TRACK_GEV), efficiency, 0.0)
    return inside


def _track_resolution(tracks: Particles, detector: FlowDetector) -> Column:
    abs_eta = np.abs(tracks.eta)
    inner, middle, outer = (
        np.hypot(constant, slope * tracks.pt) for constant, slope in detector.track_resolution
    )
    resolution: Column = np.select([abs_eta <= 0.5, abs_eta <= 1.5], [inner, middle], outer)
    return resolution


def _towers(
    particles: Particles,
    tower: tuple[float, int],
    resolution: Callable[[Column, Column], Column],
    min_gev: float,
    kind: int,
    rng: np.random.Generator,
) -> Particles:
    """Add up the energy in each tower of each event, and smear it."""
    size, n_phi = tower
    n_eta = 2 * int(np.ceil((MAX_ABS_ETA + 1) / size))
    at_eta = np.floor(particles.eta / size).astype(np.int64) + n_eta // 2
    at_phi = np.floor((particles.phi + np.pi) / (2 * np.pi) * n_phi).astype(np.int64) % n_phi
    key, place = np.unique((particles.event * n_eta + at_eta) * n_phi + at_phi, return_inverse=True)
    energy = np.bincount(place, particles.pt * np.cosh(particles.eta), minlength=len(key))
    eta = ((key // n_phi) % n_eta - n_eta // 2 + rng.random(len(key))) * size
    phi = (key % n_phi + rng.random(len(key))) * (2 * np.pi / n_phi) - np.pi
    width = resolution(np.maximum(energy, 1e-3), np.abs(eta))
    energy = energy * np.clip(1 + width * rng.standard_normal(len(key)), 0.0, 3.0)
    found = Particles(
        event=key // (n_phi * n_eta),
        pt=energy / np.cosh(eta),
        eta=eta,
        phi=phi,
        kind=np.full(len(key), kind, np.int8),
    )
    return found.where(energy > min_gev)
