"""Read the routed timing paths of public designs, and fit the delays of cells and wires to them.

python -m tools.routed_paths FOLDER        writes benchmarks/results/routed_paths.json

FOLDER holds a copy of each repository of `tools.vivado_paths.SOURCES`, in a folder `owner+name`.
Their reports are not kept here; what is kept are counts, means and medians, the fit, and how it
does on designs that were left out. The constants of `harness.firmware.wires` are from this file.
"""

from __future__ import annotations

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
from numpy.typing import NDArray
from pydantic import JsonValue

from harness.firmware.wires import GRADE_FACTORS, WireDelays
from tools.pages import ROOT
from tools.vivado_paths import (
    DEDICATED,
    SOURCES,
    Net,
    RoutedPath,
    Source,
    arc_name,
    nets_of,
    read_source,
)

KEPT = ROOT / "benchmarks" / "results" / "routed_paths.json"

# Nets that are left out of the fit: more sinks, or longer. Such are signals of control across the
# die (resets, enables, modes), of which a pipeline of da4ml has none.
MAX_FAN_OUT, MAX_NET_NS = 64, 2.0

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

    def misses(values: NDArray[np.float64], /) -> list[float]:
        fit = _wires(values)
        return [
            weight * (general_ns(fit, net) - net.delay_ns) / GRADE_FACTORS[net.path.grade]
            for weight, net in zip(weights, nets, strict=True)
        ]

    return _wires(least_squares(misses, [0.4, 0.18, 0.04, 0.5]).x)


def rounded(fit: WireDelays) -> dict[str, JsonValue]:
    """Return the constants of a fit to four digits."""
    return {name: round(value, 4) for name, value in asdict(fit).items()}


def _wires(values: NDArray[np.float64]) -> WireDelays:
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


@dataclass(frozen=True, kw_only=True, slots=True)
class LeftOut:
    """How paths were predicted that were left out: predicted over routed delay of each."""

    left_out: str
    fit: WireDelays
    by_nets: list[float]
    by_share: list[float]

    def row(self) -> JsonValue:
        """Return what is kept of it."""
        return {
            "left_out": self.left_out,
            "n_paths": len(self.by_nets),
            "fit": rounded(self.fit),
            "by_nets": [round(value, 3) for value in self.by_nets],
            "by_share": [round(value, 3) for value in self.by_share],
        }


def left_out(paths: Sequence[RoutedPath]) -> Iterator[LeftOut]:
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
            yield LeftOut(
                left_out=fold,
                fit=fit,
                by_nets=[by_nets for by_nets, _ in ratios],
                by_share=[by_share for _, by_share in ratios],
            )


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
        "left_out": [fold.row() for fold in folds],
        "ratios": {
            "by_nets": spread([value for fold in folds for value in fold.by_nets]),
            "by_share": spread([value for fold in folds for value in fold.by_share]),
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
        "grades": [*sorted({path.grade for path in own})],
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
