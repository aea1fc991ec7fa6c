"""Stable particles of many events, as flat columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pythia8mc import Pythia

# Kinds of stable particles that a detector distinguishes.
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
        """Return those that a mask or their positions select."""
        return Particles(**{name: getattr(self, name)[is_kept] for name in _COLUMNS})

    def of_events(self, is_kept: NDArray[np.bool_]) -> Particles:
        """Return those of some events, and number these events from 0.

        Parameters
        ----------
        is_kept : ndarray of bool, shape (n_events,)
        """
        number = np.cumsum(is_kept) - 1
        kept = self.where(is_kept[self.event])
        return replace(kept, event=number[kept.event])


_COLUMNS = ("event", "pt", "eta", "phi", "kind")


def kind_of(code: int, pythia: Pythia) -> int:
    """Return the kind of a stable particle by its PDG code; -1 if no detector sees it."""
    known = {11: ELECTRON, 13: MUON, 22: PHOTON}.get(abs(code))
    if known is not None:
        return known
    if not pythia.particleData.isVisible(code):
        return -1
    return CHARGED if pythia.particleData.charge(code) != 0 else NEUTRAL


def flat(column: Any) -> NDArray[Any]:  # noqa: ANN401 - an awkward array
    """Return the values of all events, one after the other."""
    import awkward as ak

    values: NDArray[Any] = ak.to_numpy(ak.flatten(column))
    return values


def concatenate(parts: Sequence[Particles]) -> Particles:
    """Put several sets one after the other, in that order."""
    return Particles(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS}
    )


def join(parts: Sequence[Particles]) -> Particles:
    """Put several sets together, in the order of their events."""
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
