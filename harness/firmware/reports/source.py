"""One report of a vendor's tool, of which nothing is trusted: figures are checked as they are read.

A figure that is missing, negative, absurd or undetermined is refused with the name of the file and
what to do.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from harness.errors import InvalidSubmissionError
from harness.firmware.parts import normalise_part

# Versions whose layout is known, as (year, number) with the last one included.
OLDEST, NEWEST = (2019, 2), (2025, 2)
MAX_REPORT_BYTES = 64 * 1024**2
# No FPGA holds a thousand times a VU9P's LUTs, and no trigger runs at 1 MHz.
_MAX_COUNT = 10**9
_MAX_CYCLES = 10**6
MAX_PERIOD_NS = 1_000.0
_UNDETERMINED = ("undef", "?", "-", "")


@dataclass(frozen=True, slots=True)
class Source:
    """A report by the name of its file, for the messages."""

    where: str

    def refusal(
        self,
        what: str,
        expected: str = "",
        fix: str = "hand in one project's reports as the tool wrote them",
    ) -> InvalidSubmissionError:
        """Say why the report is refused."""
        return InvalidSubmissionError(what, where=self.where, expected=expected, fix=fix)

    def count(self, text: str | None, name: str, most: int = _MAX_COUNT) -> int:
        """Read a whole number from 0 to `most`."""
        value = (text or "").strip().replace(",", "")
        if value.lower() in _UNDETERMINED:
            raise self.refusal(
                f"{name} is {value!r}: the tool could not determine it",
                "a whole number",
                "bound every loop (io_parallel and fixed shapes do), and synthesise again",
            )
        if not re.fullmatch(r"-?\d{1,18}", value):
            raise self.refusal(f"{name} is {value[:40]!r}", "a whole number")
        number = int(value)
        if not 0 <= number <= most:
            raise self.refusal(f"{name} is {number}", f"a whole number from 0 to {most}")
        return number

    def cycles(self, text: str | None, name: str, least: int = 0) -> int:
        """Read a number of clock cycles of at least `least`."""
        cycles = self.count(text, name, _MAX_CYCLES)
        if cycles < least:
            raise self.refusal(f"{name} is {cycles}", f"at least {least} cycle")
        return cycles

    def period_ns(self, text: str | None, name: str, *, may_be_zero: bool = False) -> float:
        """Read a time of a clock in ns."""
        value = (text or "").strip().removesuffix("ns").strip()
        try:
            number = float(value)
        except ValueError as error:
            raise self.refusal(f"{name} is {value[:40]!r}", "a time in ns") from error
        if not math.isfinite(number) or not 0 <= number <= MAX_PERIOD_NS:
            raise self.refusal(f"{name} is {value[:40]}", f"from 0 to {MAX_PERIOD_NS:g} ns")
        if number == 0 and not may_be_zero:
            raise self.refusal(f"{name} is 0", "a clock period above 0 ns")
        return number

    def version(self, text: str | None) -> str:
        """Read the version of the tool."""
        match = re.search(r"(20\d\d)\.(\d)", text or "")
        if match is None:
            raise self.refusal(
                "the tool's version is not in it", "a line such as `Version: 2023.1`"
            )
        if not OLDEST <= (int(match[1]), int(match[2])) <= NEWEST:
            raise self.refusal(
                f"it is by version {match[0]}",
                f"{OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}",
                "use a known version, or add the new layout to harness/firmware/reports",
            )
        return match[0]

    def part(self, text: str | None) -> str:
        """Read a part number."""
        part = normalise_part(text or "")
        if not re.fullmatch(r"[a-z0-9-]{4,64}", part):
            raise self.refusal(
                f"the part is {part[:60]!r}", "a part number such as xcvu9p-flga2104-2-e"
            )
        return part

    def name(self, text: str | None, what: str) -> str:
        """Read the name of a design."""
        name = (text or "").strip()
        if not re.fullmatch(r"[\w.$-]{1,200}", name):
            raise self.refusal(f"{what} is {name[:60]!r}", "a name")
        return name


def cells_of(line: str) -> list[str]:
    """Return the cells of a line of a table."""
    return [cell.strip() for cell in line.strip().strip("|").split("|")]
