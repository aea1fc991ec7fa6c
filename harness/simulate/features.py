"""Features of simulated events, by which one simulation is compared with another."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.challenge import EventLayout
from harness.data.hdf5 import count_events, read_chunks
from harness.data.observables import observables_of
from harness.errors import DataError
from harness.files import Progress, no_progress
from harness.jets import (
    DIJET_FEATURES,
    dijet_features,
    dijet_mass,
    jet_axis,
    jet_mass,
    n_constituents,
    subjettiness,
)
from harness.simulate.boosted.selection import LAYOUT as JETS
from harness.simulate.dijets.presets import LHCO
from harness.simulate.layout import LAYOUT

Array = NDArray[np.float64]
# Events of each file that are compared: the kernel distance then has batches of 2,000.
MOST_EVENTS = 20_000
_N_AXES = (1, 2, 3, 4)


@dataclass(frozen=True, kw_only=True, slots=True)
class EventFeatures:
    """Features of the events of a file.

    Attributes
    ----------
    values : float64 array, shape (n, len(names))
    units : tuple of str
        Of each feature; empty of one without.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    values: Array


def read_features(path: Path, layout: EventLayout, progress: Progress) -> EventFeatures:
    """Compute the features of the first events of a file.

    Of jets their pT, mass, number of constituents and N-subjettiness; of the LHC Olympics those of
    the two leading jets, and their mass together; of other events the observables that
    `harness data describe` shows, where an event without one counts 0.

    Raises
    ------
    DataError
        The file cannot be read.
    EnvironmentFaultError
        fastjet, which finds the axes of jets, is not installed.
    """
    n_events = min(count_events(path, layout), MOST_EVENTS)
    found: list[EventFeatures] = []
    done = 0
    for given, _ in read_chunks(path, layout):
        events = np.asarray(given)[: n_events - done]
        found.append(_features(layout.physical(events), layout))
        done += len(events)
        progress(f"features of {path.name}", done, n_events, "events")
        if done >= n_events:
            break
    values = np.concatenate([one.values for one in found])
    return EventFeatures(names=found[0].names, units=found[0].units, values=values)


def _features(events: NDArray[np.float32], layout: EventLayout) -> EventFeatures:
    if layout == JETS:
        columns = np.column_stack(
            [jet_axis(events)[:, 0], jet_mass(events), n_constituents(events)]
        )
        values = np.hstack([columns, subjettiness(events, _N_AXES)])
        names = ("pt", "mass", "n_constituents", *(f"tau{n}" for n in _N_AXES))
        return EventFeatures(names=names, units=("GeV", "GeV", *[""] * 5), values=values)
    if layout == LHCO.layout:
        made = dijet_features(events)
        momenta = ["GeV" if name.startswith(("p", "m")) else "" for name in DIJET_FEATURES]
        return EventFeatures(
            names=(*DIJET_FEATURES, "mjj"),
            units=(*momenta, "GeV"),
            values=np.column_stack([made, dijet_mass(made)]),
        )
    observables = observables_of(layout)
    columns = np.column_stack([np.nan_to_num(one.compute(events)) for one in observables])
    return EventFeatures(
        names=tuple(one.name for one in observables),
        units=tuple(one.unit for one in observables),
        values=columns,
    )


def layout_of(path: Path) -> EventLayout:
    """Find the layout of a file that `harness simulate` wrote.

    Raises
    ------
    DataError
        It has none of them.
    """
    first: DataError | None = None
    for layout in (LAYOUT, JETS, LHCO.layout):
        try:
            count_events(path, layout)
        except DataError as error:
            first = first or error
        else:
            return layout
    assert first is not None
    raise DataError(
        f"no layout of simulated events: {first.problems[0].what}",
        where=str(path),
        expected="a file that `harness simulate` wrote",
        fix="name the challenge whose layout it has: --challenge NAME",
    )


def read_pair(
    path: Path, other: Path, layout: EventLayout | None, progress: Progress = no_progress
) -> tuple[EventFeatures, EventFeatures]:
    """Compute the features of two files of one layout; by default that of the first file."""
    found = layout or layout_of(path)
    return read_features(path, found, progress), read_features(other, found, progress)
