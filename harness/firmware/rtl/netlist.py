"""A mapped netlist as Yosys writes it: its cells, and the order in which they feed each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any, TypeAlias

from pydantic import JsonValue

Bit: TypeAlias = int

FLIP_FLOPS = frozenset({"FDRE", "FDSE", "FDCE", "FDPE"})
WIDE_MULTIPLEXERS = frozenset({"MUXF7", "MUXF8", "MUXF9"})
# Bits of a carry block.
CARRY_WIDTHS = {"CARRY4": 4, "CARRY8": 8}
DSP = "DSP48E2"
_DSP_REGISTERS = ("AREG", "BREG", "CREG", "DREG", "ADREG", "MREG", "PREG")
# What is no cell at all.
NO_CELLS = frozenset({"$scopeinfo", "GND", "VCC"})


class NetlistError(ValueError):
    """The netlist cannot be used; the message says why."""


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
    def from_json(cls, document: Mapping[str, Any], top: str) -> Netlist:
        """Read the module `top` of a parsed netlist.

        Raises
        ------
        NetlistError
            The document is no such netlist.
        """
        try:
            module = document["modules"][top]
            ports = {
                name: (port["direction"], tuple(port["bits"]))
                for name, port in module["ports"].items()
            }
            cells = tuple(
                Cell(
                    name=name,
                    kind=cell["type"],
                    parameters=cell.get("parameters", {}),
                    connections=cell["connections"],
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
        return Counter(cell.kind for cell in self.cells if cell.kind not in NO_CELLS)


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


def has_registers(cell: Cell) -> bool:
    """Whether a DSP slice has registers; Yosys writes their numbers as strings of bits."""
    return any("1" in str(cell.parameters.get(name, "0")) for name in _DSP_REGISTERS)


def lut_inputs(kind: str) -> int:
    """Return how many inputs a LUT has; 0 for a cell of another kind.

    Examples
    --------
    >>> lut_inputs("LUT6"), lut_inputs("FDRE")
    (6, 0)
    """
    return int(kind[3:]) if kind.startswith("LUT") and kind[3:].isdigit() else 0


def feed_forward_order(netlist: Netlist) -> list[Cell]:
    """Return the cells so that each comes after those that feed it.

    Raises
    ------
    NetlistError
        There is feedback.
    """
    cells = [cell for cell in netlist.cells if cell.kind not in NO_CELLS]
    driver = {bit: index for index, cell in enumerate(cells) for bit in _outputs(cell)}
    sources = {
        index: {
            driver[bit]
            for port in cell.connections
            for bit in cell.bits(port)
            if driver.get(bit, index) != index
        }
        for index, cell in enumerate(cells)
    }
    try:
        return [cells[index] for index in TopologicalSorter(sources).static_order()]
    except CycleError as error:
        raise NetlistError("it feeds an output back to itself") from error


def _outputs(cell: Cell) -> list[Bit]:
    names = ("Q",) if cell.kind in FLIP_FLOPS else ("O", "CO", "P", "PCOUT", "O5", "O6")
    return [bit for name in names for bit in cell.bits(name)]
