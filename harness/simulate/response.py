"""The detector: efficiencies and resolutions of a CMS-like experiment.

Origin of the numbers: [D] Delphes's card of CMS (delphes/delphes, cards/delphes_card_CMS.tcl);
[R] the description of the real data; [T] tuned by hand to the occupancies and moments of the real
background (version 2), until `harness simulate check` agreed.

References
----------
J. de Favereau et al. (DELPHES 3), arXiv:1307.6346.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from harness.simulate.particles import CHARGED, ELECTRON, PHOTON, Column, Particles, spans

# Preselection: pT of the leading electron or muon [R].
LEADING_LEPTON_GEV = 23.0
# Limits on leptons and jets: jets [R], |eta| of muons inferred, |eta| and pT of electrons rough.
LEPTON_PT_GEV = 3.0
ELECTRON_ABS_ETA = 3.0
MUON_ABS_ETA = 2.1
JET_PT_GEV = 15.0
JET_ABS_ETA = 4.0
JET_RADIUS = 0.4


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """Every number that was tuned [T], or chosen where the card has none.

    Attributes
    ----------
    isolation_radius : float
        Cone about a lepton in which pT is summed; the card has 0.5 [D].
    electron_isolation, muon_isolation : float
        Relative isolation up to which identification is unchanged; the card cuts at 0.12 and
        0.25 [D].
    isolated_above_gev : float
        Leptons below this pT need no isolation [T]: otherwise too few events have a second lepton,
        compared with the real background.
    electron_isolation_scale, muon_isolation_scale : float
        Relative isolation over which identification falls to 1/e beyond that limit [T]; the card
        cuts.
    soft_electron, soft_muon : float
        Factor on the identification below 10 GeV, where the card has none [T].
    forward_electron : float
        Identification of electrons beyond the tracker, where the card has none [T].
    conversion : float
        Share of electrons above 10 GeV with a soft companion, a conversion [T].
    electron_as_jet : float
        Share of electrons that reappear as a jet [T].
    jet_loss, jet_turn_on_gev : float
        Share of jets lost at the threshold, and the pT over which the loss falls to 1/e [T].
    jet_scale : float
        Factor on the pT of jets [T].
    pileup_offset_gev, forward_offset_gev : float
        pT that one pile-up event adds to a jet on average, within the tracker and beyond; it is
        subtracted. Computed from the library: its mean pT per area times the area of a jet.
    met_noise_gev, met_stochastic : float
        Gaussian smearing of each component of the missing momentum [T].
    met_spread : float
        Width of the log-normal by which that smearing varies from event to event [T].
    """

    isolation_radius: float = 0.5
    electron_isolation: float = 0.12
    muon_isolation: float = 0.25
    electron_isolation_scale: float = 1.0
    muon_isolation_scale: float = 1.0
    isolated_above_gev: float = 20.0
    soft_electron: float = 0.36
    soft_muon: float = 0.75
    forward_electron: float = 0.5
    conversion: float = 0.03
    electron_as_jet: float = 0.5
    jet_loss: float = 0.75
    jet_turn_on_gev: float = 15.0
    jet_scale: float = 1.0
    pileup_offset_gev: float = 0.08
    forward_offset_gev: float = 0.20
    met_noise_gev: float = 5.0
    met_stochastic: float = 0.25
    met_spread: float = 0.3


CMS_LIKE = Response()


def smear(particles: Particles, rng: np.random.Generator) -> Particles:
    """Return particles as tracker and calorimeters measure them.

    Charged hadrons by their tracks if these are found, else by the hadron calorimeter; photons by
    the electromagnetic calorimeter; neutral hadrons by the hadron calorimeter.
    """
    energy = particles.pt * np.cosh(particles.eta)
    abs_eta = np.abs(particles.eta)
    is_track = (particles.kind == CHARGED) & (
        rng.random(len(particles)) < track_efficiency(particles)
    )
    resolution = hadronic_resolution(energy, abs_eta)
    is_photon = (particles.kind == PHOTON) | (particles.kind == ELECTRON)
    resolution = np.where(is_photon, electromagnetic_resolution(energy, abs_eta), resolution)
    resolution = np.where(is_track, track_resolution(particles.pt, abs_eta), resolution)
    factor = 1.0 + resolution * rng.standard_normal(len(particles))
    return replace(particles, pt=particles.pt * np.clip(factor, 0.0, 3.0))


def track_efficiency(particles: Particles) -> Column:
    """Efficiency of the tracks of charged hadrons above 1 GeV [D]."""
    abs_eta = np.abs(particles.eta)
    barrel = np.where(particles.pt > 1.0, 0.95, 0.70)
    endcap = np.where(particles.pt > 1.0, 0.85, 0.60)
    return np.where(abs_eta < 1.5, barrel, np.where(abs_eta < 2.5, endcap, 0.0))


def track_resolution(pt: Column, abs_eta: Column) -> Column:
    """Relative resolution of tracks [D, which cites arXiv:1405.6569]."""
    constant = np.select([abs_eta <= 0.5, abs_eta <= 1.5], [0.01, 0.015], 0.025)
    slope = np.select([abs_eta <= 0.5, abs_eta <= 1.5], [1.5e-4, 2.5e-4], 5.5e-4)
    resolution: Column = np.hypot(constant, slope * pt)
    return resolution


def electromagnetic_resolution(energy: Column, abs_eta: Column) -> Column:
    """Relative resolution of the electromagnetic calorimeter [D, arXiv:1306.2016, 1502.02701]."""
    central = np.sqrt(0.008**2 + 0.11**2 / energy + (0.40 / energy) ** 2)
    shape = np.where(abs_eta <= 1.5, 1 + 0.64 * abs_eta**2, 2.16 + 5.6 * (abs_eta - 2) ** 2)
    forward = np.sqrt(0.107**2 + 2.08**2 / energy)
    return np.where(abs_eta <= 2.5, shape * central, forward)


def hadronic_resolution(energy: Column, abs_eta: Column) -> Column:
    """Relative resolution of the hadron calorimeter [D]."""
    central = np.sqrt(0.050**2 + 1.50**2 / energy)
    forward = np.sqrt(0.130**2 + 2.70**2 / energy)
    return np.where(abs_eta <= 3.0, central, forward)


def measured_pt(leptons: Particles, pull: Column) -> Column:
    """Return the measured pT of electrons and muons.

    Parameters
    ----------
    pull : ndarray, shape (n,)
        Deviations over the resolutions: standard normal numbers.
    """
    is_electron = leptons.kind == ELECTRON
    abs_eta = np.abs(leptons.eta)
    electron = np.hypot(
        np.select([abs_eta <= 0.5, abs_eta <= 1.5], [0.03, 0.05], 0.15),
        np.select([abs_eta <= 0.5, abs_eta <= 1.5], [1.3e-3, 1.7e-3], 3.1e-3) * leptons.pt,
    )
    muon = np.hypot(
        np.select([abs_eta <= 0.5, abs_eta <= 1.5], [0.01, 0.015], 0.025),
        np.select([abs_eta <= 0.5, abs_eta <= 1.5], [1.0e-4, 1.5e-4], 3.5e-4) * leptons.pt,
    )
    # The calorimeter measures electrons where it is more precise.
    energy = leptons.pt * np.cosh(leptons.eta)
    electron = np.minimum(electron, electromagnetic_resolution(energy, abs_eta))
    resolution = np.where(is_electron, electron, muon)
    measured: Column = leptons.pt * np.clip(1 + resolution * pull, 0.0, 3.0)
    return measured


def is_within_reach(leptons: Particles) -> NDArray[np.bool_]:
    """Return which electrons and muons lie within the acceptance."""
    reach = np.where(leptons.kind == ELECTRON, ELECTRON_ABS_ETA, MUON_ABS_ETA)
    within: NDArray[np.bool_] = np.abs(leptons.eta) < reach
    return within


def measure_leptons(leptons: Particles, pull: Column) -> tuple[Particles, NDArray[np.bool_]]:
    """Smear electrons and muons; return those within the acceptance, and which these are."""
    measured = replace(leptons, pt=measured_pt(leptons, pull))
    is_kept = (measured.pt > LEPTON_PT_GEV) & is_within_reach(leptons)
    return measured.where(is_kept), is_kept


def identification(leptons: Particles, isolation: Column, response: Response) -> Column:
    """Return the probability that each measured lepton is reconstructed and identified.

    Parameters
    ----------
    isolation : ndarray, shape (n,)
        Summed pT of other particles in the cone, divided by the pT of the lepton.
    """
    is_electron = leptons.kind == ELECTRON
    plateau = isolated_identification(leptons, response)
    soft = np.where(is_electron, response.soft_electron, response.soft_muon)
    plateau = np.where(leptons.pt < 10.0, soft * plateau, plateau)
    factor = isolation_factor(is_electron, isolation, response)
    return plateau * np.where(leptons.pt < response.isolated_above_gev, 1.0, factor)


def isolated_identification(leptons: Particles, response: Response) -> Column:
    """Return the identification of isolated leptons above 10 GeV.

    Track times identification [D]: electrons 0.95 x 0.95 and 0.83 x 0.85, muons 0.99 x 0.95 and
    0.98 x 0.95.
    """
    abs_eta = np.abs(leptons.eta)
    electron = np.where(abs_eta <= 1.5, 0.95 * 0.95, 0.83 * 0.85)
    electron = np.where(abs_eta > 2.5, response.forward_electron, electron)
    muon = np.where(abs_eta <= 1.5, 0.99 * 0.95, 0.98 * 0.95)
    return np.where(leptons.kind == ELECTRON, electron, muon)


def isolation_factor(
    is_electron: NDArray[np.bool_], isolation: Column, response: Response
) -> Column:
    """Return the factor on the identification at a relative isolation: 1 up to a limit."""
    limit = np.where(is_electron, response.electron_isolation, response.muon_isolation)
    scale = np.where(is_electron, response.electron_isolation_scale, response.muon_isolation_scale)
    factor: Column = np.exp(-np.maximum(isolation - limit, 0.0) / scale)
    return factor


def relative_isolation(
    leptons: Particles, particles: Particles, n_events: int, radius: float
) -> Column:
    """Sum the pT of `particles` within `radius` of each lepton, divided by the lepton's pT.

    `particles` are in the order of their events and do not include the leptons themselves.
    """
    counts = np.bincount(particles.event, minlength=n_events)
    starts = np.cumsum(counts) - counts
    lengths = counts[leptons.event]
    at = spans(starts[leptons.event], lengths)
    owner = np.repeat(np.arange(len(leptons)), lengths)
    near = _distance2(leptons.eta[owner], leptons.phi[owner], particles.eta[at], particles.phi[at])
    inside = near < radius**2
    total = np.bincount(owner[inside], particles.pt[at][inside], minlength=len(leptons))
    summed: Column = total / leptons.pt
    return summed


def _distance2(eta_1: Column, phi_1: Column, eta_2: Column, phi_2: Column) -> Column:
    turn = np.abs(phi_1 - phi_2)
    turn = np.minimum(turn, 2 * np.pi - turn)
    squared: Column = (eta_1 - eta_2) ** 2 + turn**2
    return squared


def conversions(leptons: Particles, response: Response, rng: np.random.Generator) -> Particles:
    """Return soft companions of electrons, from radiated photons that convert [T]."""
    may_have = (leptons.kind == ELECTRON) & (leptons.pt > 10.0)
    chosen = leptons.where(may_have & (rng.random(len(leptons)) < response.conversion))
    n_chosen = len(chosen)
    return Particles(
        event=chosen.event,
        pt=rng.uniform(LEPTON_PT_GEV, 0.4 * chosen.pt + LEPTON_PT_GEV),
        eta=np.clip(
            chosen.eta + rng.normal(0, 0.03, n_chosen), -ELECTRON_ABS_ETA, ELECTRON_ABS_ETA
        ),
        phi=chosen.phi + rng.normal(0, 0.05, n_chosen),
        kind=chosen.kind,
    )
