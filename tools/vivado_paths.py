"""Read the paths of Vivado's timing reports of routed designs: cells, nets, and what they join."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_VU13P_LUTS = 1_728_000

DEDICATED = {"carry-CI", "lut-S", "lut-mux", "mux-mux", "sum-register", "lut-register"}
_SINKS = {"lut", "DI", "S", "mux", "register", "CYINIT"}
_DRIVERS = {"sum", "carry", "lut", "mux", "register", "dsp"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Reports of one public repository."""

    repository: str
    commit: str
    pattern: str
    luts: Mapping[str, int] | None = None
    licence: str = "none stated"


SOURCES = (
    Source(
        repository="gussmith23/lakeroad-evaluation",
        commit="4efb34249397abd14d31954de802cc9905edc685",
        pattern="runs/2022-07-06-1704-full/**/vivado-synth-opt-place-route/*-timing-route.v",
        licence="MIT",
    ),
    Source(
        repository="max-cohen54/AD_trigger_training",
        commit="4364bf719b9c5e803377805def3efc3cde9b5b79",
        pattern="**/bd_0_wrapper_timing_summary_routed.rpt",
        luts={"": 23_917},
    ),
    Source(
        repository="vivek1192/cnnAccelerator",
        commit="69c9a2efff933d079e3dcaaaa4b1a1b84ac0f4f6",
        pattern="syn/reports/*timing_route.rpt",
        luts={"cxr_": 55_797, "": 122},
    ),
    Source(
        repository="K-Thanushan/fir_filter_system",
        commit="20f0f4d8fbb0831e36ad8d5e52a89bc0d87bc8a8",
        pattern="reports/impl_timing.rpt",
        luts={"": 1_500},
    ),
    Source(
        repository="RaviduHM99/FIR_Katim",
        commit="eb025fd723ddca518cc1f916d1cff6401fbbaef7",
        pattern="reports/impl_timing.rpt",
        luts={"": 1_500},
    ),
    Source(
        repository="Xilinx/RapidWright",
        commit="documentation pages RWRoute_timing_driven_routing and RWRoute_partial_routing",
        pattern="*.txt",
        luts={"": 3_500},
    ),
    Source(
        repository="uw-acme/HLS4ML_VS_MANUAL",
        commit="6478cf0402c35cf1b5dbe28d830d30474345e405",
        pattern="src/hdl/Batchnorm-JetTagging/handmade/reports/*_timing.rpt",
    ),
)


# --- Reading --------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One line of a path: a cell with its arc, a net with its sinks, or the pin at the end."""

    kind: str
    arc: str = ""
    fan_out: int = 0
    delay_ns: float = 0.0

    @property
    def is_net(self) -> bool:
        """Whether it is a net."""
        return self.kind == "net"


@dataclass(frozen=True, kw_only=True, slots=True)
class RoutedPath:
    """The slowest corner's path of a routed design, from the launching cell to the last pin."""

    repository: str
    design: str
    grade: str
    n_lut: int
    steps: tuple[Step, ...]
    setup: tuple[Step, ...]


_CELL = re.compile(
    r"^\s+(?:[A-Z0-9_]+_X\d+Y\d+\s+)?([A-Z][A-Za-z0-9_]*) \(((?:Prop|Setup)_[^)]*)\)\s*(.*)$"
)
_NET = re.compile(r"^\s+net \(fo=(\d+), (routed|unset)\)\s+([\d.]+)")
_PIN = re.compile(r"^\s+[A-Z0-9_]+_X\d+Y\d+\s+([A-Z][A-Za-z0-9_]*)\s+[rf]?\s+(\S+)\s*$")
_NUMBER = re.compile(r"\s*(-?\d+\.\d+)")


def parse_steps(block: str) -> Iterator[Step]:
    """Yield the lines of one path of Vivado's ``report_timing``."""
    lines = block.splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if net := _NET.match(line):
            yield Step(kind="net", fan_out=int(net[1]), delay_ns=float(net[3]))
        elif cell := _CELL.match(line):
            # A long name is followed by its delay in the next line.
            number = _NUMBER.match(cell[3]) or _NUMBER.match(following)
            delay_ns = float(number[1]) if number else 0.0
            yield Step(kind=cell[1], arc=cell[2], delay_ns=delay_ns)
        elif pin := _PIN.match(line):
            yield Step(kind=pin[1], arc="pin " + pin[2].rsplit("/", 1)[-1].split("[")[0])


def parse_paths(text: str) -> Iterator[tuple[tuple[Step, ...], tuple[Step, ...]]]:
    """Yield steps and set-up of each path of a report at the slow corner."""
    for block in re.split(r"(?m)^Slack", text)[1:]:
        if "Max at Slow Process Corner" not in block:
            continue
        steps = list(parse_steps(block))
        starts = [i for i, step in enumerate(steps) if re.search(r"_C_Q|_CLK_|CLKARD", step.arc)]
        body: list[Step] = []
        for step in steps[starts[0] if starts else 0 :]:
            if step.arc.startswith("Setup"):
                break
            body.append(step)
            if step.arc.startswith("pin"):
                break
        if any(not step.is_net for step in body):
            yield tuple(body), tuple(step for step in steps if step.arc.startswith("Setup"))


def read_source(source: Source, folder: Path) -> Iterator[RoutedPath]:
    """Yield the paths of a repository that differ from each other."""
    home = folder / source.repository.replace("/", "+")
    for path in sorted(home.glob(source.pattern)):
        text = path.read_text(errors="replace")
        grade = re.search(r"\| Speed File\s*:\s*(-\d)\s", text)
        found: set[tuple[Step, ...]] = set()
        for steps, setup in parse_paths(text):
            if steps not in found:
                found.add(steps)
                yield RoutedPath(
                    repository=source.repository,
                    design=path.name,
                    grade=grade[1] if grade else "-2",
                    n_lut=_luts(source, path),
                    steps=steps,
                    setup=setup,
                )


def _luts(source: Source, path: Path) -> int:
    """Return the LUTs of a routed design: as stated, or of the report of its use."""
    for prefix, n_lut in (source.luts or {}).items():
        if path.name.startswith(prefix):
            return n_lut
    use = path.with_name(path.name.replace("-timing-", "-util-"))
    if use != path:
        found = re.search(r"CLB LUTs\s*\|\s*(\d+)", use.read_text())
        return int(found[1]) if found else 0
    # Results/util_VARIANT.csv: bits, and the share of the LUTs of a VU13P in per cent.
    bits, _, variant = path.name.removesuffix("_timing.rpt").split("_", 2)
    table = path.parents[1] / "Results" / f"util_{variant}.csv"
    rows = csv.reader(table.read_text().splitlines()) if table.exists() else ()
    shares = [float(row[1]) for row in rows if row and row[0] == bits]
    return round(shares[0] / 100 * _VU13P_LUTS) if shares else -1


# --- Names ----------------------------------------------------------------------------------------


def arc_name(step: Step) -> str:
    """Name the constant that a cell's delay belongs to."""
    if step.arc.startswith("Setup"):
        return "setup_" + step.arc.rsplit("_", 1)[-1].split("[")[0]
    if step.kind.startswith("FD"):
        return "clock_to_q"
    if step.kind.startswith("LUT"):
        return "lut"
    if step.kind.startswith("MUXF"):
        return "wide_mux"
    if step.kind == "CARRY8":
        found = re.search(r"_([A-Z]+)(?:\[\d\])?_(O|CO)\[(\d)\]", step.arc)
        if found:
            is_chain = found[1] == "CI" and found[2] == "CO" and found[3] == "7"
            return "carry_chain" if is_chain else f"carry_{found[1]}_to_{found[2]}".lower()
    return re.sub(r"\[\d+\]", "", step.arc.removeprefix("Prop_")).lower()


def driver_name(step: Step) -> str:
    """Say what a cell drives a net as; see `harness.firmware.wires`."""
    if step.kind == "CARRY8":
        return "carry" if re.search(r"_CO\[\d\]$", step.arc) else "sum"
    for start, name in (("LUT", "lut"), ("MUXF", "mux"), ("FD", "register"), ("DSP_OUT", "dsp")):
        if step.kind.startswith(start):
            return name
    return step.kind


def sink_name(step: Step) -> str:
    """Say what a net ends at."""
    if step.arc.startswith("pin"):
        return "register" if step.kind.startswith("FD") and step.arc == "pin D" else step.arc
    if step.kind == "CARRY8":
        found = re.search(r"SLICE[LM]_([A-Z]+)", step.arc)
        return found[1] if found else ""
    for start, name in (("LUT", "lut"), ("MUXF", "mux")):
        if step.kind.startswith(start):
            return name
    return step.kind


@dataclass(frozen=True, kw_only=True, slots=True)
class Net:
    """A net of a path: what drives it, where it ends, and its delay."""

    path: RoutedPath
    driver: str
    sink: str
    fan_out: int
    delay_ns: float

    @property
    def pair(self) -> str:
        """Driver and sink."""
        return f"{self.driver}-{self.sink}"

    @property
    def is_dedicated(self) -> bool:
        """Whether it has a wire of its own inside a slice or between carry blocks."""
        return self.pair in DEDICATED and (self.fan_out == 1 or self.sink == "CI")

    @property
    def is_general(self) -> bool:
        """Whether it goes by the general routing, as nets of a pipeline do."""
        return self.driver in _DRIVERS and self.sink in _SINKS and not self.is_dedicated


def nets_of(path: RoutedPath) -> Iterator[Net]:
    """Yield the nets between two cells of a path."""
    for before, step, after in zip(path.steps, path.steps[1:], path.steps[2:], strict=False):
        if step.is_net and not before.is_net and not after.is_net:
            yield Net(
                path=path,
                driver=driver_name(before),
                sink=sink_name(after),
                fan_out=step.fan_out,
                delay_ns=step.delay_ns,
            )
