"""The mass of an event, made from its rows: one function for each kind, in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from harness.challenge import EventLayout, MassObservable
from harness.jets import invariant_mass, jet_mass, leading_momenta
from harness.jets.momenta import pieces

Array = NDArray[np.float64]
_AT_A_TIME = 1024


def leading_jets_mass(events: Array) -> Array:
    """Return the mass of the two leading anti-kT jets of radius 1.0 together; NaN without two."""
    found = np.full(len(events), np.nan)
    for piece in pieces(events, _AT_A_TIME):
        first, second = leading_momenta(np.asarray(events[piece], np.float64))
        has_both = second[:, 0] > 0
        found[piece][has_both] = invariant_mass((first + second)[has_both])
    return found


# Kinds whose jets fastjet finds.
CLUSTERED = frozenset({"leading_jets"})
# Kinds of mass that are made from the events: from pT [GeV], eta and phi [rad], shape (n, m, 3),
# to masses [GeV], shape (n,). A line for each.
MASSES: Mapping[str, Callable[[Array], Array]] = {
    "constituents": jet_mass,
    "leading_jets": leading_jets_mass,
}


def event_mass(
    mass: MassObservable, events: NDArray[np.float32], layout: EventLayout
) -> NDArray[np.float64]:
    """Return the mass of each event.

    Parameters
    ----------
    mass : MassObservable
        Of a kind that is made from the events.
    events : float32 array, shape (n, n_objects, n_features)
        As they are in the file.
    layout : EventLayout
        With pt, eta and phi.

    Returns
    -------
    float64 array, shape (n,)
        In GeV; NaN of an event that has no mass, as one without constituents.
    """
    columns = [layout.values(events, name).astype(np.float64) for name in ("pt", "eta", "phi")]
    found = np.array(MASSES[mass.kind](np.stack(columns, axis=-1)), np.float64)
    found[~layout.is_filled(events).any(axis=1)] = np.nan
    return found
