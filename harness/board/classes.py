"""Entries of like size, and the best trade-offs: resource classes and the Pareto front."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from harness.challenge import RankingRules


def resource_class(lut: float, rules: RankingRules) -> str:
    """Name of the smallest resource class that holds `lut`: ``lut<=1000``, ..., ``budget``."""
    for bound in rules.resource_classes_lut:
        if lut <= bound:
            return f"lut<={bound}"
    return "budget"


def ranks_within(groups: Sequence[str], keys: Sequence[tuple[float, ...]]) -> list[int]:
    """Rank keys, which rise, within their groups; equal keys share the first one's rank.

    Examples
    --------
    >>> ranks_within(["a", "b", "a", "a"], [(1,), (2,), (3,), (3,)])
    [1, 1, 2, 2]
    """
    seen: Counter[str] = Counter()
    last: dict[str, tuple[tuple[float, ...], int]] = {}
    ranks = []
    for group, key in zip(groups, keys, strict=True):
        seen[group] += 1
        if group not in last or last[group][0] != key:
            last[group] = key, seen[group]
        ranks.append(last[group][1])
    return ranks


def pareto_front(points: Sequence[tuple[float, ...]]) -> list[bool]:
    """Find which of (merit, costs ...) no other dominates; equal points are all on the front.

    Examples
    --------
    >>> pareto_front([(0.2, 50, 900), (0.1, 50, 900), (0.1, 40, 900)])
    [True, False, True]
    """
    costs = np.array([(-merit, *others) for merit, *others in points], dtype=np.float64)
    costs = costs.reshape(len(points), -1 if points else 1)
    return [
        not bool(((costs <= cost).all(axis=1) & (costs < cost).any(axis=1)).any()) for cost in costs
    ]
