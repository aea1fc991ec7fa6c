"""The longest path of netlists whose every delay is added up by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from harness.firmware import delays
from harness.firmware.delays import adder_ns, period_ns
from harness.firmware.rtl.netlist import Cell, Netlist, NetlistError
from harness.firmware.rtl.timing import time_netlist


def flop(name: str, d, q) -> Cell:
    return Cell(
        name=name,
        kind="FDRE",
        parameters={},
        connections={"C": [1], "CE": ["1"], "R": ["0"], "D": [d], "Q": [q]},
    )


def lut(name: str, inputs, output) -> Cell:
    connections = {f"I{index}": [bit] for index, bit in enumerate(inputs)} | {"O": [output]}
    return Cell(name=name, kind=f"LUT{len(inputs)}", parameters={}, connections=connections)


def carry(name: str, ci, s, o, co) -> Cell:
    return Cell(
        name=name,
        kind="CARRY4",
        parameters={},
        connections={"CI": [ci], "CYINIT": ["0"], "DI": ["0"] * 4, "S": s, "O": o, "CO": co},
    )


def netlist(*cells: Cell, inputs=(), outputs=()) -> Netlist:
    return Netlist(ports={}, inputs=tuple(inputs), outputs=tuple(outputs), cells=cells)


def test_two_luts_between_registers_take_clock_to_q_and_two_luts():
    timed = time_netlist(
        netlist(flop("a", 10, 20), lut("l1", [20], 21), lut("l2", [21, 20], 22), flop("b", 22, 23))
    )

    assert timed.logic_ns == pytest.approx(0.093 + 2 * 0.107)
    assert timed.path == ("FDRE a", "LUT1 l1", "LUT2 l2", "FDRE b")
    # D of both, as nothing else is reached by data.
    assert timed.n_endpoints == 1


def test_a_carry_crosses_blocks_by_the_dedicated_wire():
    bits = [list(range(start, start + 4)) for start in (100, 110, 120, 130, 140, 150)]
    cells = (
        flop("a", 10, 20),
        lut("l", [20], 100),
        carry("c0", "0", bits[0], bits[1], bits[2]),
        carry("c1", bits[2][3], ["0"] * 4, bits[3], bits[4]),
        flop("b", bits[3][3], 23),
    )

    assert time_netlist(netlist(*cells)).logic_ns == pytest.approx(0.093 + 0.107 + 0.238 + 0.129)
    # The same adder of eight bits, by the formula that plans pipelines.
    assert adder_ns(8) == pytest.approx(0.107 + 0.238 + 0.129)


def test_three_blocks_take_one_more_hop():
    assert adder_ns(12) - adder_ns(8) == pytest.approx(0.030)


def test_the_reset_of_a_flip_flop_ends_a_path():
    late = Cell(
        name="b",
        kind="FDRE",
        parameters={},
        connections={"C": [1], "CE": ["1"], "R": [21], "D": ["0"], "Q": [30]},
    )

    timed = time_netlist(netlist(flop("a", 10, 20), lut("l", [20], 21), late))

    assert timed.logic_ns == pytest.approx(0.093 + 0.107 + 0.072)


def test_a_loop_of_luts_is_refused():
    with pytest.raises(NetlistError, match="combinational loop"):
        time_netlist(netlist(lut("l1", [2], 3), lut("l2", [3], 2)))


def test_a_cell_without_known_delays_is_counted_and_its_path_left_out():
    ram = Cell(name="r", kind="RAMB36E2", parameters={}, connections={"A": [20], "DO": [21]})

    timed = time_netlist(netlist(flop("a", 10, 20), ram, lut("l", [21], 22), flop("b", 22, 23)))

    assert timed.untimed == {"RAMB36E2": 1}
    assert timed.logic_ns == 0.0


def test_a_dsp_slice_takes_the_sum_of_its_stages():
    dsp = Cell(
        name="m",
        kind="DSP48E2",
        parameters={"AREG": "0" * 32, "PREG": "0" * 32},
        connections={"A": [20], "B": [20], "P": [40]},
    )

    timed = time_netlist(netlist(flop("a", 10, 20), dsp, flop("b", 40, 23)))

    stages = 0.195 + 0.092 + 0.737 + 0.059 + 0.699 + 0.159
    assert timed.logic_ns == pytest.approx(0.093 + stages)


def test_a_dsp_slice_with_registers_is_not_timed():
    dsp = Cell(
        name="m",
        kind="DSP48E2",
        parameters={"MREG": "0" * 31 + "1"},
        connections={"A": [20], "B": [20], "P": [40]},
    )

    assert time_netlist(netlist(flop("a", 10, 20), dsp, flop("b", 40, 23))).untimed == {
        "DSP48E2": 1
    }


def test_half_of_a_path_is_allowed_for_routing():
    assert period_ns(2.0) == pytest.approx(4.0)
    assert period_ns(3.0, routing_share=0.25) == pytest.approx(4.0)
    assert delays.ROUTING_SHARE == 0.5


def test_a_register_straight_to_a_register_has_one_wire():
    timed = time_netlist(netlist(flop("a", 10, 20), flop("b", 20, 23)))

    assert timed.wired_ns == pytest.approx(0.079 + 0.168)


def test_the_wires_of_an_adder_are_short_inside_and_long_to_the_next():
    """Register, LUT, two carry blocks, LUT, register; from the tables of `wires`, by hand."""
    cells = (
        flop("a", 10, 20),
        lut("l", [20], 21),
        carry("low", "0", [21, "0", "0", "0"], ["x"] * 4, ["x", "x", "x", 31]),
        carry("high", 31, ["0"] * 4, [41, "x", "x", "x"], ["x"] * 4),
        lut("m", [41], 42),
        flop("b", 42, 50),
    )

    timed = time_netlist(netlist(*cells))

    first = 0.079 + 0.168 + 0.097 + 0.015 + 0.147
    second = 0.013 + 0.067 + 0.348 + 0.097 + 0.053
    assert timed.wired_ns == pytest.approx(first + second)
    # No wire is in the measure by which pipelines are planned.
    assert timed.logic_ns == pytest.approx(0.093 + 0.107 + 0.238 + 0.129 + 0.107)


def test_a_wire_grows_with_its_sinks_and_with_the_design():
    branches = [lut(f"l{i}", [20], 100 + i) for i in range(3)]
    cells = (flop("a", 10, 20), *branches, flop("b", 100, 23))

    few, many = (time_netlist(netlist(*cells), n_lut) for n_lut in (0, 200_000))

    general = 0.168 + 0.035 * math.log(3)
    assert few.wired_ns == pytest.approx(0.079 + general + 0.097 + 0.053)
    assert many.wired_ns == pytest.approx(few.wired_ns + general * 0.61)


def test_a_wire_from_or_to_a_port_takes_no_time():
    inside = netlist(lut("l", [2], 3))

    timed = time_netlist(replace(inside, inputs=(2,), outputs=(3,)))

    assert timed.wired_ns == pytest.approx(0.097)
