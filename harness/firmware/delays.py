"""Delays of cells, and the allowance for wires, by which pipelines are planned.

A finished netlist of UltraScale+ is timed by the cells and wires of `harness.firmware.wires`.

The delays of cells here are what Vivado 2021.2 reported along the worst paths of placed and of
routed designs on a Zynq UltraScale+ of the slowest speed grade: for each arc the mean or the
median, whichever is longer, over 407 public timing reports (xczu3eg-sbva484-1; repository
gussmith23/lakeroad-evaluation, folder ``runs``). A VU9P of grade -2 has the same cells and is
faster. For planning, a share of each path is allowed for routing. In the 108 reports of routed
designs above, routing took 37 % of all the worst paths' time and 61 % of the worst path's; half is
allowed here. The result is an estimate, and is reported so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from harness.challenge import Family

# How much slower the cells of a family are than those below. A register, a LUT and the carry chain
# of an adder of 12 bits take 0.70 ns here, and 1.64 ns on a 7 series of the slowest grade; a
# register and two such adders 1.10 and 2.58 ns. That is 2.3 times as much, here rounded up.
# Delays of the 7 series: public timing reports of routed designs of grade -1, such as that of a
# SHA-256 on a Zybo's Zynq-7000 (clock to output 0.456, LUT 0.124, CARRY4 S to CO 0.513 ns), and
# prjxray-db's of Artix-7, as in xilinx/cells_sim.v of Yosys (CARRY4 CI to CO 0.114, CI to O 0.313,
# DSP48E1 A to P 2.82 ns, 1.5 times as much as here).
DELAY_SCALE: Mapping[Family, float] = {"ultrascale+": 1.0, "7series": 2.4}

# Share of a path that is allowed for routing.
ROUTING_SHARE = 0.5
# What it was in the routed designs above: of all the worst paths together, and of the worst path. A
# period with the one or the other share is the edge of the estimate's band. It is provisional:
# fewer than six routed designs were compared whose netlists were made here too.
ROUTED_SHARES = (0.37, 0.61)

# Delays in ns; see the module's docstring for their source.
CLOCK_TO_Q_NS = 0.093
SETUP_D_NS = 0.0  # reported as -0.027: the data may come after the edge
SETUP_CE_NS = 0.044
SETUP_R_NS = 0.072
LUT_NS = 0.107
WIDE_MUX_NS = 0.087
CARRY_S_TO_O_NS = 0.250
CARRY_S_TO_CO_NS = 0.238
CARRY_DI_TO_O_NS = 0.189
CARRY_DI_TO_CO_NS = 0.177
CARRY_CI_TO_O_NS = 0.129
CARRY_CI_TO_CO_NS = 0.116
# The last carry of a block to the next block, by the dedicated wire.
CARRY_CHAIN_NS = 0.030
# The stages of a DSP48E2 without registers: input, pre-adder and multiplier, product, ALU, output.
DSP_INPUT_NS = 0.195
DSP_MULTIPLY_NS = 0.092 + 0.737
DSP_PRODUCT_NS = 0.059
DSP_ALU_NS = 0.699
DSP_OUTPUT_NS = 0.159
DSP_COMBINATIONAL_NS = DSP_INPUT_NS + DSP_MULTIPLY_NS + DSP_PRODUCT_NS + DSP_ALU_NS + DSP_OUTPUT_NS


@dataclass(frozen=True, kw_only=True, slots=True)
class CellDelays:
    """Delays of the cells of a netlist in ns, by their input and output."""

    clock_to_q_ns: float
    setup_d_ns: float
    setup_ce_ns: float
    setup_r_ns: float
    lut_ns: float
    wide_mux_ns: float
    carry_s_to_o_ns: float
    carry_s_to_co_ns: float
    carry_di_to_o_ns: float
    carry_di_to_co_ns: float
    carry_ci_to_o_ns: float
    carry_ci_to_co_ns: float
    carry_chain_ns: float
    dsp_ns: float


PLANNED_CELLS = CellDelays(
    clock_to_q_ns=CLOCK_TO_Q_NS,
    setup_d_ns=SETUP_D_NS,
    setup_ce_ns=SETUP_CE_NS,
    setup_r_ns=SETUP_R_NS,
    lut_ns=LUT_NS,
    wide_mux_ns=WIDE_MUX_NS,
    carry_s_to_o_ns=CARRY_S_TO_O_NS,
    carry_s_to_co_ns=CARRY_S_TO_CO_NS,
    carry_di_to_o_ns=CARRY_DI_TO_O_NS,
    carry_di_to_co_ns=CARRY_DI_TO_CO_NS,
    carry_ci_to_o_ns=CARRY_CI_TO_O_NS,
    carry_ci_to_co_ns=CARRY_CI_TO_CO_NS,
    carry_chain_ns=CARRY_CHAIN_NS,
    dsp_ns=DSP_COMBINATIONAL_NS,
)

# Signed words that one DSP48E2 multiplies, and the bits of a part where Yosys takes several.
DSP_BITS = (18, 27)
DSP_PART_BITS = 17


def period_ns(
    logic_ns: float, routing_share: float = ROUTING_SHARE, family: Family = "ultrascale+"
) -> float:
    """Return the clock period of a path whose cells would take `logic_ns` on UltraScale+.

    Examples
    --------
    >>> period_ns(2.1), period_ns(2.1, family="7series")
    (4.2, 10.08)
    """
    return logic_ns * DELAY_SCALE[family] / (1.0 - routing_share)


def logic_budget_ns(
    clock_period_ns: float, routing_share: float = ROUTING_SHARE, family: Family = "ultrascale+"
) -> float:
    """Return what the cells of a path may take of a clock period, counted as UltraScale+ cells.

    Examples
    --------
    >>> logic_budget_ns(5.0)
    2.5
    """
    return clock_period_ns * (1.0 - routing_share) / DELAY_SCALE[family]


def product_ns(first_bits: int, second_bits: int) -> float:
    """Return the delay of the cells of a product of two signed words without registers.

    A DSP48E2 multiplies 27 x 18 bits (AMD, UG579). Yosys cuts longer words into parts of 17 bits
    (``mul2dsp.v``, ``DSP_A_MAXWIDTH_PARTIAL``) and adds the products of the parts: the lowest 17
    bits are one part's own, and the adder above them waits for the DSPs.

    Examples
    --------
    >>> product_ns(18, 18) == product_ns(18, 27) == DSP_COMBINATIONAL_NS
    True

    Two words of 21 bits take four DSPs. A netlist of theirs was timed at 1.941 + 0.594 ns: six
    blocks of the carry chain, one fewer than here.

    >>> round(product_ns(21, 21) - DSP_COMBINATIONAL_NS, 3)
    0.624
    """
    shorter, longer = sorted((first_bits, second_bits))
    if shorter <= DSP_BITS[0] and longer <= DSP_BITS[1]:
        return DSP_COMBINATIONAL_NS
    return DSP_COMBINATIONAL_NS + adder_ns(first_bits + second_bits - DSP_PART_BITS)


def fabric_product_ns(first_bits: int, second_bits: int) -> float:
    """Return the delay of the cells of a product of two signed words of LUTs and carry chains.

    One LUT makes the bits of the partial products, full adders take three rows to two
    (C. S. Wallace, IEEE Trans. Electron. Comput. EC-13 (1964) 14), and one adder ends it.

    Examples
    --------
    Netlists of Yosys 0.70 were timed at 1.04, 1.17, 1.17 and 1.31 ns, without the register.

    >>> [round(fabric_product_ns(bits, bits), 2) for bits in (6, 9, 12, 16)]
    [0.93, 1.1, 1.24, 1.4]
    """
    n_rows = max(2, min(first_bits, second_bits))
    n_levels = math.ceil(math.log(n_rows / 2, 1.5))
    return (1 + n_levels) * LUT_NS + adder_ns(first_bits + second_bits)


def adder_ns(width: int) -> float:
    """Return the delay of the cells of an adder of `width` bits: LUT, carry chain, sum.

    Examples
    --------
    Four bits need one half of a CARRY8; twelve need three, so the carry hops once on the way.

    >>> round(adder_ns(4), 3), round(adder_ns(12), 3)
    (0.357, 0.504)
    """
    blocks = -(-max(width, 1) // 4)
    if blocks == 1:
        return LUT_NS + CARRY_S_TO_O_NS
    return LUT_NS + CARRY_S_TO_CO_NS + (blocks - 2) * CARRY_CHAIN_NS + CARRY_CI_TO_O_NS
