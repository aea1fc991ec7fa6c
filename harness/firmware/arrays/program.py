"""A program of da4ml as operations on whole arrays of events.

da4ml's interpreter takes one event after the other through all operations, in 64 bits. Here each
operation becomes a few operations on the events of a block, as NumPy computes them with the vector
instructions of the processor, in 32 bits where every value fits. None of this changes a digit: see
`harness.firmware.arrays.operations`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.firmware.arrays.operations import (
    MAX_BITS,
    NARROW,
    WIDE,
    Operation,
    TooWideError,
    Value,
    Writer,
    count_bits,
    is_narrow,
    operands,
)
from harness.firmware.translate.program import MAX_SIGNED_CUT_BITS, operation_formats
from harness.submission.words import FixedPoint

if TYPE_CHECKING:
    from da4ml.types import CombLogic, Op

# da4ml's interpreter cuts a value v to w bits by adding |v| + 2^w to it: exact up to here.
_MAX_CUT_BITS = 61
# An input is wrapped to its word in float64.
_MAX_INPUT_BITS = 53
# So far from 1 a step may lie that float64 holds it, and as many steps as a float32 has.
_MAX_EXPONENT = 800
_RELU, _CONSTANT = 2, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayProgram:
    """What scores a block of events.

    Attributes
    ----------
    operations : sequence of Operation
        Those that the score needs; each reads earlier ones, and the last is the score.
    columns : sequence of int
        Which input of the program each operation ``input`` reads.
    words : sequence of FixedPoint
        The word that each of these is cut to.
    tables : sequence of ndarray of `integers`
    integers : dtype
        The smaller of int32 and int64 that holds every value.
    step : float
        Of the score.
    """

    operations: Sequence[Operation]
    columns: Sequence[int]
    words: Sequence[FixedPoint]
    tables: Sequence[NDArray[np.signedinteger]]
    integers: np.dtype[np.signedinteger]
    step: float


def as_arrays(program: CombLogic) -> ArrayProgram | None:
    """Translate a program of one output.

    Returns
    -------
    ArrayProgram or None
        None of a program that is left to da4ml's own interpreter: its score is a constant, a value
        may need more than 64 bits, the address of a table is not known to lie in it, or da4ml's
        arithmetic is not defined for an operation.
    """
    if len(program.out_idxs) != 1 or program.out_idxs[0] < 0:
        return None
    try:
        return _Translation(program, operation_formats(program)).translate()
    except (_OnlyDa4mlError, TooWideError):
        return None


class _OnlyDa4mlError(Exception):
    """An operation is left to da4ml's own interpreter."""


# --- da4ml's operations ---------------------------------------------------------------------------


@dataclass(slots=True)
class _Translation:
    """Write each operation of a program as da4ml's ``DAISInterpreter.cc`` (0.6.0) computes it."""

    program: CombLogic
    words: Sequence[FixedPoint]
    writer: Writer = field(default_factory=Writer)
    values: list[Value] = field(default_factory=list)
    columns: list[int] = field(default_factory=list)
    input_words: list[FixedPoint] = field(default_factory=list)

    def translate(self) -> ArrayProgram:
        program = self.program
        for op, word in zip(program.ops, self.words, strict=True):
            self.values.append(self._translated(op, word))
        (index,), (shift,), (is_negated,) = program.out_idxs, program.out_shifts, program.out_negs
        score = self.values[index]
        if is_negated:
            score = self.writer.negative(score)
        exponent = shift - self.words[index].fraction_bits
        if score.low == score.high or abs(exponent) > _MAX_EXPONENT:
            raise _OnlyDa4mlError
        operations, inputs = self._needed(score)
        integers = NARROW if all(map(is_narrow, operations)) else WIDE
        return ArrayProgram(
            operations=operations,
            columns=[self.columns[number] for number in inputs],
            words=[self.input_words[number] for number in inputs],
            # One array of each, which every block and thread reads.
            tables=[np.asarray(one.table, integers) for one in program.lookup_tables or ()],
            integers=integers,
            step=2.0**exponent,
        )

    def _needed(self, score: Value) -> tuple[list[Operation], list[int]]:
        """Return the operations that the score is computed from, and which inputs these read."""
        written = self.writer.operations
        needed = {score.place}
        for place in range(score.place, -1, -1):
            if place in needed:
                needed.update(operands(written[place]))
        places = {place: index for index, place in enumerate(sorted(needed))}
        inputs = [written[place].left for place in places if written[place].kind == "input"]
        order = {number: index for index, number in enumerate(inputs)}
        return [_renamed(written[place], places, order) for place in places], inputs

    def _translated(self, op: Op, word: FixedPoint) -> Value:
        match op.opcode:
            case -1:
                value = self._input(op, word)
            case 0 | 1:
                value = self._sum(op, word)
            case 2 | -2 | 3 | -3:
                value = self._quantised(op, word)
            case 4 | 5:
                value = self._with_constant(op, word)
            case 6 | -6:
                value = self._chosen(op, word)
            case 7:
                value = self.writer.write("multiply", self.values[op.id0], self.values[op.id1])
            case 8:
                value = self._looked_up(op)
            case 9 | -9:
                value = self._of_bits(op, word)
            case 10:
                value = self._of_two_words(op)
            case _:
                raise _OnlyDa4mlError
        return value

    def _signed(self, op: Op, place: int) -> Value:
        """Return an operand, negated where the opcode is below 0."""
        value = self.values[place]
        return self.writer.negative(value) if op.opcode < 0 else value

    def _aligned(self, op: Op, left: Value, right: Value) -> tuple[Value, Value]:
        """Bring two operands to the finer step of both; the right one is 2^data times its value."""
        f0, f1 = self.words[op.id0].fraction_bits, self.words[op.id1].fraction_bits
        places = _low_half(op.data) + f0 - f1
        shift = self.writer.shift
        return shift(left, max(0, -places)), shift(right, max(0, places))

    def _finer(self, value: Value, places: int) -> Value:
        """Bring to a step that is 2^places times finer; da4ml defines none that is coarser."""
        if places < 0 and not value.low == value.high == 0:
            raise _OnlyDa4mlError
        return self.writer.shift(value, max(0, places))

    def _cut(self, value: Value, word: FixedPoint) -> Value:
        widest = max(word.width, count_bits(value.low), count_bits(value.high))
        if widest > _MAX_CUT_BITS or (word.is_signed and word.width > MAX_SIGNED_CUT_BITS):
            raise _OnlyDa4mlError
        return self.writer.cut(value, word)

    def _input(self, op: Op, word: FixedPoint) -> Value:
        if word.width > _MAX_INPUT_BITS:
            raise _OnlyDa4mlError
        scale = self.program.inp_shifts[op.id0]
        # What is 1 in the events is 2^scale in the program.
        given = FixedPoint(word.width, word.integer_bits - scale, word.is_signed)
        if abs(given.fraction_bits) > _MAX_EXPONENT:
            raise _OnlyDa4mlError
        self.columns.append(op.id0)
        self.input_words.append(given)
        return self._cut(self.writer.input(len(self.columns) - 1), word)

    def _sum(self, op: Op, word: FixedPoint) -> Value:
        left, right = self._aligned(op, self.values[op.id0], self.values[op.id1])
        result = self.writer.write("subtract" if op.opcode else "add", left, right)
        f0, f1 = self.words[op.id0].fraction_bits, self.words[op.id1].fraction_bits
        finest = max(f0, f1 - _low_half(op.data))
        return self.writer.shift(result, min(0, word.fraction_bits - finest))

    def _quantised(self, op: Op, word: FixedPoint) -> Value:
        value = self._signed(op, op.id0)
        if abs(op.opcode) == _RELU:
            value = self.writer.relu(value)
        places = word.fraction_bits - self.words[op.id0].fraction_bits
        if places > 0 and not value.low == value.high == 0:
            raise _OnlyDa4mlError
        return self._cut(self.writer.shift(value, min(0, places)), word)

    def _with_constant(self, op: Op, word: FixedPoint) -> Value:
        constant = self.writer.constant(_whole(op.data))
        if op.opcode == _CONSTANT:
            return constant
        places = word.fraction_bits - self.words[op.id0].fraction_bits
        return self.writer.write("add", self._finer(self.values[op.id0], places), constant)

    def _chosen(self, op: Op, word: FixedPoint) -> Value:
        shift0 = word.fraction_bits - self.words[op.id0].fraction_bits
        shift1 = word.fraction_bits - self.words[op.id1].fraction_bits + _high_half(op.data)
        if shift0 and shift1:  # da4ml ends with an error.
            raise _OnlyDa4mlError
        one = self._finer(self.values[op.id0], shift0)
        other = self._finer(self._signed(op, op.id1), shift1)
        place = _low_half(op.data)
        mask = self._highest_bit(self.values[place], self.words[place])
        return self._cut(self.writer.choose(mask, one, other), word)

    def _highest_bit(self, value: Value, word: FixedPoint) -> Value:
        """Give -1 where da4ml takes the highest bit of a word for 1, else 0."""
        if word.is_signed:
            return self.writer.sign(value)
        if not word.width:
            return self.writer.constant(0)
        # As da4ml has it. The highest bit is 1 from 2^(width - 1) on, another bound above two bits.
        most = 1 << word.width - 2 if word.width > 1 else 0
        return self.writer.sign(self.writer.write("subtract", self.writer.constant(most), value))

    def _looked_up(self, op: Op) -> Value:
        table, word = (self.program.lookup_tables or ())[op.data], self.words[op.id0]
        pad, _ = table._get_pads(self.program.ops[op.id0].qint)  # noqa: SLF001 as da4ml writes it
        lowest = int(pad) - (1 << word.width - 1 if word.is_signed else 0)
        address = self.writer.write("subtract", self.values[op.id0], self.writer.constant(lowest))
        if address.low < 0 or address.high >= len(table.table):
            raise _OnlyDa4mlError
        if address.low == address.high:
            return self.writer.constant(int(table.table[address.low]))
        return self.writer.table(address, op.data, (int(table.table.min()), int(table.table.max())))

    def _of_bits(self, op: Op, word: FixedPoint) -> Value:
        value, width = self._signed(op, op.id0), self.words[op.id0].width
        if width >= MAX_BITS:
            raise _OnlyDa4mlError
        write, mask = self.writer.write, self.writer.constant((1 << width) - 1)
        match _low_half(op.data):
            case 0:
                inverse = write("bitwise_xor", value, self.writer.constant(-1))
                return inverse if word.is_signed else write("bitwise_and", inverse, mask)
            case 1:
                return write("not_equal", value, self.writer.constant(0))
            case 2:
                return write("equal", write("bitwise_and", value, mask), mask)
        raise _OnlyDa4mlError

    def _of_two_words(self, op: Op) -> Value:
        negated = _high_half(op.data)
        left, right = self.values[op.id0], self.values[op.id1]
        left = self.writer.negative(left) if negated & 1 else left
        right = self.writer.negative(right) if negated & 2 else right
        kind = _BINARY.get(_high_half(op.data) >> 24)
        if kind is None:
            raise _OnlyDa4mlError
        return self.writer.write(kind, *self._aligned(op, left, right))


_BINARY: Mapping[int, str] = {0: "bitwise_and", 1: "bitwise_or", 2: "bitwise_xor"}


def _renamed(operation: Operation, places: dict[int, int], inputs: dict[int, int]) -> Operation:
    """Return an operation after those that are not needed are gone."""
    match operation.kind:
        case "constant":
            return operation
        case "input":
            return operation._replace(left=inputs[operation.left])
        case "table":
            return operation._replace(left=places[operation.left])
    return operation._replace(left=places[operation.left], right=places[operation.right])


def _whole(data: int) -> int:
    """Return the 64 bits of an operation as a number with a sign."""
    return ((int(data) + (1 << 63)) & (1 << 64) - 1) - (1 << 63)


def _low_half(data: int) -> int:
    return ((int(data) + (1 << 31)) & (1 << 32) - 1) - (1 << 31)


def _high_half(data: int) -> int:
    return _low_half(int(data) >> 32)
