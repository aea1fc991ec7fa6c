"""Jets, e/gamma and tau objects, and sums, as a level-1 calorimeter trigger makes them.

Jets are windows of 9 x 9 towers around a local maximum of at least 4 GeV, less the energy of the
three lowest of the four strips of 3 x 9 towers beside it. e/gamma objects are 2 x 5, tau objects
3 x 5 towers around a local maximum of 3 x 3, and carry a bit of isolation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.simulate.level1.objects import Objects, leading
from harness.simulate.level1.patches import Seeds, around, find_seeds, is_largest
from harness.simulate.level1.response import Level1Response
from harness.simulate.level1.towers import (
    CENTRAL_ETA,
    N_PHI,
    N_SIDE,
    TOWER_ETA,
    Grid,
    Towers,
    tower_eta,
)
from harness.simulate.particles import Column

N_OBJECTS = 12
# Largest numbers of 11 and of 9 bits: the object is saturated.
MAX_JET, MAX_CLUSTER = 2047, 511
# Least energies. [steps of 0.5 GeV]
_JET_SEED, _CLUSTER_SEED = 8, 4
MIN_JET, MIN_EGAMMA, MIN_TAU = 20, 8, 12
_CENTRAL_SIDE = round(CENTRAL_ETA / TOWER_ETA)
_MAX_HADRONIC = 0.25
# Energy around a cluster below which it is isolated: a constant, and per tower with energy.
_ISOLATION = (8.0, 0.02)


@dataclass(frozen=True, kw_only=True, slots=True)
class Calorimeter:
    """All that the calorimeter trigger finds.

    Attributes
    ----------
    tower_count : ndarray of int64, shape (n,)
        Towers with energy: an estimate of the pile-up.
    """

    jets: Objects
    egammas: Objects
    taus: Objects
    tower_count: NDArray[np.int64]


def find_objects(towers: Towers, response: Level1Response) -> Calorimeter:
    """Find jets, e/gamma and tau objects."""
    total = towers.total
    n_active = np.count_nonzero(total, axis=(1, 2))
    return Calorimeter(
        jets=_jets(total, response),
        egammas=_egammas(towers, n_active),
        taus=_taus(total, n_active),
        tower_count=n_active,
    )


def _jets(total: Grid, response: Level1Response) -> Objects:
    seeds = find_seeds(total, _JET_SEED)
    windows = around(total, seeds, 4, 4)
    is_jet = is_largest(windows)
    seeds, windows = seeds.where(is_jet), windows[is_jet]
    wide = around(total, seeds, 7, 7)
    strips = np.stack(
        [
            wide[:, :3, 3:12].sum(axis=(1, 2)),
            wide[:, 12:, 3:12].sum(axis=(1, 2)),
            wide[:, 3:12, :3].sum(axis=(1, 2)),
            wide[:, 3:12, 12:].sum(axis=(1, 2)),
        ]
    )
    beside = np.sort(strips, axis=0)[:3].sum(axis=0)
    raw = windows.sum(axis=(1, 2))
    energy = raw - response.subtraction * beside
    energy *= _calibration(energy)
    codes = np.minimum(np.floor(energy), MAX_JET)
    return _objects(seeds, len(total), "jet", codes, MIN_JET, {"jetHwQual": 0.0 * codes})


def _calibration(energy: NDArray[np.floating]) -> Column:
    """Return a factor that rises from 1 to 1.3 at low energy: hadrons give too little."""
    factor: Column = 1.0 + 0.3 / (1.0 + np.maximum(energy, 0.0) / 80.0)
    return factor


def _egammas(towers: Towers, n_active: NDArray[np.int64]) -> Objects:
    seeds = find_seeds(towers.em, _CLUSTER_SEED, _CENTRAL_SIDE)
    seeds = seeds.where(is_largest(around(towers.em, seeds, 1, 1)))
    em = around(towers.em, seeds, 1, 2)
    # The seed's row, and the larger one of its neighbours.
    rows = em.sum(axis=2)
    energy = rows[:, 1] + np.maximum(rows[:, 0], rows[:, 2])
    had = around(towers.had, seeds, 0, 0)[:, 0, 0]
    is_electromagnetic = had <= _MAX_HADRONIC * em[:, 1, 2]
    is_isolated = _is_isolated(towers.total, seeds, energy, n_active)
    codes = np.where(is_electromagnetic, np.minimum(energy, MAX_CLUSTER), 0)
    others = {"egIso": is_isolated.astype(np.float64)}
    return _objects(seeds, len(towers.em), "eg", codes, MIN_EGAMMA, others)


def _taus(total: Grid, n_active: NDArray[np.int64]) -> Objects:
    seeds = find_seeds(total, 2 * _CLUSTER_SEED, _CENTRAL_SIDE)
    seeds = seeds.where(is_largest(around(total, seeds, 1, 1)))
    energy = around(total, seeds, 1, 2).sum(axis=(1, 2))
    is_isolated = _is_isolated(total, seeds, energy, n_active)
    codes = np.minimum(energy, MAX_CLUSTER)
    others = {"tauIso": is_isolated.astype(np.float64)}
    return _objects(seeds, len(total), "tau", codes, MIN_TAU, others)


def _is_isolated(
    total: Grid, seeds: Seeds, energy: NDArray[np.floating], n_active: NDArray[np.int64]
) -> NDArray[np.bool_]:
    beside = around(total, seeds, 3, 4).sum(axis=(1, 2)) - energy
    constant, per_tower = _ISOLATION
    found: NDArray[np.bool_] = beside <= constant + per_tower * n_active[seeds.event]
    return found


def _objects(
    seeds: Seeds,
    n_events: int,
    prefix: str,
    codes: NDArray[np.floating],
    least: int,
    others: dict[str, Column],
) -> Objects:
    """Make objects of the seeds that have at least `least` steps; angles are tower centres."""
    is_kept = codes >= least
    kept = seeds.where(is_kept)
    columns = {
        f"{prefix}IEt": codes[is_kept],
        f"{prefix}IEta": 2 * (kept.eta - N_SIDE) + 1,
        f"{prefix}IPhi": 2 * kept.phi + 1,
        **{name: values[is_kept] for name, values in others.items()},
    }
    return leading(kept.event, columns, by=f"{prefix}IEt", n_events=n_events, capacity=N_OBJECTS)


# Sums have 12 bits, and phi 144 steps.
MAX_SUM = 4095
PHI_STEPS = 144
# Jets that enter sums. [steps of 0.5 GeV; |eta|]
_MIN_SUM_JET = 60
_HT_ETA = 2.5


def find_sums(towers: Towers, jets: Objects, response: Level1Response) -> dict[str, Column]:
    """Return the sums of each event in steps of 0.5 GeV, and angles in steps of 2 pi/144.

    ``ET``, ``ETTEM``, ``MET`` and ``MET.phi`` within |eta| < 3, ``FET`` up to the end of the
    calorimeter; ``HT`` and ``MHT`` of jets above 30 GeV within |eta| < 2.5, ``FHT`` of all jets.
    """
    total = _above_pile_up(towers.total, response)
    eta = tower_eta(np.arange(2 * N_SIDE))
    is_central = np.abs(eta) < CENTRAL_ETA
    angle: Column = (np.arange(N_PHI, dtype=np.float64) + 0.5) * (2 * np.pi / N_PHI)
    central, every = total[:, is_central].sum(axis=1), total.sum(axis=1)
    em = towers.em[:, is_central].sum(axis=(1, 2)).astype(np.float64)
    jet_et = jets["jetIEt"] * (jets["jetIEt"] >= _MIN_SUM_JET)
    in_ht = jet_et * (np.abs(jets["jetIEta"] * (TOWER_ETA / 2)) < _HT_ETA)
    jet_angle: Column = jets["jetIPhi"].astype(np.float64) * (2 * np.pi / PHI_STEPS)
    found: dict[str, Column] = {
        "ET": np.minimum(np.floor(central.sum(axis=1)), MAX_SUM),
        "ETTEM": np.minimum(em, MAX_SUM),
        "HT": np.minimum(in_ht.sum(axis=1), MAX_SUM).astype(np.float64),
    }
    for name, weights, angles in (
        ("MET", central, angle), ("MHT", in_ht, jet_angle),
        ("FET", every, angle), ("FHT", jet_et, jet_angle),
    ):  # fmt: skip
        found[name], found[f"{name}.phi"] = _missing(weights, angles)
    return found


def _missing(weights: NDArray[np.number], angles: Column) -> tuple[Column, Column]:
    """Return size and direction of minus a vector sum, both in steps."""
    x, y = -(weights * np.cos(angles)).sum(axis=1), -(weights * np.sin(angles)).sum(axis=1)
    size = np.minimum(np.floor(np.hypot(x, y)), MAX_SUM)
    phi = np.floor(np.arctan2(y, x) % (2 * np.pi) * (PHI_STEPS / (2 * np.pi))) % PHI_STEPS
    return size, np.where(size > 0, phi, 0.0)


def _above_pile_up(total: Grid, response: Level1Response) -> Grid:
    """Remove towers below a multiple of the mean of their ring, as the event itself has it."""
    # Rings of six towers in eta, both sides together: enough towers for a mean.
    side = np.abs(np.arange(2 * N_SIDE) - N_SIDE + 0.5).astype(int) // 6
    rings = np.stack([total[:, side == ring].mean(axis=(1, 2)) for ring in range(side.max() + 1)])
    least = response.tower_slope * rings.T[:, side][:, :, None]
    kept: Grid = np.where(total >= np.maximum(least, 1.0), total, 0.0).astype(np.float32)
    return kept
