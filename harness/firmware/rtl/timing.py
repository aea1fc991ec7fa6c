"""Static timing of a mapped netlist: the longest register-to-register path, and an allowance.

The delays of cells are those of `harness.firmware.delays`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from harness.firmware import delays
from harness.firmware.rtl.netlist import (
    CARRY_WIDTHS,
    DSP,
    FLIP_FLOPS,
    NO_CELLS,
    WIDE_MULTIPLEXERS,
    Bit,
    Cell,
    Netlist,
    NetlistError,
    has_registers,
    lut_inputs,
)

# Clock buffers and what is no cell at all.
_UNTIMED = NO_CELLS | {"BUFG", "BUFGCE"}
_MAX_PATH = 64

Arc: TypeAlias = tuple[Bit, Bit, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class LongestPath:
    """The longest path of a netlist.

    Attributes
    ----------
    logic_ns : float
        Delay of the cells on it, clock-to-output and set-up included; no wire.
    path : tuple of str
        The first cells along it, long names shortened.
    n_endpoints : int
        Register inputs and outputs that were timed.
    untimed : mapping of str to int
        Cells of kinds without delays here; paths through them were not timed.
    """

    logic_ns: float
    path: tuple[str, ...] = ()
    n_endpoints: int = 0
    untimed: Mapping[str, int] = field(default_factory=dict)


def time_netlist(netlist: Netlist) -> LongestPath:
    """Find the longest path from a register or an input to a register or an output.

    Raises
    ------
    NetlistError
        There is a combinational loop.
    """
    graph = _Graph()
    untimed: Counter[str] = Counter()
    for cell in netlist.cells:
        if not _add(graph, cell):
            untimed[cell.kind] += 1
    for bit in netlist.inputs:
        graph.launch(bit, 0.0, "input")
    for bit in netlist.outputs:
        graph.capture(bit, 0.0, "output")
    graph.propagate()
    ends = [end for end in graph.captures if end[0] in graph.arrival]
    if not ends:
        return LongestPath(logic_ns=0.0, untimed=dict(untimed))
    bit, setup_ns, name = max(ends, key=lambda end: graph.arrival[end[0]] + end[1])
    return LongestPath(
        logic_ns=graph.arrival[bit] + setup_ns,
        path=tuple(_short(cell) for cell in (*graph.path(bit), name)[:_MAX_PATH]),
        n_endpoints=len(ends),
        untimed=dict(untimed),
    )


@dataclass(slots=True)
class _Graph:
    """Bits as nodes, delays of cells as edges."""

    arrival: dict[Bit, float] = field(default_factory=dict)
    origin: dict[Bit, tuple[Bit | None, str]] = field(default_factory=dict)
    arcs: dict[Bit, list[tuple[Bit, float, str]]] = field(default_factory=lambda: defaultdict(list))
    fan_in: Counter[Bit] = field(default_factory=Counter)
    captures: list[tuple[Bit, float, str]] = field(default_factory=list)

    def launch(self, bit: Bit, delay_ns: float, name: str) -> None:
        self.arrival[bit] = delay_ns
        self.origin[bit] = (None, name)

    def capture(self, bit: Bit, setup_ns: float, name: str) -> None:
        self.captures.append((bit, setup_ns, name))

    def through(self, source: Bit, target: Bit, delay_ns: float, name: str) -> None:
        self.arcs[source].append((target, delay_ns, name))
        self.fan_in[target] += 1

    def propagate(self) -> None:
        """Walk the bits in topological order; what stays unreached lies on or behind a loop."""
        ready = [bit for bit in {*self.arrival, *self.arcs} if not self.fan_in[bit]]
        while ready:
            bit = ready.pop()
            for target, delay_ns, name in self.arcs.get(bit, ()):
                self._reach(bit, target, delay_ns, name)
                self.fan_in[target] -= 1
                if not self.fan_in[target]:
                    ready.append(target)
        if any(self.fan_in.values()):
            raise NetlistError("it has a combinational loop")

    def _reach(self, bit: Bit, target: Bit, delay_ns: float, name: str) -> None:
        # A bit with no arrival is a constant or comes from an untimed cell.
        if bit in self.arrival:
            time = self.arrival[bit] + delay_ns
            if time > self.arrival.get(target, -1.0):
                self.arrival[target] = time
                self.origin[target] = (bit, name)

    def path(self, bit: Bit) -> list[str]:
        """Return the cells on the way to a bit, first to last."""
        names = []
        step: Bit | None = bit
        while step is not None:
            step, name = self.origin[step]
            names.append(name)
        return names[::-1]


def _short(name: str) -> str:
    return name if len(name) <= 120 else f"{name[:60]}...{name[-55:]}"


def _add(graph: _Graph, cell: Cell) -> bool:
    """Add a cell's arcs, and say whether its kind is known."""
    kind, name = cell.kind, f"{cell.kind} {cell.name}"
    if kind in _UNTIMED:
        return True
    if kind in FLIP_FLOPS:
        _add_flip_flop(graph, cell, name)
        return True
    if kind == DSP:
        return _add_dsp(graph, cell, name)
    arcs = _combinational_arcs(cell)
    for source, target, delay_ns in arcs or ():
        graph.through(source, target, delay_ns, name)
    return arcs is not None


def _add_flip_flop(graph: _Graph, cell: Cell, name: str) -> None:
    for bit in cell.bits("Q"):
        graph.launch(bit, delays.CLOCK_TO_Q_NS, name)
    for port, setup_ns in (
        ("D", delays.SETUP_D_NS),
        ("CE", delays.SETUP_CE_NS),
        ("R", delays.SETUP_R_NS),
        ("S", delays.SETUP_R_NS),
    ):
        for bit in cell.bits(port):
            graph.capture(bit, setup_ns, name)


def _combinational_arcs(cell: Cell) -> list[Arc] | None:
    """Return (input bit, output bit, delay) of a cell, or None for an unknown kind."""
    if cell.kind in CARRY_WIDTHS:
        return list(_carry_arcs(cell, CARRY_WIDTHS[cell.kind]))
    if cell.kind == "INV" or lut_inputs(cell.kind):
        delay_ns = delays.LUT_NS
    elif cell.kind in WIDE_MULTIPLEXERS:
        delay_ns = delays.WIDE_MUX_NS
    else:
        return None
    inputs = [
        bit for port in cell.connections if port not in ("O", "O5", "O6") for bit in cell.bits(port)
    ]
    outputs = [bit for port in ("O", "O5", "O6") for bit in cell.bits(port)]
    return [(source, target, delay_ns) for source in inputs for target in outputs]


# Delay of each input of a carry block to a sum and to a carry.
_CARRY_DELAYS = (
    ("S", delays.CARRY_S_TO_O_NS, delays.CARRY_S_TO_CO_NS),
    ("DI", delays.CARRY_DI_TO_O_NS, delays.CARRY_DI_TO_CO_NS),
    ("CYINIT", delays.CARRY_S_TO_O_NS, delays.CARRY_S_TO_CO_NS),
    ("CI", delays.CARRY_CI_TO_O_NS, delays.CARRY_CI_TO_CO_NS),
)


def _carry_arcs(cell: Cell, width: int) -> Iterator[Arc]:
    sums, carries = (list(cell.connections.get(port, ()))[:width] for port in ("O", "CO"))
    for port, to_sum, to_carry in _CARRY_DELAYS:
        for index, source in enumerate(cell.connections.get(port, ())):
            if not isinstance(source, int):
                continue
            # A bit's own sum does not depend on its DI.
            for target in sums[index + (port == "DI") :]:
                if isinstance(target, int):
                    yield source, target, to_sum
            for place, target in enumerate(carries[index:], index):
                if isinstance(target, int):
                    is_chain = port == "CI" and place == width - 1
                    yield source, target, delays.CARRY_CHAIN_NS if is_chain else to_carry


def _add_dsp(graph: _Graph, cell: Cell, name: str) -> bool:
    """Add a DSP slice that multiplies without registers, as Yosys maps it; say whether it does."""
    if has_registers(cell):
        return False
    outputs = [bit for port in ("P", "PCOUT") for bit in cell.bits(port)]
    for port in ("A", "B", "C", "D"):
        for bit in cell.bits(port):
            for target in outputs:
                graph.through(bit, target, delays.DSP_COMBINATIONAL_NS, name)
    return True
