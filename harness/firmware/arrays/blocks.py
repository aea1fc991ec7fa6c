"""Score events by an array program, block by block, on several threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.firmware.arrays.operations import INPUT_BITS, KINDS, Operation, operands
from harness.firmware.arrays.program import ArrayProgram
from harness.firmware.translate.program import quantise_inputs

# With fewer events at once, Python's calls take most of the time; more do not fit a core's cache.
BLOCK_EVENTS = 8_192
_FEWEST_EVENTS = 512
# A wide network has fewer events in a block, so that the buffers of a thread stay below this. With
# the fewest, those of all threads together may have more, but no more than that.
_MOST_BYTES = 64 * 1024**2
_MOST_BYTES_IN_ALL = 1024**3
# An input as float32, turned into a column, and as float64.
_INPUT_BYTES = 12

Integers: TypeAlias = NDArray[np.signedinteger]


class BlockScorer:
    """Score blocks of at most `n_events` in buffers of its own: one for each thread."""

    def __init__(
        self,
        program: ArrayProgram,
        n_events: int = BLOCK_EVENTS,
        slots: Sequence[int] | None = None,
    ) -> None:
        slots = slots or _slots(program.operations)
        self.n_events = n_events
        self._program = program
        self._given = np.zeros((len(program.columns), self.n_events), np.float32)
        self._inputs = np.zeros(self._given.shape)
        self._per_step = np.array([1 / word.step for word in program.words])[:, None]
        buffers = np.zeros((max(slots) + 1, self.n_events), program.integers)
        values = [
            np.array(operation.left, program.integers)
            if operation.kind == "constant"
            else buffers[slot]
            for operation, slot in zip(program.operations, slots, strict=True)
        ]
        self._calls = list(self._bound(values))
        self._score = values[-1]

    def _bound(self, values: Sequence[Integers]) -> Iterator[Callable[[], object]]:
        """Give the calls that compute the values of a block from its inputs."""
        for operation, value in zip(self._program.operations, values, strict=True):
            match operation.kind:
                case "constant":
                    continue
                case "input":
                    given = self._inputs[operation.left]
                    yield partial(np.copyto, value, given, casting="unsafe")
                case "table":
                    table = self._program.tables[operation.right]
                    # Every address lies in the table; only with `clip` is nothing copied.
                    yield partial(np.take, table, values[operation.left], out=value, mode="clip")
                case kind:
                    left, right = values[operation.left], values[operation.right]
                    function = KINDS[kind].on_arrays
                    yield partial(function, left, right, out=value, casting="unsafe")

    def score(self, events: NDArray[np.float32], scores: NDArray[np.float64]) -> None:
        """Fill in the scores of events, shape (n, n_inputs) with n at most `n_events`."""
        program, n_events = self._program, len(events)
        inputs = self._inputs[:, :n_events]
        self._given[:, :n_events] = events[:, program.columns].T
        # A power of two in float64: exact.
        np.multiply(self._given[:, :n_events], self._per_step, out=inputs)
        np.floor(inputs, out=inputs)
        if max(-inputs.min(), inputs.max() + 1) > 1 << INPUT_BITS - 1:
            inputs[...] = quantise_inputs(events[:, program.columns], program.words).T
        for call in self._calls:
            call()
        np.multiply(self._score[:n_events], program.step, out=scores)


def block_scorers(program: ArrayProgram, n_threads: int, at_once: int) -> list[BlockScorer]:
    """Return a scorer for each thread, to score `at_once` events in blocks of one size.

    Returns
    -------
    list of BlockScorer
        Empty where the blocks would be so small that da4ml's interpreter is the faster one, or take
        too much memory.
    """
    slots = _slots(program.operations)
    n_bytes = _INPUT_BYTES * len(program.columns) + program.integers.itemsize * (max(slots) + 1)
    most = min(BLOCK_EVENTS, max(_FEWEST_EVENTS, _MOST_BYTES // n_bytes))
    # Every value of a block is computed, so none should be filled in part.
    n_blocks = max(n_threads, -(-at_once // most))
    n_events = max(_FEWEST_EVENTS, -(-at_once // n_blocks))
    if at_once < _FEWEST_EVENTS or n_threads * n_events * n_bytes > _MOST_BYTES_IN_ALL:
        return []
    return [BlockScorer(program, n_events, slots) for _ in range(n_threads)]


def score_blocks(
    scorers: Sequence[BlockScorer], events: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return the scores of events, shape (n, n_inputs), by one thread for each scorer."""
    scores = np.empty(len(events))

    def run(number: int) -> None:
        scorer = scorers[number]
        at_once = scorer.n_events
        for first in range(number * at_once, len(events), len(scorers) * at_once):
            block = slice(first, first + at_once)
            scorer.score(events[block], scores[block])

    with ThreadPoolExecutor(len(scorers)) as pool:
        list(pool.map(run, range(len(scorers))))
    return scores


def _slots(operations: Sequence[Operation]) -> list[int]:
    """Give each value a buffer, which another takes after the last use of the value."""
    last_use = dict(enumerate(range(len(operations))))
    for place, operation in enumerate(operations):
        last_use.update(dict.fromkeys(operands(operation), place))
    slots: list[int] = []
    free: list[int] = []
    n_slots = 0
    for place, operation in enumerate(operations):
        ended = {
            slots[read]
            for read in operands(operation)
            if last_use[read] == place and operations[read].kind != "constant"
        }
        # A sum may be written over what it is the sum of, but not an entry over its address.
        is_in_place = operation.kind != "table"
        free += ended if is_in_place else ()
        if operation.kind == "constant":
            slots.append(0)  # It has an array of its own.
        elif free:
            slots.append(free.pop())
        else:
            slots.append(n_slots)
            n_slots += 1
        free += () if is_in_place else ended
    return slots
