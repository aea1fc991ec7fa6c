"""Muons of the trigger: real ones, hadrons that decay in flight, and combinations of noise."""

from __future__ import annotations

import numpy as np

from harness.simulate.level1.crossings import Crossings
from harness.simulate.level1.objects import Objects, leading
from harness.simulate.level1.response import Level1Response
from harness.simulate.particles import CHARGED, MUON, Column, Particles, concatenate

N_MUONS = 8
MAX_MUON = 511
ETA_STEP = 0.0870 / 8
PHI_STEPS = 576
_MAX_ETA = 2.4
# Least pT that reaches the chambers, in the barrel and beyond. [GeV; |eta|]
_BARREL_GEV, _ENDCAP_GEV, _BARREL_ETA = 3.5, 2.5, 1.1
# Probability that a charged hadron decays on its way, times pT [GeV], for the mixture of pions and
# kaons; and that the muon is found.
_DECAY_GEV, _DECAY_FOUND = 0.033, 0.5
_MIN_DECAY_GEV = 2.5
# Combinations of noise, for each collision of a crossing.
_FAKES = 1e-5
# The trigger's scale: 90 % of the muons of a pT are above the same threshold.
_SCALE = 1.15


def find_muons(crossings: Crossings, response: Level1Response, rng: np.random.Generator) -> Objects:
    """Find the muons of each crossing; they are not sorted by pT, as in the release."""
    n_events = crossings.n_crossings
    muons = concatenate(
        [_real(crossings.particles, response, rng), _decays(crossings.particles, rng),
         _fakes(crossings, rng)]
    )  # fmt: skip
    pt = _measured(muons.pt, response, rng)
    code = np.minimum(np.floor(pt / 0.5) + 1, MAX_MUON)
    charge = rng.integers(0, 2, len(muons)) * 2 - 1
    phi = np.floor(muons.phi % (2 * np.pi) * (PHI_STEPS / (2 * np.pi))) % PHI_STEPS
    eta = np.round(muons.eta / ETA_STEP)
    # In the chambers: after the bend in the field.
    there = (phi - charge * np.round(PHI_STEPS / (2 * np.pi) * 1.4 / muons.pt)) % PHI_STEPS
    columns = {
        "muonIEt": code,
        "muonIEtaAtVtx": eta,
        "muonIPhiAtVtx": phi,
        "muonIEta": eta,
        "muonIPhi": there,
        "muonIEtUnconstrained": np.minimum(np.floor(pt) + 1, 255),
        "muonQual": rng.choice([4, 8, 12], len(muons), p=[0.1, 0.2, 0.7]),
        "muonChg": charge,
        "muonTfMuonIdx": rng.integers(0, 108, len(muons)),
        "order": rng.random(len(muons)) * 1e6,
    }
    found = leading(muons.event, columns, by="order", n_events=n_events, capacity=N_MUONS)
    kept = {name: codes for name, codes in found.columns.items() if name != "order"}
    return Objects(counts=found.counts, columns=kept)


def _real(seen: Particles, response: Level1Response, rng: np.random.Generator) -> Particles:
    muons = seen.where((seen.kind == MUON) & (np.abs(seen.eta) < _MAX_ETA))
    least = np.where(np.abs(muons.eta) < _BARREL_ETA, _BARREL_GEV, _ENDCAP_GEV)
    return muons.where((muons.pt > least) & (rng.random(len(muons)) < response.muon_efficiency))


def _decays(seen: Particles, rng: np.random.Generator) -> Particles:
    hadrons = seen.where(
        (seen.kind == CHARGED) & (seen.pt > _MIN_DECAY_GEV) & (np.abs(seen.eta) < _MAX_ETA)
    )
    is_found = rng.random(len(hadrons)) < _DECAY_GEV * _DECAY_FOUND / hadrons.pt
    return hadrons.where(is_found)


def _fakes(crossings: Crossings, rng: np.random.Generator) -> Particles:
    numbers = rng.poisson(_FAKES * crossings.n_collisions)
    event = np.repeat(np.arange(len(numbers)), numbers)
    return Particles(
        event=event,
        pt=_ENDCAP_GEV + rng.exponential(4.0, len(event)),
        eta=rng.uniform(-_MAX_ETA, _MAX_ETA, len(event)),
        phi=rng.uniform(-np.pi, np.pi, len(event)),
        kind=np.full(len(event), MUON, np.int8),
    )


def _measured(pt: Column, response: Level1Response, rng: np.random.Generator) -> Column:
    """Return the pT that the trigger assigns: a smeared curvature, with a tail of straight ones."""
    inverse = (1 + response.muon_resolution * rng.standard_normal(len(pt))) / pt
    is_tail = rng.random(len(pt)) < response.muon_tail
    inverse *= np.where(is_tail, rng.uniform(0.02, 1.0, len(pt)), 1.0)
    measured: Column = _SCALE / np.maximum(np.abs(inverse), 1e-4)
    return measured
