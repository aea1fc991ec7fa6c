"""Forests of scikit-learn and XGBoost as the arrays of `harness.submission.trees`.

A fitted forest of scikit-learn is read where it was trained, on the participant's machine. A model
of XGBoost is read from its JSON, as data; its format:
https://xgboost.readthedocs.io/en/stable/tutorials/saving_model.html.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.errors import DataError
from harness.files import load_json, read_bounded
from harness.submission.trees import LEAF, Trees, load_trees, read_trees

MAX_JSON_BYTES = 32 * 1024**2
_EXPECTED = (
    "expected an IsolationForest, RandomForest, ExtraTrees, DecisionTree, GradientBoosting or "
    "HistGradientBoosting of scikit-learn, or the JSON that XGBoost's save_model('model.json') "
    "writes"
)
# One tree: the arrays of `Trees` but `root`.
_Tree: TypeAlias = Mapping[str, NDArray[Any]]
# An estimator of scikit-learn, which is not imported here.
_Fitted: TypeAlias = Any
_LINKS = ("left", "right")
# What `heads.trees` reads: a file, or arrays.
Forest: TypeAlias = str | Path | Mapping[str, ArrayLike]


def tree_arrays(model: _Fitted, *, max_depth: int | None = None) -> dict[str, NDArray[Any]]:
    r"""Return a fitted forest as arrays, for ``np.savez("forest.npz", **tree_arrays(forest))``.

    This is for `train.py`: harness itself never reads a pickle.

    Parameters
    ----------
    model : estimator of scikit-learn, or path of XGBoost's JSON
        ``IsolationForest``, ``RandomForest*``, ``ExtraTrees*``, ``DecisionTree*``,
        ``GradientBoosting*`` or ``HistGradientBoosting*``, of one output; or of two classes, the
        second of which is anomalous.
    max_depth : int, optional
        For an isolation forest: leave out deeper nodes. A leaf then counts the path that its
        training events would still take on average, as scikit-learn does for a leaf of several
        events.

    Returns
    -------
    dict of str to ndarray
        ``feature``, ``threshold``, ``left``, ``right`` and ``value`` of each node, ``root`` of each
        tree; see `harness.submission.trees.Trees`.

    Raises
    ------
    ValueError
        Another kind of model, or one of several outputs.

    References
    ----------
    Liu, Ting, Zhou, doi:10.1109/ICDM.2008.17: the anomaly score is :math:`2^{-E[h]/c}`, so events
    have the order of :math:`-\sum h`, which is what the arrays of an isolation forest add up to.
    """
    if isinstance(model, str | Path):
        kind, trees = "XGBoost", _xgboost(Path(model))
    else:
        kind = type(model).__name__
        trees = _scikit_learn(model, kind, max_depth)
    if max_depth is not None and kind != "IsolationForest":
        raise ValueError(f"max_depth cuts isolation forests; train the {kind} with that depth")
    return _joined(trees).arrays()


def load_forest(forest: Forest) -> Trees:
    """Read trees from an ``.npz`` of `tree_arrays`, from XGBoost's JSON, or from the arrays.

    Raises
    ------
    ValueError
        It holds no such trees.
    """
    if isinstance(forest, Mapping):
        return read_trees(forest)
    path = Path(forest)
    return _joined(_xgboost(path)) if path.suffix == ".json" else load_trees(path)


def _scikit_learn(model: _Fitted, kind: str, max_depth: int | None) -> list[_Tree]:
    if kind == "IsolationForest":
        pairs = zip(model.estimators_, model.estimators_features_, strict=True)
        return [_isolation(one.tree_, columns, max_depth) for one, columns in pairs]
    if kind.startswith("GradientBoosting"):
        stages = np.asarray(model.estimators_)
        if stages.shape[1] != 1:
            raise ValueError(f"the {kind} has {stages.shape[1]} outputs; expected one score")
        rate = model.learning_rate
        return [_plain(one.tree_, rate * _output(one.tree_, kind)) for one in stages[:, 0]]
    if kind.startswith("HistGradientBoosting"):
        return [_histogram(stage, kind) for stage in model._predictors]  # noqa: SLF001 - no other way
    if kind.startswith(("RandomForest", "ExtraTrees")):
        n_trees = len(model.estimators_)
        return [_plain(one.tree_, _output(one.tree_, kind) / n_trees) for one in model.estimators_]
    if kind.startswith(("DecisionTree", "ExtraTree")):
        return [_plain(model.tree_, _output(model.tree_, kind))]
    raise ValueError(f"{kind} is no model of trees that is read here; {_EXPECTED}")


def _output(tree: _Fitted, kind: str) -> NDArray[np.float64]:
    """Return the value of each node; of two classes the share of the second."""
    values = np.asarray(tree.value, np.float64)
    is_classifier = kind.endswith("Classifier") and not kind.startswith("Gradient")
    if values.shape[1:] != ((1, 2) if is_classifier else (1, 1)):
        raise ValueError(
            f"the {kind} has {values.shape[1]} outputs of {values.shape[2]} classes; expected one "
            "score, or two classes"
        )
    if is_classifier:
        return np.asarray(values[:, 0, 1] / values[:, 0].sum(axis=1))
    return values[:, 0, 0]


def _plain(tree: _Fitted, value: NDArray[np.float64]) -> _Tree:
    feature = np.where(tree.children_left == LEAF, LEAF, tree.feature)
    return _tree(feature, tree.threshold, tree.children_left, tree.children_right, value)


def _histogram(stage: Sequence[_Fitted], kind: str) -> _Tree:
    """Read a tree of histogram-based boosting; its leaves hold the learning rate."""
    if len(stage) != 1:
        raise ValueError(f"the {kind} has {len(stage)} outputs; expected one score")
    nodes = stage[0].nodes
    if nodes["is_categorical"].any():
        raise ValueError(f"the {kind} splits by categories")
    is_leaf = nodes["is_leaf"].astype(bool)
    feature = np.where(is_leaf, LEAF, nodes["feature_idx"])
    left, right = (
        np.where(is_leaf, LEAF, nodes[name].astype(np.int64)) for name in ("left", "right")
    )
    return _tree(feature, nodes["num_threshold"], left, right, nodes["value"])


def _isolation(tree: _Fitted, columns: ArrayLike, max_depth: int | None) -> _Tree:
    left, right = tree.children_left.copy(), tree.children_right.copy()
    depth = np.zeros(len(left), np.int64)
    for node in np.flatnonzero(left != LEAF):
        depth[[left[node], right[node]]] = depth[node] + 1
    is_leaf = left == LEAF
    if max_depth is not None:
        is_leaf |= depth >= max_depth
    feature = np.where(is_leaf, LEAF, np.asarray(columns)[np.maximum(tree.feature, 0)])
    return _tree(feature, tree.threshold, left, right, -(depth + _more_path(tree.n_node_samples)))


def _more_path(n_events: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the path on which n events would be isolated on average.

    References
    ----------
    Liu, Ting, Zhou, doi:10.1109/ICDM.2008.17, equation 1: 2 H(n - 1) - 2 (n - 1) / n, with
    H(i) = ln i + Euler's constant; 1 for two events, as in scikit-learn.
    """
    n = np.maximum(np.asarray(n_events, np.float64), 2.0)
    path = 2.0 * (np.log(n - 1.0) + np.euler_gamma) - 2.0 * (n - 1.0) / n
    return np.asarray(np.where(n_events <= 1, 0.0, np.where(n_events == 2, 1.0, path)))


def _xgboost(path: Path) -> list[_Tree]:
    """Read each tree of XGBoost's JSON; see the module's docstring."""
    try:
        content = read_bounded(path, MAX_JSON_BYTES)
        document: Any = load_json(content, source=path.name, max_bytes=MAX_JSON_BYTES)
    except DataError as error:
        raise ValueError(str(error)) from error
    try:
        booster = document["learner"]["gradient_booster"]
        weights = booster.get("weight_drop")
        model = booster.get("gbtree", booster)["model"]
        if not model["trees"]:
            raise ValueError("it has no trees")
        if len({int(number) for number in model["tree_info"]}) > 1:
            raise ValueError("it has several classes")
        trees = [_xgboost_tree(tree) for tree in model["trees"]]
        factors = np.ones(len(trees)) if weights is None else np.asarray(weights, np.float64)
        return [
            {**tree, "value": tree["value"] * factor}
            for tree, factor in zip(trees, factors, strict=True)
        ]
    except (KeyError, TypeError, IndexError, AttributeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"{path.name}: no trees of XGBoost with one score ({type(error).__name__}: {error}); "
            f"{_EXPECTED}"
        ) from error


def _xgboost_tree(tree: Mapping[str, Any]) -> _Tree:
    """Read one tree: a value below the threshold goes left, where ours includes the threshold."""
    left, right, feature = (
        np.asarray(tree[name], np.int64)
        for name in ("left_children", "right_children", "split_indices")
    )
    numbers = np.asarray(tree["split_conditions"], np.float32)
    if any(tree.get("split_type", ())):
        raise ValueError("it splits by categories")
    below = np.nextafter(numbers, np.float32(-np.inf)).astype(np.float64)
    is_leaf = left == LEAF
    return _tree(np.where(is_leaf, LEAF, feature), below, left, right, numbers.astype(np.float64))


def _tree(
    feature: NDArray[Any],
    threshold: NDArray[Any],
    left: NDArray[Any],
    right: NDArray[Any],
    value: NDArray[Any],
) -> _Tree:
    """Keep the nodes that are reached from the first, each behind its parent."""
    order = [0]
    for node in order:
        if len(order) > len(feature):
            raise ValueError("a node has two parents")
        if feature[node] != LEAF:
            order += [int(left[node]), int(right[node])]
    place = np.full(len(feature), LEAF)
    place[order] = np.arange(len(order))
    is_leaf = feature[order] == LEAF
    return {
        "feature": feature[order],
        "threshold": np.where(is_leaf, 0.0, threshold[order]),
        "left": np.where(is_leaf, LEAF, place[left[order]]),
        "right": np.where(is_leaf, LEAF, place[right[order]]),
        "value": np.where(is_leaf, value[order], 0.0),
    }


def _joined(trees: Sequence[_Tree]) -> Trees:
    """Put the nodes of trees one after the other."""
    root = np.cumsum([0, *(len(tree["feature"]) for tree in trees)])[:-1]
    arrays: dict[str, NDArray[Any]] = {"root": root}
    for name in ("feature", "threshold", *_LINKS, "value"):
        moved = [
            np.where(tree[name] == LEAF, LEAF, tree[name] + start) if name in _LINKS else tree[name]
            for tree, start in zip(trees, root, strict=True)
        ]
        arrays[name] = np.concatenate(moved) if moved else np.zeros(0)
    return read_trees(arrays)
