"""A few cuts that select a cluster: a decision tree of depth three or less."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.board.cluster_report import DedicatedTrigger, PassingShare
from harness.metrics.intervals import clopper_pearson

MAX_DEPTH = 3
# Fewer events of a cluster than these are not worth a trigger.
MIN_EVENTS = 4


def propose_trigger(
    names: tuple[str, ...],
    cluster: NDArray[np.float64],
    background: NDArray[np.float64],
    *,
    accepted_share: float,
    input_rate_hz: float | None,
    seed: int,
) -> DedicatedTrigger | None:
    """Choose cuts on one half of the events, and measure them on the other.

    Parameters
    ----------
    names : tuple of str
        Of the features.
    cluster : float64 array, shape (n, len(names))
        Observed events of the cluster, features in their units.
    background : float64 array, shape (m, len(names))
        All expected accepted events.
    accepted_share : float
        What the first trigger accepts of the simulated stream.

    Returns
    -------
    DedicatedTrigger or None
        None if there are too few events, or no cut tells them apart.
    """
    from sklearn.tree import DecisionTreeClassifier

    if min(len(cluster), len(background)) < MIN_EVENTS:
        return None
    generator = np.random.default_rng(seed)
    halves = [_halves(each, generator) for each in (cluster, background)]
    values = np.concatenate([chosen for chosen, _ in halves])
    is_cluster = np.repeat([1, 0], [len(chosen) for chosen, _ in halves])
    tree = DecisionTreeClassifier(
        max_depth=MAX_DEPTH,
        class_weight="balanced",
        min_samples_leaf=max(1, len(halves[0][0]) // 10),
        random_state=seed,
    ).fit(values, is_cluster)
    rules = _rules(tree.tree_, names)
    if not rules:
        return None
    (_, test_cluster), (_, test_background) = halves
    efficiency = _share(tree.predict(test_cluster))
    passing = _share(tree.predict(test_background))
    rate = None
    if input_rate_hz is not None:
        scale = accepted_share * input_rate_hz
        ends = passing.interval.lower, passing.share, passing.interval.upper
        rate = (ends[0] * scale, ends[1] * scale, ends[2] * scale)
    return DedicatedTrigger(
        rules=rules,
        efficiency=efficiency,
        background=passing,
        input_share=passing.share * accepted_share,
        rate_hz=rate,
    )


def _halves(
    values: NDArray[np.float64], generator: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    order = generator.permutation(len(values))
    middle = len(values) // 2
    return values[order[:middle]], values[order[middle:]]


def _share(passes: NDArray[np.int64]) -> PassingShare:
    n_passing = int(passes.sum())
    return PassingShare(
        n_passing=n_passing,
        n_events=len(passes),
        share=n_passing / len(passes),
        interval=clopper_pearson(n_passing, len(passes)),
    )


def _rules(tree: Any, names: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:  # noqa: ANN401 - scikit-learn's own
    """Return the cuts that lead to each leaf whose events are taken for the cluster's."""
    found: list[tuple[str, ...]] = []

    def walk(node: int, cuts: tuple[str, ...]) -> None:
        if tree.children_left[node] < 0:
            background, cluster = tree.value[node][0]
            # A tie is no cluster, as in the tree's own prediction.
            if cluster > background and cuts:
                found.append(cuts)
            return
        cut = f"{names[tree.feature[node]]} {{}} {tree.threshold[node]:.4g}"
        walk(tree.children_left[node], (*cuts, cut.format("<=")))
        walk(tree.children_right[node], (*cuts, cut.format(">")))

    walk(0, ())
    return tuple(found)
