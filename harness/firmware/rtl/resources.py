"""What a mapped netlist takes of an FPGA."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.firmware.rtl.netlist import CARRY_WIDTHS, DSP, FLIP_FLOPS, Cell, Netlist, NetlistError

# Shift registers and distributed RAM take the place of LUTs. An inverter that Yosys leaves over is
# a LUT unless the vendor's tool finds a neighbour to absorb it; it is counted.
_LUT_PREFIXES = ("LUT", "SRL", "RAM32", "RAM64", "RAM128", "RAM256", "RAM512")
_BRAM18 = {"RAMB18E2": 1, "RAMB36E2": 2, "RAMB18E1": 1, "RAMB36E1": 2}


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """What a netlist takes of an FPGA.

    Attributes
    ----------
    lut, ff, dsp, bram18, carry8 : int
        `carry8` counts whole carry blocks that the chains need; two short chains could share one.
    cells : mapping of str to int
        All cells by kind.
    """

    lut: int
    ff: int
    dsp: int
    bram18: int
    carry8: int
    cells: Mapping[str, int]


def count_resources(netlist: Netlist) -> Resources:
    """Count what a mapped netlist takes.

    Raises
    ------
    NetlistError
        The netlist is empty, or holds what is no cell of the FPGA.
    """
    cells = netlist.count()
    if not cells:
        raise NetlistError("the netlist holds no cell")
    unmapped = sorted(kind for kind in cells if kind.startswith("$"))
    if unmapped:
        raise NetlistError(f"cells were left unmapped: {', '.join(unmapped[:10])}")
    return Resources(
        lut=sum(n for kind, n in cells.items() if _is_lut(kind)),
        ff=sum(cells[kind] for kind in FLIP_FLOPS),
        dsp=cells[DSP],
        bram18=sum(halves * cells[kind] for kind, halves in _BRAM18.items()),
        carry8=count_carry8(netlist.cells),
        cells=dict(sorted(cells.items())),
    )


def _is_lut(kind: str) -> bool:
    return kind == "INV" or kind.startswith(_LUT_PREFIXES)


def count_carry8(cells: Sequence[Cell]) -> int:
    """Count the CARRY8 blocks of carry chains that Yosys writes in fours.

    A chain of n CARRY4 takes ceil(n / 2) blocks.
    """
    carries = [cell for cell in cells if cell.kind in CARRY_WIDTHS]
    by_input = {}
    for cell in carries:
        source = (cell.connections.get("CI") or ["x"])[0]
        if isinstance(source, int):
            by_input[source] = cell.name
    following = {}
    for cell in carries:
        last = (cell.connections.get("CO") or ["x"])[-1]
        if isinstance(last, int) and last in by_input:
            following[cell.name] = by_input[last]
    width = {cell.name: CARRY_WIDTHS[cell.kind] for cell in carries}
    blocks = 0
    for name in set(width) - set(following.values()):
        bits = 0
        step: str | None = name
        while step is not None:
            bits += width[step]
            step = following.get(step)
        blocks += -(-bits // 8)
    return blocks
