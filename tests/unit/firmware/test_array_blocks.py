"""Blocks of events and threads change no score, nor does the interpreter that a step chooses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from harness.firmware import interpreter
from harness.firmware.arrays import blocks
from harness.firmware.arrays.blocks import BLOCK_EVENTS, block_scorers
from harness.firmware.arrays.program import as_arrays
from harness.submission.words import FixedPoint
from tests.array_programs import (
    ADD,
    ADD_CONSTANT,
    CONSTANT,
    N_INPUTS,
    look_up,
    of_inputs,
    operation,
    program,
    scores,
    word,
)
from tests.firmware_bench import plain_events

if TYPE_CHECKING:
    from da4ml.types import CombLogic
    from numpy.typing import NDArray

    from harness.firmware.arrays.program import ArrayProgram


# --- Events -------------------------------------------------------------------------------------


def test_values_far_beyond_a_word_wrap():
    """The bits of 2^60 below 2^6 are 0, of 2^33 + 3 (no float32) they are those of 2^33."""
    made = of_inputs(operation(ADD, word(8, 2), 0, 1))
    far = np.array([[2.0**60, 1, 0], [-(2.0**60), 1, 0], [2.0**127, 1, 0], [2.0**33, 1, 0]])

    assert scores(made, far.astype(np.float32)).tolist() == [1.0] * 4


@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize("n_events", [0, 1, 99, 100, 101, 250, 1000])
def test_blocks_and_threads_change_no_score(n_events, n_threads, small_program):
    events = plain_events(n_events, small_program.shape[0])

    got = scores(small_program, events, n_threads, at_once=100)

    assert got.tolist() == [small_program.predict(event).item() for event in events]


@pytest.mark.parametrize("n_events", [1, BLOCK_EVENTS])
def test_an_input_far_beyond_its_word_has_the_score_of_its_lowest_bits(n_events, tmp_path):
    """Beyond 2^62 steps da4ml's own wrap overflows; how many events there are changes nothing."""
    inputs = [operation(-1, word(40, is_signed=False), 0), operation(-1, word(8), 0)]
    made = program([*inputs, operation(ADD, word(43), 0, 1)])
    far = np.zeros((n_events, N_INPUTS), np.float32)
    far[0] = 2.0**62 + 2.0**39, 3e38, -3e38
    assert made.predict(far[:1]) != 2.0**39

    assert run_step(made, far, tmp_path)[0] == 2.0**39


@pytest.mark.parametrize(
    "more", [{"inp_shifts": [5000] * 3}, {"inp_shifts": [-5000] * 3}, {"out_shifts": [5000]}]
)
def test_a_step_that_float64_does_not_hold_is_left_to_da4ml(more):
    assert as_arrays(of_inputs(operation(ADD, word(8, 2), 0, 1), **more)) is None


def of_width(n_values: int) -> ArrayProgram:
    """Return a program that holds so many values at the same time."""
    ops = [operation(-1, word(8), 0)]
    ops += [operation(ADD_CONSTANT, word(30), 0, data=number + 1) for number in range(n_values)]
    for number in range(n_values):
        left = len(ops) - 1 if number else 0
        ops.append(operation(ADD, word(31), left, n_values - number))
    arrays = as_arrays(program(ops))
    assert arrays is not None
    return arrays


def test_a_wide_program_has_fewer_events_in_a_block():
    wide = of_width(4000)

    (few,) = block_scorers(wide, 1, 65_536)
    assert 512 <= few.n_events < BLOCK_EVENTS // 1.5
    assert few.n_events * 4000 * 4 <= 64 * 2**20


def test_a_program_whose_buffers_would_fill_the_memory_is_left_to_da4ml(monkeypatch):
    wide = of_width(4000)
    monkeypatch.setattr(blocks, "_MOST_BYTES", 0)
    monkeypatch.setattr(blocks, "_MOST_BYTES_IN_ALL", 1.5 * 512 * 4 * 4000)

    assert [one.n_events for one in block_scorers(wide, 1, 65_536)] == [512]
    assert block_scorers(wide, 2, 65_536) == []


@pytest.mark.parametrize(
    ("at_once", "n_threads", "sizes"),
    [
        (65_536, 2, [8192, 8192]),
        (10_485, 2, [5243, 5243]),
        (1_024, 2, [512, 512]),
        (1_024, 1, [1024]),
        (600, 2, [512, 512]),
        (511, 1, []),
    ],
)
def test_events_are_shared_among_blocks_of_one_size(at_once, n_threads, sizes, small_program):
    arrays = as_arrays(small_program)

    assert arrays is not None
    assert [one.n_events for one in block_scorers(arrays, n_threads, at_once)] == sizes


# --- The step ------------------------------------------------------------------------------------


def run_step(made: CombLogic, events: NDArray[np.float32], folder: Path) -> NDArray[np.float64]:
    made.save(folder / "program.json")
    np.save(folder / "events.npy", events)
    files = {"program": folder / "program.json", "events": folder / "events.npy"}
    interpreter.interpret_events(
        {"n_threads": 2, "at_once": 65_536}, files, {"scores": folder / "scores"}
    )
    return np.fromfile(folder / "scores", "<f8")


def test_many_events_are_scored_without_da4mls_interpreter(small_program, tmp_path, monkeypatch):
    events = plain_events(BLOCK_EVENTS + 7, small_program.shape[0])
    expected = small_program.predict(events).ravel()

    def fail(*_args: object, **_more: object) -> None:
        raise AssertionError("da4ml's interpreter was called")

    monkeypatch.setattr(type(small_program), "predict", fail)

    assert np.array_equal(run_step(small_program, events, tmp_path), expected)


def test_a_program_that_is_left_to_da4ml_has_its_scores(tmp_path):
    rows = list(range(15))
    made = look_up(rows, word(4, 1, is_signed=False), 1)
    # Below 15 steps, the address lies in the table.
    events = np.abs(plain_events(BLOCK_EVENTS, N_INPUTS)) % 3
    assert as_arrays(made) is None

    got = run_step(made, events, tmp_path)

    assert np.array_equal(got, made.predict(events).ravel())
    assert len(np.unique(got)) > 3


def test_a_score_that_reads_no_input_is_the_constant_of_the_program(tmp_path):
    unread = operation(-1, FixedPoint(0, 0, is_signed=False), 0)
    made = program([unread, operation(CONSTANT, word(9, 1), data=5)])

    assert run_step(made, np.ones((3, N_INPUTS), np.float32), tmp_path).tolist() == [2.5] * 3
