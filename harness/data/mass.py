"""The mass of an event, made from its rows: one function for each kind, in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from harness.challenge import EventLayout, MassObservable
from harness.errors import UsageError

Mass = Callable[[NDArray[np.float32], EventLayout], NDArray[np.float64]]


def constituents_mass(events: NDArray[np.float32], layout: EventLayout) -> NDArray[np.float64]:
    """Return the invariant mass of all constituents together, each without a mass of its own.

    Summed in float64: the mass is a small difference of large numbers.

    Parameters
    ----------
    events : float32 array, shape (n, n_objects, n_features)
        As they are in the file.
    layout : EventLayout
        With pt, eta and phi.

    Returns
    -------
    float64 array, shape (n,)
        In the unit of pt; NaN of an event without constituents.
    """
    pt, eta, phi = (layout.values(events, name).astype(np.float64) for name in ("pt", "eta", "phi"))
    is_filled = layout.is_filled(events)
    pt, eta = pt * is_filled, eta * is_filled
    x, y = (pt * np.cos(phi)).sum(axis=1), (pt * np.sin(phi)).sum(axis=1)
    # Light-cone momenta: E + pz and E - pz lose nothing where E and pz nearly cancel.
    plus, minus = (pt * np.exp(eta)).sum(axis=1), (pt * np.exp(-eta)).sum(axis=1)
    mass: NDArray[np.float64] = np.sqrt(np.maximum(plus * minus - x**2 - y**2, 0.0))
    mass[~is_filled.any(axis=1)] = np.nan
    return mass


# Kinds of mass that are made from the events. A line for each.
MASSES: Mapping[str, Mass] = {"constituents": constituents_mass}


def mass_of(mass: MassObservable) -> Mass:
    """Return the function of a kind of mass.

    Raises
    ------
    UsageError
        This kind is none that is made from the events here.
    """
    if mass.kind in MASSES:
        return MASSES[mass.kind]
    raise UsageError(
        f"no mass of the kind {mass.kind} can be made",
        where="mass in the manifest",
        expected=f"{', '.join(MASSES)}, or `kind: column`",
        fix="correct the manifest",
    )
