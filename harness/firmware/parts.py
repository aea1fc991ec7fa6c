"""The FPGAs that a challenge may name, and what each of them holds."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.errors import UsageError


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
        Totals by the names that `harness.card.records.Firmware` uses.
    """

    device: str
    part: str
    available: dict[str, int]


# Sources: AMD UltraScale+ FPGA Product Selection Guide (XMP103); for the U250, which has the die of
# a VU13P, also DS962, and for the U55C, which has that of a VU47P, DS978. VU9P's totals stand also
# in every csynth report for it ("Available"). Block RAM is counted in halves of 18 kb: twice the
# guide's number of 36 kb blocks.
_VU9P = {"lut": 1_182_240, "ff": 2_364_480, "dsp": 6_840, "bram18": 4_320, "uram": 960}
_VU13P = {"lut": 1_728_000, "ff": 3_456_000, "dsp": 12_288, "bram18": 5_376, "uram": 1_280}
_VU47P = {"lut": 1_303_680, "ff": 2_607_360, "dsp": 9_024, "bram18": 4_032, "uram": 960}

PARTS: tuple[Part, ...] = (
    Part(device="xcvu9p", part="xcvu9p-flga2104-2-e", available=_VU9P),
    Part(device="xcvu13p", part="xcvu13p-flga2577-2-e", available=_VU13P),
    Part(device="xcu250", part="xcu250-figd2104-2L-e", available=_VU13P),
    Part(device="xcu55c", part="xcu55c-fsvh2892-2L-e", available=_VU47P),
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
    device = normalise_part(name).partition("-")[0]
    device = _ALIASES.get(device, device)
    for part in PARTS:
        if part.device == device:
            return part
    known = ", ".join(part.device for part in PARTS)
    raise UsageError(
        f"the part {name!r} is not known",
        where="target, part",
        expected=f"one of {known}, or a full part number that begins with one",
        fix="name a known part, or add it with its totals to harness/firmware/parts.py",
    )


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
