"""A mapped netlist: its cells, how many there are, and what they compute.

The netlist is evaluated as it was mapped, bit by bit, many events at once. It is a pipeline without
feedback, so each flip-flop is followed as if it were a wire: what comes out for an event is what
the hardware gives after its latency, which the simulation of the Verilog measures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

__all__ = ["Bit", "Cell", "Netlist", "NetlistError", "evaluate_netlist", "feed_forward_order"]

Bit: TypeAlias = int
Lanes: TypeAlias = NDArray[np.uint64]

# Events at once: one for each bit of this many 64-bit words.
CHUNK_WORDS = 64
WORD_BITS = 64
_FLIP_FLOPS = frozenset({"FDRE", "FDSE", "FDCE", "FDPE"})
_IGNORED = frozenset({"$scopeinfo", "GND", "VCC"})
_WIRES = frozenset({"BUFG", "BUFGCE", "BUF", "IBUF", "OBUF"})


class NetlistError(ValueError):
    """The netlist can't be evaluated; the message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One cell of a flat netlist; constants among its connections are strings."""

    name: str
    kind: str
    parameters: Mapping[str, JsonValue]
    connections: Mapping[str, Sequence[Bit | str]]

    def bits(self, port: str) -> list[Bit]:
        """Return the bits of a port that are no constants."""
        return [bit for bit in self.connections.get(port, ()) if isinstance(bit, int)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Netlist:
    """A flat netlist as Yosys's ``write_json`` writes it.

    Attributes
    ----------
    ports : mapping of str to tuple
        Bits of each port of the module, lowest first.
    inputs, outputs : tuple of int
        Bits of all input and of all output ports.
    cells : tuple of Cell
    """

    ports: Mapping[str, tuple[Bit | str, ...]]
    inputs: tuple[Bit, ...]
    outputs: tuple[Bit, ...]
    cells: tuple[Cell, ...]

    @classmethod
    def from_json(cls, document: Mapping[str, JsonValue], top: str) -> Netlist:
        """Read the module `top` of a parsed netlist.

        Raises
        ------
        NetlistError
            The document is no such netlist.
        """
        try:
            modules = cast(
                "dict[str, dict[str, dict[str, dict[str, object]]]]", document["modules"]
            )
            module = modules[top]
            ports = {
                name: (str(port["direction"]), tuple(cast("list[int | str]", port["bits"])))
                for name, port in module["ports"].items()
            }
            cells = tuple(
                Cell(
                    name=name,
                    kind=str(cell["type"]),
                    parameters=cast("dict[str, JsonValue]", cell.get("parameters", {})),
                    connections=cast("dict[str, list[int | str]]", cell["connections"]),
                )
                for name, cell in module["cells"].items()
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise NetlistError(f"it is no netlist of {top}: {error!r}") from error
        return cls(
            ports={name: bits for name, (_, bits) in ports.items()},
            inputs=_port_bits(ports, "input"),
            outputs=_port_bits(ports, "output"),
            cells=cells,
        )

    def count(self) -> Counter[str]:
        """Count the cells of each kind."""
        return Counter(cell.kind for cell in self.cells if cell.kind not in _IGNORED)


def _port_bits(
    ports: Mapping[str, tuple[str, tuple[Bit | str, ...]]], direction: str
) -> tuple[Bit, ...]:
    return tuple(
        bit
        for way, bits in ports.values()
        if way == direction
        for bit in bits
        if isinstance(bit, int)
    )


# --- Evaluation -----------------------------------------------------------------------------------


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
    order = feed_forward_order(netlist)
    results = []
    n_lanes = CHUNK_WORDS * WORD_BITS
    for first in range(0, len(words), n_lanes):
        chunk = words[first : first + n_lanes]
        state = _State()
        state.load(netlist.ports[input_port], chunk)
        for cell in order:
            _evaluate(state, cell)
        results.append(state.read(netlist.ports[output_port], len(chunk)))
    return np.concatenate(results) if results else np.zeros(0, np.uint64)


def _outputs(cell: Cell) -> list[Bit]:
    names = ("Q",) if cell.kind in _FLIP_FLOPS else ("O", "CO", "P", "PCOUT", "O5", "O6")
    return [bit for name in names for bit in cell.bits(name)]


def feed_forward_order(netlist: Netlist) -> list[Cell]:
    """Return the cells so that each comes after those that feed it.

    Raises
    ------
    NetlistError
        There is feedback.
    """
    cells = [cell for cell in netlist.cells if cell.kind not in _IGNORED]
    driver = {bit: index for index, cell in enumerate(cells) for bit in _outputs(cell)}
    users: dict[int, list[int]] = {}
    waiting = [0] * len(cells)
    for index, cell in enumerate(cells):
        own = set(_outputs(cell))
        sources = {
            driver[bit]
            for bits in cell.connections.values()
            for bit in bits
            if isinstance(bit, int) and bit in driver and bit not in own
        }
        waiting[index] = len(sources)
        for source in sources:
            users.setdefault(source, []).append(index)
    ready = [index for index, number in enumerate(waiting) if not number]
    order = []
    while ready:
        index = ready.pop()
        order.append(cells[index])
        for user in users.get(index, ()):
            waiting[user] -= 1
            if not waiting[user]:
                ready.append(user)
    if len(order) < len(cells):
        raise NetlistError("it feeds an output back to itself")
    return order


@dataclass(slots=True)
class _State:
    """The value of every bit, one event a lane."""

    values: dict[Bit | str, Lanes] = field(default_factory=dict)
    n_words: int = 0

    def load(self, port: Sequence[Bit | str], chunk: NDArray[np.uint32]) -> None:
        self.n_words = -(-len(chunk) // WORD_BITS)
        zero = np.zeros(self.n_words, np.uint64)
        self.values = {"0": zero, "1": ~zero, "x": zero, "z": zero}
        n_lanes = self.n_words * WORD_BITS
        padded = np.zeros((n_lanes, chunk.shape[1]), np.uint32)
        padded[: len(chunk)] = chunk
        for index, bit in enumerate(port):
            word, shift = divmod(index, 32)
            column = (padded[:, word] >> np.uint32(shift)) & np.uint32(1)
            self.values[bit] = np.packbits(column.astype(np.uint8), bitorder="little").view(
                np.uint64
            )

    def read(self, port: Sequence[Bit | str], n_events: int) -> NDArray[np.uint64]:
        total = np.zeros(n_events, np.uint64)
        for index, bit in enumerate(port):
            total |= self.lanes(bit)[:n_events].astype(np.uint64) << np.uint64(index)
        return total

    def lanes(self, bit: Bit | str) -> NDArray[np.uint8]:
        """Return a bit's value for each event as 0 or 1."""
        return np.unpackbits(self.values[bit].view(np.uint8), bitorder="little")

    def get(self, cell: Cell, port: str, default: str = "0") -> Lanes:
        bits = cell.connections.get(port) or [default]
        return self.values[bits[0]]


def _evaluate(state: _State, cell: Cell) -> None:
    kind = cell.kind
    if kind.startswith("LUT") and kind[3:].isdigit():
        _evaluate_lut(state, cell, int(kind[3:]))
    elif kind in ("CARRY4", "CARRY8"):
        _evaluate_carry(state, cell, int(kind[5:]))
    elif kind in _FLIP_FLOPS:
        _evaluate_flip_flop(state, cell)
    elif kind == "INV":
        _put(state, cell, "O", ~state.get(cell, "I"))
    elif kind in _WIRES:
        if all(bit in state.values for bit in cell.connections.get("I", ())):
            _put(state, cell, "O", state.get(cell, "I"))
    elif kind in ("MUXF7", "MUXF8", "MUXF9"):
        chosen = state.get(cell, "S")
        value = (state.get(cell, "I1") & chosen) | (state.get(cell, "I0") & ~chosen)
        _put(state, cell, "O", value)
    elif kind == "DSP48E2":
        _evaluate_dsp(state, cell)
    else:
        raise NetlistError(f"it has a cell of kind {kind}")


def _put(state: _State, cell: Cell, port: str, value: Lanes) -> None:
    for bit in cell.connections.get(port, ()):
        if isinstance(bit, int):
            state.values[bit] = value


def _evaluate_lut(state: _State, cell: Cell, n_inputs: int) -> None:
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
    _put(state, cell, "O", result)


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


def _evaluate_carry(state: _State, cell: Cell, width: int) -> None:
    carry = state.get(cell, "CI") | state.get(cell, "CYINIT")
    selects, datas = cell.connections["S"], cell.connections["DI"]
    sums, carries = cell.connections.get("O", ()), cell.connections.get("CO", ())
    for index in range(width):
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
    _put(state, cell, "Q", value)


def _evaluate_dsp(state: _State, cell: Cell) -> None:
    """Evaluate a DSP slice without registers that multiplies: P = A x B, both signed."""
    registers = ("AREG", "BREG", "CREG", "DREG", "ADREG", "MREG", "PREG")
    is_plain = (
        cell.connections.get("OPMODE") == ["1", "0", "1", "0", "0", "0", "0", "0", "0"]
        and set(cell.connections.get("ALUMODE", ["0"])) == {"0"}
        and set(cell.connections.get("INMODE", ["0"])) == {"0"}
        and not any("1" in str(cell.parameters.get(name, "0")) for name in registers)
    )
    if not is_plain:
        raise NetlistError(f"the DSP slice {cell.name[:80]} does more than multiply")
    product = _signed(state, cell.connections["A"][:27]) * _signed(state, cell.connections["B"])
    for index, bit in enumerate(cell.connections.get("P", ())):
        if isinstance(bit, int):
            lane = ((product >> np.int64(min(index, 63))) & 1).astype(np.uint8)
            state.values[bit] = np.packbits(lane, bitorder="little").view(np.uint64)


def _signed(state: _State, bits: Sequence[Bit | str]) -> NDArray[np.int64]:
    """Return the two's complement value of a port for each event."""
    total = np.zeros(state.n_words * WORD_BITS, np.int64)
    for index, bit in enumerate(bits):
        lane = state.lanes(bit).astype(np.int64) << np.int64(index)
        total = total - lane if index == len(bits) - 1 else total + lane
    return total
