"""Reports of vendor tools, as text: C synthesis, and utilisation and timing after routing.

The parsers are pure and trust nothing: a figure that is missing, negative, absurd or undetermined
is refused with the name of the file and what to do. Latency and interval are always the worst.

Known: Vivado HLS 2019.2, Vitis HLS 2020.1 to 2024.2 (csynth.xml and csynth.rpt), and Vivado's
``report_utilization``, ``report_timing_summary`` and ``report_timing`` of routed designs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, ParseError

from pydantic import Field

from harness.challenge import Value
from harness.errors import InvalidSubmissionError, Problem
from harness.firmware.parts import normalise_part

if TYPE_CHECKING:
    from typing import NoReturn

__all__ = [
    "Csynth",
    "RoutedTiming",
    "RoutedUtilisation",
    "parse_csynth_rpt",
    "parse_csynth_xml",
    "parse_timing",
    "parse_utilisation",
]

# Versions whose layout is known, as (year, number) with the last one included.
OLDEST, NEWEST = (2019, 2), (2024, 2)
MAX_REPORT_BYTES = 64 * 1024**2
# No FPGA holds a thousand times a VU9P's LUTs, and no trigger runs at 1 MHz.
_MAX_COUNT = 10**9
_MAX_CYCLES = 10**6
_MAX_PERIOD_NS = 1_000.0
_UNDETERMINED = ("undef", "?", "-", "")
_HAND_IN = "hand in the reports as the tool wrote them"


class Csynth(Value):
    """What C synthesis estimated.

    Attributes
    ----------
    latency_cycles, interval_cycles : int
        The worst.
    clock_target_ns, clock_uncertainty_ns, clock_estimated_ns : float
        What was asked for, what of it was kept in reserve, what the tool estimated.
    used, available : mapping of str to int
        ``lut``, ``ff``, ``dsp``, ``bram18``, ``uram``.
    """

    version: str
    part: str
    top: str
    latency_cycles: int = Field(ge=0)
    best_latency_cycles: int = Field(ge=0)
    interval_cycles: int = Field(ge=1)
    clock_target_ns: float = Field(gt=0)
    clock_uncertainty_ns: float = Field(ge=0)
    clock_estimated_ns: float = Field(gt=0)
    used: dict[str, int]
    available: dict[str, int]


class RoutedUtilisation(Value):
    """What a routed design takes."""

    version: str
    part: str
    design: str
    used: dict[str, int]
    available: dict[str, int]
    carry8: int = Field(ge=0)


class RoutedTiming(Value):
    """Which clock a routed design keeps.

    Attributes
    ----------
    clock_period_ns : float
        The constraint.
    worst_slack_ns : float
        Negative where the constraint is missed.
    """

    version: str
    part: str
    design: str
    clock_period_ns: float = Field(gt=0)
    worst_slack_ns: float

    @property
    def achieved_period_ns(self) -> float:
        """Shortest period that the slowest path allows."""
        return self.clock_period_ns - self.worst_slack_ns


def _refuse(where: str, what: str, expected: str = "", fix: str = _HAND_IN) -> NoReturn:
    raise InvalidSubmissionError(Problem(what=what, where=where, expected=expected, fix=fix))


# --- Numbers --------------------------------------------------------------------------------------


def _count(text: str | None, name: str, where: str, most: int = _MAX_COUNT) -> int:
    value = (text or "").strip().replace(",", "")
    if value.lower() in _UNDETERMINED:
        _refuse(
            where,
            f"{name} is {value!r}: the tool could not determine it",
            "a whole number",
            "bound every loop (io_parallel and fixed shapes do), and synthesise again",
        )
    if not re.fullmatch(r"-?\d{1,18}", value):
        _refuse(where, f"{name} is {value[:40]!r}", "a whole number")
    number = int(value)
    if not 0 <= number <= most:
        _refuse(where, f"{name} is {number}", f"a whole number from 0 to {most}")
    return number


def _nanoseconds(text: str | None, name: str, where: str, *, may_be_zero: bool = False) -> float:
    value = (text or "").strip().removesuffix("ns").strip()
    try:
        number = float(value)
    except ValueError:
        _refuse(where, f"{name} is {value[:40]!r}", "a time in ns")
    if not math.isfinite(number) or not 0 <= number <= _MAX_PERIOD_NS:
        _refuse(where, f"{name} is {value[:40]}", f"from 0 to {_MAX_PERIOD_NS:g} ns")
    if number == 0 and not may_be_zero:
        _refuse(where, f"{name} is 0", "a clock period above 0 ns")
    return number


def _known_version(text: str | None, where: str) -> str:
    match = re.search(r"(20\d\d)\.(\d)", text or "")
    if match is None:
        _refuse(where, "the tool's version is not in it", "a line such as `Version: 2023.1`")
    year, number = int(match[1]), int(match[2])
    if not OLDEST <= (year, number) <= NEWEST:
        _refuse(
            where,
            f"it is by version {match[0]}",
            f"{OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}",
            "use a known version, or teach harness/firmware/reports/vendor.py the new layout",
        )
    return match[0]


# --- csynth.xml -----------------------------------------------------------------------------------

_XML_RESOURCES = {
    "lut": ("LUT",),
    "ff": ("FF",),
    "dsp": ("DSP", "DSP48E"),
    "bram18": ("BRAM_18K",),
    "uram": ("URAM",),
}


def parse_csynth_xml(text: bytes, where: str = "csynth.xml") -> Csynth:
    """Read a C synthesis report in XML.

    Parameters
    ----------
    text : bytes
        The file; it may have no DOCTYPE and no entities of its own.
    where : str
        Its name, for messages.

    Raises
    ------
    InvalidSubmissionError
        It is truncated, hostile, of an unknown version, or a figure is missing or absurd.
    """
    root = _parse_xml(text, where)

    def find(path: str) -> str | None:
        return root.findtext(path)

    latency = "PerformanceEstimates/SummaryOfOverallLatency"
    return _checked(
        Csynth(
            version=_known_version(find("ReportVersion/Version"), where),
            part=_part(find("UserAssignments/Part"), where),
            top=_name(find("UserAssignments/TopModelName"), "the top function", where),
            latency_cycles=_count(
                find(f"{latency}/Worst-caseLatency"), "the worst latency", where, _MAX_CYCLES
            ),
            best_latency_cycles=_count(
                find(f"{latency}/Best-caseLatency"), "the best latency", where, _MAX_CYCLES
            ),
            interval_cycles=_interval(find(f"{latency}/Interval-max"), where),
            clock_target_ns=_nanoseconds(
                find("UserAssignments/TargetClockPeriod"), "the target clock period", where
            ),
            clock_uncertainty_ns=_nanoseconds(
                find("UserAssignments/ClockUncertainty") or "0",
                "the clock uncertainty",
                where,
                may_be_zero=True,
            ),
            clock_estimated_ns=_nanoseconds(
                find("PerformanceEstimates/SummaryOfTimingAnalysis/EstimatedClockPeriod"),
                "the estimated clock period",
                where,
            ),
            used=dict(_xml_resources(root, "AreaEstimates/Resources", where)),
            available=dict(_xml_resources(root, "AreaEstimates/AvailableResources", where)),
        ),
        where,
    )


def _parse_xml(text: bytes, where: str) -> Element:
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    if len(text) > MAX_REPORT_BYTES:
        _refuse(where, f"it has {len(text):,} bytes", f"at most {MAX_REPORT_BYTES:,}")
    try:
        root: Element = fromstring(text, forbid_dtd=True)
    except DefusedXmlException as error:
        _refuse(where, f"it has a DOCTYPE or entities ({type(error).__name__})", "plain XML")
    except (ParseError, ValueError) as error:
        _refuse(where, f"it is no whole XML document: {error}", "the file that the tool wrote")
    if root.tag != "profile":
        _refuse(where, f"its root is <{root.tag[:40]}>", "<profile>, as in csynth.xml")
    return root


def _xml_resources(root: Element, path: str, where: str) -> Iterator[tuple[str, int]]:
    for name, tags in _XML_RESOURCES.items():
        found = [root.findtext(f"{path}/{tag}") for tag in tags]
        text = next((value for value in found if value is not None), None)
        if text is None:
            _refuse(where, f"<{tags[0]}> is missing in {path}", "all five resources")
        yield name, _count(text, f"{path}/{tags[0]}", where)


def _interval(text: str | None, where: str) -> int:
    interval = _count(text, "the worst interval", where, _MAX_CYCLES)
    if interval < 1:
        _refuse(where, "the worst interval is 0", "at least 1 cycle")
    return interval


def _part(text: str | None, where: str) -> str:
    part = normalise_part(text or "")
    if not re.fullmatch(r"[a-z0-9-]{4,64}", part):
        _refuse(where, f"the part is {part[:60]!r}", "a part number such as xcvu9p-flga2104-2-e")
    return part


def _name(text: str | None, what: str, where: str) -> str:
    name = (text or "").strip()
    if not re.fullmatch(r"[\w.$-]{1,200}", name):
        _refuse(where, f"{what} is {name[:60]!r}", "a name")
    return name


def _checked(report: Csynth, where: str) -> Csynth:
    if report.best_latency_cycles > report.latency_cycles:
        _refuse(
            where,
            f"the best latency, {report.best_latency_cycles}, is above the worst, "
            f"{report.latency_cycles}",
        )
    for name, used in report.used.items():
        total = report.available[name]
        if total < 1 and used > 0:
            _refuse(where, f"{used} {name} are used of {total} available")
    return report


# --- csynth.rpt -----------------------------------------------------------------------------------

_RPT_COLUMNS = {
    "LUT": "lut",
    "FF": "ff",
    "DSP": "dsp",
    "DSP48E": "dsp",
    "BRAM_18K": "bram18",
    "URAM": "uram",
}


def parse_csynth_rpt(text: str, where: str = "csynth.rpt") -> Csynth:
    """Read a C synthesis report in text.

    Raises
    ------
    InvalidSubmissionError
        It is truncated, of an unknown version, or a figure is missing or absurd.
    """
    top = re.search(r"^== (?:Vivado|Vitis) HLS Report for '([^']+)'", text, re.MULTILINE)
    if top is None:
        _refuse(where, "it does not begin as a C synthesis report does", "`== Vitis HLS Report`")
    clock = _first_row(text, ("Clock", "Target", "Estimated", "Uncertainty"), where)
    latency = _latency_row(text, where)
    used, available = _rpt_resources(text, where)
    return _checked(
        Csynth(
            version=_known_version(_line(text, "Version"), where),
            part=_part(_line(text, "Target device"), where),
            top=_name(top[1], "the top function", where),
            latency_cycles=_count(latency[1], "the worst latency", where, _MAX_CYCLES),
            best_latency_cycles=_count(latency[0], "the best latency", where, _MAX_CYCLES),
            interval_cycles=_interval(latency[5], where),
            clock_target_ns=_nanoseconds(clock[1], "the target clock period", where),
            clock_uncertainty_ns=_nanoseconds(
                clock[3], "the clock uncertainty", where, may_be_zero=True
            ),
            clock_estimated_ns=_nanoseconds(clock[2], "the estimated clock period", where),
            used=used,
            available=available,
        ),
        where,
    )


def _line(text: str, name: str) -> str | None:
    match = re.search(rf"^\* {re.escape(name)}:\s*(.+?)\s*$", text, re.MULTILINE)
    return match[1] if match else None


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _rows(text: str, header: Sequence[str]) -> Iterator[list[str]]:
    """Yield the rows of cells under the first table whose header begins with `header`."""
    lines = iter(text.splitlines())
    for line in lines:
        if line.strip().startswith("|") and tuple(_cells(line)[: len(header)]) == tuple(header):
            break
    for line in lines:
        stripped = line.strip()
        if stripped.startswith("|"):
            yield _cells(line)
        elif not stripped.startswith("+"):
            return


def _first_row(text: str, header: Sequence[str], where: str) -> list[str]:
    for row in _rows(text, header):
        if len(row) == len(header):
            return row
    _refuse(where, f"the table {' | '.join(header)} is missing or empty", "a whole report")


def _latency_row(text: str, where: str) -> list[str]:
    """Return the summary: latency min and max, absolute min and max, interval min and max."""
    section = re.search(r"^\+ Latency:\s*$(.*?)(?:\+ Detail:|\Z)", text, re.MULTILINE | re.DOTALL)
    for line in section[1].splitlines() if section else ():
        cells = _cells(line)
        if line.strip().startswith("|") and len(cells) == 7 and _is_figure(cells[0]):
            return cells
    _refuse(where, "the latency summary is missing", "a whole report")


def _is_figure(text: str) -> bool:
    return text.lstrip("-").isdigit() or text in ("?", "undef")


def _rpt_resources(text: str, where: str) -> tuple[dict[str, int], dict[str, int]]:
    section = text.partition("== Utilization Estimates")[2]
    header = next((line for line in section.splitlines() if "BRAM_18K" in line), None)
    if header is None:
        _refuse(where, "the utilisation summary is missing", "a whole report")
    names = [_RPT_COLUMNS.get(cell, "") for cell in _cells(header)]
    rows = {row[0]: row for row in _rows(section, tuple(_cells(header))) if len(row) == len(names)}
    found = []
    for title in ("Total", "Available"):
        if title not in rows:
            _refuse(where, f"the row {title} of the utilisation summary is missing")
        found.append(
            {
                name: _count(cell, f"{title} {name}", where)
                for name, cell in zip(names, rows[title], strict=True)
                if name
            }
        )
    if set(found[0]) != set(_XML_RESOURCES):
        _refuse(where, "the utilisation summary lacks a resource", "all five resources")
    return found[0], found[1]


# --- After routing --------------------------------------------------------------------------------

# Site types of UltraScale+ reports; a tile holds two halves of 18 kb.
_SITES: Mapping[str, tuple[str, int]] = {
    "CLB LUTs": ("lut", 1),
    "CLB Registers": ("ff", 1),
    "Block RAM Tile": ("bram18", 2),
    "URAM": ("uram", 1),
    "DSPs": ("dsp", 1),
    "CARRY8": ("carry8", 1),
}


def parse_utilisation(text: str, where: str = "utilization_routed.rpt") -> RoutedUtilisation:
    """Read Vivado's utilisation report of a routed design.

    Raises
    ------
    InvalidSubmissionError
        It is truncated, of an unknown version, or not of a routed design.
    """
    version, part, design = _vivado_header(text, where, "report_utilization")
    used: dict[str, int] = {}
    available: dict[str, int] = {}
    for line in text.splitlines():
        cells = _cells(line) if line.startswith("|") else []
        site = cells[0].rstrip("*").strip() if cells else ""
        # The table by dies comes last and repeats the names.
        if site not in _SITES or _SITES[site][0] in used or len(cells) < 5:
            continue
        name, factor = _SITES[site]
        used[name] = _halves(cells[1], factor, site, where)
        available[name] = _halves(cells[-2], factor, site, where)
    missing = {"lut", "ff", "dsp", "bram18"} - set(used)
    if missing:
        _refuse(where, f"it has no row for {', '.join(sorted(missing))}", "a whole report")
    carry8 = used.pop("carry8", 0)
    available.pop("carry8", None)
    for name, number in used.items():
        if number > available[name]:
            _refuse(where, f"{number} {name} are used of {available[name]} available")
    return RoutedUtilisation(
        version=version, part=part, design=design, used=used, available=available, carry8=carry8
    )


def _halves(text: str, factor: int, site: str, where: str) -> int:
    """Count sites; Vivado writes a block RAM tile of which one half is used as 0.5."""
    if factor == 2 and re.fullmatch(r"\d{1,9}\.5", text.strip()):
        return 2 * int(text.strip()[:-2]) + 1
    return factor * _count(text.strip().removesuffix(".0"), site, where)


def parse_timing(text: str, where: str = "timing_routed.rpt") -> RoutedTiming:
    """Read Vivado's timing summary, or timing report, of a routed design.

    Raises
    ------
    InvalidSubmissionError
        It is truncated, of an unknown version, or not of a routed design.
    """
    version, part, design = _vivado_header(text, where, "report_timing")
    slack = _summary_slack(text)
    periods = [float(period) for period in _clock_periods(text)]
    if slack is None:
        match = re.search(r"^Slack \((?:MET|VIOLATED)\)\s*:\s*(-?[\d.]+)ns", text, re.MULTILINE)
        slack = match[1] if match else None
        periods = [
            float(p) for p in re.findall(r"^\s*Requirement:\s*([\d.]+)ns", text, re.MULTILINE)
        ]
    if slack is None or not periods:
        _refuse(where, "it has no worst slack with a clock period", "a timing summary")
    if not re.fullmatch(r"-?\d{1,4}\.\d+", slack):
        _refuse(where, f"the worst slack is {slack[:40]!r}", "a time in ns: is a clock defined?")
    period = _nanoseconds(str(min(periods)), "the clock period", where)
    if abs(float(slack)) > _MAX_PERIOD_NS or float(slack) >= period:
        _refuse(where, f"the worst slack of {slack} ns does not fit a period of {period:g} ns")
    return RoutedTiming(
        version=version,
        part=part,
        design=design,
        clock_period_ns=period,
        worst_slack_ns=float(slack),
    )


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
        match = re.match(r"\S+\s+\{[\d. ]+\}\s+([\d.]+)\s+[\d.]+\s*$", line.strip())
        if match:
            yield match[1]


def _vivado_header(text: str, where: str, command: str) -> tuple[str, str, str]:
    """Return version, part and design of a Vivado report, which must be of a routed design."""
    fields = dict(re.findall(r"^\|\s*([A-Z][\w ]*?)\s*:\s*(.*?)\s*$", text[:8000], re.MULTILINE))
    if command not in fields.get("Command", ""):
        _refuse(where, "it is not by the expected command", f"a report by `{command}`")
    version = _known_version(fields.get("Tool Version"), where)
    state = fields.get("Design State")
    is_routed = state == "Routed" if state else _says_routed(text, where)
    if not is_routed:
        _refuse(
            where,
            f"the design is {state or 'not said to be routed'}",
            "Routed",
            "hand in the reports after route_design",
        )
    device = fields.get("Device", "")
    part = device if device.lower().startswith("xc") else f"xc{device}"
    return version, _part(part, where), _name(fields.get("Design"), "the design", where)


def _says_routed(text: str, where: str) -> bool:
    """Say whether a report without a design state is of a routed design.

    Timing reports of older versions do not state it: then the file's name or the nets do.
    """
    return "routed" in where.lower() or bool(re.search(r"net \(fo=\d+, routed\)", text))
