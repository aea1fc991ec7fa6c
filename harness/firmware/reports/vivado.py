"""Vivado's reports of a synthesised or routed design: utilisation, and timing.

Known: ``report_utilization``, ``report_timing_summary`` and ``report_timing`` of Vivado 2019.2 to
2025.2. Reports by hierarchy, of clocks and of other states of the design have another head and are
left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import Field

from harness.challenge import Evidence, Value
from harness.firmware.reports.source import MAX_PERIOD_NS, Source, cells_of

# Site types of UltraScale+ and of the 7 series; a tile holds two halves of 18 kb.
_SITES: Mapping[str, tuple[str, int]] = {
    "CLB LUTs": ("lut", 1),
    "Slice LUTs": ("lut", 1),
    "CLB Registers": ("ff", 1),
    "Slice Registers": ("ff", 1),
    "Block RAM Tile": ("bram18", 2),
    "URAM": ("uram", 1),
    "DSPs": ("dsp", 1),
    "CARRY8": ("carry8", 1),
}
# What a state of the design is evidence of. hls4ml reports after `opt_design`, before placement.
_STATES: Mapping[str, Evidence] = {
    "Synthesized": "post_synth",
    "Optimized": "post_synth",
    "Routed": "post_route",
}
# The head of a report is in its first lines.
HEAD_BYTES = 8_000

ReportKind = Literal["utilisation", "timing summary", "timing paths"]


class DesignHeader(Value):
    """Which design a report is of, in which state, and which tool wrote it.

    Attributes
    ----------
    evidence : str
        ``post_synth`` or ``post_route``.
    """

    version: str
    part: str
    design: str
    evidence: Evidence


class Utilisation(Value):
    """What a design takes."""

    header: DesignHeader
    used: dict[str, int]
    available: dict[str, int]
    carry8: int = Field(ge=0)


class RoutedTiming(Value):
    """Which clock a routed design keeps.

    Attributes
    ----------
    clock_period_ns : float
        The constraint: of the clock, or of the longest path where the design has no clock.
    worst_slack_ns : float
        Negative where the constraint is missed.
    """

    header: DesignHeader
    clock_period_ns: float = Field(gt=0)
    worst_slack_ns: float

    @property
    def achieved_period_ns(self) -> float:
        """Shortest period that the slowest path allows."""
        return self.clock_period_ns - self.worst_slack_ns


# A time as Vivado writes it.
_TIME = r"\d{1,9}(?:\.\d+)?"


def kind_of(head: str) -> ReportKind | None:
    """Say what a report is of by its head; None for a kind or a state that is not read."""
    fields = _fields(head)
    command = fields.get("Command", "").split()
    state = fields.get("Design State")
    if not command or (state is not None and state not in _STATES):
        return None
    if command[0] == "report_utilization" and "-hierarchical" not in command:
        return "utilisation"
    if command[0] == "report_timing_summary":
        return "timing summary"
    return "timing paths" if command[0] == "report_timing" else None


def parse_utilisation(text: str, where: str = "utilization_routed.rpt") -> Utilisation:
    """Read Vivado's utilisation report of a synthesised or routed design.

    Raises
    ------
    InvalidSubmissionError
        It is truncated, of an unknown version, or of a design in another state.
    """
    source = Source(where)
    header = _read_header(text, source, "report_utilization")
    used: dict[str, int] = {}
    available: dict[str, int] = {}
    for line in text.splitlines():
        cells = cells_of(line) if line.startswith("|") else []
        site = cells[0].rstrip("*").strip() if cells else ""
        # The table by dies comes last and repeats the names.
        if site not in _SITES or _SITES[site][0] in used or len(cells) < 5:
            continue
        name, factor = _SITES[site]
        used[name] = _sites(cells[1], factor, site, source)
        available[name] = _sites(cells[-2], factor, site, source)
    missing = {"lut", "ff", "dsp", "bram18"} - set(used)
    if missing:
        raise source.refusal(f"it has no row for {', '.join(sorted(missing))}", "a whole report")
    carry8 = used.pop("carry8", 0)
    available.pop("carry8", None)
    for name, number in used.items():
        if number > available[name]:
            raise source.refusal(f"{number} {name} are used of {available[name]} available")
    return Utilisation(header=header, used=used, available=available, carry8=carry8)


def _sites(text: str, factor: int, site: str, source: Source) -> int:
    """Count sites; Vivado writes a block RAM tile of which one half is used as 0.5."""
    if factor == 2 and re.fullmatch(r"\d{1,9}\.5", text.strip()):
        return 2 * int(text.strip()[:-2]) + 1
    return factor * source.count(text.strip().removesuffix(".0"), site)


def parse_timing(text: str, where: str = "timing_routed.rpt") -> RoutedTiming:
    """Read Vivado's timing summary, or timing report, of a routed design.

    Raises
    ------
    InvalidSubmissionError
        It is truncated, of an unknown version, or not of a routed design.
    """
    source = Source(where)
    header = _read_header(text, source, "report_timing")
    if header.evidence != "post_route":
        raise source.refusal(
            "the design is not routed: its delays are guesses of the wires",
            "Routed",
            "hand in the reports after route_design",
        )
    slack, periods = _summary_slack(text), list(_clock_periods(text))
    if slack is None:
        match = re.search(r"^Slack \((?:MET|VIOLATED)\)\s*:\s*(-?[\d.]+)ns", text, re.MULTILINE)
        slack = match[1] if match else None
    # A design without a register has no clock: its paths say which delay was asked for.
    periods = periods or re.findall(rf"^\s*Requirement:\s*({_TIME})ns", text, re.MULTILINE)
    if slack is None or not periods:
        raise source.refusal("it has no worst slack with a clock period", "a timing summary")
    if not re.fullmatch(r"-?\d{1,4}\.\d+", slack):
        raise source.refusal(
            f"the worst slack is {slack[:40]!r}", "a time in ns: is a clock defined?"
        )
    period = source.period_ns(min(periods, key=float), "the clock period")
    if abs(float(slack)) > MAX_PERIOD_NS or float(slack) >= period:
        raise source.refusal(
            f"the worst slack of {slack} ns does not fit a period of {period:g} ns"
        )
    return RoutedTiming(header=header, clock_period_ns=period, worst_slack_ns=float(slack))


def _summary_slack(text: str) -> str | None:
    """Return WNS of the design timing summary."""
    lines = text.partition("| Design Timing Summary")[2].splitlines()
    for index, line in enumerate(lines):
        if line.split()[:2] == ["WNS(ns)", "TNS(ns)"]:
            rows = [row.split() for row in lines[index + 2 : index + 4] if row.strip()]
            return rows[0][0] if rows else None
    return None


def _clock_periods(text: str) -> Iterator[str]:
    """Yield the periods of the clock summary's clocks."""
    section = text.partition("| Clock Summary")[2].partition("| Intra Clock Table")[0]
    for line in section.splitlines():
        match = re.match(rf"\S+\s+\{{[\d. ]+\}}\s+({_TIME})\s+[\d.]+\s*$", line.strip())
        if match:
            yield match[1]


def _fields(text: str) -> dict[str, str]:
    head = text[:HEAD_BYTES]
    return dict(re.findall(r"^\|\s*([A-Z][\w ]*?)\s*:\s*(.*?)\s*$", head, re.MULTILINE))


def _read_header(text: str, source: Source, command: str) -> DesignHeader:
    """Read the head of a Vivado report of a design in a known state."""
    fields = _fields(text)
    if command not in fields.get("Command", ""):
        raise source.refusal("it is not by the expected command", f"a report by `{command}`")
    version = source.version(fields.get("Tool Version"))
    state = fields.get("Design State") or ("Routed" if _shows_routing(text, source) else "")
    if state not in _STATES:
        raise source.refusal(
            f"the design is {state or 'not said to be routed'}",
            "Routed, or Synthesized for its utilisation",
            "hand in the reports after route_design",
        )
    device = fields.get("Device", "")
    part = device if device.lower().startswith("xc") else f"xc{device}"
    return DesignHeader(
        version=version,
        part=source.part(part),
        design=source.name(fields.get("Design"), "the design"),
        evidence=_STATES[state],
    )


def _shows_routing(text: str, source: Source) -> bool:
    """Whether a report without a design state is of a routed design.

    Timing reports of older versions do not state it: then the file's name or the nets do.
    """
    return "routed" in source.where.lower() or bool(re.search(r"net \(fo=\d+, routed\)", text))
