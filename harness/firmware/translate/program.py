"""The program of a network: da4ml's straight-line integer arithmetic, and its pipelines.

One program is interpreted for the scores and written as Verilog for the netlist, so that what is
ranked and what is synthesised cannot differ by construction, and are compared all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.firmware.delays import CLOCK_TO_Q_NS, DSP_COMBINATIONAL_NS, LUT_NS, adder_ns
from harness.submission.words import FixedPoint

if TYPE_CHECKING:
    from da4ml.types import CombLogic, Op, Pipeline

__all__ = [
    "MAX_OUTPUT_BITS",
    "Plan",
    "balance",
    "input_formats",
    "layer_cycles",
    "load_program",
    "make_pipeline",
    "output_format",
    "output_formats",
    "pack_words",
    "plan_stages",
    "quantise_inputs",
]

# A score is kept as a float64, whose integers are exact up to here.
MAX_OUTPUT_BITS = 53
WORD_BITS = 32

_ADD, _SUBTRACT, _ADD_CONSTANT = 0, 1, 4
_INPUT, _CONSTANT = -1, 5
_RELU, _QUANTISE, _MUX, _BITWISE_UNARY = 2, 3, 6, 9
_MULTIPLY, _TABLE = 7, 8


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


# --- Pipelining -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """In which pipeline stage each operation lies, and when its result is ready there.

    Attributes
    ----------
    stages : tuple of int
    ready_ns : tuple of float
        From the start of the stage to the operation's last bit.
    limit_ns : float
        The most that the cells of a stage were to take, its register included.
    """

    stages: tuple[int, ...]
    ready_ns: tuple[float, ...]
    limit_ns: float

    @property
    def n_stages(self) -> int:
        """Stages in all."""
        return max(self.stages, default=0) + 1

    @property
    def logic_ns(self) -> float:
        """Predicted delay of the cells of the slowest stage, its register included."""
        return CLOCK_TO_Q_NS + max(self.ready_ns, default=0.0)


def plan_stages(program: CombLogic, logic_ns: float) -> Plan:
    """Put each operation into the earliest stage in which it ends within `logic_ns`.

    An operation that is slower than that on its own takes a stage of its own. The lowest and the
    highest bit of a result are timed apart: where adders follow each other, the carries of the
    next one run while those of the first still do.
    """
    limit_ns = logic_ns - CLOCK_TO_Q_NS
    stages: list[int] = []
    low: list[float] = []
    high: list[float] = []
    for op in program.ops:
        operands = _operands(op)
        stage = max((stages[index] for index in operands), default=0)
        here = [index for index in operands if stages[index] == stage]
        start = (
            max((low[index] for index in here), default=0.0),
            max((high[index] for index in here), default=0.0),
        )
        ready = _ready(op, program, *start)
        if ready[1] > limit_ns and here and start[1] > 0.0:
            stage += 1
            ready = _ready(op, program, 0.0, 0.0)
        stages.append(stage)
        low.append(ready[0])
        high.append(ready[1])
    return Plan(stages=tuple(stages), ready_ns=tuple(high), limit_ns=logic_ns)


def balance(program: CombLogic, logic_ns: float) -> Plan:
    """Plan as few stages as `plan_stages` needs, and of those the fastest plan."""
    best = plan_stages(program, logic_ns)
    low, high = 0.0, logic_ns
    for _ in range(12):
        middle = (low + high) / 2
        plan = plan_stages(program, middle)
        if plan.n_stages <= best.n_stages and plan.logic_ns <= best.logic_ns:
            best, high = plan, middle
        else:
            low = middle
    return best


def layer_cycles(
    by_layer: CombLogic, layers: Sequence[tuple[str, int]], plan: Plan
) -> dict[str, float]:
    """Return how many cycles each layer takes in a pipeline, in order.

    Parameters
    ----------
    by_layer : CombLogic
        From the inputs to the outputs of all layers.
    layers : sequence of tuple
        Name and number of outputs of each.
    plan : Plan
        Of the network's program.

    Returns
    -------
    dict of str to float
        What a layer adds to the time of the slowest output so far; a part of a cycle is the part
        of the stage's logic. The last entry is what is left of the last stage and the registers at
        either end, so that all add up to the latency.
    """
    same = plan_stages(by_layer, plan.limit_ns)
    stage_ns = max(same.limit_ns - CLOCK_TO_Q_NS, 1e-9)
    cycles: dict[str, float] = {}
    reached, first = 0.0, 0
    for name, number in layers:
        outputs = [index for index in by_layer.out_idxs[first : first + number] if index >= 0]
        first += number
        ends = [same.stages[i] + min(same.ready_ns[i] / stage_ns, 1.0) for i in outputs]
        end = max([reached, *ends])
        cycles[name] = cycles.get(name, 0.0) + end - reached
        reached = end
    cycles["registers and slack"] = plan.n_stages + 1 - reached
    return cycles


def make_pipeline(program: CombLogic, plan: Plan) -> Pipeline:
    """Cut a program into the stages of a plan."""
    from da4ml.trace.pipeline import to_pipeline

    # da4ml cuts by the whole part of an operation's time.
    ops = [
        op._replace(latency=stage + 0.5) for op, stage in zip(program.ops, plan.stages, strict=True)
    ]
    return to_pipeline(program._replace(ops=ops), 1.0, retiming=False, verbose=False)


def _operands(op: Op) -> list[int]:
    if op.opcode == _INPUT:
        return []
    operands = [index for index in (op.id0, op.id1) if index >= 0]
    if abs(op.opcode) == _MUX:
        operands.append(op.data & 0xFFFFFFFF)
    return operands


def _ready(op: Op, program: CombLogic, low: float, high: float) -> tuple[float, float]:
    """Return when the lowest and the highest bit of a result are ready, from its operands'."""
    code = abs(op.opcode)
    if op.opcode in (_INPUT, _CONSTANT):
        return 0.0, 0.0
    if code in (_ADD, _SUBTRACT, _ADD_CONSTANT):
        return _added(low, high, _width(op))
    if op.opcode < 0 and code != _BITWISE_UNARY:  # the operand is negated first
        low, high = _added(low, high, _width(op))
    is_wire = code == _QUANTISE or (code == _RELU and program.ops[op.id0].qint.min >= 0)
    return (low, high) if is_wire else (high + _logic_ns(op, program),) * 2


def _logic_ns(op: Op, program: CombLogic) -> float:
    """Return the delay of an operation all of whose bits wait for all of its operands'."""
    if op.opcode == _MULTIPLY:
        return DSP_COMBINATIONAL_NS
    if op.opcode == _TABLE:
        n_address_bits = _width(program.ops[op.id0])
        return LUT_NS * (1 + max(0, -(-(n_address_bits - 6) // 2)))
    return LUT_NS


def _width(op: Op) -> int:
    from da4ml.types import minimal_kif

    return int(sum(minimal_kif(op.qint)))


def _added(low: float, high: float, width: int) -> tuple[float, float]:
    """Time an adder: its carry runs up from the lowest bit, or on from the highest operand bit.

    The latter is rarely the topmost of the sum, so the carry crosses into one more block.
    """
    last_block = adder_ns(min(width, 8))
    return low + adder_ns(1), max(high + last_block, low + adder_ns(width))


# --- Values as the hardware sees them -------------------------------------------------------------


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


def pack_words(integers: NDArray[np.int64], formats: Sequence[FixedPoint]) -> NDArray[np.uint32]:
    """Pack each event's inputs as they lie on the input port: first input lowest.

    Returns
    -------
    ndarray of uint32, shape (n, ceil(total width / 32)), at least one word
    """
    n_bits = sum(form.width for form in formats)
    words = np.zeros((len(integers), max(1, -(-n_bits // WORD_BITS))), np.uint64)
    low = 0
    for column, form in enumerate(formats):
        mask = np.uint64((1 << form.width) - 1)
        value = integers[:, column].astype(np.uint64) & mask
        word, shift = divmod(low, WORD_BITS)
        remaining = form.width
        while remaining > 0:
            words[:, word] |= (value << np.uint64(shift)) & np.uint64(0xFFFFFFFF)
            taken = min(remaining, WORD_BITS - shift)
            value >>= np.uint64(taken)
            remaining -= taken
            word, shift = word + 1, 0
        low += form.width
    return words.astype(np.uint32)
