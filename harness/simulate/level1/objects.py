"""Objects of the trigger: hardware integers, a few of a kind in each event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.simulate.particles import Indices

Codes = NDArray[np.int32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Objects:
    """Objects of one collection.

    Attributes
    ----------
    counts : ndarray of int64, shape (n,)
        How many each event has.
    columns : mapping of branch to ndarray of int32, shape (n, capacity)
        Zero beyond.
    """

    counts: Indices
    columns: Mapping[str, Codes]

    def __getitem__(self, branch: str) -> Codes:
        """Return a branch."""
        return self.columns[branch]


def leading(
    event: Indices,
    columns: Mapping[str, NDArray[np.number]],
    *,
    by: str,
    n_events: int,
    capacity: int,
) -> Objects:
    """Take the `capacity` objects with the largest `by` of each event, in that order."""
    order = np.lexsort((-columns[by], event))
    event = event[order]
    rank = np.arange(len(event)) - np.searchsorted(event, np.arange(n_events))[event]
    is_kept = rank < capacity
    place = event[is_kept], rank[is_kept]
    found = {}
    for name, values in columns.items():
        codes = np.zeros((n_events, capacity), np.int32)
        codes[place] = values[order][is_kept]
        found[name] = codes
    counts = np.minimum(np.bincount(event, minlength=n_events), capacity)
    return Objects(counts=counts, columns=found)


def join_objects(several: Sequence[Objects]) -> Objects:
    """Put the objects of several batches of events one after the other."""
    return Objects(
        counts=np.concatenate([one.counts for one in several]),
        columns={
            name: np.concatenate([one[name] for one in several]) for name in several[0].columns
        },
    )
