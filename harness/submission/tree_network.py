"""Decision trees as three matrices of floating-point numbers.

The first compares, the second finds the leaf of each tree, the third adds up their values.

References
----------
S. Nakandala et al., "A Tensor Compiler for Unified Machine Learning Prediction Serving"
(Hummingbird, its strategy GEMM), OSDI 2020, arXiv:2010.04804.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.submission.trees import LEAF, Trees

# 64 MB of float32.
MAX_ENTRIES = 2**24
# A comparator, feature and threshold, with whether the path goes left there.
Path = tuple[tuple[tuple[int, float], bool], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Matrices:
    """The matrices of k comparators and l leaves, float32.

    Attributes
    ----------
    compare, thresholds : ndarray, shape (n_features, k) and (k,)
        ``x @ compare - thresholds`` is at most 0 where a value is at most its threshold: a bit.
    path, start : ndarray, shape (k, l) and (l,)
        ``bits @ path + start`` is 1 at the leaf that an event reaches in each tree, else 0 or less.
    values : ndarray, shape (l,)
        What each leaf adds to the score.
    """

    compare: NDArray[np.float32]
    thresholds: NDArray[np.float32]
    path: NDArray[np.float32]
    start: NDArray[np.float32]
    values: NDArray[np.float32]


def exact_matrices(trees: Trees, n_features: int) -> Matrices:
    """Return the matrices of trees.

    Raises
    ------
    ValueError
        An event has fewer values than the trees look at, or the trees are too large.
    """
    if trees.n_features > n_features:
        raise ValueError(f"trees: they look at {trees.n_features} values, here are {n_features}")
    paths = [found for root in trees.root.tolist() for found in _paths(trees, root)]
    comparators = list(dict.fromkeys(step for path, _ in paths for step, _ in path))
    if not comparators:
        raise ValueError("trees: every tree is one leaf, nothing is compared")
    if len(paths) * len(comparators) > MAX_ENTRIES:
        raise ValueError(
            f"trees: {len(paths):,} leaves times {len(comparators):,} comparisons; expected at "
            f"most {MAX_ENTRIES:,}: train fewer or smaller trees"
        )
    places = {comparator: place for place, comparator in enumerate(comparators)}
    compare = np.zeros((n_features, len(comparators)), np.float32)
    path_of = np.zeros((len(comparators), len(paths)), np.float32)
    start = np.ones(len(paths), np.float32)
    for (feature, _), place in places.items():
        compare[feature, place] = 1.0
    for leaf, (path, _) in enumerate(paths):
        for comparator, is_left in set(path):
            path_of[places[comparator], leaf] += 1.0 if is_left else -1.0
            start[leaf] -= is_left
    return Matrices(
        compare=compare,
        thresholds=_at_most(np.array([threshold for _, threshold in comparators])),
        path=path_of,
        start=start,
        values=np.array([value for _, value in paths], np.float32),
    )


def _at_most(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the largest float32 that are at most `thresholds`: they decide of float32 alike."""
    nearest = thresholds.astype(np.float32)
    below = np.nextafter(nearest, np.float32(-np.inf))
    return np.where(nearest > thresholds, below, nearest)


def _paths(trees: Trees, root: int) -> Iterator[tuple[Path, float]]:
    """Walk to each leaf of a tree; yield its path and its value."""
    waiting: list[tuple[int, Path]] = [(root, ())]
    while waiting:
        node, path = waiting.pop()
        if trees.feature[node] == LEAF:
            yield path, float(trees.value[node])
            continue
        comparator = (int(trees.feature[node]), float(trees.threshold[node]))
        waiting.append((int(trees.left[node]), (*path, (comparator, True))))
        waiting.append((int(trees.right[node]), (*path, (comparator, False))))
