"""Programs of da4ml, operation by operation, and their scores by arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from harness.firmware.arrays.blocks import BLOCK_EVENTS, BlockScorer, score_blocks
from harness.firmware.arrays.program import as_arrays
from harness.submission.words import FixedPoint

if TYPE_CHECKING:
    from da4ml.types import CombLogic, Op, QInterval
    from numpy.typing import NDArray

N_INPUTS = 3
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


def packed(low: int, high: int = 0) -> int:
    return (low & 0xFFFFFFFF) | high << 32


def word(width: int, fraction: int = 0, *, is_signed: bool = True) -> FixedPoint:
    return FixedPoint(width, width - fraction, is_signed)


def scores(
    made: CombLogic, events: NDArray[np.float32], n_threads: int = 1, at_once: int = BLOCK_EVENTS
) -> NDArray[np.float64]:
    arrays = as_arrays(made)
    assert arrays is not None
    return score_blocks([BlockScorer(arrays, at_once) for _ in range(n_threads)], events)


WORD = word(6, 2)
BARE = word(5, 1, is_signed=False)
INPUTS = [(WORD, 0), (BARE, 1), (word(3, -1), 2)]


def of_inputs(*ops: Op, **more: Any) -> CombLogic:
    return program([*(operation(-1, one, index) for one, index in INPUTS), *ops], **more)


def every_word() -> NDArray[np.float32]:
    """Return every event that the words of `INPUTS` hold, and others that they wrap."""
    steps = np.stack(np.meshgrid(np.arange(64), np.arange(32), np.arange(8)), -1).reshape(-1, 3)
    events = steps * np.array([one.step for one, _ in INPUTS])
    return np.concatenate([events, -3 * events]).astype(np.float32)


def look_up(table: list[int], address: FixedPoint, place: int) -> CombLogic:
    from da4ml.trace.fixed_variable import LookupTable

    tables = (LookupTable(np.array(table) / 4),)
    first = operation(QUANTISE, address, place)
    return of_inputs(first, operation(LOOK_UP, word(8, 2), 3, data=0), tables=tables)
