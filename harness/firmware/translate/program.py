"""The program of a network: da4ml's straight-line integer arithmetic, and the words it reads.

One program is interpreted for the scores and written as Verilog for the netlist, so that what is
ranked and what is synthesised cannot differ by construction, and are compared all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.errors import IntegrityError
from harness.submission.words import FixedPoint

if TYPE_CHECKING:
    from da4ml.types import CombLogic, Op, Pipeline

    from harness.firmware.backend import UntranslatableError

# A score is kept as a float64, whose integers are exact up to here.
MAX_OUTPUT_BITS = 53
WORD_BITS = 32
# da4ml's interpreter holds a value in 64 bits with a sign. To cut, to saturate or to compare it
# takes 62 bits without a sign, and 32 with one, as it computes the lowest value in 32 bits.
MAX_OPERATION_BITS = 64
_MAX_CUT_BITS = 62
MAX_SIGNED_CUT_BITS = 32
_FAULTS_OF_A_FILE = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
    RecursionError,
)
# Its codes for an input, ReLU, a cut and a choice between two values.
_INPUT, _CONSTANT, _LOOK_UP = -1, 5, 8
_CHOICES = frozenset({6, -6})
_OF_TWO = frozenset({0, 1, 6, -6, 7, 10})
_CUTS = frozenset({_INPUT, 2, -2, 3, -3, 6, -6})


def load_program(path: Path) -> CombLogic:
    """Read a program that the trace step wrote.

    Raises
    ------
    IntegrityError
        The file is no program, or one that reads what does not exist.
    """
    from da4ml.types import CombLogic

    try:
        program = CombLogic.load(path)
        is_whole = _is_whole(program)
    except _FAULTS_OF_A_FILE as error:
        raise _no_program(f"{type(error).__name__}: {error}") from error
    if not is_whole:
        raise _no_program("it reads an input, a value or a table that it does not have")
    return program


def _no_program(reason: str) -> IntegrityError:
    return IntegrityError(
        f"the program of the firmware cannot be read: {reason[:300]}",
        expected="a program as harness kept it",
        fix="score the submission again",
    )


def _is_whole(program: CombLogic) -> bool:
    """Say whether all that a program reads exists; da4ml itself would read other memory."""
    n_inputs, n_outputs = program.shape
    n_tables = len(program.lookup_tables or ())
    of_outputs = program.out_idxs, program.out_shifts, program.out_negs
    return (
        len(program.inp_shifts) == n_inputs > 0
        and all(len(values) == n_outputs for values in of_outputs)
        and all(-1 <= place < len(program.ops) for place in program.out_idxs)
        and all(
            _reads_what_exists(op, place, n_inputs, n_tables)
            for place, op in enumerate(program.ops)
        )
    )


def _reads_what_exists(op: Op, place: int, n_inputs: int, n_tables: int) -> bool:
    if op.opcode == _CONSTANT:
        return True
    if op.opcode == _INPUT:
        return bool(0 <= op.id0 < n_inputs)
    is_whole = 0 <= op.id0 < place and (op.opcode not in _OF_TWO or 0 <= op.id1 < place)
    if op.opcode in _CHOICES:
        return bool(is_whole and (int(op.data) & 0xFFFFFFFF) < place)
    return bool(is_whole and (op.opcode != _LOOK_UP or 0 <= op.data < n_tables))


def input_formats(program: CombLogic | Pipeline) -> tuple[FixedPoint, ...]:
    """Return the format of each input; an unused one has width 0."""
    return _formats(program.inp_qint)


def output_format(program: CombLogic | Pipeline) -> FixedPoint:
    """Return the format of the score."""
    (form,) = _formats(program.out_qint)
    return form


def output_formats(program: CombLogic | Pipeline) -> tuple[FixedPoint, ...]:
    """Return the format of each output, for programs of more than the score."""
    return _formats(program.out_qint)


def operation_formats(program: CombLogic) -> tuple[FixedPoint, ...]:
    """Return the format of the result of each operation."""
    return _formats([op.qint for op in program.ops])


def _formats(intervals: Sequence[object]) -> tuple[FixedPoint, ...]:
    from da4ml.types import minimal_kif

    kifs = [minimal_kif(interval) for interval in intervals]
    return tuple(FixedPoint(int(k + i + f), int(k + i), bool(k)) for k, i, f in kifs)


def check_widths(program: CombLogic) -> None:
    """Make sure that the interpreter computes every operation of a program exactly.

    Raises
    ------
    UntranslatableError
        An operation has more bits than the interpreter takes.
    """
    wide = wide_operations(program)
    if wide:
        raise too_wide("the program", *max(wide.values()))


def too_wide(where: str, bits: int, most: int) -> UntranslatableError:
    """Say that the interpreter does not compute with so many bits exactly."""
    # Loaded here alone: the step of the interpreter starts without the records.
    from harness.firmware.backend import UntranslatableError

    return UntranslatableError(
        f"computes with {bits} bits",
        where=where,
        expected=f"at most {most} bits here: beyond them da4ml's interpreter is not exact",
        fix="quantise its inputs to fewer bits, by heads.limit or by a quantiser of the layer",
    )


def wide_operations(program: CombLogic) -> dict[int, tuple[int, int]]:
    """Return the operations that are too wide for the interpreter.

    Returns
    -------
    dict of int to tuple of int
        By the operation's place in the program: its bits, and how many the interpreter takes.
    """
    forms = operation_formats(program)
    widths = {
        index: (form.width, _most_bits(op.opcode, is_signed=form.is_signed))
        for index, (op, form) in enumerate(zip(program.ops, forms, strict=True))
    }
    return {index: (bits, most) for index, (bits, most) in widths.items() if bits > most}


def _most_bits(opcode: int, *, is_signed: bool) -> int:
    if opcode not in _CUTS:
        return MAX_OPERATION_BITS if is_signed else MAX_OPERATION_BITS - 1
    return MAX_SIGNED_CUT_BITS if is_signed else _MAX_CUT_BITS


def quantise_inputs(
    events: NDArray[np.float32], formats: Sequence[FixedPoint]
) -> NDArray[np.int64]:
    """Give the integers on the input wires: rounded down, wrapped to the format.

    Parameters
    ----------
    events : ndarray of float, shape (n, n_inputs)
        Finite values.
    formats : sequence of FixedPoint
        One for each input.

    Returns
    -------
    ndarray of int64, shape (n, n_inputs)
        In units of each format's step; 0 where the width is 0.

    Examples
    --------
    Three bits with sign and one of fraction hold -2 ... 1.5 in steps of 1/2.

    >>> word = FixedPoint(3, 2)
    >>> quantise_inputs(np.array([[1.4], [-0.1], [2.0]], np.float32), [word]).ravel().tolist()
    [2, -1, -4]
    """
    steps = np.array([form.step for form in formats])
    spans = np.array([2.0**form.width for form in formats])
    is_signed = np.array([form.is_signed for form in formats], bool)
    # All of these are powers of two and whole numbers, so float64 is exact.
    wrapped = np.mod(np.floor(np.asarray(events, np.float64) / steps), spans)
    integers: NDArray[np.int64] = (wrapped - spans * (is_signed & (wrapped >= spans / 2))).astype(
        np.int64
    )
    return integers


def within_reach(
    program: CombLogic, events: NDArray[np.float32]
) -> NDArray[np.float32] | NDArray[np.float64]:
    """Give events of the same bits on the wires whose inputs da4ml's interpreter wraps exactly.

    Parameters
    ----------
    events : ndarray of float32, shape (n, n_inputs)
        At least one, of finite values.
    """
    reads = [op for op in program.ops if op.opcode == _INPUT]
    forms = _formats([op.qint for op in reads])
    words = [(op.id0, word) for op, word in zip(reads, forms, strict=True)]
    shifts = program.inp_shifts
    finest = max((word.fraction_bits + shifts[number] for number, word in words), default=0)
    if max(-events.min(), events.max()) <= np.ldexp(1.0, _MAX_CUT_BITS - 1 - finest):
        return events
    # Where several operations read an input, the highest of their bits is kept.
    spans = np.zeros(events.shape[1])
    for number, word in words:
        spans[number] = max(spans[number], np.ldexp(1.0, word.integer_bits - shifts[number]))
    # A remainder of float64 is exact.
    kept: NDArray[np.float64] = np.fmod(events, np.where(spans, spans, 1.0), dtype=np.float64)
    return kept


def count_words(n_bits: int) -> int:
    """Return how many 32-bit words hold a port of `n_bits`: at least one."""
    return max(1, -(-n_bits // WORD_BITS))


def pack_words(integers: NDArray[np.int64], formats: Sequence[FixedPoint]) -> NDArray[np.uint32]:
    """Pack each event's inputs as they lie on the input port: first input lowest.

    Returns
    -------
    ndarray of uint32, shape (n, count_words(total width))
    """
    n_bits = sum(form.width for form in formats)
    bits = np.zeros((len(integers), count_words(n_bits) * WORD_BITS), np.uint8)
    low = 0
    for column, form in enumerate(formats):
        places = np.arange(form.width)
        bits[:, low : low + form.width] = (integers[:, column, None] >> places) & 1
        low += form.width
    return np.packbits(bits, axis=1, bitorder="little").view("<u4")
