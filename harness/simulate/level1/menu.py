"""A small menu of plain algorithms, with thresholds like those of a level-1 trigger; none is real.

Their names say what they ask: thresholds in GeV, ``er2p5`` for |eta| < 2.5. Some are switched off
in one of the variants, so that recorded and simulated events share not all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from harness.simulate.level1.objects import Objects
from harness.simulate.level1.towers import TOWER_ETA
from harness.simulate.particles import Column

Decision = NDArray[np.bool_]
Collections = Mapping[str, Objects]
_ETA_STEPS = {"muons": TOWER_ETA / 8, "jets": TOWER_ETA / 2, "egammas": TOWER_ETA / 2,
              "taus": TOWER_ETA / 2}  # fmt: skip
_BRANCHES = {
    "muons": ("muonIEt", "muonIEtaAtVtx"),
    "jets": ("jetIEt", "jetIEta"),
    "egammas": ("egIEt", "egIEta"),
    "taus": ("tauIEt", "tauIEta"),
}


def _pt(found: Collections, name: str, max_eta: float = 9.9) -> Column:
    """Return the pT of the objects within `max_eta` by falling pT, shape (n, capacity) [GeV]."""
    branch, eta = _BRANCHES[name]
    codes = found[name][branch]
    pt = np.where(codes > 0, (codes - (name == "muons")) * 0.5, 0.0)
    pt = np.where(np.abs(found[name][eta] * _ETA_STEPS[name]) < max_eta, pt, 0.0)
    falling: Column = -np.sort(-pt, axis=1).astype(np.float64)
    return falling


def _sum(found: Collections, name: str) -> Column:
    values: Column = found[name]["Et"][:, 0].astype(np.float64) * 0.5
    return values


def _isolated(found: Collections, name: str, branch: str) -> Collections:
    """Return `found` with only the isolated objects of one collection."""
    one = found[name]
    pt = _BRANCHES[name][0]
    columns = {**one.columns, pt: one[pt] * (one[branch] > 0)}
    return {**found, name: Objects(counts=one.counts, columns=columns)}


def _several(name: str, *least: float, max_eta: float = 9.9) -> Callable[[Collections], Decision]:
    """Ask for as many objects as there are thresholds, by falling pT."""

    def decide(found: Collections) -> Decision:
        pt = _pt(found, name, max_eta)
        passes: Decision = np.logical_and.reduce(pt[:, : len(least)] >= np.array(least), axis=1)
        return passes

    return decide


def _above(name: str, least: float) -> Callable[[Collections], Decision]:
    def decide(found: Collections) -> Decision:
        passes: Decision = _sum(found, name) >= least
        return passes

    return decide


def _both(*asked: Callable[[Collections], Decision]) -> Callable[[Collections], Decision]:
    def decide(found: Collections) -> Decision:
        passes: Decision = np.logical_and.reduce([one(found) for one in asked])
        return passes

    return decide


def _iso(
    name: str, branch: str, asked: Callable[[Collections], Decision]
) -> Callable[[Collections], Decision]:
    return lambda found: asked(_isolated(found, name, branch))


ALGORITHMS: Mapping[str, Callable[[Collections], Decision]] = {
    "L1_SingleMu22": _several("muons", 22),
    "L1_DoubleMu_15_7": _several("muons", 15, 7),
    "L1_TripleMu_5_3_3": _several("muons", 5, 3, 3),
    "L1_SingleEG42er2p5": _several("egammas", 42, max_eta=2.5),
    "L1_SingleIsoEG32er2p1": _iso("egammas", "egIso", _several("egammas", 32, max_eta=2.1)),
    "L1_DoubleEG_30_20_er2p5": _several("egammas", 30, 20, max_eta=2.5),
    "L1_DoubleIsoTau40er2p1": _iso("taus", "tauIso", _several("taus", 40, 40, max_eta=2.1)),
    "L1_SingleTau120er2p1": _several("taus", 120, max_eta=2.1),
    "L1_SingleJet180": _several("jets", 180),
    "L1_DoubleJet150er2p5": _several("jets", 150, 150, max_eta=2.5),
    "L1_QuadJet60er2p5": _several("jets", 60, 60, 60, 60, max_eta=2.5),
    "L1_HTT360": _above("HT", 360),
    "L1_HTT280_QuadJet_70_55_40_40": _both(
        _above("HT", 280), _several("jets", 70, 55, 40, 40, max_eta=2.5)
    ),
    "L1_ETMHF110": _above("FET", 110),
    "L1_ETMHF90_HTT60": _both(_above("FET", 90), _above("HT", 60)),
    "L1_Mu6_HTT240": _both(_several("muons", 6), _above("HT", 240)),
    "L1_Mu18er2p1_Tau26er2p1": _both(
        _several("muons", 18, max_eta=2.1), _several("taus", 26, max_eta=2.1)
    ),
}
# What one of the variants has not.
ONLY_DATA = frozenset({"L1_Mu6_HTT240", "L1_SingleTau120er2p1"})
ONLY_SIMULATION = frozenset({"L1_DoubleJet150er2p5"})


def names_of(*, is_recorded: bool) -> tuple[str, ...]:
    """Return the algorithms beside recorded or simulated events."""
    without = ONLY_SIMULATION if is_recorded else ONLY_DATA
    return tuple(name for name in ALGORITHMS if name not in without)


def decide(found: Collections, names: tuple[str, ...]) -> dict[str, Decision]:
    """Return the decision of each algorithm, shape (n,)."""
    return {name: ALGORITHMS[name](found) for name in names}
