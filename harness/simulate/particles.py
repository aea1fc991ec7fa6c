"""Stable particles of many events, as flat columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

# Kinds of stable particles that a detector tells apart.
CHARGED, PHOTON, NEUTRAL, ELECTRON, MUON = range(5)

Column = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Particles:
    """Visible stable particles; all columns have the shape (n,).

    Attributes
    ----------
    event : ndarray of int64
        Which event each belongs to.
    pt, eta, phi : ndarray of float64
        [GeV, 1, rad]; masses are neglected.
    kind : ndarray of int8
        `CHARGED` hadron, `PHOTON`, `NEUTRAL` hadron, `ELECTRON` or `MUON`.
    """

    event: Indices
    pt: Column
    eta: Column
    phi: Column
    kind: NDArray[np.int8]

    def __len__(self) -> int:
        """Count the particles."""
        return len(self.event)

    def where(self, is_kept: NDArray[np.bool_] | Indices) -> Particles:
        """Return those chosen by a mask or by their positions."""
        return Particles(
            event=self.event[is_kept],
            pt=self.pt[is_kept],
            eta=self.eta[is_kept],
            phi=self.phi[is_kept],
            kind=self.kind[is_kept],
        )

    def of_events(self, is_kept: NDArray[np.bool_]) -> Particles:
        """Return those of some events, which are counted anew from 0.

        Parameters
        ----------
        is_kept : ndarray of bool, shape (n_events,)
        """
        number = np.cumsum(is_kept) - 1
        kept = self.where(is_kept[self.event])
        return replace(kept, event=number[kept.event])


def concatenate(parts: Sequence[Particles]) -> Particles:
    """Lay several sets one after the other, in that order."""
    return Particles(
        event=np.concatenate([part.event for part in parts]),
        pt=np.concatenate([part.pt for part in parts]),
        eta=np.concatenate([part.eta for part in parts]),
        phi=np.concatenate([part.phi for part in parts]),
        kind=np.concatenate([part.kind for part in parts]),
    )


def join(parts: Sequence[Particles]) -> Particles:
    """Lay several sets together, in the order of their events."""
    together = concatenate(parts)
    event = together.event
    if event.max(initial=0) <= np.iinfo(np.uint16).max:
        # numpy sorts these by radix, many times as fast.
        event = event.astype(np.uint16)
    return together.where(np.argsort(event, kind="stable"))


def spans(starts: Indices, lengths: Indices) -> Indices:
    """Return the positions start, start + 1, ... of several runs, one after the other.

    Examples
    --------
    >>> spans(np.array([10, 40]), np.array([2, 3])).tolist()
    [10, 11, 40, 41, 42]
    """
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    shifts = np.repeat(starts - (ends - lengths), lengths)
    positions: Indices = np.arange(total, dtype=np.int64) + shifts
    return positions


def wrap(phi: Column) -> Column:
    """Bring angles to [-pi, pi)."""
    wrapped: Column = (phi + np.pi) % (2 * np.pi) - np.pi
    return wrapped
