"""The rate of a threshold by run and by pile-up, against counting by hand."""

from __future__ import annotations

import numpy as np
import pytest

from harness.card.figures import NotMeasured, UnreachedWorkingPoint
from harness.card.in_trigger import Stability
from harness.challenge import Condition
from harness.metrics.rates import BACKGROUND, measure_point
from harness.metrics.scores import Sample, rank_samples
from harness.metrics.stability import drift_in_bin, drift_of_transfer, measure_stability

RUN = Condition(name="run", title="Run", column="run")
PILE_UP = Condition(name="pile_up", title="Pile-up", column="nPV", edges=(20, 40, 60, 80))
FPRS = (1e-5, 0.01, 0.1)


def draw(n_events: int = 6000, *, slope: float = 0.0) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    generator = np.random.default_rng(1)
    pile_up = generator.uniform(10.0, 90.0, n_events)
    scores = generator.standard_normal(n_events) + slope * (pile_up - 50.0)
    run = np.where(np.arange(n_events) < n_events // 3, 396102.0, 398183.0)
    return scores, {"run": run, "pile_up": pile_up}


def measured(
    scores: np.ndarray, values: dict[str, np.ndarray], *conditions: Condition
) -> Stability:
    hashes = np.arange(len(scores), dtype=np.uint64)
    sample = Sample(scores=scores, hashes=hashes, ranked=rank_samples([scores])[0])
    points = [measure_point(fpr, {BACKGROUND: sample}) for fpr in FPRS]
    return measure_stability(sample, points, conditions or (RUN, PILE_UP), values)


def test_bins_share_out_the_events_that_pass() -> None:
    scores, values = draw()
    found = measured(scores, values)
    assert isinstance(found.at(1e-5), UnreachedWorkingPoint)
    point = found.at(0.01)
    threshold = np.sort(scores)[-60]
    passes = scores >= threshold
    run, pile_up = point.conditions
    assert [one.label for one in run.bins] == ["396102", "398183"]
    assert [one.label for one in pile_up.bins] == ["20 to 40", "40 to 60", "60 to 80"]
    lowest = values["pile_up"] < 40.0
    assert pile_up.bins[0].n_events == lowest.sum()
    assert pile_up.bins[0].rate == np.mean(passes[lowest])
    for condition in point.conditions:
        assert sum(one.n_passing for one in condition.bins) == point.n_passing == 60
        assert sum(one.n_events for one in condition.bins) == 6000
        for one in condition.bins:
            assert one.interval.lower <= one.rate <= one.interval.upper
            assert one.drift.value == pytest.approx(one.rate / 0.01 - 1)
    assert not pile_up.transfers


def test_a_threshold_of_one_run_is_applied_to_the_other() -> None:
    scores, values = draw()
    (run,) = measured(scores, values, RUN).at(0.1).conditions
    by_pair = {(one.set_on, one.applied_to): one for one in run.transfers}
    assert set(by_pair) == {("396102", "398183"), ("398183", "396102")}
    first, second = scores[:2000], scores[2000:]
    threshold = np.sort(first)[-200]
    found = by_pair["396102", "398183"]
    assert (found.n_allowed, found.n_set, found.n_events) == (200, 200, 4000)
    assert found.n_passing == np.sum(second >= threshold)
    assert found.rate == np.mean(second >= threshold)
    assert found.drift.value == pytest.approx(np.mean(second >= threshold) / 0.1 - 1)


def test_a_trigger_that_moves_with_pile_up_is_seen_to_and_one_that_does_not_is_not() -> None:
    def drifts(slope: float) -> list[bool]:
        point = measured(*draw(20_000, slope=slope), PILE_UP).at(0.01)
        (condition,) = point.conditions
        return [
            not one.drift.interval.lower <= 0.0 <= one.drift.interval.upper
            for one in condition.bins
        ]

    assert all(drifts(0.03))
    assert not any(drifts(0.0))


def test_bins_without_events_and_single_runs_say_nothing() -> None:
    scores, values = draw()
    values = {"run": np.full(len(scores), 7.0), "pile_up": np.full(len(scores), 50.0)}
    run, pile_up = measured(scores, values).at(0.01).conditions
    assert [one.label for one in run.bins] == ["7"]
    assert run.transfers == ()
    assert [one.label for one in pile_up.bins] == ["40 to 60"]
    assert pile_up.bins[0].drift.value == 0.0


def test_a_constant_score_has_no_drift() -> None:
    _, values = draw()
    for condition in measured(np.zeros(6000), values).at(0.1).conditions:
        assert {one.rate for one in condition.bins} == {0.0}
        assert all(isinstance(one.drift, NotMeasured) for one in condition.bins)
        assert all(isinstance(one.drift, NotMeasured) for one in condition.transfers)


def test_few_allowed_events_are_low_statistics() -> None:
    scores, values = draw(900)
    point = measured(scores, values, RUN).at(0.01)
    assert point.is_low_statistics
    assert all(one.is_low_statistics for one in point.conditions[0].transfers)


def test_the_ends_of_a_drift_where_nothing_or_all_passes() -> None:
    none = drift_in_bin(0, 100, 10, 1000)
    assert none.value == none.interval.lower == -1.0
    every = drift_in_bin(10, 100, 10, 1000)
    assert every.value == every.interval.upper == 9.0
    assert drift_of_transfer(10, 100, 0, 100).interval.lower == -1.0
    assert isinstance(drift_of_transfer(0, 100, 5, 100), NotMeasured)
