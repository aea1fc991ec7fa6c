"""From generated particles to the 19 objects: overlay, leptons, isolation, jets, MET."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from harness.simulate.generator import GeneratedEvents, Generator
from harness.simulate.jets import cluster
from harness.simulate.layout import Events, lay_out
from harness.simulate.observed import Observed
from harness.simulate.particles import ELECTRON, MUON, Column, Indices, Particles, join, wrap
from harness.simulate.pileup import TRACKER_ABS_ETA, Overlay
from harness.simulate.response import (
    ELECTRON_ABS_ETA,
    JET_ABS_ETA,
    JET_PT_GEV,
    JET_RADIUS,
    LEADING_LEPTON_GEV,
    Response,
    conversions,
    identification,
    measure_leptons,
    relative_isolation,
    smear,
)

# A jet is an electron's if the electron has this share of its pT and lies within the radius.
_ELECTRON_SHARE = 0.5
# Jets misidentified as electrons: how the rate falls with pT, from ATLAS's upgrade functions
# (UpgradePerformanceFunctions: 0.0048 exp(-0.035 pT / GeV) for tight electrons). `presets` sets the
# share of such events in the mix, so only the slope matters here.
FAKE_SLOPE_PER_GEV = 0.035
# pT that the fake electron keeps of the jet's: uniform between these [T].
FAKE_PT_SHARE = (0.6, 1.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Detector:
    """Turns generated events into their 19 objects."""

    response: Response
    overlay: Overlay

    def observe(self, generator: Generator, n_events: int, rng: np.random.Generator) -> Observed:
        """Generate up to `n_events`; return those that pass the preselection."""
        batch = generator.next_batch(n_events, rng)
        events = self.see(batch, rng, is_fake=generator.process.is_fake)
        return Observed(events=events, n_generated=batch.n_generated, n_capped=batch.n_capped)

    def see(self, batch: GeneratedEvents, rng: np.random.Generator, *, is_fake: bool) -> Events:
        """Return those events of `batch` that pass the preselection, shape (n, 19, 3)."""
        particles, leptons = batch.particles, batch.leptons
        measured, is_measured = measure_leptons(leptons, batch.pull)
        boost, n_events = batch.boost[is_measured], batch.n_events
        if not is_fake:
            is_kept = _has_leading(measured, n_events)
            boost, n_events = boost[is_kept[measured.event]], int(is_kept.sum())
            particles, leptons, measured = (
                part.of_events(is_kept) for part in (particles, leptons, measured)
            )
        soft, n_pileup = self.overlay.draw(n_events, rng)
        seen = smear(join([particles, soft]), rng)
        isolation = relative_isolation(measured, seen, n_events, self.response.isolation_radius)
        chance = boost * identification(measured, isolation, self.response)
        found = measured.where(rng.random(len(measured)) < chance)
        thinning = batch.thinning if is_fake else None
        return self._reconstruct(seen, leptons, found, n_pileup, rng, thinning)

    def _reconstruct(
        self,
        seen: Particles,
        leptons: Particles,
        found: Particles,
        n_pileup: Indices,
        rng: np.random.Generator,
        thinning: Column | None,
    ) -> Events:
        n_events = len(n_pileup)
        if thinning is None:
            passes = _has_leading(found, n_events)
            seen, leptons, found = (part.of_events(passes) for part in (seen, leptons, found))
            n_pileup, n_events = n_pileup[passes], int(passes.sum())
        if n_events == 0:
            return np.zeros((0, 19, 3), np.float32)
        electrons = smear(leptons.where(leptons.kind == ELECTRON), rng)
        muons = found.where(found.kind == MUON)
        deposits = join([seen, electrons])
        met = self._missing(join([deposits, muons]), n_events, rng)
        jets = self._jets(deposits, found, n_pileup, rng)
        found_electrons = found.where(found.kind == ELECTRON)
        passes = np.ones(n_events, np.bool_)
        if thinning is not None:
            fakes, passes = _fake_electrons(jets, thinning, rng)
            found_electrons = join([found_electrons, fakes])
        every = join([found_electrons, conversions(found_electrons, self.response, rng)])
        events = lay_out(met, every, muons, jets)
        return events[passes]

    def _missing(
        self, visible: Particles, n_events: int, rng: np.random.Generator
    ) -> tuple[Column, Column]:
        """Return the missing transverse momentum and its angle."""
        x, y, total = (
            np.bincount(visible.event, weight, minlength=n_events)
            for weight in (
                visible.pt * np.cos(visible.phi),
                visible.pt * np.sin(visible.phi),
                visible.pt,
            )
        )
        width = np.sqrt(
            self.response.met_noise_gev**2 + self.response.met_stochastic**2 * total
        ) * np.exp(self.response.met_spread * rng.standard_normal(n_events))
        x = -x + width * rng.standard_normal(n_events)
        y = -y + width * rng.standard_normal(n_events)
        return np.hypot(x, y), np.arctan2(y, x)

    def _jets(
        self, deposits: Particles, found: Particles, n_pileup: Indices, rng: np.random.Generator
    ) -> Particles:
        """Return the jets that are kept, including the electrons that reappear as jets."""
        response = self.response
        jets = cluster(deposits, len(n_pileup), JET_RADIUS)
        is_electron = _holds_electron(jets, found.where(found.kind == ELECTRON))
        is_central = np.abs(jets.eta) < TRACKER_ABS_ETA
        per_event = np.where(is_central, response.pileup_offset_gev, response.forward_offset_gev)
        offset = per_event * n_pileup[jets.event]
        pt = np.where(is_electron, jets.pt, response.jet_scale * (jets.pt - offset))
        loss = response.jet_loss * np.exp(-(pt - JET_PT_GEV) / response.jet_turn_on_gev)
        lost = rng.random(len(jets)) < loss
        lost |= is_electron & (rng.random(len(jets)) > response.electron_as_jet)
        corrected = replace(jets, pt=pt)
        return corrected.where(~lost & (pt > JET_PT_GEV) & (np.abs(jets.eta) < JET_ABS_ETA))


def _has_leading(leptons: Particles, n_events: int) -> NDArray[np.bool_]:
    """Return which events have a lepton above the preselection's threshold."""
    leading = leptons.event[leptons.pt > LEADING_LEPTON_GEV]
    has: NDArray[np.bool_] = np.bincount(leading, minlength=n_events) > 0
    return has


def _holds_electron(jets: Particles, electrons: Particles) -> NDArray[np.bool_]:
    """Return which jets are mainly one of the `electrons`."""
    order = np.argsort(electrons.event, kind="stable")
    electrons = electrons.where(order)
    is_one = np.zeros(len(jets), np.bool_)
    first = np.searchsorted(jets.event, electrons.event, side="left")
    last = np.searchsorted(jets.event, electrons.event, side="right")
    for rank in range(int((last - first).max(initial=0))):
        at = first + rank
        inside = at < last
        jet, electron = at[inside], electrons.where(inside)
        distance = np.hypot(jets.eta[jet] - electron.eta, wrap(jets.phi[jet] - electron.phi))
        is_near = (distance < JET_RADIUS) & (electron.pt > _ELECTRON_SHARE * jets.pt[jet])
        is_one[jet[is_near]] = True
    return is_one


def _fake_electrons(
    jets: Particles, thinning: Column, rng: np.random.Generator
) -> tuple[Particles, NDArray[np.bool_]]:
    """Make an electron of one jet of each event; the jet stays.

    The probability falls with the pT of the jet. An event is kept in proportion to the sum over its
    jets, capped at twice the value at the threshold.

    Parameters
    ----------
    thinning : ndarray of float64, shape (n_events,)
        Probability with which each event was kept so far.

    Returns
    -------
    fakes : Particles
        At most one in an event.
    passes : ndarray of bool, shape (n_events,)
        Events that are kept.
    """
    n_events = len(thinning)
    share = rng.uniform(*FAKE_PT_SHARE, len(jets))
    may = (share * jets.pt > LEADING_LEPTON_GEV) & (np.abs(jets.eta) < ELECTRON_ABS_ETA)
    chance = 0.5 * may * np.exp(-FAKE_SLOPE_PER_GEV * (jets.pt - LEADING_LEPTON_GEV))
    total = np.bincount(jets.event, chance, minlength=n_events)
    passes = rng.random(n_events) < total / thinning
    # One jet of each event, with its share of the total: the first whose running sum passes a mark.
    running = np.cumsum(chance)
    before = np.concatenate([[0.0], running])[np.searchsorted(jets.event, np.arange(n_events))]
    mark = before + rng.random(n_events) * total
    is_past = running > mark[jets.event]
    is_first = is_past & (running - chance <= mark[jets.event])
    chosen = is_first & may & passes[jets.event]
    taken = jets.where(chosen)
    kinds = np.full(len(taken), ELECTRON, np.int8)
    fakes = replace(taken, pt=taken.pt * share[chosen], kind=kinds)
    found = np.bincount(fakes.event, minlength=n_events) > 0
    return fakes, passes & found
