"""Weak learning: signal in the background that is trained on, none of it tested."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.challenge import Challenge, Split
from harness.data import training_events, validation_events
from harness.data.events import open_store
from harness.errors import UsageError
from tests.events import make_challenge, make_events, toy_file
from tests.unit.data.conftest import Toy, put_in_cache


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """2,000 background events and 400 of a signal, of which 5 % S/B is mixed in."""
    files = [toy_file(), toy_file("a.h5", role="signal", process="a")]
    challenge = weak(make_challenge(files), s_over_b={"a": 0.05})
    root = tmp_path_factory.mktemp("cache")
    events = {"background": make_events(2000, seed=1), "a": make_events(400, seed=2)}
    for file in challenge.files:
        put_in_cache(challenge, file, root, events[file.process])
    return Toy(challenge=challenge, root=root, events=events)


def weak(challenge: Challenge, **changes: object) -> Challenge:
    stated = {name: value for name, value in challenge if name != "contamination"}
    del stated["only_target"], stated["only_rates"]
    split = changes.pop("split", challenge.split)
    more = {"training_signals": True, "contamination": changes, "split": split}
    return Challenge.model_validate({**stated, **more})


def is_of(events: np.ndarray, process: np.ndarray) -> np.ndarray:
    """Which events are among those of a process."""
    known = {one.tobytes() for one in process}
    return np.array([one.tobytes() in known for one in events])


@pytest.mark.parametrize("give", [training_events, validation_events])
def test_signal_is_among_the_background_in_the_share_that_is_stated(mixed: Toy, give) -> None:
    found = np.asarray(give(mixed.challenge, root=mixed.root))
    is_signal = is_of(found, mixed.events["a"])
    n_background = int((~is_signal).sum())
    assert is_signal.sum() == round(0.05 * n_background)
    assert is_of(found[~is_signal], mixed.events["background"]).all()


def test_no_test_event_is_in_the_mixture(mixed: Toy) -> None:
    store = open_store(mixed.challenge, mixed.root)
    found = np.asarray(training_events(mixed.challenge, root=mixed.root))
    for process in ("background", "a"):
        tested = mixed.events[process][store.indices(process, "test")]
        assert len(tested) > 100
        assert not is_of(found, tested).any()


def test_the_order_does_not_tell_signal_from_background(mixed: Toy) -> None:
    found = np.asarray(training_events(mixed.challenge, root=mixed.root, s_over_b=0.15))
    places = np.flatnonzero(is_of(found, mixed.events["a"])) / len(found)
    # 150 places, uniform: their mean is 0.5 +- 0.024; five standard deviations.
    assert abs(places.mean() - 0.5) < 0.12


def test_another_share_may_be_asked_for_and_holds_that_of_a_smaller_one(mixed: Toy) -> None:
    small, large = (
        np.asarray(training_events(mixed.challenge, root=mixed.root, s_over_b=share))
        for share in (0.02, 0.1)
    )
    assert is_of(small, large).all()
    alone = np.asarray(training_events(mixed.challenge, root=mixed.root, s_over_b=0.0))
    assert is_of(alone, mixed.events["background"]).all()
    with pytest.raises(UsageError, match=r"an S/B of 0\.9 needs"):
        training_events(mixed.challenge, root=mixed.root, s_over_b=0.9)


def test_labelled_signal_is_there_for_controls(mixed: Toy) -> None:
    found = np.asarray(training_events(mixed.challenge, root=mixed.root, signal="a"))
    assert is_of(found, mixed.events["a"]).all()


def test_events_are_taken_by_slices_and_by_position(mixed: Toy) -> None:
    found = training_events(mixed.challenge, root=mixed.root)
    every = np.asarray(found)
    assert np.array_equal(np.concatenate(list(found.chunks(97))), every)
    assert np.array_equal(found[5], every[5])


def test_a_mixture_without_background_is_refused(mixed: Toy, tmp_path: Path) -> None:
    no_training = Split(key="toy-1", validation=0.5, test=0.5)
    with pytest.raises(ValueError, match="no background is in the training part"):
        weak(mixed.challenge, s_over_b={"a": 0.05}, split=no_training)


@pytest.mark.parametrize(
    ("s_over_b", "what"), [({"b": 0.1}, "no signal"), ({}, "s_over_b"), ({"a": 0.0}, "s_over_b")]
)
def test_a_mixture_that_cannot_be_is_refused(mixed: Toy, s_over_b, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        weak(mixed.challenge, s_over_b=s_over_b)


def test_s_over_b_needs_a_mixture(toy: Toy) -> None:
    with pytest.raises(UsageError, match="no contamination"):
        training_events(toy.challenge, root=toy.root, s_over_b=0.1)
