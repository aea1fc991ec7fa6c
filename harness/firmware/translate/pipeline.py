"""The pipeline of a program: its operations put into stages that keep a clock.

The delays of operations are predicted from their widths; the netlist is timed later.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.firmware.delays import CLOCK_TO_Q_NS, LUT_NS, adder_ns, fabric_product_ns, product_ns

if TYPE_CHECKING:
    from da4ml.types import CombLogic, Op, Pipeline

# Codes of da4ml's operations; negative where an operand is negated first.
_INPUT, _ADD, _SUBTRACT, _RELU, _QUANTISE, _ADD_CONSTANT, _CONSTANT = -1, 0, 1, 2, 3, 4, 5
_MUX, _MULTIPLY, _TABLE, _BITWISE_UNARY = 6, 7, 8, 9
# Of the range in which the limit of a stage is searched: to a 4096th.
_N_HALVINGS = 12
_HARDWARE = {
    _ADD: "adders",
    _SUBTRACT: "adders",
    _ADD_CONSTANT: "adders",
    _MUX: "muxes",
    _MULTIPLY: "multipliers",
    _TABLE: "tables",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class StagePlan:
    """In which pipeline stage each operation lies, and when its result is ready there.

    Attributes
    ----------
    stages : tuple of int
    ready_ns : tuple of float
        From the start of the stage to the operation's last bit.
    limit_ns : float
        The most that the cells of a stage were to take, its register included.
    has_dsp : bool
        Whether products of two values are to take DSP slices.
    """

    stages: tuple[int, ...]
    ready_ns: tuple[float, ...]
    limit_ns: float
    has_dsp: bool = True

    @property
    def n_stages(self) -> int:
        """Stages in all."""
        return max(self.stages, default=0) + 1

    @property
    def logic_ns(self) -> float:
        """Predicted delay of the cells of the slowest stage, its register included."""
        return CLOCK_TO_Q_NS + max(self.ready_ns, default=0.0)


def plan_stages(program: CombLogic, logic_ns: float, *, has_dsp: bool = True) -> StagePlan:
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
        operands = operands_of(op)
        stage = max((stages[index] for index in operands), default=0)
        here = [index for index in operands if stages[index] == stage]
        start = (
            max((low[index] for index in here), default=0.0),
            max((high[index] for index in here), default=0.0),
        )
        ready = _ready(op, program, *start, has_dsp=has_dsp)
        if ready[1] > limit_ns and here and start[1] > 0.0:
            stage += 1
            ready = _ready(op, program, 0.0, 0.0, has_dsp=has_dsp)
        stages.append(stage)
        low.append(ready[0])
        high.append(ready[1])
    return StagePlan(stages=tuple(stages), ready_ns=tuple(high), limit_ns=logic_ns, has_dsp=has_dsp)


def balance(program: CombLogic, logic_ns: float, *, has_dsp: bool = True) -> StagePlan:
    """Plan as few stages as `plan_stages` needs, and of those the fastest plan."""
    first = plan_stages(program, logic_ns, has_dsp=has_dsp)
    return _fastest(program, first, logic_ns, first.n_stages)


def plan_depth(program: CombLogic, n_stages: int, *, has_dsp: bool = True) -> StagePlan:
    """Plan at most `n_stages`, and of those the fastest plan; fewer where more gain nothing."""
    whole = plan_stages(program, math.inf, has_dsp=has_dsp)
    return _fastest(program, whole, whole.logic_ns, n_stages)


def _fastest(program: CombLogic, best: StagePlan, high: float, n_stages: int) -> StagePlan:
    """Search the plan of the least logic in a stage, from `best` down; `high` is its limit."""
    low = 0.0
    for _ in range(_N_HALVINGS):
        middle = (low + high) / 2
        plan = plan_stages(program, middle, has_dsp=best.has_dsp)
        if plan.n_stages <= n_stages and plan.logic_ns <= best.logic_ns:
            high = middle
            if (plan.logic_ns, plan.n_stages) < (best.logic_ns, best.n_stages):
                best = plan
        else:
            low = middle
    return best


def layer_cycles(
    by_layer: CombLogic, layers: Sequence[tuple[str, int]], plan: StagePlan
) -> dict[str, float]:
    """Return how many cycles each layer takes in a pipeline, in order.

    Parameters
    ----------
    by_layer : CombLogic
        From the inputs to the outputs of all layers.
    layers : sequence of tuple
        Name and number of outputs of each.
    plan : StagePlan
        Of the network's program.

    Returns
    -------
    dict of str to float
        What a layer adds to the time of the slowest output so far; a part of a cycle is the part
        of the stage's logic. The last entry is what is left of the last stage and the registers at
        either end, so that all add up to the latency.
    """
    same = plan_stages(by_layer, plan.limit_ns, has_dsp=plan.has_dsp)
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


def make_pipeline(program: CombLogic, plan: StagePlan) -> Pipeline:
    """Cut a program into the stages of a plan."""
    from da4ml.trace.pipeline import to_pipeline

    # da4ml cuts by the whole part of an operation's time.
    ops = [
        op._replace(latency=stage + 0.5) for op, stage in zip(program.ops, plan.stages, strict=True)
    ]
    return to_pipeline(program._replace(ops=ops), 1.0, retiming=False, verbose=False)


def operands_of(op: Op) -> list[int]:
    """Return the operations whose results an operation reads."""
    if op.opcode == _INPUT:
        return []
    operands = [index for index in (op.id0, op.id1) if index >= 0]
    if abs(op.opcode) == _MUX:
        operands.append(op.data & 0xFFFFFFFF)
    return operands


def _ready(
    op: Op, program: CombLogic, low: float, high: float, *, has_dsp: bool
) -> tuple[float, float]:
    """Return when the lowest and the highest bit of a result are ready, from its operands'."""
    code = abs(op.opcode)
    if op.opcode in (_INPUT, _CONSTANT):
        return 0.0, 0.0
    if code in (_ADD, _SUBTRACT, _ADD_CONSTANT):
        return _added(low, high, _width(op))
    if op.opcode < 0 and code != _BITWISE_UNARY:  # the operand is negated first
        low, high = _added(low, high, _width(op))
    is_wire = code == _QUANTISE or (code == _RELU and program.ops[op.id0].qint.min >= 0)
    return (low, high) if is_wire else (high + _logic_ns(op, program, has_dsp=has_dsp),) * 2


def _logic_ns(op: Op, program: CombLogic, *, has_dsp: bool) -> float:
    """Return the delay of an operation all of whose bits wait for all of its operands'."""
    if op.opcode == _MULTIPLY:
        delay = product_ns if has_dsp else fabric_product_ns
        return delay(*(_signed_width(program.ops[index]) for index in operands_of(op)))
    if op.opcode == _TABLE:
        n_address_bits = _width(program.ops[op.id0])
        return LUT_NS * (1 + max(0, -(-(n_address_bits - 6) // 2)))
    return LUT_NS


def _width(op: Op) -> int:
    from da4ml.types import minimal_kif

    return int(sum(minimal_kif(op.qint)))


def _signed_width(op: Op) -> int:
    """Return the bits of a word that also has a sign: an unsigned one needs a zero above it."""
    return _width(op) + int(op.qint.min >= 0)


def _added(low: float, high: float, width: int) -> tuple[float, float]:
    """Time an adder: its carry runs up from the lowest bit, or on from the highest operand bit.

    The latter is rarely the topmost of the sum, so the carry crosses into one more block.
    """
    last_block = adder_ns(min(width, 8))
    return low + adder_ns(1), max(high + last_block, low + adder_ns(width))


def count_operations(program: CombLogic) -> dict[str, int]:
    """Count what a program is made of, by the kind of hardware that it becomes."""
    kinds = (_HARDWARE.get(abs(op.opcode)) for op in program.ops if op.opcode != _INPUT)
    return dict(Counter(kind for kind in kinds if kind))
