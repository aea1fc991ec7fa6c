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

from harness.submission.words import FixedPoint

if TYPE_CHECKING:
    from da4ml.types import CombLogic, Pipeline

# A score is kept as a float64, whose integers are exact up to here.
MAX_OUTPUT_BITS = 53
WORD_BITS = 32


def load_program(path: Path) -> CombLogic:
    """Read a program that the trace step wrote."""
    from da4ml.types import CombLogic

    return CombLogic.load(path)


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


def _formats(intervals: Sequence[object]) -> tuple[FixedPoint, ...]:
    from da4ml.types import minimal_kif

    kifs = [minimal_kif(interval) for interval in intervals]
    return tuple(FixedPoint(int(k + i + f), int(k + i), bool(k)) for k, i, f in kifs)


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
    lowest = np.array([form.lowest / form.step if form.width else 0.0 for form in formats])
    # All of these are powers of two and whole numbers, so float64 is exact.
    whole = np.floor(np.asarray(events, np.float64) / steps)
    integers: NDArray[np.int64] = (np.mod(whole - lowest, spans) + lowest).astype(np.int64)
    return integers


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
