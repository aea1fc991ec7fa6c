"""Write the tables of docs/firmware-accuracy.md; the text around them is by hand.

python -m tools.firmware_accuracy            from the figures that `tools.firmware_measure` kept
python -m tools.firmware_accuracy --check    exit code 1 if the page is not current
"""

from __future__ import annotations

import json
import re
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from pydantic import JsonValue

from tools.pages import ROOT, asks_for_check, fill, table, write_or_check

KEPT = ROOT / "benchmarks" / "results" / "firmware_accuracy.json"
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
    blocks = {
        "vendor": vendor_table(document["csynth"], document["vendor"]),
        "routed": routed_table(document["routed"]),
        **{group: counters_table(rows) for group, rows in counted.items()},
        "counters": spread([row for rows in counted.values() for row in rows]),
    }
    return fill(page, blocks)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page's tables, or check them."""
    is_check = asks_for_check(__doc__, arguments)
    text = render(PAGE.read_text("utf-8"), json.loads(KEPT.read_text("utf-8")))
    return write_or_check({PAGE: text}, is_check=is_check)


if __name__ == "__main__":
    sys.exit(main())
