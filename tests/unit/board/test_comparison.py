"""Paired comparisons and their coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.board.comparison import Span, compare_rate, resolved_better
from harness.board.contest import Rulebook
from harness.board.merit import compare_merit
from harness.card.physics import WorkingPoint
from harness.card.records import ScoreCard
from tests.boards import board, entry, with_point
from tests.cards import N_SIGNAL, SIGNALS, TYPICAL_RATES, make_card


def test_two_entries_are_resolved_where_a_single_comparison_at_95_percent_is():
    # One pair alone: the band is the plain 95 % interval, here about +-1.96 widths.
    noise = np.random.default_rng(1).normal(size=500)
    for shift, expected in ((1.6, False), (2.4, True)):
        rows = np.array([noise + shift, np.zeros(500)])
        better = resolved_better(rows, np.array([shift, 0.0]))
        assert bool(better[0, 1]) is expected
        assert not better[1, 0]


def test_shared_noise_cancels():
    shared = np.random.default_rng(2).normal(size=500)
    small = np.random.default_rng(3).normal(scale=0.01, size=(2, 500))
    rows = np.array([[0.1], [0.0]]) + shared + small
    assert resolved_better(rows, np.array([0.1, 0.0]))[0, 1]


def test_equal_replicates_resolve_nothing():
    rows = np.tile(np.random.default_rng(4).normal(size=500), (3, 1))
    assert not resolved_better(rows, np.zeros(3)).any()


def test_paired_comparison_of_two_entries():
    first = make_card("a", seed=1, rates=dict.fromkeys(SIGNALS, 4e-3))
    second = make_card("b", seed=2, rates=dict.fromkeys(SIGNALS, 4e-4))
    chosen = Rulebook().contest_of([entry(first), entry(second)])

    there = compare_merit(first.firmware_physics, second.firmware_physics, chosen)
    back = compare_rate(second.firmware_physics, first.firmware_physics, "h0", 1e-5)
    same = compare_merit(first.firmware_physics, first.firmware_physics, chosen)

    assert there.is_resolved
    assert there.ratio == pytest.approx(10, rel=0.3)
    assert there.ratio_span.lower > 1
    assert back.is_resolved
    assert back.difference_span.upper < 0
    assert not same.is_resolved
    assert same.difference_span == Span(lower=0.0, upper=0.0)
    assert same.ratio_span == Span(lower=1.0, upper=1.0)


def test_a_comparison_with_a_rate_of_zero_is_finite_where_it_can_be():
    zero = make_card("a", seed=1, rates=dict.fromkeys(SIGNALS, 0.0))
    some = make_card("b", seed=2, rates=TYPICAL_RATES)
    found = compare_rate(some.firmware_physics, zero.firmware_physics, "h0", 1e-5)

    assert found.ratio == math.inf
    assert math.isfinite(found.difference)
    assert found.is_resolved


# Coverage: the claims about the intervals, by toys.


def _toy_entry(
    rng: np.random.Generator, k: int, expected: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Counts of one entry and their Poisson-bootstrap replicates.

    Background exceedances are a Poisson process; the k-th sets the threshold; signal exceedances
    rise as its power 0.7. Weights are drawn anew for each entry: no pairing helps.
    """
    reach = 4 * k + 60
    background = np.sort(rng.uniform(0, reach, rng.poisson(reach)))
    threshold = background[k]
    weights = rng.poisson(1, (500, background.size)).cumsum(axis=1)
    position = np.minimum((weights <= k).sum(axis=1), background.size - 1)
    thresholds = background[position]
    counts, replicates = [], []
    for mean in expected:
        n = rng.poisson(mean * (reach / k) ** 0.7)
        signal = np.sort(reach * rng.uniform(size=n) ** (1 / 0.7))
        counts.append((signal < threshold).sum())
        drawn = rng.poisson(1, (500, n))
        replicates.append((drawn * (signal < thresholds[:, np.newaxis])).sum(axis=1))
    return np.array(counts), np.array(replicates)


def _toy_card(team: str, counts: np.ndarray, replicates: np.ndarray, base: ScoreCard) -> ScoreCard:
    physics = base.firmware_physics
    point = physics.at(1e-5)
    assert isinstance(point, WorkingPoint)
    rates = {
        name: rate.model_copy(update={"n_passing": int(n), "tpr": n / N_SIGNAL})
        for (name, rate), n in zip(point.rates.items(), counts, strict=True)
    }
    rows = {
        name: tuple((row / N_SIGNAL).tolist())
        for name, row in zip(point.rates, replicates, strict=True)
    }
    card = with_point(base, rates=rates)
    physics = card.firmware_physics.model_copy(update={"replicates": rows})
    submission = card.submission.model_copy(update={"team": team})
    return card.model_copy(update={"firmware_physics": physics, "submission": submission})


def _false_claims(n_toys: int, n_entries: int, k: int, expected: tuple[float, ...]) -> float:
    """Fraction of boards of equal entries on which any pair is called resolved."""
    rng = np.random.default_rng(k)
    base = make_card()
    n_false = 0
    for _ in range(n_toys):
        cards = [_toy_card(f"t{i}", *_toy_entry(rng, k, expected), base) for i in range(n_entries)]
        spans = [(item.best_rank, item.worst_rank) for item in board(cards).ranked]
        n_false += spans != [(1, n_entries)] * n_entries
    return n_false / n_toys


def test_a_board_of_equal_entries_claims_no_winner():
    # 40 boards: more than 6 false ones at a true rate of 5 % happen once in 120.
    assert _false_claims(40, 5, 10, (1.0, 3.0, 8.0, 40.0)) <= 6 / 40


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("k", [10, 50])
@pytest.mark.parametrize(
    "expected",
    [(13.0,) * 4, (11.0, 0.2, 8.0, 13.0), (0.5,) * 4, (1.0, 3.0, 8.0, 40.0), (200.0,) * 4],
)
def test_false_claims_on_boards_of_equal_entries_stay_under_the_stated_level(k, expected):
    # 200 boards at a true rate of 5 %: more than 18 false ones happen once in 120.
    assert _false_claims(200, 8, k, expected) <= 18 / 200
