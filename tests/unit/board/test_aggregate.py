"""How figures of several signals become one, on hand-worked numbers."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest
from pydantic import ValidationError

from harness.board.aggregate import aggregate, aggregate_logs, quarter
from harness.challenge import Aggregate, RankingRules

VALUES = [0.4, 0.1, 0.3, 0.2, 0.6, 0.5]


@pytest.mark.parametrize(
    ("kind", "expected", "if_smaller_is_better"),
    [
        ("geometric_mean", math.prod(VALUES) ** (1 / 6), math.prod(VALUES) ** (1 / 6)),
        ("mean", 0.35, 0.35),
        ("median", 0.35, 0.35),
        # A quarter of six is one and a half.
        ("worst_quarter", (0.1 + 0.2 / 2) / 1.5, (0.6 + 0.5 / 2) / 1.5),
        ("worst", 0.1, 0.6),
    ],
)
def test_aggregates(kind, expected, if_smaller_is_better):
    ones = [1.0] * 6
    assert aggregate(kind, VALUES, ones, smaller_is_better=False) == pytest.approx(expected)
    found = aggregate(kind, VALUES, ones, smaller_is_better=True)
    assert found == pytest.approx(if_smaller_is_better)


@pytest.mark.parametrize("kind", get_args(Aggregate))
@pytest.mark.parametrize("smaller_is_better", [False, True])
def test_replicates_follow_the_same_formula(kind, smaller_is_better):
    drawn = np.random.default_rng(1).uniform(0.1, 1.0, (5, 20))
    weights = np.ones(5)
    logs = aggregate_logs(kind, drawn, weights, smaller_is_better=smaller_is_better)
    slow = [
        math.log(aggregate(kind, column, [1.0] * 5, smaller_is_better=smaller_is_better))
        for column in drawn.T.tolist()
    ]
    assert logs == pytest.approx(slow, rel=1e-9)


def test_no_order_of_the_signals_breaks_a_tie():
    for kind in get_args(Aggregate):
        found = {
            aggregate(kind, list(order), [1.0] * 6, smaller_is_better=False)
            for order in (VALUES, VALUES[::-1], sorted(VALUES))
        }
        assert len(found) == 1


def test_a_zero_makes_a_geometric_mean_of_zero():
    assert aggregate("geometric_mean", [0.0, 1.0], [1.0, 1.0], smaller_is_better=True) == 0.0


def test_the_worst_quarter_of_few_is_the_worst():
    assert [quarter(n)[0] for n in (1, 2, 3, 4)] == [1.0] * 4
    assert math.fsum(quarter(7)) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ({"aggregate": "single"}, "the one signal that counts"),
        ({"aggregate": "single", "signal_weights": {"a": 1, "b": 1}}, "the one signal that counts"),
        ({"aggregate": "median", "signal_weights": {"a": 1, "b": 2}}, "takes no weights"),
        ({"aggregate": "sum"}, "aggregate"),
    ],
)
def test_rules_that_make_no_sense_are_refused(rules, told):
    with pytest.raises(ValidationError, match=told):
        RankingRules.model_validate(rules)


def test_the_former_name_of_the_rule_is_still_read():
    assert RankingRules.model_validate({"metric": "lowest_tpr"}).aggregate == "worst"
    assert RankingRules.model_validate({"metric": "geometric_mean_tpr"}) == RankingRules()
