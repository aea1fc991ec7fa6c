"""Cells and wires of UltraScale+ of grade -2: how long the paths of a finished netlist take.

The delays of cells are means over the routed paths of seven public designs for parts of grade -2.
The delays of wires are fitted on 511 nets of routed paths of grades -1 to -3. Which reports, how
many values each constant has, and how the model does on designs that were left out of the fit, is
in ``benchmarks/results/routed_paths.json``, which ``python -m tools.routed_paths`` makes, and in
``docs/firmware-accuracy.md``.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

from harness.challenge import Family
from harness.firmware.delays import CellDelays

# The families whose netlists are timed so; those of others keep the allowance for wires.
WIRED_FAMILIES: frozenset[Family] = frozenset({"ultrascale+"})
# Routed over estimated period.
ROUTED_BAND = (0.8, 1.3)

# What drives a net, and which pin of a cell it ends at.
Driver: TypeAlias = Literal["sum", "carry", "lut", "mux", "register", "dsp", "port"]
Sink: TypeAlias = Literal["S", "DI", "CI", "lut", "mux", "register", "dsp", "port"]

# Means over the routed paths of grade -2, and of how many values. Where a cell lies on none of them,
# its value for grade -1 stands.
ROUTED_CELLS = CellDelays(
    clock_to_q_ns=0.079,  # 3
    setup_d_ns=0.0,  # 5: the data may come 0.025 ns after the edge
    setup_ce_ns=0.061,  # 1
    setup_r_ns=0.072,  # grade -1
    lut_ns=0.097,  # 118
    wide_mux_ns=0.070,  # 2
    carry_s_to_o_ns=0.106,  # 12
    carry_s_to_co_ns=0.147,  # 32
    carry_di_to_o_ns=0.119,  # 8
    carry_di_to_co_ns=0.094,  # 4
    carry_ci_to_o_ns=0.067,  # 13
    carry_ci_to_co_ns=0.071,  # 2
    carry_chain_ns=0.015 / 2,  # 1, of 8 bits: Yosys's blocks have 4; 0.012 in 30 of grade -3
    dsp_ns=0.192 + 0.076 + 0.505 + 0.047 + 0.585 + 0.109,  # 3 of each stage
)

# Wires inside a slice, and from a carry block of 8 bits to the next: of Yosys's blocks of 4, every
# second one goes inside a block.
_DEDICATED_NS: dict[tuple[Driver, Sink], float] = {
    ("carry", "CI"): 0.026 / 2,
    ("lut", "S"): 0.015,
    ("lut", "mux"): 0.015,
    ("mux", "mux"): 0.0,
    ("sum", "register"): 0.030,
    ("lut", "register"): 0.053,
}
# The others, for one sink in a small design: a sum leaves for the next adder, whose bits lie in
# order, and so can't lie beside it.
_GENERAL_NS = 0.168
_SUM_NS = 0.348
_PER_FAN_OUT_NS = 0.035  # times the logarithm of the sinks
_MAX_FAN_OUT = 64
# A large design is spread out: wires are longer by this for each 100,000 LUTs.
_PER_SIZE = 0.305


def wire_ns(driver: Driver, sink: Sink, fan_out: int, n_lut: int) -> float:
    """Return the delay of a net from its driver to one of its sinks.

    Examples
    --------
    From the sum of an adder to the LUT before the next one, in a small design and in a large one:

    >>> round(wire_ns("sum", "lut", 2, 0), 2), round(wire_ns("sum", "lut", 2, 300_000), 2)
    (0.37, 0.71)
    >>> wire_ns("carry", "CI", 1, 300_000)
    0.013
    """
    if "port" in (driver, sink):
        return 0.0
    dedicated = _DEDICATED_NS.get((driver, sink))
    if dedicated is not None and (fan_out == 1 or sink == "CI"):
        return dedicated
    base_ns = _SUM_NS if driver in ("sum", "dsp") else _GENERAL_NS
    base_ns += _PER_FAN_OUT_NS * math.log(min(fan_out, _MAX_FAN_OUT))
    return base_ns * (1 + _PER_SIZE * n_lut / 1e5)
