"""Static timing of a mapped netlist: the longest register-to-register path.

It is found twice: by the cells alone, as `harness.firmware.delays` has them for planning, and by
cells and wires, as `harness.firmware.wires` has them from routed designs.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from harness.firmware.delays import PLANNED_CELLS, CellDelays
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
from harness.firmware.wires import ROUTED_CELLS, ROUTED_WIRES, Driver, Sink, WireDelays

# Clock buffers and what is no cell at all.
_UNTIMED = NO_CELLS | {"BUFG", "BUFGCE"}
_MAX_PATH = 64
_OUTPUTS = ("O", "O5", "O6")
_DSP_OUTPUTS = ("P", "PCOUT")

Arc: TypeAlias = tuple[str, Bit, Bit, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class LongestPath:
    """The longest path of a netlist.

    Attributes
    ----------
    logic_ns : float
        Delay of the cells on it, clock-to-output and set-up included; no wire. By it the pipeline
        is planned.
    wired_ns : float
        Of the path that is longest with its wires: delay of cells and wires.
    path : tuple of str
        The first cells along it, long names shortened.
    n_endpoints : int
        Register inputs and outputs that were timed.
    untimed : mapping of str to int
        Cells of kinds without delays here; paths through them were not timed.
    """

    logic_ns: float
    wired_ns: float = 0.0
    path: tuple[str, ...] = ()
    n_endpoints: int = 0
    untimed: Mapping[str, int] = field(default_factory=dict)


def time_netlist(netlist: Netlist, n_lut: int = 0, wires: WireDelays = ROUTED_WIRES) -> LongestPath:
    """Find the longest path from a register or an input to a register or an output.

    Parameters
    ----------
    netlist : Netlist
    n_lut : int
        LUTs of the design: the wires of a large one are longer.
    wires : WireDelays
        Other delays than those that all routed paths gave.

    Raises
    ------
    NetlistError
        There is a combinational loop.
    """
    wired = _longest(netlist, _Graph(cells=ROUTED_CELLS, wires=_Wires.of(netlist, n_lut, wires)))
    return replace(_longest(netlist, _Graph(cells=PLANNED_CELLS)), wired_ns=wired.logic_ns)


def _longest(netlist: Netlist, graph: _Graph) -> LongestPath:
    untimed: Counter[str] = Counter()
    for cell in netlist.cells:
        if not _add(graph, cell):
            untimed[cell.kind] += 1
    for bit in netlist.inputs:
        graph.launch(bit, 0.0, "input")
    for bit in netlist.outputs:
        graph.capture(bit, 0.0, "output", "port")
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


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wires:
    """What drives each bit, and how many pins it goes to."""

    drivers: Mapping[Bit, Driver]
    fan_out: Mapping[Bit, int]
    n_lut: int
    delays: WireDelays

    @classmethod
    def of(cls, netlist: Netlist, n_lut: int, delays: WireDelays) -> _Wires:
        drivers: dict[Bit, Driver] = {}
        fan_out: Counter[Bit] = Counter(netlist.outputs)
        for cell in netlist.cells:
            for port in cell.connections:
                driver = _driver(cell.kind, port)
                if driver is None:
                    fan_out.update(cell.bits(port))
                else:
                    drivers.update(dict.fromkeys(cell.bits(port), driver))
        return cls(drivers=drivers, fan_out=fan_out, n_lut=n_lut, delays=delays)

    def delay_ns(self, bit: Bit, sink: Sink) -> float:
        driver = self.drivers.get(bit, "port")
        return self.delays.delay_ns(driver, sink, max(1, self.fan_out[bit]), self.n_lut)


def _driver(kind: str, port: str) -> Driver | None:
    """Return what a port of a cell drives a net as; None for an input."""
    if kind in CARRY_WIDTHS:
        return {"O": "sum", "CO": "carry"}.get(port)  # type: ignore[return-value]
    if kind in FLIP_FLOPS:
        return "register" if port == "Q" else None
    if kind == DSP:
        return "dsp" if port in _DSP_OUTPUTS else None
    if port not in _OUTPUTS:
        return None
    return "mux" if kind in WIDE_MULTIPLEXERS else "lut"


def _sink(kind: str, port: str) -> Sink:
    """Return what a net ends at."""
    if kind in CARRY_WIDTHS:
        return {"S": "S", "CI": "CI"}.get(port, "DI")  # type: ignore[return-value]
    if kind == DSP:
        return "dsp"
    return "mux" if kind in WIDE_MULTIPLEXERS and port != "S" else "lut"


@dataclass(slots=True)
class _Graph:
    """Bits as nodes, delays of cells, and of the wires to them, as edges."""

    cells: CellDelays
    wires: _Wires | None = None
    arrival: dict[Bit, float] = field(default_factory=dict)
    origin: dict[Bit, tuple[Bit | None, str]] = field(default_factory=dict)
    arcs: dict[Bit, list[tuple[Bit, float, str]]] = field(default_factory=lambda: defaultdict(list))
    fan_in: Counter[Bit] = field(default_factory=Counter)
    captures: list[tuple[Bit, float, str]] = field(default_factory=list)

    def launch(self, bit: Bit, delay_ns: float, name: str) -> None:
        self.arrival[bit] = delay_ns
        self.origin[bit] = (None, name)

    def capture(self, bit: Bit, setup_ns: float, name: str, sink: Sink) -> None:
        self.captures.append((bit, setup_ns + self._wire_ns(bit, sink), name))

    def through(self, source: Bit, target: Bit, delay_ns: float, name: str, sink: Sink) -> None:
        self.arcs[source].append((target, delay_ns + self._wire_ns(source, sink), name))
        self.fan_in[target] += 1

    def _wire_ns(self, bit: Bit, sink: Sink) -> float:
        return self.wires.delay_ns(bit, sink) if self.wires else 0.0

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
    arcs = _combinational_arcs(cell, graph.cells)
    for port, source, target, delay_ns in arcs or ():
        graph.through(source, target, delay_ns, name, _sink(kind, port))
    return arcs is not None


def _add_flip_flop(graph: _Graph, cell: Cell, name: str) -> None:
    for bit in cell.bits("Q"):
        graph.launch(bit, graph.cells.clock_to_q_ns, name)
    for port, setup_ns in (
        ("D", graph.cells.setup_d_ns),
        ("CE", graph.cells.setup_ce_ns),
        ("R", graph.cells.setup_r_ns),
        ("S", graph.cells.setup_r_ns),
    ):
        for bit in cell.bits(port):
            graph.capture(bit, setup_ns, name, "register")


def _combinational_arcs(cell: Cell, delays: CellDelays) -> list[Arc] | None:
    """Return (port, input bit, output bit, delay) of a cell, or None for an unknown kind."""
    if cell.kind in CARRY_WIDTHS:
        return list(_carry_arcs(cell, CARRY_WIDTHS[cell.kind], delays))
    if cell.kind == "INV" or lut_inputs(cell.kind):
        delay_ns = delays.lut_ns
    elif cell.kind in WIDE_MULTIPLEXERS:
        delay_ns = delays.wide_mux_ns
    else:
        return None
    inputs = [
        (port, bit) for port in cell.connections if port not in _OUTPUTS for bit in cell.bits(port)
    ]
    outputs = [bit for port in _OUTPUTS for bit in cell.bits(port)]
    return [(port, source, target, delay_ns) for port, source in inputs for target in outputs]


def _carry_arcs(cell: Cell, width: int, delays: CellDelays) -> Iterator[Arc]:
    # Delay of each input of a carry block to a sum and to a carry.
    by_port = (
        ("S", delays.carry_s_to_o_ns, delays.carry_s_to_co_ns),
        ("DI", delays.carry_di_to_o_ns, delays.carry_di_to_co_ns),
        ("CYINIT", delays.carry_s_to_o_ns, delays.carry_s_to_co_ns),
        ("CI", delays.carry_ci_to_o_ns, delays.carry_ci_to_co_ns),
    )
    sums, carries = (list(cell.connections.get(port, ()))[:width] for port in ("O", "CO"))
    for port, to_sum, to_carry in by_port:
        for index, source in enumerate(cell.connections.get(port, ())):
            if not isinstance(source, int):
                continue
            # A bit's own sum does not depend on its DI.
            for target in sums[index + (port == "DI") :]:
                if isinstance(target, int):
                    yield port, source, target, to_sum
            for place, target in enumerate(carries[index:], index):
                if isinstance(target, int):
                    is_chain = port == "CI" and place == width - 1
                    yield port, source, target, delays.carry_chain_ns if is_chain else to_carry


def _add_dsp(graph: _Graph, cell: Cell, name: str) -> bool:
    """Add a DSP slice that multiplies without registers, as Yosys maps it; say whether it does."""
    if has_registers(cell):
        return False
    outputs = [bit for port in _DSP_OUTPUTS for bit in cell.bits(port)]
    for port in ("A", "B", "C", "D"):
        for bit in cell.bits(port):
            for target in outputs:
                graph.through(bit, target, graph.cells.dsp_ns, name, "dsp")
    return True
