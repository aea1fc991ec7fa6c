"""A black box holds what was asked for, and tells nothing of what is what."""

from __future__ import annotations

import numpy as np
import pytest

from harness.blackbox.box import count_named
from harness.blackbox.make import plan_contents, write_box
from harness.blackbox.sources import source_file
from harness.data import hdf5
from harness.errors import DataError, UsageError
from tests.events import LAYOUT, make_events, write_hdf5
from tests.unit.blackbox.conftest import source


def plan(background, signals, fractions, n_events=None, working_point=1e-2):
    return plan_contents(
        background, signals, fractions, n_events=n_events, working_point=working_point
    )


def read(path):
    return np.concatenate([events for events, _ in hdf5.read_chunks(path, LAYOUT)])


def test_the_key_names_exactly_the_events_of_each_signal(made):
    events = read(made.path)
    ids = hdf5.read_ids(made.path, 900)
    np.testing.assert_array_equal(ids, np.arange(900))

    for process, n_events, seed in (("x", 60, 2), ("y", 40, 3)):
        of_signal = {event.tobytes() for event in make_events(n_events, seed=seed)}
        found = [index for index in range(900) if events[index].tobytes() in of_signal]
        assert made.event_ids[process].tolist() == found


def test_all_events_are_of_the_sources_and_none_is_there_twice(made):
    known = {
        e.tobytes() for n, seed in ((1000, 1), (60, 2), (40, 3)) for e in make_events(n, seed=seed)
    }
    seen = [event.tobytes() for event in read(made.path)]

    assert set(seen) <= known
    assert len(set(seen)) == 900


def test_signal_events_lie_anywhere(toy, sources, tmp_path):
    """Mean positions of the signal over 40 boxes: 449.5 with a standard error of 4.4."""
    contents = plan(*sources, {"x": 0.05, "y": 0.03}, n_events=900)
    positions = [
        write_box(
            toy, *sources, contents, tmp_path / f"{seed}.h5", generator=np.random.default_rng(seed)
        ).event_ids["x"]
        for seed in range(40)
    ]

    assert abs(np.concatenate(positions).mean() - 449.5) < 5 * 4.4 * (60 / 45) ** 0.5
    assert len({tuple(ids) for ids in positions}) == 40


def test_counts_follow_the_shares(sources):
    contents = plan(*sources, {"x": 0.05, "y": 0.03}, n_events=1000)

    assert contents.n_signal == {"x": 50, "y": 30}
    assert contents.n_background == 920


def test_without_a_number_the_box_is_as_large_as_can_be(sources):
    # 60 events of x are 5 % of 1,200; 1,000 background are 92 % of 1,086.9.
    contents = plan(*sources, {"x": 0.05, "y": 0.03})

    assert contents.n_events == 1086
    assert contents.n_background <= 1000


@pytest.mark.parametrize(
    ("fractions", "n_events", "told"),
    [
        ({"x": 0.0}, 100, "0 < share < 1"),
        ({"x": 1.0}, 100, "0 < share < 1"),
        ({"x": float("nan")}, 100, "0 < share < 1"),
        ({"x": 0.5, "y": 0.5}, 100, "less than 1"),
        ({"x": 0.05}, 0, "a black box of 0 events"),
        ({"x": 0.05}, -5, "a black box of -5 events"),
        ({"x": 0.05}, 50, "none may be named"),
        ({"x": 1e-5}, 500, "not one event of x"),
    ],
)
def test_nonsense_is_refused_with_its_reason(sources, fractions, n_events, told):
    background, signals = sources
    chosen = [signal for signal in signals if signal.process in fractions]

    with pytest.raises(UsageError, match=told):
        plan(background, chosen, fractions, n_events=n_events)


def test_too_few_events_are_all_told_at_once(sources):
    with pytest.raises(DataError) as caught:
        plan(*sources, {"x": 0.05, "y": 0.03}, n_events=10**12)

    text = str(caught.value)
    assert "1,000 events of background are there" in text
    assert "60 events of x are there" in text
    assert "920,000,000,000" in text


def test_public_sources_and_other_grids_are_warned_of(toy, tmp_path):
    coarse = source("x", 60, seed=2)
    rounded = make_events(1000, seed=1)
    rounded[..., 0] = np.ceil(rounded[..., 0] * 4) / 4
    background = source("background", 1000, seed=1, is_public=True)
    background = background.__class__(
        process="background",
        title="",
        n_events=1000,
        read=lambda rows: iter([rounded[rows]]),
        is_public=True,
    )
    contents = plan(background, [coarse], {"x": 0.05}, n_events=400)

    made = write_box(
        toy, background, [coarse], contents, tmp_path / "box.h5", generator=np.random.default_rng(1)
    )

    assert "background: the events come from public files" in made.warnings[0]
    assert "background 1/4 GeV, x none" in made.warnings[1]


def test_a_fresh_box_of_one_grid_has_no_warning(made):
    assert made.warnings == ()


def test_a_file_gives_the_rows_that_are_asked_for(toy, tmp_path):
    events = make_events(300)
    found = source_file(write_hdf5(tmp_path / "x.h5", events), toy, "x")
    rows = np.array([0, 1, 63, 64, 200, 299])

    assert found.n_events == 300
    np.testing.assert_array_equal(np.concatenate(list(found.read(rows))), events[rows])


def test_allowed_ids_are_the_decimal_share():
    assert count_named(1e-5, 4_210_492) == 42
    # In binary 1e-5 x 700,000 is a little less than 7.
    assert count_named(1e-5, 700_000) == 7
