"""Injection: a trial finds what `harness cluster` finds, and stops its toys early."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.trigger.cells import find_cells, measure_excess
from harness.trigger.cluster import cluster_events
from harness.trigger.injection import (
    BackgroundPool,
    SignalPool,
    Trial,
    TrialPool,
    draw_trial,
    global_p,
    is_unexpected,
)
from harness.trigger.pool import read_pool
from harness.trigger.reach_pool import ReachStreams, read_streams
from tests.events import make_events
from tests.trigger_streams import accept, signal_events

N_BACKGROUND, N_SIGNAL, N_ACCEPTED = 900, 1_000, 100


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("injection")
    events = {
        "data": np.concatenate([make_events(4_000, seed=22), signal_events(8)]),
        "expected": make_events(6_000, seed=21),
        "signal": signal_events(50),
    }
    return {name: accept(folder / name, each, name) for name, each in events.items()}


def made_up(*, n_variations: int = 0) -> TrialPool:
    """A pool of made-up features, the same for each variation."""
    generator = np.random.default_rng(4)
    background = BackgroundPool(
        values=generator.standard_normal((N_BACKGROUND, 3)),
        keys=generator.integers(2**64, size=N_BACKGROUND, dtype=np.uint64),
    )
    signal = SignalPool(values=generator.normal(3.0, 0.1, (N_ACCEPTED, 3)), n_events=N_SIGNAL)
    return TrialPool(
        observables=(),
        background=background,
        exposure=1_000.0,
        expected_exposure=2_000.0,
        signals={"signal": signal},
        varied={f"v{number}": background for number in range(n_variations)},
    )


@pytest.mark.parametrize("seed", range(6))
def test_fewer_toys_decide_as_all_of_them_do(seed):
    generator = np.random.default_rng(seed)
    points = generator.standard_normal((300, 3))
    # From hardly any excess to a clear one.
    is_observed = generator.random(300) < np.where(points[:, 0] > 1.0, 0.3 + 0.1 * seed, 0.3)
    cells = find_cells(points, seed=seed)
    level, n_toys = 0.05, 199

    found = is_unexpected(
        cells,
        is_observed,
        observed_share=0.3,
        level=level,
        n_toys=n_toys,
        generator=np.random.default_rng(9),
    )

    every = measure_excess(
        cells, is_observed, observed_share=0.3, n_toys=n_toys, generator=np.random.default_rng(9)
    )
    assert found == (every.global_p <= level)


def test_a_trial_has_the_global_p_value_of_the_report(folders):
    """Whoever changes a step of `harness cluster` changes it here too."""
    streams = ReachStreams(
        data=folders["data"], expected=folders["expected"], signals={"s": folders["signal"]}
    )
    pool = read_streams(streams).trials
    _, read = read_pool(folders["data"], [folders["expected"]])
    n_data = len(read.observed)
    trial = Trial(
        observed=pool.background.values[:n_data],
        expectations=(pool.background.values[n_data:],),
        seed=7,
    )

    report = cluster_events(folders["data"], [folders["expected"]], n_toys=999, seed=7)

    assert 0.001 < report.global_p < 0.5
    assert global_p(pool, trial, n_toys=999) == report.global_p


def test_as_many_background_events_are_data_as_the_exposures_give():
    pool = made_up()

    sizes = [len(draw_trial(pool, np.random.default_rng(seed)).observed) for seed in range(200)]

    # Binomial: 300 of 900, a spread of 14.1.
    assert np.mean(sizes) == pytest.approx(300.0, abs=4 * 14.1 / 200**0.5)
    assert np.std(sizes) == pytest.approx(14.1, rel=0.25)


def test_as_many_injected_events_are_accepted_as_the_trigger_accepts():
    pool = made_up()

    def n_signal(n_injected: int, seed: int) -> int:
        drawn = draw_trial(
            pool, np.random.default_rng(seed), signal="signal", n_injected=n_injected
        )
        return int((drawn.observed[:, 0] > 2.5).sum() - (drawn.observed[:, 0] > 3.5).sum())

    none = np.mean([n_signal(0, seed) for seed in range(40)])
    half = np.mean([n_signal(N_SIGNAL // 2, seed) for seed in range(40)])
    every = [n_signal(N_SIGNAL, seed) for seed in range(40)]
    assert half - none == pytest.approx(N_ACCEPTED / 2, abs=3.0)
    # All of them: nothing is left to chance but the background.
    assert np.mean(every) - none == pytest.approx(N_ACCEPTED, abs=1.5)


def test_a_varied_event_is_data_or_simulation_as_the_event_itself():
    nominal, *varied = draw_trial(made_up(n_variations=2), np.random.default_rng(3)).expectations

    for each in varied:
        assert np.array_equal(each, nominal)
