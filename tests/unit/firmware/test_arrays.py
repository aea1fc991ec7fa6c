"""Programs as operations on arrays give the scores of da4ml's own interpreter, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.firmware.arrays.blocks import BLOCK_EVENTS, block_scorers
from harness.firmware.arrays.operations import NARROW, WIDE
from harness.firmware.arrays.program import as_arrays
from harness.firmware.translate.program import check_widths, operation_formats
from harness.submission.words import FixedPoint
from tests.array_programs import (
    ADD,
    ADD_CONSTANT,
    BITS,
    BOTH_BITS,
    CHOOSE,
    CONSTANT,
    INPUTS,
    LOOK_UP,
    MULTIPLY,
    N_INPUTS,
    QUANTISE,
    RELU,
    SUBTRACT,
    every_word,
    look_up,
    of_inputs,
    operation,
    packed,
    program,
    scores,
    word,
)
from tests.firmware_bench import exact_scores

if TYPE_CHECKING:
    from da4ml.types import CombLogic, Op
    from numpy.typing import NDArray


# The widest value of a drawn program; wider ones are left to da4ml.
MOST_BITS = 60
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
    shift, data = draw(st.integers(-6, 6)), 0
    result = word(draw(st.integers(1, 20)), a.fraction_bits, is_signed=draw(st.booleans()))
    finest = max(a.fraction_bits, b.fraction_bits - shift)
    if opcode in {ADD, SUBTRACT}:
        kept = finest - draw(st.integers(0, 3))
        integer_bits = max(a.integer_bits, b.integer_bits + shift) + 2
        result, data = word(max(2, integer_bits + kept), kept), shift
    elif abs(opcode) in {RELU, QUANTISE}:
        fraction = a.fraction_bits - draw(st.integers(0, 3))
        result = word(result.width, fraction, is_signed=result.is_signed)
    elif opcode in {ADD_CONSTANT, CONSTANT}:
        fraction = a.fraction_bits + draw(st.integers(0, 2))
        result = word(max(2, a.integer_bits + fraction + 12), fraction)
        data = draw(st.integers(-999, 999))
    elif abs(opcode) == CHOOSE:
        fraction = max(a.fraction_bits, b.fraction_bits)
        result = word(result.width, fraction, is_signed=result.is_signed)
        is_right = draw(st.booleans())
        places = b.fraction_bits - fraction if is_right else a.fraction_bits - fraction
        data = packed(draw(st.integers(0, len(words) - 1)), places & 0xFFFFFFFF)
    elif opcode == MULTIPLY:
        result = word(a.width + b.width, a.fraction_bits + b.fraction_bits)
    elif abs(opcode) == BITS:
        data = draw(st.integers(0, 2))
        width = 1 if data else a.width
        result = word(width, is_signed=not data and result.is_signed)
    else:
        data = packed(shift, draw(st.integers(0, 3)) | draw(st.integers(0, 2)) << 24)
        result = word(a.width + b.width + 12, finest)
    return operation(opcode, result, id0, id1, data), result


@settings(max_examples=200, deadline=None)
@given(cases())
def test_drawn_programs_give_the_scores_of_da4ml(case):
    made, events = case
    if as_arrays(made) is not None:
        exact_scores(made, events)


# --- Programs worked out by hand ------------------------------------------------------------------

OPERATIONS = {
    "sum, shifted left": operation(ADD, word(12, 2), 0, 1, 3),
    "sum, shifted right": operation(ADD, word(14, 6), 0, 1, -5),
    "sum of which low bits are cut": operation(ADD, word(12, 1), 0, 1, -3),
    "difference": operation(SUBTRACT, word(12, 2), 2, 0, 1),
    "relu": operation(RELU, word(4, 1, is_signed=False), 0),
    "relu of the negative": operation(-RELU, word(3, 2), 0),
    "wrapped": operation(QUANTISE, word(3, 2), 0),
    "wrapped without a sign": operation(QUANTISE, word(8, 1, is_signed=False), 0),
    "negative, wrapped": operation(-QUANTISE, word(4, 0), 0),
    "constant added": operation(ADD_CONSTANT, word(9, 3), 0, data=-21),
    "one of two by a sign": operation(CHOOSE, word(5, 2), 0, 1, packed(0, 0)),
    "one of two, shifted, wrapped": operation(CHOOSE, word(4, 2), 0, 1, packed(2, 3)),
    "one or the negative of another": operation(-CHOOSE, word(7, 2), 0, 0, packed(2, 0)),
    "one of two by a highest bit": operation(CHOOSE, word(7, 2), 0, 2, packed(1, -3)),
    "product": operation(MULTIPLY, word(11, 3), 0, 1),
    "square": operation(MULTIPLY, word(12, 4), 0, 0),
    "no bit of a word": operation(BITS, word(6, 2), 0, data=0),
    "no bit of a word without a sign": operation(BITS, word(5, 1, is_signed=False), 1, data=0),
    "any bit": operation(BITS, word(1, is_signed=False), 0, data=1),
    "all bits": operation(BITS, word(1, is_signed=False), 0, data=2),
    "all bits of the negative": operation(-BITS, word(1, is_signed=False), 0, data=2),
    "and": operation(BOTH_BITS, word(12, 2), 0, 1, packed(1)),
    "or, one negated": operation(BOTH_BITS, word(12, 2), 0, 1, packed(-1, 1)),
    "exclusive or, both negated": operation(BOTH_BITS, word(12, 2), 0, 2, packed(0, 3 | 2 << 24)),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_operation_gives_what_da4ml_gives_for_every_word(name):
    made = of_inputs(OPERATIONS[name])

    exact_scores(made, every_word())
    assert len(np.unique(scores(made, every_word()))) > 1


@pytest.mark.parametrize("is_signed", [True, False])
def test_a_table_gives_what_da4ml_gives_for_every_word(is_signed):
    rows = np.random.default_rng(1).integers(-100, 100, 16).tolist()

    exact_scores(look_up(rows, word(4, 2, is_signed=is_signed), 0), every_word())


@pytest.mark.parametrize("is_alone", [True, False])
def test_an_entry_at_an_address_that_is_a_constant_is_a_constant(is_alone):
    from da4ml.trace.fixed_variable import LookupTable

    three = operation(CONSTANT, word(4, is_signed=False), data=3)
    entry = operation(LOOK_UP, word(8, 2), 3, data=0)
    total = operation(ADD, word(12, 2), 4, 0)
    tables = (LookupTable(np.arange(100, 116) / 4),)
    if is_alone:
        # Its score is a constant.
        assert as_arrays(of_inputs(three, entry, tables=tables)) is None
    else:
        exact_scores(of_inputs(three, entry, total, tables=tables), every_word())


def test_threads_share_the_entries_of_a_table():
    arrays = as_arrays(look_up(list(range(16)), word(4, 2), 0))

    assert arrays is not None
    for scorer in block_scorers(arrays, 2, BLOCK_EVENTS):
        (look,) = (call for call in scorer._calls if call.func is np.take)
        assert look.args[0] is arrays.tables[0]


def test_a_table_of_a_program_of_64_bits_has_the_entries_of_da4ml():
    made = look_up(list(range(-100, 60, 10)), word(4, 2), 0)
    product = [operation(MULTIPLY, word(8 * n, 2 * n), n + 2, 4) for n in range(2, 7)]
    made = made._replace(ops=[*made.ops, *product], out_idxs=[9])

    exact_scores(made, every_word())
    assert getattr(as_arrays(made), "integers", None) == WIDE


def test_an_address_that_may_lie_outside_of_its_table_is_left_to_da4ml():
    assert as_arrays(look_up(list(range(15)), word(4, 2), 0)) is None


@pytest.mark.parametrize(
    "op",
    [
        # To a finer step, da4ml shifts by a number of bits below 0.
        operation(QUANTISE, word(9, 4), 0),
        operation(ADD_CONSTANT, word(9, 0), 0, data=1),
        operation(11, word(9, 2), 0),
        operation(BITS, word(9, 2), 0, data=3),
        operation(BOTH_BITS, word(9, 2), 0, 1, packed(0, 3 << 24)),
        # Both are shifted: da4ml ends with an error.
        operation(CHOOSE, word(9, 4), 0, 1, packed(0, 1)),
        # A score that is a constant.
        operation(CONSTANT, word(9), data=5),
    ],
)
def test_what_da4ml_does_not_define_is_left_to_it(op):
    assert as_arrays(of_inputs(op)) is None


# --- Words that are wide --------------------------------------------------------------------------


def power(width: int, exponent: int, *, is_signed: bool) -> CombLogic:
    """Return the product of as many inputs, all the same, of a width."""
    words = [word(width, is_signed=is_signed)]
    ops = [operation(-1, words[0], 0)]
    for index in range(exponent - 1):
        bits = (index + 2) * width
        ops.append(operation(MULTIPLY, word(bits, is_signed=is_signed), index, 0))
    return program(ops)


WIDE_EVENTS = np.zeros((64, N_INPUTS), np.float32)
WIDE_EVENTS[:, 0] = [
    *range(-16, 16),
    *(s * 2.0**k - (s > 0) for k in range(5, 21) for s in (1, -1)),
]


@pytest.mark.parametrize(
    ("width", "exponent", "is_signed", "integers"),
    [
        (10, 3, True, NARROW),  # up to 2^27
        (11, 3, True, NARROW),  # from -2^30
        (16, 2, True, NARROW),  # up to 2^30
        (17, 2, True, WIDE),
        (15, 2, False, NARROW),  # below 2^30
        (16, 2, False, WIDE),  # up to 2^32 - 2^17 + 1
        (21, 3, True, WIDE),  # from -2^60
        (21, 3, False, WIDE),  # below 2^63
        (9, 7, False, WIDE),  # below 2^63
    ],
)
def test_a_program_has_32_bits_where_every_value_fits_and_else_64(
    width, exponent, is_signed, integers
):
    made = power(width, exponent, is_signed=is_signed)

    arrays = as_arrays(made)

    assert arrays is not None
    assert arrays.integers == integers
    exact_scores(made, WIDE_EVENTS)


@pytest.mark.parametrize(("width", "exponent"), [(16, 4), (22, 3), (32, 3)])
def test_a_value_of_more_than_64_bits_is_left_to_da4ml(width, exponent):
    assert as_arrays(power(width, exponent, is_signed=False)) is None


def test_a_cut_that_the_interpreter_takes_is_exact_to_its_last_bit():
    """A product of 60 bits is cut to 32 bits with a sign, and to 50 without one."""
    square = power(30, 2, is_signed=False)
    for result in (word(32), word(50, is_signed=False), word(40, -15, is_signed=False)):
        made = program([*square.ops, operation(QUANTISE, result, 1)])
        check_widths(made)
        exact_scores(made, np.abs(WIDE_EVENTS) * np.float32(2.0**9) + 1)


def test_operations_that_change_nothing_are_not_computed():
    """A word that holds its value, a sum with 0, a value that nothing reads, the same one again."""
    inputs = [operation(-1, one, index) for one, index in INPUTS]
    same = operation(QUANTISE, word(9, 2), 0)
    zero = operation(CONSTANT, word(1))
    total = operation(ADD, word(12, 2), 3, 1)
    again = operation(ADD, word(12, 2), 5, 4)
    unread = operation(MULTIPLY, word(12, 4), 0, 0)
    made = program([*inputs, same, zero, total, unread, again])

    assert operation_formats(made)[3].width == 9
    arrays = as_arrays(made)
    plain = as_arrays(of_inputs(operation(ADD, word(12, 2), 0, 1)))

    assert arrays is not None
    assert plain is not None
    # `again` is the sum of `total` and 0.
    assert list(arrays.operations) == list(plain.operations)
