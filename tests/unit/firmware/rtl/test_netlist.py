"""A netlist is evaluated as its cells are defined: against arithmetic, and against truth tables."""

from __future__ import annotations

import numpy as np
import pytest

from harness.firmware.rtl.evaluation import evaluate_netlist
from harness.firmware.rtl.netlist import Cell, Netlist, NetlistError

RNG = np.random.default_rng(7)


def build(n_inputs: int, cells, outputs) -> Netlist:
    inputs = tuple(range(100, 100 + n_inputs))
    ports = {"model_inp": inputs, "model_out": tuple(outputs)}
    return Netlist(ports=ports, inputs=inputs, outputs=tuple(outputs), cells=tuple(cells))


def run(netlist: Netlist, values) -> np.ndarray:
    words = np.asarray(values, np.uint32).reshape(-1, 1)
    return evaluate_netlist(netlist, words, input_port="model_inp", output_port="model_out")


def cell(kind: str, connections, **parameters) -> Cell:
    return Cell(name=kind.lower(), kind=kind, parameters=parameters, connections=connections)


@pytest.mark.parametrize("n_inputs", [1, 2, 3, 4, 5, 6])
def test_a_lut_is_its_truth_table(n_inputs):
    table = RNG.integers(0, 2, 1 << n_inputs)
    init = "".join(str(bit) for bit in reversed(table))
    inputs = {f"I{index}": [100 + index] for index in range(n_inputs)}
    netlist = build(n_inputs, [cell(f"LUT{n_inputs}", inputs | {"O": [7]}, INIT=init)], [7])

    got = run(netlist, np.arange(1 << n_inputs))

    np.testing.assert_array_equal(got, table)


def adder(width: int, *, is_subtraction: bool = False) -> Netlist:
    """Return a - b or a + b of two words, of LUTs and carry blocks as Yosys maps them."""
    a = list(range(100, 100 + width))
    b = list(range(100 + width, 100 + 2 * width))
    s = list(range(300, 300 + width))
    o = list(range(400, 400 + width))
    init = "1001" if is_subtraction else "0110"
    cells = [
        cell("LUT2", {"I0": [a[i]], "I1": [b[i]], "O": [s[i]]}, INIT=init) for i in range(width)
    ]
    carry_in = "1" if is_subtraction else "0"
    for block in range(0, width, 4):
        carry_out = list(range(500 + block, 504 + block))
        cells.append(
            cell(
                "CARRY4",
                {
                    "CI": ["0"] if block == 0 else [499 + block],
                    "CYINIT": [carry_in] if block == 0 else ["0"],
                    "DI": a[block : block + 4],
                    "S": s[block : block + 4],
                    "O": o[block : block + 4],
                    "CO": carry_out,
                },
            )
        )
    return build(2 * width, cells, o)


@pytest.mark.parametrize("is_subtraction", [False, True])
def test_a_carry_chain_adds_and_subtracts_like_integers(is_subtraction):
    values = RNG.integers(0, 2**24, 10_000)
    a, b = values & 0xFFF, values >> 12

    got = run(adder(12, is_subtraction=is_subtraction), values)

    np.testing.assert_array_equal(got, (a - b if is_subtraction else a + b) & 0xFFF)


def test_a_flip_flop_is_followed_as_a_wire_and_its_set_and_reset_work():
    base = {"C": [1], "CE": ["1"]}
    cells = [
        cell("FDRE", base | {"D": [100], "R": [101], "Q": [10]}),
        cell("FDSE", base | {"D": [100], "S": [101], "Q": [11]}),
    ]

    got = run(build(2, cells, [10, 11]), [0b00, 0b01, 0b10, 0b11])

    #          d=0  d=1, r=0   d=0, r=1   d=1, r=1: reset to 0, set to 1
    assert got.tolist() == [0b00, 0b11, 0b10, 0b10]


def test_a_dsp_slice_multiplies_signed_words():
    values = RNG.integers(0, 2**10, 3_000)
    a = [*range(100, 105), *[104] * 22]
    b = [*range(105, 110), *[109] * 13]
    p = list(range(600, 648))
    connections = {
        "A": [*a, *[104] * 3],
        "B": b,
        "C": ["0"] * 48,
        "OPMODE": ["1", "0", "1", "0", "0", "0", "0", "0", "0"],
        "ALUMODE": ["0"] * 4,
        "INMODE": ["0"] * 5,
        "P": p,
    }

    got = run(build(10, [cell("DSP48E2", connections)], p[:12]), values)

    def signed(bits):
        return np.where(bits >= 16, bits - 32, bits)

    np.testing.assert_array_equal(got, (signed(values & 31) * signed(values >> 5)) & 0xFFF)


def test_a_wide_multiplexer_chooses():
    mux = cell("MUXF7", {"I0": [100], "I1": [101], "S": [102], "O": [9]})

    assert run(build(3, [mux], [9]), range(8)).tolist() == [0, 1, 0, 1, 0, 0, 1, 1]


def test_feedback_is_refused():
    cells = [
        cell("INV", {"I": [5], "O": [6]}),
        cell("FDRE", {"C": [1], "CE": ["1"], "R": ["0"], "D": [6], "Q": [5]}),
    ]

    with pytest.raises(NetlistError, match="feeds an output back"):
        run(build(1, cells, [5]), [0])


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (cell("RAMB36E2", {"A": [100], "O": [5]}), "kind RAMB36E2"),
        (cell("FDRE", {"C": [1], "CE": [100], "R": ["0"], "D": [100], "Q": [5]}), "clock enable"),
        (cell("DSP48E2", {"A": [100], "OPMODE": ["1"] * 9, "P": [5]}), "more than multiply"),
    ],
)
def test_what_cannot_be_evaluated_is_named(bad, message):
    with pytest.raises(NetlistError, match=message):
        run(build(1, [bad], [5]), [0])


def test_a_cell_of_unknown_kind_is_named_also_where_its_output_is_needed_first():
    cells = [
        cell("LUT1", {"I0": [5], "O": [6]}, INIT="01"),
        cell("RAMB18E2", {"ADDRARDADDR": [100], "DOUTADOUT": [5]}),
    ]

    with pytest.raises(NetlistError, match="kind RAMB18E2"):
        run(build(1, cells, [6]), [0])


def test_a_document_that_is_no_netlist_is_refused():
    with pytest.raises(NetlistError, match="no netlist of top"):
        Netlist.from_json({"modules": {}}, "top")
