"""Write the tables of docs/firmware-accuracy.md; the text around them is by hand.

python -m tools.firmware_accuracy            from the figures that `tools.firmware_measure`,
                                             `tools.firmware_anchors` and `tools.routed_paths` kept
python -m tools.firmware_accuracy --check    exit code 1 if the page is not current
"""

from __future__ import annotations

import json
import math
import re
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from pydantic import JsonValue

from tools.pages import ROOT, asks_for_check, fill, table, write_or_check

KEPT = ROOT / "benchmarks" / "results" / "firmware_accuracy.json"
PATHS = ROOT / "benchmarks" / "results" / "routed_paths.json"
PAGE = ROOT / "docs" / "firmware-accuracy.md"

Row: TypeAlias = Mapping[str, JsonValue]
Column: TypeAlias = tuple[str, Callable[[Row], str]]


def number(row: Row, name: str) -> float:
    """Return a figure of a row.

    Raises
    ------
    TypeError
        It is no number.
    """
    value = row[name]
    if not isinstance(value, int | float):
        raise TypeError(f"{name} of {row['name']} is {value!r}")
    return value


def whole(name: str) -> Callable[[Row], str]:
    """Return a function that writes a figure as a whole number."""
    return lambda row: f"{number(row, name):,.0f}"


def cycles(row: Row) -> str:
    """Write the latency: one number where all paths through the netlist are equally long."""
    value = row["latency_cycles"]
    if isinstance(value, list):
        fewest, most = value
        return f"{fewest}" if fewest == most else f"{fewest} to {most}"
    return f"{value}"


def ratio(row: Row) -> float:
    """Return the LUTs counted over those of da4ml's cost model."""
    return number(row, "lut") / number(row, "cost_lut")


def spread(rows: Sequence[Row]) -> str:
    """Write the range of the ratios, and how well the one counter ranks the other."""
    ratios = [ratio(row) for row in rows]
    rank = rank_correlation(
        [number(row, "lut") for row in rows], [number(row, "cost_lut") for row in rows]
    )
    return (
        f"{len(rows)} networks: ratio {min(ratios):.2f} to {max(ratios):.2f}, median "
        f"{statistics.median(ratios):.2f}; rank correlation (Spearman) {rank:.3f}.\n"
    )


def period_ratio(row: Row, name: str = "period_ns") -> float:
    """Return an estimate of the clock period over the period after routing."""
    return number(row, name) / number(_routed(row), "period_ns")


def _routed(row: Row) -> Row:
    routed = row["routed"]
    if not isinstance(routed, dict):
        raise TypeError(f"{row['name']} has no figures after routing")
    return {"name": row["name"], **routed}


def band(rows: Sequence[Row]) -> tuple[float, float]:
    """Return the middle 90 % of routed over estimated periods.

    `harness.firmware.wires.ROUTED_BAND` is made of it.
    """
    import numpy as np

    low, high = np.percentile([1 / period_ratio(row) for row in rows], [5, 95])
    return round(float(low), 2), round(float(high), 2)


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Return Spearman's rank correlation; ties get their mean rank."""
    from scipy.stats import spearmanr

    return float(spearmanr(first, second).statistic)


# --- Tables ---------------------------------------------------------------------------------------


def columns_table(columns: Sequence[Column], rows: Sequence[Row]) -> str:
    """Return one line for each row."""
    header = [name for name, _ in columns]
    return table(header, [[write(row) for _, write in columns] for row in rows])


def vendor_table(csynth: Sequence[Row], ours: Sequence[Row]) -> str:
    """Compare a vendor's reports of a network with what backend `rtl` makes of it."""
    columns: Sequence[Column] = (
        ("", _who),
        ("evidence", lambda row: "csynth" if "version" in row else "rtl"),
        ("cycles", cycles),
        ("II", lambda row: str(row.get("interval_cycles", 1))),
        ("period ns", _period),
        *((name.upper(), whole(name)) for name in ("lut", "ff", "dsp", "bram18")),
    )
    theirs = [_flat(row) for row in csynth]
    same = [row for row in ours if _has_vendor_words(row)]
    ratios = [_vendor_ratio(row, other) for row in same for other in theirs]
    return "\n".join([columns_table(columns, [*theirs, *ours]), *ratios])


def _flat(row: Row) -> Row:
    used = row["used"]
    return {**row, **used} if isinstance(used, dict) else row


def _has_vendor_words(row: Row) -> bool:
    return "<32" in str(row["words"])


def _who(row: Row) -> str:
    if "version" in row:
        tool = "Vivado HLS" if str(row["version"]).startswith("2019") else "Vitis HLS"
        strategy = "resource" if "resource" in str(row["name"]) else "latency"
        return f"{tool} {row['version']}, strategy {strategy}"
    note = "" if _has_vendor_words(row) else " (narrower: another network)"
    return f"`rtl`, `{row['words']}`{note}"


def _period(row: Row) -> str:
    name = "clock_estimated_ns" if "version" in row else "estimated_period_ns"
    return f"{number(row, name):.1f} (estimated)"


def _vendor_ratio(row: Row, other: Row) -> str:
    shares = ", ".join(
        f"{name.upper()} {number(row, name) / number(other, name):.2f}" for name in ("lut", "ff")
    )
    dsp = f"{number(row, 'dsp'):,.0f} DSP compared with {number(other, 'dsp'):,.0f}"
    return f"- `rtl` by {_who(other)}: {shares}; {dsp}."


def routed_table(rows: Sequence[Row]) -> str:
    """Compare da4ml's cost model with Vivado after routing."""
    columns: Sequence[Column] = (
        ("network", lambda row: str(row["name"])),
        ("LUT, cost model", whole("cost_lut")),
        ("LUT, Vivado routed", whole("lut")),
        ("ratio", lambda row: f"{ratio(row):.2f}"),
        ("FF", whole("ff")),
        ("cycles", cycles),
        ("period ns", lambda row: f"{number(row, 'period_ns'):.2f}"),
    )
    return columns_table(columns, _by_cost(rows)) + "\n" + spread(rows)


def anchors_table(rows: Sequence[Row]) -> str:
    """Compare estimated clock periods with those after routing."""
    columns: Sequence[Column] = (
        ("design", lambda row: str(row["name"])),
        ("part", lambda row: str(row["part"])),
        *(
            (f"{title}, {where}", _both(name, where))
            for title, name in (("LUT", "lut"), ("FF", "ff"), ("CARRY8", "carry8"))
            for where in ("routed", "here")
        ),
        ("period routed, ns", lambda row: f"{number(_routed(row), 'period_ns'):.2f}"),
        ("estimated, ns", lambda row: f"{number(row, 'period_ns'):.2f}"),
        ("ratio", lambda row: f"{period_ratio(row):.2f}"),
        ("ratio by half for routing", lambda row: f"{period_ratio(row, 'period_by_share_ns'):.2f}"),
    )
    parts = []
    for netlist, title in _NETLISTS.items():
        own = [row for row in rows if row["netlist"] == netlist]
        parts += [title, columns_table(columns, own), _period_spread(own)]
    low, high = band(rows)
    return "\n".join(
        [
            *parts,
            f"All {len(rows)} netlists: {_period_spread(rows)}",
            f"Band of the estimate, the middle 90 % of routed over estimated: {low} to {high}.\n",
        ]
    )


_NETLISTS = {
    "Yosys": "Mapped here from the public Verilog:\n",
    "Vivado": "The netlists that Vivado routed, timed here:\n",
}


def _both(name: str, where: str) -> Callable[[Row], str]:
    return lambda row: whole(name)(_routed(row) if where == "routed" else row)


def _period_spread(rows: Sequence[Row]) -> str:
    return (
        f"estimated over routed {_range(rows, 'period_ns')}; with half of the path for routing "
        f"{_range(rows, 'period_by_share_ns')}.\n"
    )


def _range(rows: Sequence[Row], name: str) -> str:
    ratios = [period_ratio(row, name) for row in rows]
    spread = statistics.pstdev(math.log(value) for value in ratios)
    return (
        f"{min(ratios):.2f} to {max(ratios):.2f}, median {statistics.median(ratios):.2f}, "
        f"standard deviation of the logarithm {spread:.2f}"
    )


# --- Routed paths ---------------------------------------------------------------------------------

# Arcs that are constants of `harness.firmware.wires`, and dedicated and general nets.
_ARCS = (
    "clock_to_q",
    "lut",
    "wide_mux",
    *(f"carry_{pin}_to_{end}" for pin in ("s", "di", "ci") for end in ("o", "co")),
    "carry_chain",
    "setup_D",
    "setup_CE",
    "setup_R",
)


def constants_table(paths: Mapping[str, JsonValue]) -> str:
    """Return the delays along routed paths by grade: mean, and how many."""
    rows = []
    for group, names in (("cells", _ARCS), ("dedicated_nets", None), ("general_nets", None)):
        found = paths[group]
        if not isinstance(found, dict):
            raise TypeError(f"{group} is no table")
        for name in names or sorted(found):
            cells = [_mean(found[name], grade) for grade in ("-1", "-2", "-3")]
            rows.append([f"{_GROUPS[group]} {name}", *cells])
    return table(["delay, ns", "grade -1", "grade -2", "grade -3"], rows)


_GROUPS = {"cells": "cell", "dedicated_nets": "wire", "general_nets": "general wire"}


def _mean(grades: JsonValue, grade: str) -> str:
    found = grades.get(grade) if isinstance(grades, dict) else None
    return f"{found['mean']:.3f} ({found['n']})" if isinstance(found, dict) else "–"


def sources_table(paths: Mapping[str, JsonValue]) -> str:
    """Return where the routed paths are from."""
    sources = paths["sources"]
    if not isinstance(sources, list):
        raise TypeError("there are no sources")
    rows = [
        [
            str(source["repository"]),
            str(source["commit"])[:7]
            if len(str(source["commit"])) == 40
            else str(source["commit"]),
            ", ".join(map(str, source["grades"])),
            f"{source['n_designs']}",
            f"{source['n_paths']}",
        ]
        for source in sources
        if isinstance(source, dict) and isinstance(source["grades"], list)
    ]
    header = ["public repository", "commit or page", "grade", "designs", "paths"]
    return table(header, rows, n_words=2)


def left_out_table(paths: Mapping[str, JsonValue]) -> str:
    """Return how well paths are predicted by a fit without their repository."""
    folds, ratios = paths["left_out"], paths["ratios"]
    if not isinstance(folds, list) or not isinstance(ratios, dict):
        raise TypeError("there is no cross-validation")
    rows = [
        [str(fold["left_out"]), str(fold["n_paths"]), *(_edges(fold[name]) for name in _MODELS)]
        for fold in folds
        if isinstance(fold, dict)
    ]
    total = ["all", *(_summary(ratios[name]) for name in _MODELS)]
    rows.append([total[0], str(sum(int(row[1]) for row in rows)), *total[1:]])
    return table(["left out of the fit", "paths", *_MODELS.values()], rows)


_MODELS = {"by_nets": "delay for each net", "by_share": "half of the path"}


def _edges(values: JsonValue) -> str:
    ratios = [float(str(value)) for value in values] if isinstance(values, list) else []
    low, high = min(ratios), max(ratios)
    return f"{low:.2f}" if len(ratios) == 1 else f"{low:.2f} to {high:.2f}"


def _summary(spread: JsonValue) -> str:
    if not isinstance(spread, dict):
        raise TypeError(f"{spread!r} is no summary")
    return f"median {spread['median']:.2f}, log sd {spread['log_sd']:.2f}"


# --- da4ml's cost model ---------------------------------------------------------------------------


def counters_table(rows: Sequence[Row]) -> str:
    """Compare da4ml's cost model with Yosys."""
    columns: Sequence[Column] = (
        ("network", _short),
        ("LUT, cost model", whole("cost_lut")),
        ("LUT, Yosys", whole("lut")),
        ("of them inverters", _inverters),
        ("ratio", lambda row: f"{ratio(row):.2f}"),
        ("FF", whole("ff")),
        ("DSP", whole("dsp")),
        ("cycles", cycles),
        ("period ns (estimate)", lambda row: f"{number(row, 'estimated_period_ns'):.2f}"),
    )
    return columns_table(columns, _by_cost(rows))


def _by_cost(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: number(row, "cost_lut"))


def _short(row: Row) -> str:
    """Name a network of HGQ's authors by its data set and its bit operations."""
    found = re.fullmatch(r"(\w+)/.*ebops=(\d+).*", str(row["name"]))
    return f"{found[1]}, {int(found[2]):,} EBOPs" if found else str(row["name"])


def _inverters(row: Row) -> str:
    return whole("n_inverters")(row) if "n_inverters" in row else "not kept"


def render(page: str, document: Mapping[str, Sequence[Row]]) -> str:
    """Return `page` with the tables of `document`."""
    counted = {group: document[group] for group in ("submissions", "public", "sizes")}
    paths = json.loads(PATHS.read_text("utf-8"))
    blocks = {
        "vendor": vendor_table(document["csynth"], document["vendor"]),
        "routed": routed_table(document["routed"]),
        **{group: counters_table(rows) for group, rows in counted.items()},
        "counters": spread([row for rows in counted.values() for row in rows]),
        "anchors": anchors_table(document["anchors"]),
        "sources": sources_table(paths),
        "constants": constants_table(paths),
        "left-out": left_out_table(paths),
    }
    return fill(page, blocks)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page's tables, or check them."""
    is_check = asks_for_check(__doc__, arguments)
    text = render(PAGE.read_text("utf-8"), json.loads(KEPT.read_text("utf-8")))
    return write_or_check({PAGE: text}, is_check=is_check)


if __name__ == "__main__":
    sys.exit(main())
