"""Heavy particles just before their decay, and the quarks that they decay to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.jets import wrapped
from harness.simulate.particles import Column, Indices, flat

# Pythia's status of the products of the decay of a resonance.
_DECAY_PRODUCT = 23
_N_QUARKS = 3
_MAX_STEPS = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Partons:
    """Heavy particles of many events that decayed to three quarks.

    Attributes
    ----------
    event : ndarray of int64, shape (n,)
    eta, phi : ndarray of float64, shape (n,)
        Of the particle before its decay.
    quark_eta, quark_phi : ndarray of float64, shape (n, 3)
    """

    event: Indices
    eta: Column
    phi: Column
    quark_eta: Column
    quark_phi: Column

    def near(self, event: int, eta: float, phi: float, match: float, merge: float | None) -> bool:
        """Whether a particle of an event is within `match`, and its quarks are within `merge`."""
        first, last = np.searchsorted(self.event, (event, event + 1))
        for one in range(first, last):
            is_near = _distance(self.eta[one] - eta, self.phi[one] - phi) < match
            if not is_near:
                continue
            quarks = _distance(self.quark_eta[one] - eta, self.quark_phi[one] - phi)
            if merge is None or bool((quarks < merge).all()):
                return True
        return False


def find_partons(record: Any, code: int) -> Partons:  # noqa: ANN401 - an awkward array
    """Find the heavy particles of PDG code `code` in Pythia's record, shape (n_events, var)."""
    import awkward as ak

    lengths = ak.to_numpy(ak.num(record["id"])).astype(np.int64)
    codes, status, mother = (flat(record[name]) for name in ("id", "status", "mother1"))
    starts = np.cumsum(lengths) - lengths
    offset = np.repeat(starts, lengths)
    quarks = np.flatnonzero((np.abs(status) == _DECAY_PRODUCT) & (np.abs(codes) < 6))
    origin = _origin(codes, mother + offset, offset, quarks, code)
    quarks, origin = quarks[origin >= 0], origin[origin >= 0]
    heavy, counts = np.unique(origin, return_counts=True)
    quarks = quarks[np.argsort(origin, kind="stable")]
    is_whole = counts == _N_QUARKS
    of_quarks = quarks[np.repeat(is_whole, counts)].reshape(-1, _N_QUARKS)
    heavy = heavy[is_whole]
    eta, phi = _angles(record, heavy)
    quark_eta, quark_phi = _angles(record, of_quarks)
    event = np.searchsorted(starts, heavy, "right") - 1
    return Partons(event=event, eta=eta, phi=phi, quark_eta=quark_eta, quark_phi=quark_phi)


def _origin(
    codes: NDArray[np.int32], mother: Indices, offset: Indices, quarks: Indices, code: int
) -> Indices:
    """Follow the mothers of `quarks` up to a particle of `code`; -1 where there is none."""
    found = np.full(len(quarks), -1, np.int64)
    at, open_ones = quarks.copy(), np.arange(len(quarks))
    for _ in range(_MAX_STEPS):
        if not len(open_ones):
            break
        at = mother[at]
        is_found = np.abs(codes[at]) == code
        found[open_ones[is_found]] = at[is_found]
        # The first entries are the event and its beams.
        is_open = ~is_found & (at > offset[at] + 2)
        at, open_ones = at[is_open], open_ones[is_open]
    return found


def _angles(record: Any, at: Indices) -> tuple[Column, Column]:  # noqa: ANN401
    px, py, pz = (flat(record["p"][name])[at] for name in ("px", "py", "pz"))
    return np.arcsinh(pz / np.hypot(px, py)), np.arctan2(py, px)


def _distance(eta: Column, phi: Column) -> Column:
    distance: Column = np.hypot(eta, wrapped(np.asarray(phi)))
    return distance
