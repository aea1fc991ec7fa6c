"""Read the routed timing paths of public designs, and fit the delays of cells and wires to them.

python -m tools.routed_paths FOLDER        writes benchmarks/results/routed_paths.json

FOLDER holds a copy of each repository of `SOURCES`, in a folder `owner+name`. Their reports are not
kept here; what is kept are counts, means and medians, the fit, and how it does on designs that were
left out of it. The constants of `harness.firmware.wires` are from this file.
"""

from __future__ import annotations

import csv
import json
import math
import re
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from harness.firmware.wires import WireDelays
from tools.pages import ROOT

KEPT = ROOT / "benchmarks" / "results" / "routed_paths.json"
_VU13P_LUTS = 1_728_000

# How much slower than grade -2: clock to output of a flip-flop is 0.096, 0.079 and 0.069 ns.
GRADE_FACTORS = {"-1": 1.2, "-2": 1.0, "-3": 0.88}
# Nets that are left out of the fit: more sinks, or longer. Such are signals of control across the
# die (resets, enables, modes), of which a pipeline of da4ml has none.
MAX_FAN_OUT, MAX_NET_NS = 64, 2.0
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


# --- The fit --------------------------------------------------------------------------------------


def general_ns(fit: WireDelays, net: Net) -> float:
    """Return the delay of a general net on its path's grade."""
    delay_ns = fit.general_ns(net.driver, net.fan_out, net.path.n_lut)
    return delay_ns * GRADE_FACTORS[net.path.grade]


def fit_general(nets: Sequence[Net]) -> WireDelays:
    """Fit the general nets by least squares; each repository counts as much as any other.

    Repositories with at most ten nets count a quarter.
    """
    from scipy.optimize import least_squares

    counts = Counter(net.path.repository for net in nets)
    weights = [1 / math.sqrt(n) / (1 if n > 10 else 2) for n in map(counts.__getitem__, _of(nets))]

    def misses(values: Sequence[float]) -> list[float]:
        fit = _wires(values)
        return [
            weight * (general_ns(fit, net) - net.delay_ns) / GRADE_FACTORS[net.path.grade]
            for weight, net in zip(weights, nets, strict=True)
        ]

    return _wires(least_squares(misses, [0.4, 0.18, 0.04, 0.5]).x)


def rounded(fit: WireDelays) -> dict[str, JsonValue]:
    """Return the constants of a fit to four digits."""
    return {name: round(value, 4) for name, value in asdict(fit).items()}


def _wires(values: Sequence[float]) -> WireDelays:
    sum_ns, other_ns, per_fan_out_ns, per_size = map(float, values)
    return WireDelays(
        sum_ns=sum_ns, other_ns=other_ns, per_fan_out_ns=per_fan_out_ns, per_size=per_size
    )


def _of(nets: Iterable[Net]) -> Iterator[str]:
    return (net.path.repository for net in nets)


def fitted(nets: Iterable[Net]) -> list[Net]:
    """Return the nets that the fit is made of."""
    return [
        net
        for net in nets
        if net.is_general
        and net.fan_out <= MAX_FAN_OUT
        and net.delay_ns < MAX_NET_NS
        and net.path.n_lut >= 0
    ]


def path_ratios(
    path: RoutedPath, fit: WireDelays, dedicated: Mapping[str, float]
) -> tuple[float, float]:
    """Return predicted over routed delay of a path: by nets, and by half of it for routing.

    The delays of its cells are those of the report in both. A net that is neither dedicated nor
    general, such as one inside a DSP slice, has its own delay.
    """
    cells_ns = sum(step.delay_ns for step in path.steps if not step.is_net)
    whole_ns = sum(step.delay_ns for step in path.steps)
    by_nets = whole_ns
    for net in nets_of(path):
        if net.is_dedicated:
            by_nets += dedicated[net.pair] * GRADE_FACTORS[path.grade] - net.delay_ns
        elif net.is_general:
            by_nets += general_ns(fit, net) - net.delay_ns
    return by_nets / whole_ns, 2 * cells_ns / whole_ns


def left_out(paths: Sequence[RoutedPath]) -> Iterator[dict[str, JsonValue]]:
    """Yield how well paths are predicted by a fit without their repository.

    The one repository with large designs gives the growth with size: it is left out by variants of
    the design, so that the others still give it.
    """
    folds = defaultdict(list)
    for path in paths:
        folds[_fold(path)].append(path)
    nets = [net for path in paths for net in nets_of(path)]
    for fold, members in sorted(folds.items()):
        others = [net for net in nets if _fold(net.path) != fold]
        fit, dedicated = fit_general(fitted(others)), dedicated_ns(others)
        ratios = [
            path_ratios(path, fit, dedicated)
            for path in members
            if _is_of_a_pipeline(path) and path.n_lut >= 0
        ]
        if ratios:
            yield {
                "left_out": fold,
                "n_paths": len(ratios),
                "fit": rounded(fit),
                "by_nets": [round(nets, 3) for nets, _ in ratios],
                "by_share": [round(share, 3) for _, share in ratios],
            }


def _fold(path: RoutedPath) -> str:
    variant = re.search(r"^\d+_\d+_(\w+)_timing", path.design)
    return f"{path.repository} {variant[1]}" if variant else path.repository


def _is_of_a_pipeline(path: RoutedPath) -> bool:
    """Whether a path has a general net, and no long one of control."""
    nets = list(nets_of(path))
    return any(net.is_general for net in nets) and all(net.delay_ns < MAX_NET_NS for net in nets)


def dedicated_ns(nets: Iterable[Net]) -> dict[str, float]:
    """Return the mean of each dedicated wire, on grade -2."""
    found = defaultdict(list)
    for net in nets:
        if net.is_dedicated:
            found[net.pair].append(net.delay_ns / GRADE_FACTORS[net.path.grade])
    return {pair: statistics.mean(found.get(pair, [0.0])) for pair in sorted(DEDICATED)}


# --- What is kept ---------------------------------------------------------------------------------


def summary(values: Sequence[float]) -> dict[str, JsonValue]:
    """Return count, mean, median and largest of some delays."""
    return {
        "n": len(values),
        "mean": round(statistics.mean(values), 4),
        "median": round(statistics.median(values), 4),
        "max": max(values),
    }


def by_grade(values: Iterable[tuple[str, str, float]]) -> dict[str, JsonValue]:
    """Summarise (name, grade, delay) by name and grade."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for name, grade, delay_ns in values:
        found[name][grade].append(delay_ns)
    return {
        name: {grade: summary(delays) for grade, delays in sorted(grades.items())}
        for name, grades in sorted(found.items())
    }


def spread(ratios: Sequence[float]) -> dict[str, JsonValue]:
    """Return median and edges of ratios: lowest, highest, and the middle 68 %."""
    low, high = np.percentile(ratios, [16, 84])
    return {
        "n": len(ratios),
        "median": round(statistics.median(ratios), 3),
        "lowest": round(min(ratios), 3),
        "highest": round(max(ratios), 3),
        "middle_68": [round(float(low), 3), round(float(high), 3)],
        "log_sd": round(float(np.std(np.log(ratios))), 3),
    }


def summarise(paths: Sequence[RoutedPath]) -> dict[str, JsonValue]:
    """Return all that is kept of the paths."""
    nets = [net for path in paths for net in nets_of(path)]
    folds = list(left_out(paths))
    return {
        "sources": [_source_row(source, paths) for source in SOURCES],
        "cells": by_grade(
            (arc_name(step), path.grade, step.delay_ns)
            for path in paths
            for step in (*path.steps, *path.setup)
            if step.arc and not step.arc.startswith("pin")
        ),
        "dedicated_nets": by_grade(
            (net.pair, net.path.grade, net.delay_ns) for net in nets if net.is_dedicated
        ),
        "general_nets": by_grade(
            (f"from {net.driver}", net.path.grade, net.delay_ns) for net in fitted(nets)
        ),
        "n_general_left_out": sum(net.is_general for net in nets) - len(fitted(nets)),
        "fit": rounded(fit_general(fitted(nets))),
        "fit_without": {
            name: rounded(fit_general([net for net in fitted(nets) if net.path.repository != name]))
            for name in (source.repository for source in SOURCES)
        },
        "left_out": folds,
        "ratios": {
            name: spread([r for fold in folds for r in fold[name]])  # type: ignore[union-attr, misc]
            for name in ("by_nets", "by_share")
        },
    }


def _source_row(source: Source, paths: Sequence[RoutedPath]) -> JsonValue:
    own = [path for path in paths if path.repository == source.repository]
    return {
        "repository": source.repository,
        "commit": source.commit,
        "licence": source.licence,
        "n_designs": len({path.design for path in own}),
        "n_paths": len(own),
        "grades": sorted({path.grade for path in own}),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the reports of a folder and keep what they give."""
    names = list(sys.argv[1:] if arguments is None else arguments)
    if len(names) != 1 or names[0].startswith("-"):
        print(__doc__)
        return 2 if names != ["--help"] else 0
    paths = [path for source in SOURCES for path in read_source(source, Path(names[0]))]
    if not paths:
        print(f"{names[0]} holds no report of {SOURCES[0].repository} or another of the sources")
        return 2
    KEPT.write_text(json.dumps(summarise(paths), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
