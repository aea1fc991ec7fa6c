"""Trees as logic: thresholds and leaves rounded, and the matrices that build comparators and sums.

Every stage is a matrix of constants, so that a network holds no more than layers that both
translators know; see `harness.heads.trees`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.submission.tree_models import Forest, load_forest
from harness.submission.trees import LEAF, Trees, exact_scores
from harness.submission.words import FixedPoint, parse_word

# What is translated, simulated and mapped in minutes; checked in a second.
MAX_DEPTH = 8
MAX_LEAVES = 1_024
# Entries of the matrix of addresses, which grows with the largest tree times the number of trees.
MAX_ENTRIES = 200_000
MAX_LEAF_BITS = 12
# Behind it float32, in which Keras computes, is not exact.
MAX_WORD_BITS = 23
# Python's own limit of calls within calls lies far above.
_MAX_RAW_DEPTH = 100
_FIX = "train fewer or smaller trees (max_depth, max_leaf_nodes), or take shorter words"

Matrix: TypeAlias = NDArray[np.float64]
# Smallest and largest whole number that a feature can have at a node.
Bounds: TypeAlias = Mapping[int, tuple[int, int]]
# A comparator, feature and threshold; and whether a path goes left there.
Step: TypeAlias = tuple[tuple[int, int], bool]


@dataclass(frozen=True, slots=True)
class Leaf:
    """The end of a path: what it adds to the score, in steps."""

    steps: int


@dataclass(frozen=True, slots=True)
class Split:
    """A comparison: to `left` where the feature's word, in its steps, is at most the threshold."""

    feature: int
    threshold: int
    left: Node
    right: Node


Node: TypeAlias = Leaf | Split


@dataclass(frozen=True, kw_only=True, slots=True)
class RoundedTrees:
    """Trees in whole numbers.

    Attributes
    ----------
    trees : tuple of Split
        Without those that are the same for every event.
    words : tuple of FixedPoint
        Of each feature. A value is cut to the word and saturates, then it is compared.
    step : float
        What one step of the score is worth in the values of the leaves.
    n_bits : int
        Of a leaf.
    """

    trees: tuple[Split, ...]
    words: tuple[FixedPoint, ...]
    step: float
    n_bits: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Circuit:
    """The matrices of t trees of at most m comparators, l leaves and d comparators on a path.

    Attributes
    ----------
    compare, thresholds : ndarray of shape (n_features, t m) and (t m,)
        The sum of ``x @ compare`` and `thresholds` is below zero where a value is at most the
        threshold, and inside of [-1, 1).
    address : ndarray, shape (t, 2 m, l)
        Of the bits "at most" and "above" of each comparator; 0 where all bits of a leaf's path that
        must not be set are not.
    planes : ndarray, shape (t, l, n_bits)
        Which bits of the tree's value a leaf sets.
    depth : int
        d, the bits of an address.
    threshold_bits : int
        Bits after the point of `thresholds`.
    """

    compare: Matrix
    thresholds: Matrix
    address: Matrix
    planes: Matrix
    depth: int
    threshold_bits: int


def round_trees(trees: Trees, words: Sequence[FixedPoint], leaf_bits: int) -> RoundedTrees:
    """Round thresholds to the words of their features, and leaves to whole numbers of a step.

    What a tree adds to every event, its lowest leaf, is left out. A comparison that a word or an
    earlier comparison already decides is left out too, and one whose two leaves are the same.

    Parameters
    ----------
    words : sequence of FixedPoint
        One for each feature.
    leaf_bits : int
        The tree with the largest difference between leaves uses all of them.

    Raises
    ------
    ValueError
        Wrong number of words or bits, nothing is left to compare, or the trees are too large.
    """
    if not 1 <= leaf_bits <= MAX_LEAF_BITS:
        raise ValueError(f"trees: leaf_bits={leaf_bits}; expected 1 to {MAX_LEAF_BITS}")
    _check_words(trees, words)
    _check_raw_depth(trees)
    ends = [*trees.root.tolist(), len(trees.feature)]
    values = np.where(trees.feature == LEAF, trees.value, np.nan)
    parts = [values[first:behind] for first, behind in pairwise(ends)]
    step = max(float(np.nanmax(part) - np.nanmin(part)) for part in parts) / (2**leaf_bits - 1)
    step = step or 1.0
    bounds = {
        i: (_whole(word.lowest, word), _whole(word.highest, word)) for i, word in enumerate(words)
    }
    whole = np.concatenate([(part - np.nanmin(part)) / step for part in parts])
    rounding = _Rounding(trees, words, np.rint(np.nan_to_num(whole)).astype(int).tolist())
    rounded = [rounding.node(root, bounds) for root in trees.root.tolist()]
    kept = tuple(tree for tree in rounded if isinstance(tree, Split))
    if not kept:
        raise ValueError(
            "trees: no comparison is left: every threshold lies outside of the words, or all "
            "leaves are the same; give words that cover the thresholds"
        )
    _check_size(kept)
    return RoundedTrees(trees=kept, words=tuple(words), step=step, n_bits=leaf_bits)


def rounded_scores(rounded: RoundedTrees, events: ArrayLike) -> NDArray[np.int64]:
    """Score events by rounded trees, in whole numbers of steps: what the firmware computes.

    Parameters
    ----------
    events : array_like, shape (n, n_features) or (n, rows, columns)

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    given = np.asarray(events, np.float64)
    given = given.reshape(len(given), -1)
    steps = np.array([word.step for word in rounded.words])
    ends = np.array([(word.lowest, word.highest) for word in rounded.words])
    whole = np.clip(np.floor(given / steps), *(ends / steps[:, None]).T).astype(np.int64)
    scores = np.zeros(len(given), np.int64)
    for tree in rounded.trees:
        _add(tree, whole, np.arange(len(given)), scores)
    return scores


def rounded_forest(
    forest: Forest, words: Sequence[str], n_inputs: int, leaf_bits: int
) -> RoundedTrees:
    """Read trees and round them; see `round_trees`.

    Parameters
    ----------
    words : sequence of str
        One for each feature (repeated over the objects) or one for each of the `n_inputs` values.
    """
    if not words or n_inputs % len(words):
        raise ValueError(f"trees: {len(words)} words for {n_inputs} values of an event")
    parsed = [parse_word(word) for word in words] * (n_inputs // len(words))
    return round_trees(load_forest(forest), parsed, leaf_bits)


def tree_scores(
    forest: Forest, events: ArrayLike, *, words: Sequence[str] | None = None, leaf_bits: int = 6
) -> NDArray[np.float64]:
    """Score events by trees in NumPy: as they were trained, or rounded as `harness.heads.trees`.

    Compare both to see what the words and the bits of the leaves cost.

    Parameters
    ----------
    forest : path or mapping
        As of `harness.heads.trees`.
    events : array_like, shape (n, m) or (n, rows, columns)
    words : sequence of str, optional
        With them the scores are those of the firmware, bit for bit.

    Returns
    -------
    ndarray of float64, shape (n,)
        Higher = more anomalous.
    """
    given = np.asarray(events)
    given = given.reshape(len(given), -1)
    if words is None:
        return exact_scores(load_forest(forest), given)
    rounded = rounded_forest(forest, words, given.shape[1], leaf_bits)
    return rounded_scores(rounded, given).astype(np.float64)


def circuit_of(rounded: RoundedTrees) -> Circuit:
    """Return the matrices that build rounded trees."""
    paths = [list(_paths(tree)) for tree in rounded.trees]
    splits = [list(dict.fromkeys(split for path, _ in own for split, _ in path)) for own in paths]
    n_trees, n_splits, n_leaves = len(paths), max(map(len, splits)), max(map(len, paths))
    compare = np.zeros((len(rounded.words), n_trees, n_splits))
    thresholds = np.zeros((n_trees, n_splits))
    address = np.zeros((n_trees, 2 * n_splits, n_leaves))
    planes = np.zeros((n_trees, n_leaves, rounded.n_bits))
    for tree, (own_paths, own) in enumerate(zip(paths, splits, strict=True)):
        # A smaller tree has copies of its first comparator and of its first leaf: nothing reads
        # them, and no constant is compared.
        for place in range(n_splits):
            feature, threshold = own[place] if place < len(own) else own[0]
            word = rounded.words[feature]
            compare[feature, tree, place] = 2.0**-word.integer_bits
            thresholds[tree, place] = -(threshold + 1) * 2.0**-word.width
        for place in range(n_leaves):
            path, leaf = own_paths[place] if place < len(own_paths) else (own_paths[0][0], Leaf(0))
            for bit, (split, is_left) in enumerate(path):
                address[tree, own.index(split) + n_splits * is_left, place] = 2.0**bit
            planes[tree, place] = (leaf.steps >> np.arange(rounded.n_bits)) & 1
    return Circuit(
        compare=compare.reshape(len(rounded.words), -1),
        thresholds=thresholds.ravel(),
        address=address,
        planes=planes,
        depth=max(len(path) for own_paths in paths for path, _ in own_paths),
        threshold_bits=max(word.width for word in rounded.words),
    )


@dataclass(frozen=True, slots=True)
class _Rounding:
    """Trees with the words of their features and the whole number of each leaf."""

    trees: Trees
    words: Sequence[FixedPoint]
    steps: Sequence[int]

    def node(self, place: int, bounds: Bounds) -> Node:
        """Round a node and all behind it, for events within bounds."""
        feature = int(self.trees.feature[place])
        if feature == LEAF:
            return Leaf(self.steps[place])
        low, high = bounds[feature]
        threshold = _whole(float(self.trees.threshold[place]), self.words[feature])
        left, right = int(self.trees.left[place]), int(self.trees.right[place])
        if threshold >= high:
            return self.node(left, bounds)
        if threshold < low:
            return self.node(right, bounds)
        below = self.node(left, {**bounds, feature: (low, threshold)})
        above = self.node(right, {**bounds, feature: (threshold + 1, high)})
        return below if below == above else Split(feature, threshold, below, above)


def _whole(value: float, word: FixedPoint) -> int:
    """Return how many steps of a word a value is, cut."""
    return math.floor(value / word.step)


def _add(
    tree: Node, whole: NDArray[np.int64], rows: NDArray[np.int64], scores: NDArray[np.int64]
) -> None:
    """Add a tree's value to the scores of some events."""
    if isinstance(tree, Leaf):
        scores[rows] += tree.steps
        return
    is_left = whole[rows, tree.feature] <= tree.threshold
    _add(tree.left, whole, rows[is_left], scores)
    _add(tree.right, whole, rows[~is_left], scores)


def _paths(tree: Node) -> Iterator[tuple[tuple[Step, ...], Leaf]]:
    """Yield each leaf of a tree with the comparisons that lead to it."""
    if isinstance(tree, Leaf):
        yield (), tree
        return
    split = (tree.feature, tree.threshold)
    for following, is_left in ((tree.left, True), (tree.right, False)):
        for path, leaf in _paths(following):
            yield ((split, is_left), *path), leaf


def _check_words(trees: Trees, words: Sequence[FixedPoint]) -> None:
    if trees.n_features > len(words):
        raise ValueError(
            f"trees: value {trees.n_features - 1} is compared and the input has {len(words)}: "
            "train on the values that the head is given, in their order"
        )
    for word in words:
        if word.width > MAX_WORD_BITS or (word.rounding, word.overflow) != (None, None):
            raise ValueError(
                f"trees: {word} is no word to compare in: expected at most {MAX_WORD_BITS} bits "
                "and no modes, as values are cut and saturate"
            )


def _check_raw_depth(trees: Trees) -> None:
    depth = np.zeros(len(trees.feature), np.int64)
    for node in np.flatnonzero(trees.feature != LEAF).tolist():
        depth[[trees.left[node], trees.right[node]]] = depth[node] + 1
    if depth.max() > _MAX_RAW_DEPTH:
        raise ValueError(
            f"trees: {depth.max()} comparisons on a path; expected {MAX_DEPTH}: {_FIX}"
        )


def _check_size(trees: Sequence[Split]) -> None:
    paths = [list(_paths(tree)) for tree in trees]
    n_leaves = [len(found) for found in paths]
    depth = max(len(path) for found in paths for path, _ in found)
    n_entries = len(trees) * 2 * (max(n_leaves) - 1) * max(n_leaves)
    for what, number, most in (
        ("comparisons on a path", depth, MAX_DEPTH),
        ("leaves", sum(n_leaves), MAX_LEAVES),
        ("entries, if all trees are as large as the largest", n_entries, MAX_ENTRIES),
    ):
        if number > most:
            raise ValueError(f"trees: {number:,} {what}; at most {most:,} are built: {_FIX}")
