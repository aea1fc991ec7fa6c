"""Operations on whole arrays of integers, each with the ends of what it gives.

The ends of every value are computed in whole numbers of any size, from those of the inputs on. So
it is known before the first event that nothing overflows, which operations do nothing, and which
values are constants.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from harness.submission.words import FixedPoint

# An input is rounded down to an integer of 32 bits before it is cut to its word.
INPUT_BITS = 32
# Bits of a value without its sign.
MAX_BITS = 63
NARROW: np.dtype[np.signedinteger] = np.dtype(np.int32)
WIDE: np.dtype[np.signedinteger] = np.dtype(np.int64)

Ends = tuple[int, int]


class TooWideError(Exception):
    """A value does not fit 64 bits."""


class Value(NamedTuple):
    """A value of a program: its place among the operations, its lowest and its highest value."""

    place: int
    low: int
    high: int


class Operation(NamedTuple):
    """What gives a value.

    Attributes
    ----------
    kind : str
        ``constant``, ``input``, ``table`` or one of `KINDS`.
    left, right : int
        The places of what it reads. Instead, `left` is the number of an input or the value of a
        constant, and `right` the number of a table whose address `left` is.
    low, high : int
        The ends of the value.
    """

    kind: str
    left: int
    right: int
    low: int
    high: int


def operands(operation: Operation) -> tuple[int, ...]:
    """Return the places of what an operation reads."""
    if operation.kind in {"constant", "input"}:
        return ()
    return (operation.left,) if operation.kind == "table" else (operation.left, operation.right)


def is_narrow(operation: Operation) -> bool:
    """Say whether 32 bits hold a value."""
    return max(count_bits(operation.low), count_bits(operation.high)) < 8 * NARROW.itemsize


def count_bits(number: int) -> int:
    """Return the bits of a number without its sign.

    Examples
    --------
    >>> count_bits(7), count_bits(8), count_bits(-8), count_bits(-9)
    (3, 4, 3, 4)
    """
    return (number if number >= 0 else ~number).bit_length()


# --- The kinds of operations ----------------------------------------------------------------------


def _of_products(left: Ends, right: Ends) -> Ends:
    products = [a * b for a in left for b in right]
    return min(products), max(products)


def _of_bits(left: Ends, right: Ends) -> Ends:
    """Return the ends of what as many bits hold as the operands have."""
    bits = max(map(count_bits, (*left, *right)))
    return (0 if min(*left, *right) >= 0 else -(1 << bits)), (1 << bits) - 1


def _of_and(left: Ends, right: Ends) -> Ends:
    without_sign = [high for low, high in (left, right) if low >= 0]
    return (0, min(without_sign)) if without_sign else _of_bits(left, right)


def _of_truth(_left: Ends, _right: Ends) -> Ends:
    return 0, 1


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of operation: NumPy's function, Python's, and the ends of what it gives."""

    on_arrays: np.ufunc
    on_numbers: Callable[[int, int], int]
    ends: Callable[[Ends, Ends], Ends]


KINDS: Mapping[str, Kind] = {
    "add": Kind(np.add, operator.add, lambda a, b: (a[0] + b[0], a[1] + b[1])),
    "subtract": Kind(np.subtract, operator.sub, lambda a, b: (a[0] - b[1], a[1] - b[0])),
    "multiply": Kind(np.multiply, operator.mul, _of_products),
    # The places of a shift are constants.
    "left_shift": Kind(np.left_shift, operator.lshift, lambda a, b: (a[0] << b[0], a[1] << b[0])),
    "right_shift": Kind(np.right_shift, operator.rshift, lambda a, b: (a[0] >> b[0], a[1] >> b[0])),
    "maximum": Kind(np.maximum, max, lambda a, b: (max(a[0], b[0]), max(a[1], b[1]))),
    "bitwise_and": Kind(np.bitwise_and, operator.and_, _of_and),
    "bitwise_or": Kind(np.bitwise_or, operator.or_, _of_bits),
    "bitwise_xor": Kind(np.bitwise_xor, operator.xor, _of_bits),
    "equal": Kind(np.equal, operator.eq, _of_truth),
    "not_equal": Kind(np.not_equal, operator.ne, _of_truth),
}
# With 0 on the right, these give their left operand.
_NEUTRAL = frozenset({"add", "subtract", "left_shift", "right_shift", "bitwise_or", "bitwise_xor"})


@dataclass(slots=True)
class Writer:
    """Write operations: equal ones once, constants as such, and none that does nothing.

    Every method raises `TooWideError` where a value does not fit 64 bits.
    """

    operations: list[Operation] = field(default_factory=list)
    _known: dict[tuple[str, int, int], Value] = field(default_factory=dict)

    def constant(self, number: int) -> Value:
        """Give a number."""
        return self._value("constant", number, 0, (number, number))

    def input(self, number: int) -> Value:
        """Give an input, rounded down."""
        half = 1 << INPUT_BITS - 1
        return self._value("input", number, 0, (-half, half - 1))

    def table(self, address: Value, number: int, ends: Ends) -> Value:
        """Give the entry of a table at an address, which lies in it."""
        return self._value("table", address.place, number, ends)

    def write(self, kind: str, left: Value, right: Value, ends: Ends | None = None) -> Value:
        """Give what a kind of operation makes of two values; `ends` if more is known of them."""
        if left.low == left.high and right.low == right.high:
            return self.constant(int(KINDS[kind].on_numbers(left.low, right.low)))
        low, high = ends or KINDS[kind].ends(left[1:], right[1:])
        if low == high:
            return self.constant(low)
        if kind in _NEUTRAL and right.low == right.high == 0:
            return left
        return self._value(kind, left.place, right.place, (low, high))

    def _value(self, kind: str, left: int, right: int, ends: Ends) -> Value:
        key = kind, left, right
        if key not in self._known:
            if max(map(count_bits, ends)) > MAX_BITS:
                raise TooWideError
            self._known[key] = Value(len(self.operations), *ends)
            self.operations.append(Operation(kind, left, right, *ends))
        return self._known[key]

    def negative(self, value: Value) -> Value:
        """Give the value below 0 of one above, and the other way round."""
        return self.write("subtract", self.constant(0), value)

    def relu(self, value: Value) -> Value:
        """Give a value where it is above 0, else 0."""
        return value if value.low >= 0 else self.write("maximum", value, self.constant(0))

    def shift(self, value: Value, places: int) -> Value:
        """Give a value times 2^places, rounded down."""
        bits = max(count_bits(value.low), count_bits(value.high))
        if value.low == value.high == 0:
            return value
        if places <= -MAX_BITS or bits + places > MAX_BITS:
            raise TooWideError
        if places < 0:
            # With no bit left, the sign remains.
            return self.write("right_shift", value, self.constant(min(-places, bits)))
        return self.write("left_shift", value, self.constant(places))

    def sign(self, value: Value) -> Value:
        """Give -1 where a value is below 0, else 0."""
        return self.shift(value, -max(count_bits(value.low), count_bits(value.high)))

    def cut(self, value: Value, word: FixedPoint) -> Value:
        """Give the lowest bits of a value, as a word holds them."""
        half = 1 << word.width - 1 if word.is_signed else 0
        span = 1 << word.width
        if -half <= value.low and value.high < span - half:
            return value
        kept = self.write("bitwise_and", value, self.constant(span - 1))
        flipped = self.write("bitwise_xor", kept, self.constant(half))
        return self.write("subtract", flipped, self.constant(half))

    def choose(self, mask: Value, one: Value, other: Value) -> Value:
        """Give `one` where the mask is -1, `other` where it is 0."""
        if mask.low == mask.high:
            return one if mask.low else other
        differing = self.write("bitwise_and", self.write("bitwise_xor", other, one), mask)
        ends = min(one.low, other.low), max(one.high, other.high)
        return self.write("bitwise_xor", differing, other, ends)
