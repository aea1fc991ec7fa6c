"""Programs as operations on arrays give the scores of da4ml's own interpreter, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.firmware import interpret
from harness.firmware.arrays import blocks
from harness.firmware.arrays.blocks import BLOCK_EVENTS, BlockScorer, score_blocks
from harness.firmware.arrays.operations import NARROW, WIDE
from harness.firmware.arrays.program import as_arrays
from harness.firmware.translate.program import check_widths, operation_formats
from harness.submission.words import FixedPoint
from tests.firmware_bench import plain_events

if TYPE_CHECKING:
    from da4ml.types import CombLogic, Op, QInterval
    from numpy.typing import NDArray

N_INPUTS = 3
# The widest value of a drawn program; wider ones are left to da4ml.
MOST_BITS = 60
ADD, SUBTRACT, RELU, QUANTISE, ADD_CONSTANT, CONSTANT = 0, 1, 2, 3, 4, 5
CHOOSE, MULTIPLY, LOOK_UP, BITS, BOTH_BITS = 6, 7, 8, 9, 10


def interval(word: FixedPoint) -> QInterval:
    from da4ml.types import QInterval

    highest = (2.0 ** (word.width - word.is_signed) - 1) * word.step
    return QInterval(word.lowest if word.width else 0.0, highest, word.step)


def operation(opcode: int, word: FixedPoint, id0: int = -1, id1: int = -1, data: int = 0) -> Op:
    from da4ml.types import Op

    return Op(id0, id1, opcode, data, interval(word), 0.0, 0.0)


def program(ops: list[Op], *, tables: tuple[Any, ...] | None = None, **more: Any) -> CombLogic:
    """Return a program whose score is its last operation."""
    from da4ml.types import CombLogic

    form: dict[str, Any] = {"inp_shifts": [0] * N_INPUTS, "out_shifts": [0], "out_negs": [False]}
    return CombLogic(
        shape=(N_INPUTS, 1),
        out_idxs=[len(ops) - 1],
        ops=ops,
        carry_size=-1,
        adder_size=-1,
        lookup_tables=tables,
        **{**form, **more},
    )


def word(width: int, fraction: int = 0, *, is_signed: bool = True) -> FixedPoint:
    return FixedPoint(width, width - fraction, is_signed)


def scores(made: CombLogic, events: NDArray[np.float32], n_threads: int = 1) -> NDArray[np.float64]:
    arrays = as_arrays(made)
    assert arrays is not None
    return score_blocks([BlockScorer(arrays) for _ in range(n_threads)], events)


def assert_equal(made: CombLogic, events: NDArray[np.float32]) -> None:
    """Compare the bytes: 0 and -0 differ."""
    expected = np.asarray(made.predict(events.astype(np.float64)), np.float64).ravel()
    assert scores(made, events).tobytes() == expected.tobytes()


# --- Programs that are drawn ----------------------------------------------------------------------

WORDS = st.builds(word, st.integers(1, 18), st.integers(-4, 8), is_signed=st.booleans())


def edges(words: list[FixedPoint], draw: Callable[..., Any]) -> NDArray[np.float32]:
    """Return events at the ends of the words of the inputs, beyond them, and between the steps."""
    columns = []
    for one in words:
        ends = [one.lowest, one.lowest + 2.0**one.magnitude_bits * (1 + one.is_signed) - one.step]
        near = [end + steps * one.step for end in [*ends, 0.0] for steps in (-1.0, -0.5, 0.0, 1.0)]
        far = [2.0**40 + one.step, -(2.0**45), -0.25 * one.step, 3e38 * one.step * 2.0**-100]
        columns.append(draw(st.lists(st.sampled_from([*near, *far]), min_size=24, max_size=24)))
    return np.array(columns, np.float32).T


@st.composite
def cases(draw: Callable[..., Any]) -> tuple[CombLogic, NDArray[np.float32]]:
    """Draw a program of every operation, and events."""
    words = [draw(WORDS) for _ in range(N_INPUTS)]
    ops = [operation(-1, one, index) for index, one in enumerate(words)]
    inputs = list(words)
    for _ in range(draw(st.integers(1, 12))):
        made, result = draw_operation(draw, words)
        if result.width <= MOST_BITS:
            ops.append(made)
            words.append(result)
    shifts = [draw(st.integers(-3, 3)) for _ in range(N_INPUTS)]
    made = program(
        ops,
        inp_shifts=shifts,
        out_shifts=[draw(st.integers(-3, 3))],
        out_negs=[draw(st.booleans())],
    )
    given_words = [
        FixedPoint(one.width, one.integer_bits - shift, one.is_signed)
        for one, shift in zip(inputs, shifts, strict=True)
    ]
    return made, edges(given_words, draw)


def draw_operation(draw: Callable[..., Any], words: list[FixedPoint]) -> tuple[Op, FixedPoint]:
    """Draw an operation on earlier values; sums and products get words that hold them."""
    opcode = draw(st.sampled_from([0, 1, 2, -2, 3, -3, 4, 5, 6, -6, 7, 9, -9, 10]))
    id0, id1 = (draw(st.integers(0, len(words) - 1)) for _ in range(2))
    a, b = words[id0], words[id1]
    if opcode in {ADD, SUBTRACT}:
        shift = draw(st.integers(-6, 6))
        fraction = max(a.fraction_bits, b.fraction_bits - shift)
        integer_bits = max(a.integer_bits, b.integer_bits + shift) + 2
        kept = fraction - draw(st.integers(0, 3))
        result = word(max(2, integer_bits + kept), kept)
        return operation(opcode, result, id0, id1, shift), result
    if abs(opcode) in {RELU, QUANTISE}:
        fraction = a.fraction_bits - draw(st.integers(0, 3))
        result = word(draw(st.integers(1, 20)), fraction, is_signed=draw(st.booleans()))
        return operation(opcode, result, id0), result
    if opcode in {ADD_CONSTANT, CONSTANT}:
        fraction = a.fraction_bits + draw(st.integers(0, 2))
        result = word(max(2, a.integer_bits + fraction + 12), fraction)
        return operation(opcode, result, id0, data=draw(st.integers(-999, 999))), result
    if abs(opcode) == CHOOSE:
        fraction = max(a.fraction_bits, b.fraction_bits)
        result = word(draw(st.integers(1, 20)), fraction, is_signed=draw(st.booleans()))
        shift = b.fraction_bits - fraction if draw(st.booleans()) else a.fraction_bits - fraction
        data = draw(st.integers(0, len(words) - 1)) | ((shift & 0xFFFFFFFF) << 32)
        return operation(opcode, result, id0, id1, data), result
    if opcode == MULTIPLY:
        result = word(a.width + b.width, a.fraction_bits + b.fraction_bits)
        return operation(opcode, result, id0, id1), result
    if abs(opcode) == BITS:
        kind = draw(st.integers(0, 2))
        is_signed = draw(st.booleans())
        result = word(1, is_signed=False) if kind else word(a.width, is_signed=is_signed)
        return operation(opcode, result, id0, data=kind), result
    shift = draw(st.integers(-3, 3))
    data = (shift & 0xFFFFFFFF) | draw(st.integers(0, 3)) << 32 | draw(st.integers(0, 2)) << 56
    result = word(a.width + b.width + 12, max(a.fraction_bits, b.fraction_bits - shift))
    return operation(opcode, result, id0, id1, data), result


@settings(max_examples=300, deadline=None)
@given(cases())
def test_drawn_programs_give_the_scores_of_da4ml(case):
    made, events = case
    if as_arrays(made) is not None:
        assert_equal(made, events)
