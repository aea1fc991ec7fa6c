"""Leptons of heavy quarks: decays drawn with the probability that their lepton passes.

Of the events with a b or c quark, one in a thousand gives an isolated lepton above 23 GeV. Pythia
makes the event without the decays of its heavy hadrons. For each of these, `N_TRIALS` semileptonic
decays are drawn from a library of decays at rest (`harness.simulate.hadrons`), rotated at random
and boosted. The weight of a trial is the branching fraction to e and mu, times the identification
of the lepton given its isolation from the other products of the same decay; it is zero if the
measured pT is too low.

An event is kept with the probability (mean weight, summed over its hadrons) / `cap`. One trial is
then chosen by its weight, and every other hadron decays freely. So an event is kept as often as it
would have passed, divided by the cap; no event is kept twice, and no two share anything. If the sum
exceeds the cap, the event is kept once and counted as capped.

Not covered: leptons of b -> c -> l and of b -> tau -> l as the leading one; an event in which two
leptons pass counts twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from harness.simulate.hadrons import Decays, HadronDecays, library
from harness.simulate.particles import (
    ELECTRON,
    Column,
    Indices,
    Particles,
    concatenate,
    spans,
    wrap,
)
from harness.simulate.process import Flavour
from harness.simulate.response import (
    CMS_LIKE,
    LEADING_LEPTON_GEV,
    is_within_reach,
    isolated_identification,
    isolation_factor,
    measured_pt,
)

# Semileptonic decays that are tried for each hadron.
N_TRIALS = 48
# A softer hadron gives no such lepton.
_HADRON_PT_GEV = 21.0
_MIN_PT_GEV = 0.7


@dataclass(frozen=True, kw_only=True, slots=True)
class Hadrons:
    """Undecayed heavy hadrons of many events, in the order of their events.

    Attributes
    ----------
    code : ndarray of int32
        PDG code without its sign.
    momentum : ndarray of float64, shape (n, 3)
    """

    event: Indices
    code: NDArray[np.int32]
    momentum: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Decayed:
    """What became of the hadrons.

    Attributes
    ----------
    chance : ndarray of float64, shape (n_events,)
        Probability to keep each event; above 1 where it was capped.
    is_kept : ndarray of bool, shape (n_events,)
        Which events were kept.
    products : Particles
        Of all hadrons of the kept events.
    boost, pull : ndarray of float64, shape (len(products),)
        Of a lepton that was chosen by its weight: the factor on its identification, and the
        deviation of its measurement over the resolution; 1 and NaN for all other products.
    """

    chance: Column
    is_kept: NDArray[np.bool_]
    products: Particles
    boost: Column
    pull: Column


def decay(
    hadrons: Hadrons, weight: Column, flavour: Flavour, cap: float, rng: np.random.Generator
) -> Decayed:
    """Decay the hadrons of events, one of them to a lepton that may pass.

    Parameters
    ----------
    weight : ndarray, shape (n_events,)
        Pythia's weight of each event, divided by the probability with which it was kept so far.
    cap : float
        Weight at which an event is kept with certainty.
    """
    n_events = len(weight)
    table = library(flavour)
    trials = _Trials.draw(hadrons, table, rng)
    chance = weight * np.bincount(trials.event, trials.weight, minlength=n_events) / cap
    is_kept = rng.random(n_events) < chance
    chosen = _choose(trials, n_events, rng)
    chosen = chosen[is_kept[trials.event[chosen]]]
    is_leading = np.zeros(len(hadrons.event), np.bool_)
    is_leading[trials.hadron[chosen]] = True
    others = np.flatnonzero(~is_leading & is_kept[hadrons.event])
    parts = [trials.products(chosen)]
    for code, hadron in table.items():
        of_code = others[hadrons.code[others] == code]
        drawn = _Drawn.draw(hadrons, of_code, hadron.free, hadron.mass, rng)
        parts.append(drawn.products())
    products = concatenate(parts)
    boost, pull = np.ones(len(products)), np.full(len(products), np.nan)
    first = np.flatnonzero(_first_of_runs(parts[0].event))
    boost[first] = 1.0 / trials.identified[chosen]
    pull[first] = trials.pull[chosen]
    return Decayed(chance=chance, is_kept=is_kept, products=products, boost=boost, pull=pull)


def no_decays(n_events: int) -> Decayed:
    """Return the result for events whose hadrons Pythia decayed itself: all are kept."""
    nothing = np.zeros(0)
    return Decayed(
        chance=np.ones(n_events),
        is_kept=np.ones(n_events, np.bool_),
        products=Particles(
            event=np.zeros(0, np.int64),
            pt=nothing,
            eta=nothing,
            phi=nothing,
            kind=np.zeros(0, np.int8),
        ),
        boost=nothing,
        pull=nothing,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Drawn:
    """Decays drawn for the hadrons `which`: number `decay` of the library, rotated."""

    hadrons: Hadrons
    which: Indices
    decays: Decays
    mass: float
    decay: Indices
    rotation: NDArray[np.float64]

    @classmethod
    def draw(
        cls, hadrons: Hadrons, which: Indices, decays: Decays, mass: float, rng: np.random.Generator
    ) -> _Drawn:
        return cls(
            hadrons=hadrons,
            which=which,
            decays=decays,
            mass=mass,
            decay=rng.integers(0, len(decays.starts) - 1, len(which)),
            rotation=_random_rotations(len(which), rng),
        )

    @property
    def lengths(self) -> Indices:
        """Number of products of each."""
        return self.decays.starts[self.decay + 1] - self.decays.starts[self.decay]

    def where(self, is_kept: NDArray[np.bool_]) -> _Drawn:
        """Return those that a mask selects."""
        return replace(
            self,
            which=self.which[is_kept],
            decay=self.decay[is_kept],
            rotation=self.rotation[is_kept],
        )

    def leading(self) -> Particles:
        """Return the first product of each."""
        return self._products(np.ones(len(self.which), np.int64))

    def products(self) -> Particles:
        """Return all products."""
        return self._products(self.lengths)

    def _products(self, lengths: Indices) -> Particles:
        at = spans(self.decays.starts[self.decay], lengths)
        owner = np.repeat(np.arange(len(self.which)), lengths)
        rest = np.einsum("nij,nj->ni", self.rotation[owner], self.decays.momenta[at, :3])
        parent = self.hadrons.momentum[self.which][owner]
        momentum = _boost(rest, self.decays.momenta[at, 3], parent, self.mass)
        pt = np.maximum(np.hypot(momentum[:, 0], momentum[:, 1]), 1e-9)
        return Particles(
            event=self.hadrons.event[self.which][owner],
            pt=pt,
            eta=np.arcsinh(momentum[:, 2] / pt),
            phi=np.arctan2(momentum[:, 1], momentum[:, 0]),
            kind=self.decays.kind[at],
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Trials:
    """Semileptonic decays that may pass, of `N_TRIALS` for each hadron that is hard enough.

    `pull` is the deviation of the lepton's measurement over the resolution, `identified` its
    identification among the products of its decay, `weight` the whole weight divided by the number
    of trials; `first` and `lengths` are the positions of the products.
    """

    event: Indices
    hadron: Indices
    pull: Column
    identified: Column
    weight: Column
    first: Indices
    lengths: Indices
    particles: Particles

    @classmethod
    def draw(
        cls, hadrons: Hadrons, table: Mapping[int, HadronDecays], rng: np.random.Generator
    ) -> _Trials:
        pt = np.hypot(hadrons.momentum[:, 0], hadrons.momentum[:, 1])
        found: list[tuple[Indices, Column, Column, Indices, Particles]] = []
        for code, hadron in table.items():
            within = np.flatnonzero((pt > _HADRON_PT_GEV) & (hadrons.code == code))
            tried = np.repeat(within, N_TRIALS)
            drawn = _Drawn.draw(hadrons, tried, hadron.leptonic, hadron.mass, rng)
            pull = rng.standard_normal(len(tried))
            lepton = drawn.leading()
            may = (measured_pt(lepton, pull) > LEADING_LEPTON_GEV) & is_within_reach(lepton)
            drawn = drawn.where(may)
            fraction = np.full(len(drawn.which), hadron.fraction / N_TRIALS)
            found.append((drawn.which, fraction, pull[may], drawn.lengths, drawn.products()))
        owner, fraction, pull, lengths = (
            np.concatenate([one[place] for one in found]) for place in (0, 1, 2, 3)
        )
        particles = concatenate([one[4] for one in found])
        first = np.cumsum(lengths) - lengths
        identified = _own_identification(particles, first, lengths, pull)
        return cls(
            event=hadrons.event[owner],
            hadron=owner,
            pull=pull,
            identified=identified,
            weight=fraction * identified,
            first=first,
            lengths=lengths,
            particles=particles,
        )

    def products(self, trials: Indices) -> Particles:
        """Return the products of some trials."""
        return self.particles.where(spans(self.first[trials], self.lengths[trials]))


def _choose(trials: _Trials, n_events: int, rng: np.random.Generator) -> Indices:
    """Choose one trial of each event that has any, with probabilities in proportion to weights."""
    order = np.argsort(trials.event, kind="stable")
    running = np.cumsum(trials.weight[order])
    ends = np.searchsorted(trials.event[order], np.arange(n_events), side="right")
    upper = np.concatenate([[0.0], running])[ends]
    lower = np.concatenate([[0.0], upper[:-1]])
    has_any = upper > lower
    mark = (lower + rng.random(n_events) * (upper - lower))[has_any]
    at = np.minimum(np.searchsorted(running, mark, side="right"), len(running) - 1)
    chosen: Indices = order[at]
    return chosen


def _own_identification(
    particles: Particles, first: Indices, lengths: Indices, pull: Column
) -> Column:
    """Return the identification of each trial's lepton among its own decay's products."""
    owner = np.repeat(np.arange(len(first)), lengths)
    lepton = first[owner]
    turn = wrap(particles.phi - particles.phi[lepton])
    near = (particles.eta - particles.eta[lepton]) ** 2 + turn**2
    counts = (near < CMS_LIKE.isolation_radius**2) & (particles.pt > _MIN_PT_GEV)
    counts[first] = False
    total = np.bincount(owner[counts], particles.pt[counts], minlength=len(first))
    leptons = particles.where(first)
    isolation = total / measured_pt(leptons, pull)
    plateau = isolated_identification(leptons, CMS_LIKE)
    return plateau * isolation_factor(leptons.kind == ELECTRON, isolation, CMS_LIKE)


def _boost(
    rest: NDArray[np.float64], energy: Column, momentum: NDArray[np.float64], mass: float
) -> NDArray[np.float64]:
    """Boost momenta from the rest frame of parents with `momentum` and `mass`."""
    total = np.sqrt(mass**2 + (momentum**2).sum(axis=1))
    along = (rest * momentum).sum(axis=1)
    factor = (along / (total + mass) + energy) / mass
    boosted: NDArray[np.float64] = rest + factor[:, None] * momentum
    return boosted


def _random_rotations(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw rotations uniformly, from unit quaternions; shape (n, 3, 3)."""
    q = rng.standard_normal((n, 4))
    q /= np.linalg.norm(q, axis=1, keepdims=True)
    w, x, y, z = q.T
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
        (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
        (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
    )
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=1)


def _first_of_runs(event: Indices) -> NDArray[np.bool_]:
    """Return where a new event begins: its lepton is there."""
    return np.concatenate([[True], event[1:] != event[:-1]])[: len(event)]
