"""Write docs/firmware-accuracy.md of the figures that `tools.firmware_measure` kept.

python -m tools.firmware_accuracy            write the page
python -m tools.firmware_accuracy --check    exit code 1 if it is not current
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from pydantic import JsonValue

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "benchmarks" / "results" / "firmware_accuracy.json"
PAGE = ROOT / "docs" / "firmware-accuracy.md"

Row: TypeAlias = Mapping[str, JsonValue]
Column: TypeAlias = tuple[str, Callable[[Row], str]]

INTRODUCTION = """\
# How true the firmware's figures are

Backend `rtl` counts the cells of a netlist that open tools made, and estimates a clock. What the
vendor's tools would say of the same network is another figure. This page holds the ratios that were
measured, and claims no band beyond them. What each figure means is in [firmware.md](firmware.md).

`make firmware-accuracy` writes the page from `benchmarks/results/firmware_accuracy.json`;
`python -m tools.firmware_measure --help` says how those figures were measured.
"""

VENDOR = """\
## Against C synthesis: one network

A dense encoder 57-32-16-3 with trained weights (public repository Kenny-Jia/ToyVAE at `b0230aa`),
`ap_fixed<32,16>` throughout, for the xcvu9p-flga2104-2-e at 25 ns. hls4ml 1.0.0 made the vendor's
two projects; what is below them was made here, from the same Keras file. It has three outputs, so
it went through backend `rtl` without the simulation, which takes one score: latency and interval
are read off the netlist, where nothing feeds back and every way from an input to an output crosses
the same number of registers.
"""
VENDOR_WHY = """\
What explains the ratios:

- **Multipliers.** The vendor's flow gives each of the 2,384 weights some two DSP slices. Here a
  constant weight is a sum of shifted inputs, shared among outputs: no DSP slice, but LUTs. LUT
  counts of the two are not of the same thing.
- **Arithmetic.** hls4ml's accumulators have the model's default type, `ap_fixed<32,16>`, cut and
  wrapping. Here sums are exact, and each layer's result is rounded and saturated once: the two
  networks differ in their last bits.
- **Evidence.** C synthesis estimates LUTs before logic synthesis; neither design was placed and
  routed.
- **Registers.** The cycles of a report of HLS are those of its schedule. Here the input and the
  output register are counted, and half of the period is left to routing.
"""

ROUTED = """\
## da4ml's Verilog after routing, by others

The netlist of backend `rtl` is made of the Verilog that da4ml writes. Of 20 trained networks its
authors published da4ml's own estimate of the LUTs and what Vivado used after routing (xcvu13p,
clock constraint 2 ns, a register after every second adder; public repository
calad0i/JEDI-linear at `280990a`, `official_result_reports.tar.gz`, for arXiv:2508.15468).
"""
COUNTERS = """\
## Two counters of LUTs: Yosys and da4ml's cost model

Backend `estimate`, and the check that a network is not too large, use da4ml's cost model; backend
`rtl` counts what Yosys mapped. All of these were made here, for a clock of 5 ns.
"""
COUNTERS_WHY = """\
Part of what Yosys counts are inverters that it leaves over; a vendor's tool would absorb some of
them in neighbouring cells, how many was not measured. Products of two variables, the squares of a
score, are DSP slices for Yosys and LUTs for the cost model: the lowest ratios are of small networks
with many of them. `met_cut` is left out: it is a wire, with no cell to count. Random weights are
not a trained network's: those rows compare the two counters and nothing else.

Every netlist above was evaluated, cell by cell, on {n_events} random events: each output was the
program's in every bit. Every way through it, from any input to any output, crosses the same number
of registers: that is the latency given.
"""
MISSING = """\
## What was not found

- **The very same netlist by Yosys and by Vivado.** The figures after routing above are of
  networks whose weights could not be had where this page was made: no weights, no netlist. The
  product of the two sections' ratios is no measurement.
- **Figures after routing of networks that we could rebuild.** The rows `jsc_openml`, `jsc_cernbox`
  and `tgc` are trained networks that the authors of HGQ published (calad0i/hgq-ae at `{commit}`,
  for arXiv:2405.00645). Their paper tabulates figures after routing; the tables could not be read
  where this page was made, and are not quoted from memory. The files' SHA-256 stand beside the
  figures, so that whoever holds the tables can divide.
- **hls4ml's example networks**: no weights with figures after routing were found.
- **A measured clock.** Every period of ours is an estimate from the delays of cells and an
  allowance for routing. The routed designs above missed their 2 ns: they reached {slowest} to
  {fastest} ns.
"""
HGQ_COMMIT = "8cd3737"


def table(columns: Sequence[Column], rows: Sequence[Row]) -> str:
    """Return rows as a table of Markdown."""
    lines = [
        "| " + " | ".join(name for name, _ in columns) + " |",
        "|" + "---|" + "---:|" * (len(columns) - 1),
        *("| " + " | ".join(value(row) for _, value in columns) + " |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


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
    """Return what writes a figure as a whole number."""
    return lambda row: f"{number(row, name):,.0f}"


def cycles(row: Row) -> str:
    """Write the latency: one number where all ways through the netlist are equally long."""
    value = row["latency_cycles"]
    if isinstance(value, list):
        fewest, most = value
        return f"{fewest}" if fewest == most else f"{fewest} to {most}"
    return f"{value}"


def ratio(row: Row) -> float:
    """Return LUTs counted by those that da4ml's cost model says."""
    return number(row, "lut") / number(row, "cost_lut")


def spread(rows: Sequence[Row]) -> str:
    """Say between what the ratios of rows lie, and how well the one ranks the other."""
    ratios = [ratio(row) for row in rows]
    rank = rank_correlation(
        [number(row, "lut") for row in rows], [number(row, "cost_lut") for row in rows]
    )
    return (
        f"{len(rows)} networks: ratio {min(ratios):.2f} to {max(ratios):.2f}, median "
        f"{statistics.median(ratios):.2f}; rank correlation (Spearman) {rank:.3f}.\n"
    )


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Return Spearman's rank correlation; ties get their mean rank."""
    from scipy.stats import spearmanr

    return float(spearmanr(first, second).statistic)


# --- Sections -------------------------------------------------------------------------------------


def vendor_section(csynth: Sequence[Row], ours: Sequence[Row]) -> str:
    """Compare the network that the vendor's reports are of with what is made of it here."""
    flat = [*(_flat(row) for row in csynth), *ours]
    columns: Sequence[Column] = (
        ("", _who),
        ("evidence", lambda row: "csynth" if "version" in row else "rtl"),
        ("cycles", cycles),
        ("II", lambda row: str(row.get("interval_cycles", 1))),
        ("period ns", _period),
        *((name.upper(), whole(name)) for name in ("lut", "ff", "dsp", "bram18")),
    )
    return "\n".join([VENDOR, table(columns, flat), *_vendor_ratios(csynth, ours), "", VENDOR_WHY])


def _flat(row: Row) -> Row:
    used = row["used"]
    return {**row, **used} if isinstance(used, dict) else row


def _who(row: Row) -> str:
    if "version" in row:
        tool = "Vivado HLS" if str(row["version"]).startswith("2019") else "Vitis HLS"
        strategy = "resource" if "resource" in str(row["name"]) else "latency"
        return f"{tool} {row['version']}, strategy {strategy}"
    note = "" if "<32" in str(row["words"]) else " (narrower: another network)"
    return f"`rtl`, `{row['words']}`{note}"


def _period(row: Row) -> str:
    if "version" in row:
        return f"{number(row, 'clock_estimated_ns'):.1f} (estimated)"
    return f"{number(row, 'estimated_period_ns'):.1f} (estimated)"


def _vendor_ratios(csynth: Sequence[Row], ours: Sequence[Row]) -> list[str]:
    same = [row for row in ours if "<32" in str(row["words"])]
    lines = []
    for row in same:
        for other in csynth:
            theirs = _flat(other)
            shares = ", ".join(
                f"{name.upper()} {number(row, name) / number(theirs, name):.2f}"
                for name in ("lut", "ff")
            )
            lines.append(
                f"- `rtl` by {_who(other)}: {shares}; {number(row, 'dsp'):,.0f} DSP against "
                f"{number(theirs, 'dsp'):,.0f}."
            )
    return lines


def routed_section(rows: Sequence[Row]) -> str:
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
    ordered = sorted(rows, key=lambda row: number(row, "cost_lut"))
    return "\n".join([ROUTED, table(columns, ordered), spread(rows)])


def counters_section(document: Mapping[str, Sequence[Row]]) -> str:
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
    parts = [COUNTERS]
    everything: list[Row] = []
    for group, title in (
        ("submissions", "Networks in `submissions/`, as trained on version 1 of the sample"),
        ("public", "Trained networks of HGQ's authors"),
        ("sizes", "Random weights"),
    ):
        rows = sorted(document.get(group, ()), key=lambda row: number(row, "cost_lut"))
        if rows:
            everything += rows
            parts += [f"{title}:\n", table(columns, rows)]
    n_events = min(int(number(row, "n_events_equal")) for row in everything)
    return "\n".join([*parts, spread(everything), COUNTERS_WHY.format(n_events=n_events)])


def _short(row: Row) -> str:
    """Name a network of HGQ's authors by its data set and its bit operations."""
    found = re.fullmatch(r"(\w+)/.*ebops=(\d+).*", str(row["name"]))
    return f"{found[1]}, {int(found[2]):,} EBOPs" if found else str(row["name"])


def _inverters(row: Row) -> str:
    return whole("n_inverters")(row) if "n_inverters" in row else "not kept"


def render(document: Mapping[str, Sequence[Row]]) -> str:
    """Return the page."""
    periods = [number(row, "period_ns") for row in document["routed"]]
    return "\n".join(
        [
            INTRODUCTION,
            vendor_section(document["csynth"], document["vendor"]),
            routed_section(document["routed"]),
            counters_section(document),
            MISSING.format(
                commit=HGQ_COMMIT, slowest=f"{min(periods):.2f}", fastest=f"{max(periods):.2f}"
            ),
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or check it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)
    text = render(json.loads(KEPT.read_text("utf-8")))
    if options.check:
        is_current = PAGE.exists() and PAGE.read_text("utf-8") == text
        print(f"{PAGE.relative_to(ROOT)} is {'current' if is_current else 'not current'}")
        return 0 if is_current else 1
    PAGE.write_text(text, "utf-8")
    print(PAGE.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
