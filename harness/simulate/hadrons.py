"""Decays of heavy hadrons at rest, as Pythia makes them: a library that decays are drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.simulate.particles import Indices, kind_of
from harness.simulate.process import Flavour

if TYPE_CHECKING:
    from pythia8mc import Pythia

# Weakly decaying hadrons (PDG codes, either sign).
HADRONS: Mapping[Flavour, tuple[int, ...]] = {
    "none": (),
    "bottom": (511, 521, 531, 5122, 5132, 5232),
    "charm": (411, 421, 431, 4122),
}
# Semileptonic decays of each hadron in the library, and as many of all; the seed of the library.
N_DECAYS = 1500
_SEED = 17


@dataclass(frozen=True, kw_only=True, slots=True)
class Decays:
    """Decays of one hadron at rest, one after the other: the visible products.

    Attributes
    ----------
    momenta : ndarray of float64, shape (n_products, 4)
        px, py, pz, E [GeV]; the lepton of a semileptonic decay comes first.
    """

    starts: Indices
    momenta: NDArray[np.float64]
    kind: NDArray[np.int8]


@dataclass(frozen=True, kw_only=True, slots=True)
class HadronDecays:
    """The decays of one kind of weakly decaying hadron.

    Attributes
    ----------
    fraction : float
        Branching fraction to e and mu together.
    leptonic, free : Decays
        Semileptonic decays to e and mu; all decays.
    """

    mass: float
    fraction: float
    leptonic: Decays
    free: Decays


def stop_decays(pythia: Pythia, flavour: Flavour) -> None:
    """Keep Pythia from decaying the hadrons of `flavour`."""
    for code in HADRONS[flavour]:
        pythia.readString(f"{code}:mayDecay = off")


@cache
def library(flavour: Flavour) -> Mapping[int, HadronDecays]:
    """Make the decays of the hadrons of `flavour`: a second or two, once in each worker."""
    return {code: _decays_of(code) for code in HADRONS[flavour]}


def _decays_of(code: int) -> HadronDecays:
    import pythia8mc

    decays = []
    fraction = 0.0
    for is_leptonic in (False, True):
        pythia = pythia8mc.Pythia("", False)
        for line in (
            "Print:quiet = on",
            "ProcessLevel:all = off",
            "ParticleDecays:mixB = off",
            "Random:setSeed = on",
            f"Random:seed = {_SEED + code}",
        ):
            pythia.readString(line)
        if is_leptonic:
            fraction = _only_leptonic(pythia, code)
        pythia.init()
        mass = float(pythia.particleData.m0(code))
        decays.append(_decay_at_rest(pythia, code, mass, is_leptonic=is_leptonic))
    return HadronDecays(mass=mass, fraction=fraction, leptonic=decays[1], free=decays[0])


def _only_leptonic(pythia: Pythia, code: int) -> float:
    """Switch all but the semileptonic decays off; return the branching fraction of these."""
    entry = pythia.particleData.findParticle(code)
    total = leptonic = 0.0
    for index in range(entry.sizeChannels()):
        channel = entry.channel(index)
        products = {abs(channel.product(n)) for n in range(channel.multiplicity())}
        is_leptonic = bool(products & {11, 13})
        channel.onMode(int(is_leptonic))
        total += channel.bRatio()
        leptonic += channel.bRatio() * is_leptonic
    return float(leptonic / total)


def _decay_at_rest(pythia: Pythia, code: int, mass: float, *, is_leptonic: bool) -> Decays:
    """Let Pythia decay a hadron at rest `N_DECAYS` times."""
    starts, momenta, kinds = [0], [], []
    for _ in range(N_DECAYS):
        event = pythia.event
        event.reset()
        event.append(code, 1, 0, 0, 0.0, 0.0, 0.0, mass, mass)
        pythia.next()
        found = [event[n] for n in range(event.size()) if event[n].isFinal()]
        if is_leptonic:
            # The lepton of the hadron itself comes first: the first in Pythia's record.
            found.sort(key=lambda particle: particle.idAbs() not in {11, 13})
        for particle in found:
            kind = kind_of(particle.id(), pythia)
            if kind >= 0:
                momenta.append((particle.px(), particle.py(), particle.pz(), particle.e()))
                kinds.append(kind)
        starts.append(len(kinds))
    return Decays(
        starts=np.array(starts, np.int64),
        momenta=np.array(momenta).reshape(-1, 4),
        kind=np.array(kinds, np.int8),
    )
