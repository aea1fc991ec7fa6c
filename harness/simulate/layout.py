"""The 19 objects of an event: missing momentum, four electrons, four muons, ten jets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.challenge import EventLayout, ObjectGroup
from harness.simulate.particles import Column, Particles

LAYOUT = EventLayout(
    objects=(
        ObjectGroup(name="met", n_slots=1),
        ObjectGroup(name="electron", n_slots=4),
        ObjectGroup(name="muon", n_slots=4),
        ObjectGroup(name="jet", n_slots=10),
    )
)
Events = NDArray[np.float32]


def lay_out(
    met: tuple[Column, Column], electrons: Particles, muons: Particles, jets: Particles
) -> Events:
    """Arrange objects as ADC2021 does: by falling pT within a kind, zero where empty.

    Parameters
    ----------
    met : pair of ndarray, shape (n,)
        The missing momentum and its angle.

    Returns
    -------
    ndarray of float32, shape (n, 19, 3)
        pT [GeV], eta, phi [rad]; |phi| < pi in float32 too.
    """
    n_events = len(met[0])
    rows = [np.stack([met[0], np.zeros(n_events), met[1]], axis=-1)[:, None]]
    for group, objects in zip(LAYOUT.objects[1:], (electrons, muons, jets), strict=True):
        rows.append(_leading(objects, n_events, group.n_slots))
    events = np.concatenate(rows, axis=1).astype(np.float32)
    # float32(pi) lies above pi.
    limit = np.nextafter(np.float32(np.pi), np.float32(0))
    events[..., 2] = np.clip(events[..., 2], -limit, limit)
    return events + np.float32(0.0)


def _leading(objects: Particles, n_events: int, n_slots: int) -> NDArray[np.float64]:
    """Take the `n_slots` objects of highest pT of each event; shape (n_events, n_slots, 3)."""
    order = np.lexsort((-objects.pt, objects.event))
    event = objects.event[order]
    rank = np.arange(len(event)) - np.searchsorted(event, np.arange(n_events))[event]
    is_kept = rank < n_slots
    values = np.stack([objects.pt, objects.eta, objects.phi], axis=-1)[order][is_kept]
    slots = np.zeros((n_events, n_slots, 3))
    slots[event[is_kept], rank[is_kept]] = values
    return slots
