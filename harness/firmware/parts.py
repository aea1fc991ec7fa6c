"""The FPGAs that a challenge may name, and what each of them holds."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.challenge import Family, Target
from harness.errors import UsageError

# The end of a full part number: grade, voltage, range of temperatures; in an order code the package
# comes after the grade.
_GRADE = re.compile(r"(?P<grade>-[1-3])(?P<voltage>lv)?[a-z]{0,2}([a-z]{3,}\d+)?[a-z]?(-[a-z]+)?$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One FPGA and its totals over all its dies.

    Attributes
    ----------
    device : str
        Device, the beginning of a full part number: ``xcvu9p`` of ``xcvu9p-flga2104-2-e``.
    part : str
        The full part number that vendor tools are given when the challenge names the device.
    available : mapping of str to int
        Totals by the names that `harness.card.hardware.Firmware` uses.
    family : str
        Whose cells it has, and their delays (`harness.firmware.delays`).
    """

    device: str
    part: str
    available: dict[str, int]
    family: Family = "ultrascale+"


# Sources: AMD UltraScale+ FPGA Product Selection Guide (XMP103); for the U250, which has the die of
# a VU13P, also DS962, and for the U55C, which has that of a VU47P, DS978. VU9P's totals stand also
# in every csynth report for it ("Available"). Block RAM is counted in halves of 18 kb: twice the
# guide's number of 36 kb blocks.
_VU9P = {"lut": 1_182_240, "ff": 2_364_480, "dsp": 6_840, "bram18": 4_320, "uram": 960}
_VU13P = {"lut": 1_728_000, "ff": 3_456_000, "dsp": 12_288, "bram18": 5_376, "uram": 1_280}
_VU47P = {"lut": 1_303_680, "ff": 2_607_360, "dsp": 9_024, "bram18": 4_032, "uram": 960}


def _small(device: str, part: str, *totals: int, family: Family = "7series") -> Part:
    names = ("lut", "ff", "dsp", "bram18")
    return Part(
        device=device, part=part, available=dict(zip(names, totals, strict=True)), family=family
    )


PARTS: tuple[Part, ...] = (
    Part(device="xcvu9p", part="xcvu9p-flga2104-2-e", available=_VU9P),
    Part(device="xcvu13p", part="xcvu13p-flga2577-2-e", available=_VU13P),
    Part(device="xcu250", part="xcu250-figd2104-2L-e", available=_VU13P),
    Part(device="xcu55c", part="xcu55c-fsvh2892-2L-e", available=_VU47P),
    # Sources: 7 Series FPGAs Data Sheet: Overview (DS180); Zynq-7000 SoC Data Sheet: Overview
    # (DS190); Zynq UltraScale+ MPSoC Data Sheet: Overview (DS891). LUT, FF, DSP, BRAM18.
    _small("xc7a35t", "xc7a35tcpg236-1", 20_800, 41_600, 90, 100),
    _small("xc7a100t", "xc7a100tcsg324-1", 63_400, 126_800, 240, 270),
    _small("xc7a200t", "xc7a200tfbg676-2", 134_600, 269_200, 740, 730),
    _small("xc7z010", "xc7z010clg400-1", 17_600, 35_200, 80, 120),
    _small("xc7z020", "xc7z020clg400-1", 53_200, 106_400, 220, 280),
    _small("xc7z045", "xc7z045ffg900-2", 218_600, 437_200, 900, 1_090),
    _small("xczu3eg", "xczu3eg-sbva484-1-e", 70_560, 141_120, 360, 432, family="ultrascale+"),
    _small("xczu9eg", "xczu9eg-ffvb1156-2-e", 274_080, 548_160, 2_520, 1_824, family="ultrascale+"),
)

# What people write for these devices.
_ALIASES = {"vu9p": "xcvu9p", "vu13p": "xcvu13p", "u250": "xcu250", "u55c": "xcu55c"}


def find_part(name: str) -> Part:
    """Return the part that `name` means: a device, a full part number or a common name.

    Raises
    ------
    UsageError
        The part is not known.

    Examples
    --------
    >>> find_part("xcvu9p-flga2104-2-e").available["lut"]
    1182240
    >>> find_part("VU13P").device
    'xcvu13p'
    """
    device = _device_of(name)
    for part in PARTS:
        if part.device == device:
            return part
    known = ", ".join(part.device for part in PARTS)
    raise UsageError(
        f"the part {name!r} is not known",
        where="target, part",
        expected=f"one of {known}, or a full part number that begins with one",
        fix="name a known part, or state what this one holds: "
        "totals: {family: 7series, lut: 20800, ff: 41600, dsp: 90, bram18: 100}",
    )


def is_known(name: str) -> bool:
    """Say whether a part is one of `PARTS`.

    Examples
    --------
    >>> is_known("vu9p"), is_known("xcku115-flvb2104-2-e")
    (True, False)
    """
    return _device_of(name) in {part.device for part in PARTS}


def _device_of(name: str) -> str:
    device = normalise_part(name).partition("-")[0]
    return _ALIASES.get(device, device)


def part_of(target: Target) -> Part:
    """Return the part of a target: as the challenge states it, or one that is known here.

    Raises
    ------
    UsageError
        The part is not known, and the target does not state its totals.
    """
    if target.totals is None:
        return find_part(target.part)
    return Part(
        device=target.part.strip().lower().partition("-")[0],
        part=target.part,
        available=target.totals.model_dump(exclude={"family"}),
        family=target.totals.family,
    )


def grade_of(target: Target) -> str:
    """Return the speed grade of a target's part; the slowest where no name of it says one.

    A part of a low core voltage (``-2LV``) counts as one of the slowest grade.

    Examples
    --------
    >>> stated = {"clock_period_ns": 5, "max_latency_ns": 50, "max_interval_ns": 25}
    >>> named = ("xczu3eg", "XCZU3EG-2SBVA484I", "vu9p", "u250", "xcvu9p-flga2104-2lv-e")
    >>> [grade_of(Target(part=name, budget={}, **stated)) for name in named]
    ['-1', '-2', '-2', '-2', '-1']
    """
    for name in (target.part, part_of(target).part):
        found = _GRADE.search(name.strip().lower())
        if found is not None:
            return "-1" if found["voltage"] else found["grade"]
    return "-1"


def normalise_part(name: str) -> str:
    """Write a part number as vendor tools do today.

    Vivado HLS 2019 gives the package without dashes (``xcvu9pflga2104-2``).

    Examples
    --------
    >>> normalise_part("XCVU9P-FLGA2104-2-E")
    'xcvu9p-flga2104-2-e'
    >>> normalise_part("xcvu9pflga2104-2")
    'xcvu9p-flga2104-2'
    """
    name = name.strip().lower()
    for part in PARTS:
        rest = name.removeprefix(part.device)
        if rest != name and re.match(r"[a-z]{3,}", rest):
            return f"{part.device}-{rest}"
    return name
