"""Decision trees as arrays: what they hold, how they are read and checked, what they score.

A forest of scikit-learn or XGBoost becomes these arrays by `harness.submission.tree_models`; a
pickle is never read. The trees as logic of a chip are in `harness.submission.tree_circuit`.
"""

from __future__ import annotations

import struct
import tokenize
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.files import open_regular

# More is no design for a trigger; it is read and checked in well under a second.
MAX_NODES = 50_000
LEAF = -1
_KINDS = {"feature": "i", "threshold": "f", "left": "i", "right": "i", "value": "f", "root": "i"}
# What NumPy raises of a file that is no archive of arrays.
_UNREADABLE = (
    *(OSError, EOFError, ValueError, KeyError, AttributeError, TypeError, NotImplementedError),
    *(OverflowError, MemoryError, RuntimeError, SyntaxError, BadZipFile, zlib.error),
    *(struct.error, tokenize.TokenError),
)
_RECIPE = 'np.savez("forest.npz", **heads.tree_arrays(forest)) where you train'


@dataclass(frozen=True, kw_only=True, slots=True)
class Trees:
    """Trees whose scores are added up; all nodes of all trees lie one after the other.

    Attributes
    ----------
    feature : ndarray of int64, shape (n_nodes,)
        Which value of an event a node looks at; -1 at a leaf.
    threshold : ndarray of float64, shape (n_nodes,)
        An event goes to `left` where its value is at most the threshold, else to `right`.
    left, right : ndarray of int64, shape (n_nodes,)
        Places of the two nodes that follow; they lie behind their parent. -1 at a leaf.
    value : ndarray of float64, shape (n_nodes,)
        What a leaf adds to the score; higher = more anomalous.
    root : ndarray of int64, shape (n_trees,)
        Place of the first node of each tree.
    """

    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    value: NDArray[np.float64]
    root: NDArray[np.int64]

    @property
    def n_features(self) -> int:
        """The least number of values that an event must have."""
        return int(self.feature.max(initial=LEAF)) + 1

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays by their names, to be saved by ``np.savez``."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def read_trees(arrays: Mapping[str, ArrayLike]) -> Trees:
    """Check arrays that describe trees.

    Raises
    ------
    ValueError
        An array is missing or has another shape or type, a value is not finite, or the nodes are
        no trees.
    """
    found = {name: _array(arrays, name, kind) for name, kind in _KINDS.items()}
    n_nodes, roots = len(found["feature"]), found["root"]
    for name, array in found.items():
        if name != "root" and len(array) != n_nodes:
            raise ValueError(f"trees: {name} has {len(array)} entries for {n_nodes} nodes")
    if not 0 < n_nodes <= MAX_NODES or not len(roots):
        raise ValueError(f"trees: {n_nodes:,} nodes; expected 1 to {MAX_NODES:,}")
    trees = Trees(**found)  # type: ignore[arg-type]
    _check_nodes(trees, n_nodes)
    return trees


def load_trees(path: Path) -> Trees:
    """Read trees from an ``.npz`` of arrays.

    Raises
    ------
    ValueError
        The file is no such archive; see also `read_trees`.
    """
    try:
        # NumPy itself leaves a file open that it cannot read.
        with open_regular(path) as stream, np.load(stream, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in _KINDS if name in archive.files}
    except _UNREADABLE as error:
        raise ValueError(
            f"{path.name}: no arrays of trees ({error}): write it by {_RECIPE}"
        ) from error
    return read_trees(arrays)


def exact_scores(trees: Trees, events: ArrayLike) -> NDArray[np.float64]:
    """Score events by the trees themselves, in floating point.

    Parameters
    ----------
    trees : Trees
    events : array_like, shape (n, n_features) or (n, rows, columns)
        Values are compared in float32, as scikit-learn and XGBoost do.

    Returns
    -------
    ndarray of float64, shape (n,)
        Sum of the values of the leaves; higher = more anomalous.
    """
    given = np.asarray(events, np.float32)
    given = given.reshape(len(given), -1)
    rows = np.arange(len(given))
    scores = np.zeros(len(given))
    for root in trees.root:
        node = np.full(len(given), root)
        while (trees.feature[node] != LEAF).any():
            feature = trees.feature[node]
            is_left = given[rows, feature] <= trees.threshold[node]
            following = np.where(is_left, trees.left[node], trees.right[node])
            node = np.where(feature == LEAF, node, following)
        scores += trees.value[node]
    return scores


def _array(arrays: Mapping[str, ArrayLike], name: str, kind: str) -> NDArray[np.generic]:
    if name not in arrays:
        raise ValueError(f"trees: the array {name!r} is missing: write it by {_RECIPE}")
    array = np.asarray(arrays[name])
    allowed = "iu" if kind == "i" else "iuf"
    if array.ndim != 1 or array.dtype.kind not in allowed:
        raise ValueError(f"trees: {name} is {array.dtype} of shape {array.shape}")
    return array.astype(np.int64 if kind == "i" else np.float64)


def _check_nodes(trees: Trees, n_nodes: int) -> None:
    """Make sure that every node has one parent, before it, or is the first of a tree."""
    inner = trees.feature != LEAF
    children = np.concatenate([trees.left[inner], trees.right[inner]])
    parents = np.tile(np.flatnonzero(inner), 2)
    all_places = np.concatenate([children, trees.root])
    is_tree = (
        trees.feature.min() >= LEAF
        and (children > parents).all()
        and np.array_equal(np.sort(all_places), np.arange(n_nodes))
    )
    if not is_tree:
        raise ValueError("trees: a node has no parent, or more than one, or one behind it")
    if not np.isfinite(trees.threshold[inner]).all() or not np.isfinite(trees.value[~inner]).all():
        raise ValueError("trees: a threshold or the value of a leaf is not finite")
