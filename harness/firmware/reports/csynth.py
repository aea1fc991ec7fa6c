"""Reports of C synthesis, in XML and in text; latency and interval are always the worst.

Known: Vivado HLS 2019.2 and Vitis HLS 2020.1 to 2025.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from xml.etree.ElementTree import Element, ParseError

from pydantic import Field

from harness.challenge import Value
from harness.firmware.reports.source import MAX_REPORT_BYTES, Source, cells_of

# Names of the resources in XML and in the columns of a text.
_RESOURCES = {
    "lut": ("LUT",),
    "ff": ("FF",),
    "dsp": ("DSP", "DSP48E"),
    "bram18": ("BRAM_18K",),
    "uram": ("URAM",),
}
_COLUMNS = {column: name for name, columns in _RESOURCES.items() for column in columns}
_LATENCY = "PerformanceEstimates/SummaryOfOverallLatency"
_ELEMENTS = {
    "version": "ReportVersion/Version",
    "part": "UserAssignments/Part",
    "top": "UserAssignments/TopModelName",
    "latency": f"{_LATENCY}/Worst-caseLatency",
    "best latency": f"{_LATENCY}/Best-caseLatency",
    "interval": f"{_LATENCY}/Interval-max",
    "target": "UserAssignments/TargetClockPeriod",
    "uncertainty": "UserAssignments/ClockUncertainty",
    "estimated": "PerformanceEstimates/SummaryOfTimingAnalysis/EstimatedClockPeriod",
}


# Protocols of the ports that carry the values of an event, and how their rows are named.
_DATA_PROTOCOLS = ("ap_none", "ap_vld")
_PORT_TAGS = ("name", "Dir", "Bits", "IOProtocol", "Object")
_PORT_COLUMNS = ("RTL Ports", "Dir", "Bits", "Protocol", "Source Object")


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
    input_bits, output_bits : tuple of int
        Bits of each port that carries values of an event, sorted; empty where the report lists
        none, as for streams.
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
    input_bits: tuple[int, ...] = ()
    output_bits: tuple[int, ...] = ()


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
    source = Source(where)
    root = _parse_xml(text, source)
    texts = {name: root.findtext(path) for name, path in _ELEMENTS.items()}
    texts["uncertainty"] = texts["uncertainty"] or "0"
    return _checked(
        texts,
        used=dict(_xml_resources(root, "AreaEstimates/Resources", source)),
        available=dict(_xml_resources(root, "AreaEstimates/AvailableResources", source)),
        ports=[[port.findtext(tag) or "" for tag in _PORT_TAGS] for port in root.iter("RtlPorts")],
        source=source,
    )


def _parse_xml(text: bytes, source: Source) -> Element:
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    if len(text) > MAX_REPORT_BYTES:
        raise source.refusal(f"it has {len(text):,} bytes", f"at most {MAX_REPORT_BYTES:,}")
    try:
        root: Element = fromstring(text, forbid_dtd=True)
    except DefusedXmlException as error:
        reason = f"it has a DOCTYPE or entities ({type(error).__name__})"
        raise source.refusal(reason, "plain XML") from error
    except (ParseError, ValueError) as error:
        reason = f"it is no whole XML document: {error}"
        raise source.refusal(reason, "the file that the tool wrote") from error
    if root.tag != "profile":
        raise source.refusal(f"its root is <{root.tag[:40]}>", "<profile>, as in csynth.xml")
    return root


def _xml_resources(root: Element, path: str, source: Source) -> Iterator[tuple[str, int]]:
    for name, tags in _RESOURCES.items():
        found = [root.findtext(f"{path}/{tag}") for tag in tags]
        text = next((value for value in found if value is not None), None)
        if text is None:
            raise source.refusal(f"<{tags[0]}> is missing in {path}", "all five resources")
        yield name, source.count(text, f"{path}/{tags[0]}")


def parse_csynth_rpt(text: str, where: str = "csynth.rpt") -> Csynth:
    """Read a C synthesis report in text.

    Raises
    ------
    InvalidSubmissionError
        It is truncated, of an unknown version, or a figure is missing or absurd.
    """
    source = Source(where)
    top = re.search(r"^== (?:Vivado|Vitis) HLS Report for '([^']+)'", text, re.MULTILINE)
    if top is None:
        raise source.refusal(
            "it does not begin as a C synthesis report does", "`== Vitis HLS Report`"
        )
    clock = _first_row(text, ("Clock", "Target", "Estimated", "Uncertainty"), source)
    latency = _latency_row(text, source)
    used, available = _text_resources(text, source)
    texts = {
        "version": _line(text, "Version"),
        "part": _line(text, "Target device"),
        "top": top[1],
        "latency": latency[1],
        "best latency": latency[0],
        "interval": latency[5],
        "target": clock[1],
        "uncertainty": clock[3],
        "estimated": clock[2],
    }
    ports = [row[: len(_PORT_COLUMNS)] for row in _rows(text, _PORT_COLUMNS)]
    return _checked(texts, used=used, available=available, ports=ports, source=source)


def _line(text: str, name: str) -> str | None:
    match = re.search(rf"^\* {re.escape(name)}:\s*(.+?)\s*$", text, re.MULTILINE)
    return match[1] if match else None


def _rows(text: str, header: Sequence[str]) -> Iterator[list[str]]:
    """Yield the rows of cells under the first table whose header begins with `header`."""
    lines = iter(text.splitlines())
    for line in lines:
        if line.strip().startswith("|") and cells_of(line)[: len(header)] == list(header):
            break
    for line in lines:
        stripped = line.strip()
        if stripped.startswith("|"):
            yield cells_of(line)
        elif not stripped.startswith("+"):
            return


def _first_row(text: str, header: Sequence[str], source: Source) -> list[str]:
    for row in _rows(text, header):
        if len(row) == len(header):
            return row
    raise source.refusal(f"the table {' | '.join(header)} is missing or empty", "a whole report")


def _latency_row(text: str, source: Source) -> list[str]:
    """Return the summary: latency min and max, absolute min and max, interval min and max."""
    section = re.search(r"^\+ Latency:\s*$(.*?)(?:\+ Detail:|\Z)", text, re.MULTILINE | re.DOTALL)
    for line in section[1].splitlines() if section else ():
        cells = cells_of(line)
        if line.strip().startswith("|") and len(cells) == 7 and _is_figure(cells[0]):
            return cells
    raise source.refusal("the latency summary is missing", "a whole report")


def _is_figure(text: str) -> bool:
    return text.lstrip("-").isdigit() or text in ("?", "undef")


def _text_resources(text: str, source: Source) -> tuple[dict[str, int], dict[str, int]]:
    section = text.partition("== Utilization Estimates")[2]
    header = next((line for line in section.splitlines() if "BRAM_18K" in line), None)
    if header is None:
        raise source.refusal("the utilisation summary is missing", "a whole report")
    columns = cells_of(header)
    rows = {row[0]: row for row in _rows(section, columns) if len(row) == len(columns)}
    found = []
    for title in ("Total", "Available"):
        if title not in rows:
            raise source.refusal(f"the row {title} of the utilisation summary is missing")
        named = zip((_COLUMNS.get(column) for column in columns), rows[title], strict=True)
        found.append({name: source.count(cell, f"{title} {name}") for name, cell in named if name})
    if set(found[0]) != set(_RESOURCES):
        raise source.refusal("the utilisation summary lacks a resource", "all five resources")
    return found[0], found[1]


def _checked(
    texts: Mapping[str, str | None],
    *,
    used: dict[str, int],
    available: dict[str, int],
    ports: Sequence[Sequence[str]],
    source: Source,
) -> Csynth:
    """Check the texts of a report one by one, and against each other."""
    report = Csynth(
        version=source.version(texts["version"]),
        part=source.part(texts["part"]),
        top=source.name(texts["top"], "the top function"),
        latency_cycles=source.cycles(texts["latency"], "the worst latency"),
        best_latency_cycles=source.cycles(texts["best latency"], "the best latency"),
        interval_cycles=source.cycles(texts["interval"], "the worst interval", least=1),
        clock_target_ns=source.period_ns(texts["target"], "the target clock period"),
        clock_uncertainty_ns=source.period_ns(
            texts["uncertainty"], "the clock uncertainty", may_be_zero=True
        ),
        clock_estimated_ns=source.period_ns(texts["estimated"], "the estimated clock period"),
        used=used,
        available=available,
        input_bits=_port_bits(ports, "in", source),
        output_bits=_port_bits(ports, "out", source),
    )
    best, worst = report.best_latency_cycles, report.latency_cycles
    if best > worst:
        raise source.refusal(f"the best latency, {best}, is above the worst, {worst}")
    for name, number in used.items():
        if available[name] < 1 and number > 0:
            raise source.refusal(f"{number} {name} are used of {available[name]} available")
    return report


def _port_bits(ports: Sequence[Sequence[str]], direction: str, source: Source) -> tuple[int, ...]:
    """Return the bits of the ports that carry values; a port that only controls has no value.

    Parameters
    ----------
    ports : sequence of (name, direction, bits, protocol, object)
    """
    found = [
        source.count(bits, f"the width of the port {name[:60]}")
        for name, way, bits, protocol, of in ports
        if way == direction and protocol in _DATA_PROTOCOLS and name == of
    ]
    return tuple(sorted(found))
