"""How every benchmark reads its options, prints its table and keeps its figures."""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Generic, TypeVar

from rich.console import Console
from rich.markup import escape
from rich.table import Table

Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)
Cell = str | int | float
# A table that is not read on a terminal keeps this width, so that no cell is cut.
_WIDTH = 120
_PACKAGES = ("numpy", "scipy", "scikit-learn", "tensorflow", "keras", "HGQ2", "da4ml", "hls4ml")


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What the command line asked for."""

    quick: bool
    json: Path | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Timed(Generic[Result_co]):
    """Seconds of repeated calls, and what the last one returned.

    Attributes
    ----------
    wall_s : tuple of float
        Wall-clock seconds of each call; `best_s` is the least of them.
    cpu_s : float
        Least processor seconds of a call (all threads together): what a busy machine disturbs
        less than the wall clock.
    """

    wall_s: tuple[float, ...]
    cpu_s: float
    result: Result_co

    @property
    def best_s(self) -> float:
        """Least wall-clock seconds."""
        return min(self.wall_s)

    @property
    def median_s(self) -> float:
        """Median of the wall-clock seconds."""
        return statistics.median(self.wall_s)


@dataclass(frozen=True, kw_only=True, slots=True)
class Goal:
    """A figure held against what is asked of it; `relation` is ``>=`` or ``<=``."""

    name: str
    value: float
    relation: str
    limit: float
    unit: str = ""

    @property
    def is_met(self) -> bool:
        """Whether the figure keeps its limit."""
        return self.value >= self.limit if self.relation == ">=" else self.value <= self.limit


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """One table of a benchmark with the goals that it was made for.

    Attributes
    ----------
    name : str
        Short name, such as ``metrics``; stands in the kept file.
    columns, rows
        Headings and cells; numbers are printed with four significant digits.
    conditions : mapping
        What was measured: sizes, repeats, seeds.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    goals: tuple[Goal, ...] = ()
    conditions: dict[str, Cell] = field(default_factory=dict)


def read_options(description: str, arguments: Sequence[str] | None = None) -> Options:
    """Read ``--quick`` and ``--json FILE``."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="a small size, in seconds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the figures in FILE")
    parsed = parser.parse_args(arguments)
    return Options(quick=parsed.quick, json=parsed.json)


def timed(call: Callable[[], Result], *, repeats: int = 3) -> Timed[Result]:
    """Time `repeats` calls (at least one)."""
    wall: list[float] = []
    cpu: list[float] = []
    while True:
        started_wall, started_cpu = time.perf_counter(), time.process_time()
        result = call()
        cpu.append(time.process_time() - started_cpu)
        wall.append(time.perf_counter() - started_wall)
        if len(wall) >= repeats:
            return Timed(wall_s=tuple(wall), cpu_s=min(cpu), result=result)


def publish(report: Report, options: Options) -> int:
    """Print `report`, keep it where asked, and return the exit code: 1 if a goal was missed.

    Goals hold for the full size; with ``--quick`` they are shown and never missed.
    """
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    console.print(_draw(report))
    for goal in report.goals:
        verdict = "[green]met[/]" if goal.is_met else "[red]missed[/]"
        asked = f"asked: {goal.relation} {goal.limit:g}{goal.unit}"
        line = f"{escape(goal.name)}: {goal.value:.4g}{goal.unit} ({asked}) {verdict}"
        console.print(line, soft_wrap=True)
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(_document(report, options), indent=1) + "\n", "utf-8")
    return int(not options.quick and not all(goal.is_met for goal in report.goals))


def _draw(report: Report) -> Table:
    conditions = ", ".join(f"{name} {_text(value)}" for name, value in report.conditions.items())
    table = Table(title=escape(report.title), caption=escape(conditions), title_justify="left")
    for index, column in enumerate(report.columns):
        is_number = bool(report.rows) and not isinstance(report.rows[0][index], str)
        table.add_column(escape(column), justify="right" if is_number else "left")
    for row in report.rows:
        table.add_row(*(escape(_text(cell)) for cell in row))
    return table


def _text(cell: Cell) -> str:
    if isinstance(cell, int):
        return f"{cell:,}"
    return f"{cell:.4g}" if isinstance(cell, float) else cell


def _document(report: Report, options: Options) -> dict[str, object]:
    return {
        "benchmark": report.name,
        "measured": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "quick": options.quick,
        "conditions": report.conditions,
        "rows": [dict(zip(report.columns, row, strict=True)) for row in report.rows],
        "goals": [{**asdict(goal), "is_met": goal.is_met} for goal in report.goals],
        "machine": _machine(),
    }


def _machine() -> dict[str, object]:
    return {
        "processor": _processor(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
    }


def _processor() -> str:
    """Name the processor: the kernel's words on Linux, the platform's elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
