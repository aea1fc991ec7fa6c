"""Which events are compared, and that one differing bit is told with its event."""

from __future__ import annotations

import numpy as np
import pytest

from harness.errors import ExitCode, IntegrityError
from harness.firmware.backend import FirmwareSettings
from harness.firmware.translate.program import quantise_inputs
from harness.firmware.witnesses.equality import compare
from harness.firmware.witnesses.events import choose_events, extreme_events, wanted_events
from harness.submission.words import FixedPoint
from tests.firmware_bench import ask

RNG = np.random.default_rng(5)
PAIR = ("one", "other")


def test_the_highest_hundredth_is_always_chosen():
    scores = RNG.normal(size=20_000)

    chosen = choose_events(scores, 2_000)

    assert len(chosen) == 2_000
    assert set(np.argsort(scores)[-200:]) <= set(chosen)
    assert np.argmin(scores) in chosen
    assert (np.diff(chosen) > 0).all()


def test_what_must_be_included_is_included_beyond_the_number():
    scores = RNG.normal(size=1_000)
    wanted = np.arange(300, 500)

    chosen = choose_events(scores, 50, wanted)

    assert set(wanted) <= set(chosen)


@pytest.mark.parametrize(("n_most", "wanted"), [(10, [3, 7, 500]), (1, [3, 500])])
def test_events_whose_scores_differ_most_are_compared(tmp_path, n_most, wanted):
    scores = RNG.normal(size=1_000)
    network = scores.copy()
    network[[7, 500]] += (0.5, -2.0)
    request = ask(
        (tmp_path, tmp_path),
        None,
        tmp_path,
        network_scores=network,
        must_include=np.array([3]),
        settings=FirmwareSettings(n_witness_events=n_most),
    )

    found = wanted_events(request, scores)

    assert found is not None
    assert found.tolist() == wanted


@pytest.mark.parametrize("n_all", [1, 2, 7])
def test_a_handful_of_events_is_chosen_whole(n_all):
    assert choose_events(RNG.normal(size=n_all), 100).tolist() == list(range(n_all))


def test_the_choice_is_the_same_each_time():
    scores = RNG.normal(size=5_000)

    np.testing.assert_array_equal(choose_events(scores, 300), choose_events(scores, 300))


def test_extremes_reach_both_ends_of_every_word_and_beyond():
    words = [FixedPoint(5, 3), FixedPoint(0, 0, is_signed=False), FixedPoint(4, 4, is_signed=False)]

    events = extreme_events(words, n_random=50)
    integers = quantise_inputs(events, words)

    assert events.dtype == np.float32
    assert integers[:, 0].min() == -16
    assert integers[:, 0].max() == 15
    assert integers[:, 2].min() == 0
    assert integers[:, 2].max() == 15
    assert (events[:, 0] > words[0].highest).any()
    assert (events[:, 2] < 0).any()
    assert (events == 0).all(axis=1).any()
    assert not integers[:, 1].any()


def test_equal_scores_agree():
    scores = RNG.normal(size=100)

    agreement = compare(
        PAIR, scores, [scores.copy()], np.zeros((100, 2), np.float32), is_independent=True
    )

    assert (agreement.n_events, agreement.n_different) == (100, 0)
    assert agreement.is_independent


def test_either_of_two_readings_may_agree():
    scores = np.array([1.0, 2.0])
    readings = [np.array([1.0, 9.0]), np.array([9.0, 2.0])]

    events = np.zeros((2, 1), np.float32)
    assert compare(PAIR, scores, readings, events, is_independent=True).n_different == 0


def test_one_differing_bit_is_told_with_the_first_event():
    scores = np.arange(50.0)
    other = scores.copy()
    other[17] = np.nextafter(other[17], 99.0)
    other[31] = 0.0
    events = np.zeros((50, 3), np.float32)
    events[17, 1] = 42.5

    with pytest.raises(IntegrityError) as caught:
        compare(PAIR, scores, [other], events, is_independent=True)

    assert caught.value.exit_code == ExitCode.INTEGRITY
    said = str(caught.value)
    assert "2 of 50" in said
    assert "first event 17" in said
    assert "{1: 42.5}" in said
    assert "one" in said
    assert "other" in said
