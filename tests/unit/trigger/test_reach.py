"""The reach: a known number is found with its interval, and a killed run goes on."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from harness.board.reach import TrialPoint
from harness.errors import UsageError
from harness.trigger import reach
from harness.trigger.reach import ReachOptions, measure_reach, next_point, reach_in
from harness.trigger.reach_pool import ReachStreams
from harness.trigger.records import Steering
from tests.events import make_events
from tests.trigger_streams import accept, signal_events

N_EVENTS = 4_000
HALF, WIDTH = 600.0, 0.3


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reach")
    events = {
        "data": make_events(2_000, seed=31),
        "expected": make_events(4_000, seed=32),
        "other": make_events(2_000, seed=36),
        # A tenth of them has any MET.
        "signal": np.concatenate([signal_events(400), np.zeros((3_600, 19, 3), np.float32)]),
    }
    return {name: accept(folder / name, each, name) for name, each in events.items()}


@pytest.fixture
def streams(folders, tmp_path) -> ReachStreams:
    """Folders whose data are new: no trials lie there yet."""
    data = accept(tmp_path / "data", make_events(2_000, seed=31), "data")
    return ReachStreams(
        data=data,
        expected=folders["expected"],
        signals={"lq": folders["signal"]},
        others={"another simulation": folders["other"]},
    )


def known(monkeypatch, *, half: float = HALF, n_before_kill: int | None = None) -> list[int]:
    """Replace what finds a signal by a known efficiency; return the numbers that were injected."""
    seen: list[int] = []

    def draw(pool, generator, *, signal, n_injected):
        return n_injected if signal else 0, generator

    def found(pool, trial, **_) -> bool:
        if len(seen) == n_before_kill:
            raise KeyboardInterrupt
        n_injected, generator = trial
        seen.append(n_injected)
        share = norm.cdf(math.log(n_injected / half) / WIDTH) if n_injected else 0.02
        return bool(generator.random() < share)

    monkeypatch.setattr(reach, "draw_trial", draw)
    monkeypatch.setattr(reach, "is_found", found)
    return seen


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_known_number_is_found_within_its_interval(streams, monkeypatch, seed):
    known(monkeypatch)

    found = measure_reach(streams, ReachOptions(seed=seed))

    one = found.signals["lq"]
    assert (one.n_events, one.n_accepted) == (N_EVENTS, 400)
    assert one.n_injected == pytest.approx(HALF, rel=0.15)
    # 99 % or more of a 95 % interval that is a half wider.
    assert one.lower / 1.05 < HALF < one.upper * 1.05
    assert one.upper / one.lower < 1.4
    assert sum(point.n_trials for point in one.points) >= 150
    false = found.false_claims
    assert false.n_trials == 200
    # Of 200 trials with a rate of 2 %: 12 or more come once in 1,000 times.
    assert false.n_found < 12
    assert false.interval.lower <= 0.02 <= false.interval.upper
    assert [one.title for one in found.comparisons] == ["the data", "another simulation"]
    assert not any(one.is_claimed for one in found.comparisons)


def test_a_run_that_is_killed_loses_one_point_at_most(streams, folders, monkeypatch, tmp_path):
    options = ReachOptions(n_trials=60, n_null=50)
    again = replace(streams, data=accept(tmp_path / "again", make_events(2_000, seed=31), "data"))
    every = known(monkeypatch)
    whole = measure_reach(again, options)
    n_trials = len(every)

    for n_before_kill in (10, 30, 40):
        known(monkeypatch, n_before_kill=n_before_kill)
        with pytest.raises(KeyboardInterrupt):
            measure_reach(streams, options)
    made = known(monkeypatch)
    resumed = measure_reach(streams, options)

    assert resumed.signals == whole.signals
    assert resumed.false_claims == whole.false_claims
    assert len(made) < n_trials - 50


def test_a_signal_that_all_its_events_do_not_show_takes_more(streams, monkeypatch):
    known(monkeypatch, half=50_000.0)

    one = measure_reach(streams, ReachOptions(n_null=5)).signals["lq"]

    assert one.n_injected is None
    assert one.upper is None
    assert one.points[-1].n_injected == N_EVENTS
    assert sum(p.n_trials for p in one.points if p.n_injected == N_EVENTS) >= 40


def test_a_signal_of_which_nothing_is_accepted_needs_no_trial(folders, streams, tmp_path):
    nothing = accept(tmp_path / "none", np.zeros((50, 19, 3), np.float32), "none")

    found = measure_reach(
        replace(streams, signals={"none": nothing}), ReachOptions(n_null=1, n_trials=1)
    ).signals["none"]

    assert found.n_injected is None
    assert not found.points


def test_real_trials_find_few_events_of_a_clear_signal_and_none_without(streams):
    """The whole chain, of 400 accepted background events: a reduced form."""
    options = ReachOptions(level=0.02, n_toys=149, n_trials=16, n_null=8)

    found = measure_reach(streams, options)

    # 40 to 400 events, a tenth of which is accepted, among 400.
    one = found.signals["lq"]
    assert one.n_injected is not None
    assert 20 < one.n_injected < 600
    # At a rate of 2 %: three or more of 8 come once in 2,500 times.
    assert found.false_claims.n_found < 3


def test_the_search_doubles_until_it_is_found_and_then_stays_near():
    def point(n_injected: int, n_found: int, n_trials: int = 8) -> TrialPoint:
        return TrialPoint(n_injected=n_injected, n_found=n_found, n_trials=n_trials)

    assert next_point([], 300, 1_000, 60) == (300, 8)
    assert next_point([point(300, 1)], 300, 1_000, 60) == (600, 8)
    assert next_point([point(300, 1), point(600, 2)], 300, 1_000, 60) == (1_000, 8)
    assert next_point([point(300, 7)], 300, 1_000, 60) == (150, 8)
    number, n_trials = next_point([point(300, 1), point(600, 7)], 300, 1_000, 60)
    assert 250 < number < 750
    assert n_trials == 15
    assert next_point([point(300, 5, 30), point(600, 25, 30)], 300, 1_000, 60) is None
    with_all = [point(1_000, 1, 8)] * 5
    assert next_point(with_all[:4], 300, 1_000, 60) == (1_000, 8)
    assert next_point(with_all, 300, 1_000, 60) is None


def test_an_interval_that_ends_beyond_all_events_is_open():
    points = [
        TrialPoint(n_injected=2_000, n_found=4, n_trials=20),
        TrialPoint(n_injected=4_000, n_found=11, n_trials=20),
    ]

    found = reach_in(points, 4_000, 100)

    assert found.n_injected is not None
    assert found.lower is not None
    assert found.upper is None


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"threshold": 41.0}, "its threshold is another"),
        ({"prescale": 2}, "its prescale is another"),
    ],
)
def test_folders_of_another_trigger_are_refused(streams, tmp_path, changes, complaint):
    signal = accept(tmp_path / "signal", signal_events(100), "signal", **changes)

    with pytest.raises(UsageError, match=complaint):
        measure_reach(replace(streams, signals={"lq": signal}))


def test_a_steered_or_prescaled_trigger_is_refused(folders, streams, tmp_path):
    steering = Steering(target=0.2, shares=(0.1, 0.4), thresholds=(50.0, 30.0))
    events = make_events(2_000, seed=31)
    steered = accept(tmp_path / "steered", events, "data", threshold=None, steering=steering)
    prescaled = accept(tmp_path / "prescaled", events, "data", prescale=2)

    with pytest.raises(UsageError, match="was steered"):
        measure_reach(replace(streams, data=steered))
    with pytest.raises(UsageError, match="prescale is 2"):
        measure_reach(replace(streams, data=prescaled))


def test_a_variation_of_other_events_is_refused(folders, streams):
    with pytest.raises(UsageError, match="is of other events than"):
        measure_reach(replace(streams, varied={"up": (streams.data, folders["other"])}))


def test_more_trials_go_on_with_those_that_were_made(streams, folders, monkeypatch, tmp_path):
    known(monkeypatch)
    few = measure_reach(streams, ReachOptions(n_null=5, n_trials=40))
    made = known(monkeypatch)

    more = measure_reach(streams, ReachOptions(n_null=6, n_trials=80))

    n_points = len(few.signals["lq"].points)
    assert more.signals["lq"].points[:n_points] == few.signals["lq"].points
    assert 30 < len(made) < 70

    # Other events of a signal, or another seed, and its trials are made again.
    known(monkeypatch)
    other = accept(tmp_path / "signal", signal_events(300), "signal")
    changed = measure_reach(
        replace(streams, signals={"lq": other}), ReachOptions(n_null=6, n_trials=40)
    )
    assert changed.signals["lq"].points[0] != few.signals["lq"].points[0]
    made = known(monkeypatch)
    measure_reach(streams, ReachOptions(n_null=5, n_trials=40, seed=2))
    assert len(made) > 40


def test_too_few_toys_for_the_level_are_refused(streams):
    with pytest.raises(UsageError, match="cannot give a p-value below"):
        measure_reach(streams, ReachOptions(n_toys=100))


@pytest.mark.parametrize("name", ["A to 4l", "no_signal"])
def test_a_name_that_the_record_cannot_hold_is_refused_before_any_trial(
    streams, folders, monkeypatch, name
):
    made = known(monkeypatch)
    with pytest.raises(UsageError, match="cannot name a signal"):
        measure_reach(replace(streams, signals={name: folders["signal"]}))
    with pytest.raises(UsageError, match="cannot name a signal or a variation"):
        measure_reach(replace(streams, varied={name: (streams.data, folders["expected"])}))
    assert not made


def test_data_and_expectation_that_name_the_same_source_are_refused(streams, monkeypatch, tmp_path):
    known(monkeypatch)
    # Their rows would have the same keys, and come to the same side in every trial.
    alike = accept(tmp_path / "alike", make_events(4_000, seed=32), "data")
    with pytest.raises(UsageError, match="data is a source of"):
        measure_reach(replace(streams, expected=alike))


def test_the_comparisons_have_toys_for_a_level_beyond_three_sigma(streams, monkeypatch):
    known(monkeypatch)
    options = ReachOptions(level=9e-5, n_toys=12_000, n_null=1, n_trials=8)
    found = measure_reach(streams, options)
    assert all(one.global_p >= 1 / 12_001 for one in found.comparisons)


def test_two_variations_are_not_taken_for_one(streams, monkeypatch, tmp_path):
    known(monkeypatch)
    events = make_events(4_000, seed=32)
    up = accept(tmp_path / "up", make_events(2_000, seed=31), "data", variation="jet_scale_up")
    down = accept(tmp_path / "down", events, "expected", variation="jet_scale_down")
    with pytest.raises(UsageError, match="variation is jet_scale_down"):
        measure_reach(replace(streams, varied={"jets": (up, down)}))
