"""Bunch crossings and integers: what a global trigger counts."""

from __future__ import annotations

import numpy as np
import pytest

from harness.card.figures import NotMeasured
from harness.card.hardware import Figure, ScoreWord
from harness.card.in_hardware import crossings, hardware_rows, lowest_integer
from harness.card.physics import Physics, WorkingPoint
from tests.cards import make_card, make_firmware

NOT_MEASURED = NotMeasured(not_measured="left out")


def figure(value: float) -> Figure:
    return Figure(value=value, evidence="rtl", source="made up for tests")


@pytest.mark.parametrize(("time_ns", "count"), [(0.4, 1), (25, 1), (25.1, 2), (50, 2), (75, 3)])
def test_a_crossing_that_has_begun_counts(time_ns: float, count: int) -> None:
    assert crossings(figure(time_ns)) == count


def test_cycles_of_a_period_that_is_no_binary_number_round_to_whole_crossings() -> None:
    assert crossings(figure(10), figure(25.0 / 10)) == 1
    assert crossings(figure(3), figure(8.333333333333334)) == 1


def test_what_was_not_measured_has_no_crossings() -> None:
    assert crossings(NOT_MEASURED) is None
    assert crossings(figure(1), NOT_MEASURED) is None


@pytest.mark.parametrize("is_strict", [False, True])
def test_the_integer_lets_the_same_words_pass_as_the_threshold(is_strict: bool) -> None:
    words, step = np.arange(-40, 40), 0.125
    for threshold in (-1.25, -1.2, 0.0, 0.3, 2.0):
        point = WorkingPoint(
            fpr=1e-3, threshold=threshold, is_strict=is_strict, n_allowed=10, n_passing=9,
            fpr_realised=9e-4, is_low_statistics=False, rates={},
        )  # fmt: skip
        scores = words * step
        passing = scores > threshold if is_strict else scores >= threshold
        assert np.array_equal(words >= lowest_integer(point, step), passing)


def test_rows_name_latency_interval_and_each_threshold() -> None:
    word = ScoreWord(word="ufixed<20,12>", step=2.0**-8)
    firmware = make_firmware(cycles=6).model_copy(update={"score_word": word})
    card = make_card(firmware=firmware)
    assert isinstance(card.firmware_physics, Physics)
    rows = hardware_rows(firmware, card.firmware_physics, card.challenge.merit)
    by_name = {name: value for name, value, _ in rows}
    n_points = sum(isinstance(one, WorkingPoint) for one in card.firmware_physics.working_points)
    assert by_name["latency"] == "2 bunch crossings"
    assert by_name["initiation interval"] == "1 bunch crossing"
    assert len(rows) == 2 + n_points
    assert all("ufixed<20,12>" in source for _, _, source in rows[2:])


def test_a_card_without_the_word_shows_no_integers() -> None:
    card = make_card()
    rows = hardware_rows(make_firmware(), card.firmware_physics, card.challenge.merit)
    assert {name for name, _, _ in rows} == {"latency", "initiation interval"}
