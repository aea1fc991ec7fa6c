"""Write reports as the vendor tools lay them out, of a made-up design; nothing was measured.

The layouts are those of Vivado HLS 2019.2, Vitis HLS 2020.1 to 2024.2 and Vivado 2024.1; text and
figures are our own.
"""

from __future__ import annotations

from collections.abc import Sequence

DESIGN = {"lut": 24_500, "ff": 3_100, "dsp": 12, "bram18": 3, "uram": 0}
AVAILABLE = {"lut": 1_182_240, "ff": 2_364_480, "dsp": 6_840, "bram18": 4_320, "uram": 960}
PART = "xcvu9p-flga2104-2-e"
# Name, direction and bits.
Port = tuple[str, str, int]


def csynth_xml(
    version: str = "2023.1",
    *,
    best: str = "11",
    worst: str = "14",
    interval: str = "2",
    target: str = "5.00",
    estimated: str = "4.321",
    part: str = PART,
    top: str = "anomaly",
    used: dict[str, int] | None = None,
    ports: Sequence[Port] = (),
) -> bytes:
    """Return a C synthesis report in XML."""
    dsp = "DSP48E" if version.startswith("2019") else "DSP"
    tags = {"BRAM_18K": "bram18", dsp: "dsp", "FF": "ff", "LUT": "lut", "URAM": "uram"}

    def resources(values: dict[str, int]) -> str:
        return "".join(f"<{tag}>{values[name]}</{tag}>\n" for tag, name in tags.items())

    interface = "".join(
        f"<RtlPorts>\n<name>{name}</name>\n<Object>{of}</Object>\n<IOProtocol>{protocol}"
        f"</IOProtocol>\n<Dir>{way}</Dir>\n<Bits>{bits}</Bits>\n</RtlPorts>\n"
        for name, way, bits, protocol, of in _all_ports(ports, top)
    )
    return f"""<profile>

<ReportVersion>
<Version>{version}</Version>
</ReportVersion>

<UserAssignments>
<unit>ns</unit>
<ProductFamily>virtexuplus</ProductFamily>
<Part>{part}</Part>
<TopModelName>{top}</TopModelName>
<TargetClockPeriod>{target}</TargetClockPeriod>
<ClockUncertainty>1.35</ClockUncertainty>
</UserAssignments>

<PerformanceEstimates>
<PipelineType>function</PipelineType>
<SummaryOfTimingAnalysis>
<unit>ns</unit>
<EstimatedClockPeriod>{estimated}</EstimatedClockPeriod>
</SummaryOfTimingAnalysis>
<SummaryOfOverallLatency>
<unit>clock cycles</unit>
<Best-caseLatency>{best}</Best-caseLatency>
<Average-caseLatency>{best}</Average-caseLatency>
<Worst-caseLatency>{worst}</Worst-caseLatency>
<Interval-min>1</Interval-min>
<Interval-max>{interval}</Interval-max>
</SummaryOfOverallLatency>
</PerformanceEstimates>

<AreaEstimates>
<Resources>
{resources(used or DESIGN)}</Resources>
<AvailableResources>
{resources(AVAILABLE)}</AvailableResources>
</AreaEstimates>

<InterfaceSummary>
{interface}</InterfaceSummary>

</profile>
""".encode()


def _all_ports(ports: Sequence[Port], top: str) -> list[tuple[str, str, int, str, str]]:
    """Return ports with protocol and source, and those that control the function."""
    if not ports:
        return []
    data = [(name, way, bits, "ap_vld", name) for name, way, bits in ports]
    valid = [(f"{name}_ap_vld", way, 1, "ap_vld", name) for name, way, _ in ports]
    return [("ap_clk", "in", 1, "ap_ctrl_hs", top), *data, *valid]


_SECTION = "================================================================"
# The tools leave blanks at the ends of these lines.
_TIMING, _SUMMARY, _LATENCY, _INSTANCE = "+ Timing: ", "* Summary: ", "+ Latency: ", "* Instance: "


def csynth_rpt(
    version: str = "2023.1",
    *,
    best: str = "11",
    worst: str = "14",
    interval: str = "2",
    top: str = "anomaly",
    ports: Sequence[Port] = (),
) -> str:
    """Return the same report in text."""
    tool = "Vivado" if version.startswith("2019") else "Vitis"
    dsp = "DSP48E" if version.startswith("2019") else " DSP "
    used = "|".join(f"{DESIGN[name]:9d}" for name in ("bram18", "dsp", "ff", "lut", "uram"))
    total = "|".join(f"{AVAILABLE[name]:9d}" for name in ("bram18", "dsp", "ff", "lut", "uram"))
    rule = "+---------------------+---------+---------+---------+---------+---------+"
    rows = "\n".join(
        f"|{name:<15}|{way:>5}|{bits:>5}|{protocol:>12}|{of:>15}|       pointer|"
        for name, way, bits, protocol, of in _all_ports(ports, top)
    )
    edge = "+---------------+-----+-----+------------+---------------+--------------+"
    head = "|   RTL Ports   | Dir | Bits|  Protocol  | Source Object |    C Type    |"
    table = f"{_SUMMARY}\n{edge}\n{head}\n{edge}\n{rows}\n{edge}"
    interface = f"\n{_SECTION}\n== Interface\n{_SECTION}\n{table}\n" if ports else ""
    return f"""

================================================================
== {tool} HLS Report for '{top}'
================================================================
* Date:           Mon Jan  1 00:00:00 2024

* Version:        {version} (Build 1 on Mon Jan  1 00:00:00 MST 2024)
* Project:        anomaly_prj
* Solution:       solution1
* Product family: virtexuplus
* Target device:  {PART}


================================================================
== Performance Estimates
================================================================
{_TIMING}
    {_SUMMARY}
    +--------+---------+----------+------------+
    |  Clock |  Target | Estimated| Uncertainty|
    +--------+---------+----------+------------+
    |ap_clk  |  5.00 ns|  4.321 ns|     1.35 ns|
    +--------+---------+----------+------------+

{_LATENCY}
    {_SUMMARY}
    +---------+---------+-----------+-----------+-----+-----+----------+
    |  Latency (cycles) |   Latency (absolute)  |  Interval | Pipeline |
    |   min   |   max   |    min    |    max    | min | max |   Type   |
    +---------+---------+-----------+-----------+-----+-----+----------+
    |{best:>9}|{worst:>9}| 55.000 ns | 70.000 ns |    1|{interval:>5}| function |
    +---------+---------+-----------+-----------+-----+-----+----------+

    + Detail: 
        {_INSTANCE}
        N/A

================================================================
== Utilization Estimates
================================================================
{_SUMMARY}
{rule}
|         Name        | BRAM_18K| {dsp:>7} |    FF   |   LUT   |   URAM  |
{rule}
|Expression           |        -|        -|        0|        6|        -|
{rule}
|Total                |{used}|
{rule}
|Available SLR        |     1440|     2280|   788160|   394080|      320|
{rule}
|Available            |{total}|
{rule}
|Utilization (%)      |        0|       ~0|       ~0|        2|        0|
{rule}

+ Detail: 
    {_INSTANCE}
    N/A
{interface}"""


def header(command: str, state: str, part: str) -> str:
    """Return the head of a report by Vivado."""
    return f"""Copyright 1986-2022 Xilinx, Inc. All Rights Reserved.
--------------------------------------------------------------------------------
| Tool Version : Vivado v.2024.1 (lin64) Build 1 Mon Jan  1 00:00:00 MDT 2024
| Date         : Mon Jan  1 00:00:00 2024
| Command      : {command}
| Design       : anomaly
| Device       : {part}
| Speed File   : -2
| Design State : {state}
--------------------------------------------------------------------------------
"""


def utilisation_rpt(*, state: str = "Routed", part: str = PART, tiles: str = "1.5") -> str:
    """Return a utilisation report."""
    return f"""{header("report_utilization -file utilization_routed.rpt", state, part)}
1. CLB Logic
------------

+----------------------------+-------+-------+------------+-----------+-------+
|          Site Type         |  Used | Fixed | Prohibited | Available | Util% |
+----------------------------+-------+-------+------------+-----------+-------+
| CLB LUTs*                  | 18250 |     0 |          0 |   1182240 |  1.54 |
|   LUT as Logic             | 18200 |     0 |          0 |   1182240 |  1.54 |
|   LUT as Memory            |    50 |     0 |          0 |    591840 | <0.01 |
| CLB Registers              |  2950 |     0 |          0 |   2364480 |  0.12 |
| CARRY8                     |  1400 |     0 |          0 |    147780 |  0.95 |
+----------------------------+-------+-------+------------+-----------+-------+

3. BLOCKRAM
-----------

+-------------------+------+-------+------------+-----------+-------+
|     Site Type     | Used | Fixed | Prohibited | Available | Util% |
+-------------------+------+-------+------------+-----------+-------+
| Block RAM Tile    |{tiles:>5} |     0 |          0 |      2160 |  0.07 |
|   RAMB36/FIFO*    |    1 |     0 |          0 |      2160 |  0.05 |
|   RAMB18          |    1 |     0 |          0 |      4320 |  0.02 |
| URAM              |    0 |     0 |          0 |       960 |  0.00 |
+-------------------+------+-------+------------+-----------+-------+

4. ARITHMETIC
-------------

+-----------+------+-------+------------+-----------+-------+
| Site Type | Used | Fixed | Prohibited | Available | Util% |
+-----------+------+-------+------------+-----------+-------+
| DSPs      |   12 |     0 |          0 |      6840 |  0.18 |
+-----------+------+-------+------------+-----------+-------+

14. SLR CLB Logic and Dedicated Block Utilization
-------------------------------------------------

+------------+-------+------+------+--------+--------+--------+
|  Site Type |  SLR0 | SLR1 | SLR2 | SLR0 % | SLR1 % | SLR2 % |
+------------+-------+------+------+--------+--------+--------+
| CLB LUTs   |     9 |    9 |    9 |   6.07 |   0.00 |   0.00 |
+------------+-------+------+------+--------+--------+--------+
"""


def timing_rpt(*, slack: str = "0.471", period: str = "5.000", state: str = "Routed") -> str:
    """Return a timing summary."""
    return f"""{header("report_timing_summary -file timing_routed.rpt", state, "xcvu9p-flga2104")}
------------------------------------------------------------------------------------------------
| Design Timing Summary
| ---------------------
------------------------------------------------------------------------------------------------

    WNS(ns)      TNS(ns)  TNS Failing Endpoints  TNS Total Endpoints      WHS(ns)      THS(ns)
    -------      -------  ---------------------  -------------------      -------      -------
     {slack:>6}        0.000                      0                 5873        0.020        0.000


All user specified timing constraints are met.


------------------------------------------------------------------------------------------------
| Clock Summary
| -------------
------------------------------------------------------------------------------------------------

Clock   Waveform(ns)       Period(ns)      Frequency(MHz)
-----   ------------       ----------      --------------
ap_clk  {{0.000 2.500}}      {period}           200.000


------------------------------------------------------------------------------------------------
| Intra Clock Table
| -----------------
------------------------------------------------------------------------------------------------
"""


def path_rpt() -> str:
    """Return a report of one path, as `report_timing` writes it."""
    head = header("report_timing -file timing_routed.rpt", "Routed", "xcvu9p-flga2104")
    return f"""{head}
Timing Report

Slack (VIOLATED) :        -0.250ns  (required time - arrival time)
  Source:                 stage0_inp_reg[3]/C
  Requirement:            5.000ns  (clk rise@5.000ns - clk rise@0.000ns)
  Data Path Delay:        5.190ns  (logic 2.100ns (40.5%)  route 3.090ns (59.5%))
"""
