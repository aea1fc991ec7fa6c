"""Clusters of events, found without knowing which events were observed and which simulated.

That is what makes the p-values exact: under the expectation alone the labels are drawn by lot, so
any clusters that do not look at them may be searched, however many. The order of the events says
nothing either: they are clustered in the order of their values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc

# The partition of one cell that holds all events.
ALL = "all"
# Partitions by k-means, from coarse to fine: a signal of unknown size fills a cell of one of them.
N_CELLS = (4, 8, 16, 32, 64)
# Fewer events in a cell than these, on average, and a finer partition is left out.
_EVENTS_PER_CELL = 40
# Each number of clusters is found from so many starts of k-means, and all are searched: the result
# depends less on the seed. Trials are corrected by the toys, which know that they overlap.
N_STARTS = 5
# HDBSCAN's time grows faster than the events do.
MOST_FOR_DENSITY = 20_000
DENSITY_MIN_SIZE = 15
_BATCH_COUNTS = 4_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Cells:
    """Clusters of several partitions, over the same events.

    Attributes
    ----------
    names : tuple of str
        Of each cell: its partition and its number, as ``kmeans-16-1/3`` or ``hdbscan/0``.
    atoms : int64 array, shape (n_events,)
        The atom of each event: events of one atom are in the same cells.
    members : bool array, shape (n_atoms, n_cells)
        Which cells an atom is part of.
    places : tuple of float64 array, shape (n_places, n_features)
        Of each partition: its centres, or all events where it has none.
    owners : tuple of int64 array, shape (n_places,)
        The cell of the partition that a place stands for; -1: none.
    """

    names: tuple[str, ...]
    atoms: NDArray[np.int64]
    members: NDArray[np.bool_]
    places: tuple[NDArray[np.float64], ...] = ()
    owners: tuple[NDArray[np.int64], ...] = ()

    def count(self, is_chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Count chosen events in each cell; shape (n_cells,)."""
        per_atom = np.bincount(self.atoms[is_chosen], minlength=len(self.members))
        return np.asarray(per_atom @ self.members.astype(np.int64))

    def count_others(self, points: NDArray[np.float64]) -> NDArray[np.int64]:
        """Count events that were not clustered, shape (n, n_features), in the regions of the cells.

        A cell is where its places are nearer than those of the others: of k-means its centre, of
        HDBSCAN its events. Each event that was clustered lies in the region of its own cell.
        """
        from scipy.spatial import KDTree

        counts = []
        for places, owners in zip(self.places, self.owners, strict=True):
            nearest = owners[KDTree(places).query(points)[1]] if len(points) else owners[:0]
            n_cells = int(owners.max(initial=-1)) + 1
            counts.append(np.bincount(nearest[nearest >= 0], minlength=n_cells))
        return np.concatenate(counts).astype(np.int64)

    def holds(self, cell: int) -> NDArray[np.bool_]:
        """Return which events are in a cell, shape (n_events,)."""
        return np.asarray(self.members[self.atoms, cell])


def find_cells(points: NDArray[np.float64], *, seed: int) -> Cells:
    """Cluster events by k-means for several numbers of clusters, and by density (HDBSCAN).

    Parameters
    ----------
    points : float64 array, shape (n_events, n_features)
        Standardised features of observed and expected events together. Their order changes
        nothing: they are clustered in the order of their values, and equal ones are always in the
        same cells.
    seed : int
        Of k-means.

    References
    ----------
    R. J. G. B. Campello, D. Moulavi, J. Sander, PAKDD 2013, doi:10.1007/978-3-642-37456-2_14, as
    implemented by scikit-learn (`HDBSCAN`, `KMeans`).
    """
    from sklearn.cluster import HDBSCAN, KMeans

    # All events together are a cell: a change of the rate alone.
    middle = points.mean(axis=0, keepdims=True)
    labels = [_Partition(ALL, np.zeros(len(points), np.int64), middle, np.zeros(1, np.int64))]
    # -0.0 and 0.0 are equal: which of them comes first must not matter.
    distinct, of_event, n_equal = np.unique(
        points + 0.0, axis=0, return_inverse=True, return_counts=True
    )
    of_event = of_event.ravel()
    ordered = np.repeat(distinct, n_equal, axis=0)
    starts = np.cumsum(n_equal) - n_equal

    def add(name: str, found: NDArray[np.int32], centres: NDArray[np.float64] | None) -> None:
        own = found.astype(np.int64)[starts]
        places, owners = (distinct, own) if centres is None else (centres, np.arange(len(centres)))
        labels.append(_Partition(name, own[of_event], places, owners))

    for n_cells in N_CELLS:
        if n_cells * _EVENTS_PER_CELL <= len(distinct):
            for start in range(N_STARTS):
                means = KMeans(n_cells, random_state=seed * N_STARTS + start, n_init=1)
                means.fit(ordered)
                add(f"kmeans-{n_cells}-{start + 1}", means.labels_, means.cluster_centers_)
    if 2 * DENSITY_MIN_SIZE < len(points) <= MOST_FOR_DENSITY:
        dense = HDBSCAN(min_cluster_size=DENSITY_MIN_SIZE, copy=True).fit(ordered)
        add("hdbscan", dense.labels_, None)
    return _joined(labels)


class _Partition(NamedTuple):
    """One clustering: the cell of each event, and where its cells are."""

    name: str
    cells: NDArray[np.int64]
    places: NDArray[np.float64]
    owners: NDArray[np.int64]


def _joined(labels: list[_Partition]) -> Cells:
    table = np.column_stack([one.cells for one in labels])
    distinct, atoms = np.unique(table, axis=0, return_inverse=True)
    names, members = [], []
    for column, one in enumerate(labels):
        # Noise of HDBSCAN, -1, is no cluster.
        for number in range(int(one.owners.max()) + 1):
            names.append(f"{one.name}/{number}")
            members.append(distinct[:, column] == number)
    return Cells(
        names=tuple(names),
        atoms=atoms.ravel().astype(np.int64),
        members=np.column_stack(members) if members else np.zeros((len(distinct), 0), np.bool_),
        places=tuple(one.places for one in labels),
        owners=tuple(one.owners for one in labels),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Excess:
    """How unexpected the counts of cells are.

    Attributes
    ----------
    n_observed, n_expected : int64 arrays, shape (n_cells,)
        Observed events, and simulated ones before they are scaled.
    local_p : float64 array, shape (n_cells,)
        Of an excess in each cell alone.
    global_p : float
        That the smallest local p of any cell is as small, on expectation alone.
    is_smallest : bool
        Whether it is the smallest that so many toys can give.
    """

    n_observed: NDArray[np.int64]
    n_expected: NDArray[np.int64]
    local_p: NDArray[np.float64]
    global_p: float
    is_smallest: bool


def measure_excess(
    cells: Cells,
    is_observed: NDArray[np.bool_],
    *,
    observed_share: float | None,
    n_toys: int,
    generator: np.random.Generator,
) -> Excess:
    """Compare observed with simulated events in every cell, the trials of all cells corrected.

    On expectation alone each event of the pool is an observed one with the probability
    `observed_share`, whatever its features: of n events in a cell, the observed ones are binomial.
    That holds the statistics of the simulation. Toys draw the labels so, in all cells at once, and
    count how often the smallest local p is at most that of the data; the data count as one toy, so
    that the global p-value is never 0 and never too small.

    Parameters
    ----------
    observed_share : float or None
        Exposure of the data over that of data and simulation; None: the number of observed events
        is taken as it is, and their labels are permuted: the shape alone is compared.
    n_toys : int
        The smallest global p-value is ``1 / (n_toys + 1)``.

    References
    ----------
    G. Cowan et al., Eur. Phys. J. C 71 (2011) 1554, doi:10.1140/epjc/s10052-011-1554-0 (on/off);
    B. Phipson, G. K. Smyth, Stat. Appl. Genet. Mol. Biol. 9 (2010) 39, arXiv:1603.05766 (toys).
    """
    n_observed, n_every = cells.count(is_observed), cells.count(np.ones(len(is_observed), bool))
    share = float(is_observed.mean()) if observed_share is None else observed_share
    local_p = excess_p(n_observed, n_every, share)
    smallest = local_p.min(initial=1.0)
    atoms = np.bincount(cells.atoms, minlength=len(cells.members))
    members = cells.members.astype(np.float64)
    n_below, n_left = 0, n_toys
    while n_left:
        n_now = min(n_left, max(1, _BATCH_COUNTS // max(len(atoms), 1)))
        n_left -= n_now
        if observed_share is None:
            drawn = generator.multivariate_hypergeometric(
                atoms, int(is_observed.sum()), size=n_now, method="marginals"
            )
        else:
            drawn = generator.binomial(atoms, observed_share, (n_now, len(atoms)))
        counts = np.rint(drawn @ members)
        toys = excess_p(counts, n_every, share).min(axis=1, initial=1.0)
        # Equal counts give equal p-values; rounding must not tell them apart.
        n_below += int((toys <= smallest * (1 + 1e-9)).sum())
    return Excess(
        n_observed=n_observed,
        n_expected=n_every - n_observed,
        local_p=local_p,
        global_p=(1 + n_below) / (1 + n_toys),
        is_smallest=n_below == 0,
    )


def excess_p(
    n_observed: NDArray[np.generic], n_every: NDArray[np.int64], share: float
) -> NDArray[np.float64]:
    """Return the probability of at least `n_observed` of `n_every` events; 1 of none."""
    at_least = np.maximum(np.asarray(n_observed, np.float64) - 1, 0)
    tail = bdtrc(at_least, n_every, share)
    return np.where(np.asarray(n_observed) > 0, tail, 1.0)
