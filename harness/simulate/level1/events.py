"""Some events of a data set: crossings, seen by the trigger, with the decisions of the menu."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.data.level1.columns import COLLECTIONS
from harness.simulate.level1.calorimeter import MAX_SUM, find_objects, find_sums
from harness.simulate.level1.crossings import Collider, Crossings
from harness.simulate.level1.datasets import DataSet
from harness.simulate.level1.menu import decide, names_of
from harness.simulate.level1.muons import find_muons
from harness.simulate.level1.objects import Objects, join_objects
from harness.simulate.level1.response import Level1Response
from harness.simulate.level1.towers import fill_towers
from harness.simulate.particles import Column, Indices

# Crossings that are made at a time: their towers take 16 MB.
BATCH = 250
# Crossings whose sum of ET has all bits set, whatever the towers say, so that readers have such
# events to drop: the share in the release, 457 of 20,887,636 (Zenodo 21787779).
SATURATED = 457 / 20_887_636


@dataclass(frozen=True, kw_only=True, slots=True)
class Level1Events:
    """Events of one data set, in the order of time.

    Attributes
    ----------
    collections : mapping of str to Objects
        By the names of the release.
    seeds : mapping of str to ndarray of bool, shape (n,)
        Decisions of the algorithms.
    pile_up : ndarray of float64, shape (n,)
        Mean number of collisions: of the luminosity section, or of the event in simulations.
    section : ndarray of int64, shape (n,)
        Luminosity section, from 1.
    """

    collections: Mapping[str, Objects]
    seeds: Mapping[str, NDArray[np.bool_]]
    pile_up: Column
    section: Indices

    def __len__(self) -> int:
        """Count the events."""
        return len(self.pile_up)


def see(
    crossings: Crossings, response: Level1Response, rng: np.random.Generator
) -> dict[str, Objects]:
    """Return what the trigger finds in each crossing, by the collections of the release."""
    towers = fill_towers(crossings, response, rng)
    found = find_objects(towers, response)
    sums = find_sums(towers, found.jets, response)
    jets = Objects(
        counts=found.jets.counts,
        columns={**found.jets.columns, "jetRawEt": np.zeros_like(found.jets["jetIEt"])},
    )
    collections = {
        "muons": find_muons(crossings, response, rng),
        "jets": jets,
        "egammas": found.egammas,
        "taus": found.taus,
        "ET": _single(Et=sums["ET"], ETTEM=sums["ETTEM"]),
        "HT": _single(Et=sums["HT"], tower_count=found.tower_count.astype(np.float64)),
    }
    for name in ("MET", "MHT", "FET", "FHT"):
        collections[name] = _single(Et=sums[name], phi=sums[f"{name}.phi"])
    return {one.name: collections[one.name] for one in COLLECTIONS}


def make_events(
    data_set: DataSet, collider: Collider, section: Indices, mean: Column, rng: np.random.Generator
) -> Level1Events:
    """Make one event for each mean number of collisions.

    Parameters
    ----------
    section : ndarray of int64, shape (n,)
        Luminosity section of each.
    mean : ndarray of float64, shape (n,)
    """
    batches = []
    for start in range(0, len(mean), BATCH):
        crossings = collider.collide(mean[start : start + BATCH], rng)
        batches.append(_saturate(see(crossings, data_set.response, rng), rng))
    collections = {name: join_objects([batch[name] for batch in batches]) for name in batches[0]}
    return Level1Events(
        collections=collections,
        seeds=decide(collections, names_of(is_recorded=data_set.is_recorded)),
        pile_up=mean,
        section=section,
    )


def _saturate(found: dict[str, Objects], rng: np.random.Generator) -> dict[str, Objects]:
    energy = found["ET"]["Et"]
    energy[rng.random(len(energy)) < SATURATED] = MAX_SUM
    return found


def _single(**columns: Column) -> Objects:
    n_events = len(next(iter(columns.values())))
    return Objects(
        counts=np.ones(n_events, np.int64),
        columns={name: values.astype(np.int32)[:, None] for name, values in columns.items()},
    )
