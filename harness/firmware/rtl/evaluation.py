"""What a mapped netlist computes, bit by bit as it was mapped, many events at once.

The netlist is a pipeline without feedback, so each flip-flop is followed as if it were a wire: what
comes out for an event is what the hardware gives after its latency, which the simulation of the
Verilog measures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.firmware.rtl.netlist import (
    CARRY_WIDTHS,
    DSP,
    FLIP_FLOPS,
    WIDE_MULTIPLEXERS,
    Bit,
    Cell,
    Netlist,
    NetlistError,
    feed_forward_order,
    has_registers,
    lut_inputs,
)

Lanes: TypeAlias = NDArray[np.uint64]

WORD_BITS = 64
# Events at once, each of them one bit of a 64-bit word.
CHUNK_EVENTS = 64 * WORD_BITS
_WIRES = frozenset({"BUFG", "BUFGCE", "BUF", "IBUF", "OBUF"})


def evaluate_netlist(
    netlist: Netlist, words: NDArray[np.uint32], *, input_port: str, output_port: str
) -> NDArray[np.uint64]:
    """Compute what a feed-forward netlist gives for events.

    Parameters
    ----------
    netlist : Netlist
        Of LUTs, carry chains, wide multiplexers, flip-flops and multiplying DSP slices.
    words : ndarray of uint32, shape (n, n_words)
        The input port's bits for each event, lowest first.
    input_port, output_port : str
        The latter of at most 64 bits.

    Returns
    -------
    ndarray of uint64, shape (n,)
        The output port's bits.

    Raises
    ------
    NetlistError
        There is feedback, a cell of unknown kind, or a DSP slice that does more than multiply.
    """
    work = [(_evaluator(cell.kind), cell) for cell in feed_forward_order(netlist)]
    results = [np.zeros(0, np.uint64)]
    for first in range(0, len(words), CHUNK_EVENTS):
        chunk = words[first : first + CHUNK_EVENTS]
        state = _State.of_port(netlist.ports[input_port], chunk)
        for evaluate, cell in work:
            evaluate(state, cell)
        results.append(state.read(netlist.ports[output_port])[: len(chunk)])
    return np.concatenate(results)


@dataclass(frozen=True, slots=True)
class _State:
    """The value of every bit, one event a lane."""

    values: dict[Bit | str, Lanes]

    @classmethod
    def of_port(cls, port: Sequence[Bit | str], words: NDArray[np.uint32]) -> _State:
        """Return the state in which the port carries one event's words in each lane."""
        zero = np.zeros(-(-len(words) // WORD_BITS), np.uint64)
        values: dict[Bit | str, Lanes] = {"0": zero, "1": ~zero, "x": zero, "z": zero}
        padded = np.zeros((len(zero) * WORD_BITS, words.shape[1]), np.uint32)
        padded[: len(words)] = words
        for index, bit in enumerate(port):
            word, shift = divmod(index, 32)
            values[bit] = _pack((padded[:, word] >> np.uint32(shift)) & np.uint32(1))
        return cls(values)

    def read(self, port: Sequence[Bit | str]) -> NDArray[np.uint64]:
        """Return a port as a number for each lane, its lowest bit first."""
        total = np.zeros(len(self.values["0"]) * WORD_BITS, np.uint64)
        for index, bit in enumerate(port):
            lane = np.unpackbits(self.values[bit].view(np.uint8), bitorder="little")
            total |= lane.astype(np.uint64) << np.uint64(index)
        return total

    def get(self, cell: Cell, port: str) -> Lanes:
        """Return a port of one bit; 0 where nothing is connected."""
        return self.values[(cell.connections.get(port) or ["0"])[0]]

    def put(self, cell: Cell, port: str, value: Lanes) -> None:
        """Set all bits of a port."""
        for bit in cell.bits(port):
            self.values[bit] = value


def _pack(lanes: NDArray[np.integer]) -> Lanes:
    """Pack 0 or 1 of each lane."""
    return np.packbits(lanes.astype(np.uint8), bitorder="little").view(np.uint64)


def _evaluator(kind: str) -> Callable[[_State, Cell], None]:
    """Return the function that evaluates cells of a kind."""
    if lut_inputs(kind):
        return _evaluate_lut
    if kind not in _EVALUATORS:
        raise NetlistError(f"it has a cell of kind {kind}")
    return _EVALUATORS[kind]


def _invert(state: _State, cell: Cell) -> None:
    state.put(cell, "O", ~state.get(cell, "I"))


def _pass_on(state: _State, cell: Cell) -> None:
    # The clock has no value.
    if all(bit in state.values for bit in cell.connections.get("I", ())):
        state.put(cell, "O", state.get(cell, "I"))


def _multiplex(state: _State, cell: Cell) -> None:
    chosen = state.get(cell, "S")
    value = (state.get(cell, "I1") & chosen) | (state.get(cell, "I0") & ~chosen)
    state.put(cell, "O", value)


def _evaluate_lut(state: _State, cell: Cell) -> None:
    n_inputs = lut_inputs(cell.kind)
    table = str(cell.parameters.get("INIT", "")).replace("x", "0").zfill(1 << n_inputs)
    # Entry 0 stands last in the string. Inputs are folded from the lowest up.
    level: list[bool | Lanes] = [bit == "1" for bit in reversed(table)]
    for index in range(n_inputs):
        chosen = state.get(cell, f"I{index}")
        level = [
            _choose(chosen, level[entry], level[entry + 1]) for entry in range(0, len(level), 2)
        ]
    result = level[0]
    if isinstance(result, bool):
        result = state.values["1" if result else "0"]
    state.put(cell, "O", result)


def _choose(chosen: Lanes, low: bool | Lanes, high: bool | Lanes) -> bool | Lanes:  # noqa: FBT001
    """Return `high` where `chosen` is set, else `low`."""
    if isinstance(low, bool) and isinstance(high, bool):
        if low == high:
            return low
        return chosen if high else ~chosen
    if isinstance(low, bool):
        return (chosen & high) | (~chosen if low else np.uint64(0))
    if isinstance(high, bool):
        return (~chosen & low) | (chosen if high else np.uint64(0))
    return (chosen & high) | (~chosen & low)


def _evaluate_carry(state: _State, cell: Cell) -> None:
    carry = state.get(cell, "CI") | state.get(cell, "CYINIT")
    selects, datas = cell.connections["S"], cell.connections["DI"]
    sums, carries = cell.connections.get("O", ()), cell.connections.get("CO", ())
    for index in range(CARRY_WIDTHS[cell.kind]):
        select = state.values[selects[index]]
        if index < len(sums) and isinstance(sums[index], int):
            state.values[sums[index]] = select ^ carry
        carry = (select & carry) | (~select & state.values[datas[index]])
        if index < len(carries) and isinstance(carries[index], int):
            state.values[carries[index]] = carry


def _evaluate_flip_flop(state: _State, cell: Cell) -> None:
    if [*cell.connections.get("CE", ["1"])] != ["1"]:
        raise NetlistError(f"the flip-flop {cell.name[:80]} has a clock enable")
    value = state.get(cell, "D")
    for port, is_set in (("R", False), ("CLR", False), ("S", True), ("PRE", True)):
        bits = cell.connections.get(port, ())
        if bits and bits[0] != "0":
            forced = state.values[bits[0]]
            value = (value | forced) if is_set else (value & ~forced)
    state.put(cell, "Q", value)


def _evaluate_dsp(state: _State, cell: Cell) -> None:
    """Evaluate a DSP slice without registers that multiplies: P = A x B, both signed."""
    is_plain = (
        cell.connections.get("OPMODE") == ["1", "0", "1", "0", "0", "0", "0", "0", "0"]
        and set(cell.connections.get("ALUMODE", ["0"])) == {"0"}
        and set(cell.connections.get("INMODE", ["0"])) == {"0"}
        and not has_registers(cell)
    )
    if not is_plain:
        raise NetlistError(f"the DSP slice {cell.name[:80]} does more than multiply")
    product = _signed(state, cell.connections["A"][:27]) * _signed(state, cell.connections["B"])
    for index, bit in enumerate(cell.connections.get("P", ())):
        if isinstance(bit, int):
            state.values[bit] = _pack((product >> np.int64(min(index, 63))) & 1)


def _signed(state: _State, bits: Sequence[Bit | str]) -> NDArray[np.int64]:
    """Return the two's complement value of a port for each lane."""
    value = state.read(bits).astype(np.int64)
    sign = value >> np.int64(len(bits) - 1)
    return value - (sign << np.int64(len(bits)))


_EVALUATORS: Mapping[str, Callable[[_State, Cell], None]] = {
    "INV": _invert,
    DSP: _evaluate_dsp,
    **dict.fromkeys(CARRY_WIDTHS, _evaluate_carry),
    **dict.fromkeys(FLIP_FLOPS, _evaluate_flip_flop),
    **dict.fromkeys(WIDE_MULTIPLEXERS, _multiplex),
    **dict.fromkeys(_WIRES, _pass_on),
}
