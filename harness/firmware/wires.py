"""Cells and wires of UltraScale+ of grade -2: how long the paths of a finished netlist take.

The delays of cells are means over the routed paths of seven public designs for parts of grade -2.
The delays of wires are fitted on 511 nets of routed paths of grades -1 to -3. Which reports, how
many values each constant has, and how the model does on designs that were left out of the fit, is
in ``benchmarks/results/routed_paths.json``, which ``python -m tools.routed_paths`` makes, and in
``docs/firmware-accuracy.md``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from harness.challenge import Family
from harness.firmware.delays import CellDelays

# The families whose netlists are timed so; those of others keep the allowance for wires.
WIRED_FAMILIES: frozenset[Family] = frozenset({"ultrascale+"})
# Routed over estimated period: the middle 90 % of the routed designs with a public netlist.
ROUTED_BAND = (0.74, 1.25)
# How much slower than grade -2: clock to output of a flip-flop is 0.096, 0.079 and 0.069 ns.
GRADE_FACTORS: Mapping[str, float] = {"-1": 1.2, "-2": 1.0, "-3": 0.88}

# What drives a net, and which pin of a cell it ends at.
Driver: TypeAlias = Literal["sum", "carry", "lut", "mux", "register", "dsp", "port"]
Sink: TypeAlias = Literal["S", "DI", "CI", "lut", "mux", "register", "dsp", "port"]

# Means over the routed paths of grade -2, and of how many values. Where a cell lies on none of
# them, its value for grade -1 stands.
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
_MAX_FAN_OUT = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class WireDelays:
    """Delays of the wires that are not dedicated.

    Attributes
    ----------
    sum_ns, other_ns : float
        To a single sink in a small design: of a sum, which leaves for the next adder, whose bits
        lie in order and so can't lie beside it, or of a DSP slice; and of anything else.
    per_fan_out_ns : float
        Times the logarithm of the number of sinks, of which at most 64 count.
    per_size : float
        A large design is spread out: by this share wires are longer for each 100,000 LUTs.
    """

    sum_ns: float
    other_ns: float
    per_fan_out_ns: float
    per_size: float

    def general_ns(self, driver: str, fan_out: int, n_lut: int) -> float:
        """Return the delay of a net that is not dedicated."""
        base_ns = self.sum_ns if driver in ("sum", "dsp") else self.other_ns
        base_ns += self.per_fan_out_ns * math.log(min(fan_out, _MAX_FAN_OUT))
        return base_ns * (1 + self.per_size * n_lut / 1e5)

    def delay_ns(self, driver: Driver, sink: Sink, fan_out: int, n_lut: int) -> float:
        """Return the delay of a net from its driver to one of its sinks.

        Examples
        --------
        From the sum of an adder to the LUT before the next one, in a small design and in a large
        one, and from a carry block to the next:

        >>> round(ROUTED_WIRES.delay_ns("sum", "lut", 2, 0), 2)
        0.37
        >>> round(ROUTED_WIRES.delay_ns("sum", "lut", 2, 300_000), 2)
        0.71
        >>> ROUTED_WIRES.delay_ns("carry", "CI", 1, 300_000)
        0.013
        """
        if "port" in (driver, sink):
            return 0.0
        dedicated = _DEDICATED_NS.get((driver, sink))
        if dedicated is not None and (fan_out == 1 or sink == "CI"):
            return dedicated
        return self.general_ns(driver, fan_out, n_lut)


# Fitted to 511 nets.
ROUTED_WIRES = WireDelays(sum_ns=0.348, other_ns=0.168, per_fan_out_ns=0.035, per_size=0.305)
