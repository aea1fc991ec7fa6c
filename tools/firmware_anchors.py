"""Compare the estimate of the clock period with routed public designs whose Verilog is public too.

python -m tools.firmware_anchors REPOSITORIES NETLISTS

REPOSITORIES holds a copy of each repository of `ANCHORS`, in a folder `owner+name`. A design's
Verilog is mapped by Yosys with the script of backend `rtl`, except that memories stay memories; of
some designs the netlist that Vivado routed is public, and is read as it is. Either is timed as
backend `rtl` times its own netlists, by a fit of the wires without the design's repository.
NETLISTS keeps what Yosys made: a design that is there is not mapped again. The figures are kept in
benchmarks/results/firmware_accuracy.json.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from pydantic import JsonValue

from harness.firmware.reports.vivado import parse_timing, parse_utilisation
from harness.firmware.rtl import yosys
from harness.firmware.rtl.netlist import Netlist
from harness.firmware.rtl.timing import time_netlist
from harness.firmware.tools import run_tool
from harness.firmware.translate.verilog import TOP
from harness.firmware.wires import GRADE_FACTORS, WireDelays
from tools.firmware_accuracy import KEPT
from tools.routed_paths import KEPT as PATHS

SYNTHESIS_SECONDS = 3_600.0

Row: TypeAlias = dict[str, JsonValue]


@dataclass(frozen=True, kw_only=True, slots=True)
class Anchor:
    """A routed design, and the Verilog that it was made of.

    Attributes
    ----------
    sources : tuple of str
        Verilog files, or patterns of them.
    timing, use : str
        Vivado's reports after routing.
    has_dsp : bool
        Whether products may become DSP slices, as the vendor's tool decided.
    has_clock : bool
        Without one, the design is a single path from its inputs to its outputs.
    is_routed_netlist : bool
        Whether the source is the netlist that Vivado routed.
    """

    name: str
    repository: str
    top: str
    sources: tuple[str, ...]
    timing: str
    use: str
    part: str
    grade: str
    has_dsp: bool = True
    has_clock: bool = True
    is_routed_netlist: bool = False


_GELATO = (
    "L1AD/HLS/FiorDiLatte_DenseBN_Topo2A_trigger_VAE_GAN_LUT_NoData/hls_component/"
    "Topo2A_AD_proj/hls/impl/verilog"
)
_CALYX = (
    "runs/2022-07-06-1704-full/vivado-eval/xilinx-ultrascale-plus-vivado-eval/"
    "vivado-synth-opt-place-route"
)
# Those that have a clocked path of LUTs or carries; in the others a DSP slice with its own
# registers, which backend `rtl` never makes, limits the clock, or nothing does. `no-matches` was
# not mapped within half an hour on a busy machine.
_CALYX_DESIGNS = (
    "if",
    "if-static-different-latencies",
    "inlining",
    "invoke-memory",
    "lpm",
    "seq",
    "sqrt",
    "std-fp-sdiv",
    "std-sdiv",
    "while",
)
# Their netlists, by Vivado's own mapping and by lakeroad's.
_CALYX_NETLISTS = {
    "vanilla": (
        "if",
        "if-static-different-latencies",
        "invoke-memory",
        "lpm",
        "no-matches",
        "seq",
        "sqrt",
        "std-fp-sdiv",
        "std-sdiv",
        "unsigned-dot-product",
        "while",
    ),
    "ultrascale": (
        "if",
        "if-static-different-latencies",
        "invoke-memory",
        "no-matches",
        "pipelined-mac",
        "std-fp-sdiv",
        "std-sdiv",
        "unsigned-dot-product",
        "while",
    ),
}


def calyx(name: str, mapping: str = "vanilla", *, is_routed_netlist: bool = False) -> Anchor:
    """Return a design of Calyx's tests that lakeroad's authors routed."""
    stem = f"{_CALYX}/{name}.futil-{mapping}"
    return Anchor(
        name=f"Calyx {name}" + (f", {mapping}" if mapping != "vanilla" else ""),
        repository="gussmith23/lakeroad-evaluation",
        top="main",
        sources=(f"{stem}-route.v" if is_routed_netlist else f"{stem}.v",),
        timing=f"{stem}-timing-route.v",
        use=f"{stem}-util-route.v",
        part="xczu3eg",
        grade="-1",
        is_routed_netlist=is_routed_netlist,
    )


ANCHORS = (
    Anchor(
        name="GELATO, variational autoencoder of an anomaly trigger",
        repository="max-cohen54/AD_trigger_training",
        top="Topo2A_AD_proj",
        sources=(f"{_GELATO}/*.v",),
        timing=f"{_GELATO}/report/Topo2A_AD_proj_timing_paths_routed.rpt",
        use=f"{_GELATO}/report/Topo2A_AD_proj_utilization_routed.rpt",
        part="xcvu9p",
        grade="-2",
        has_dsp=False,
        has_clock=False,
    ),
    Anchor(
        name="simple_cnn, convolution of 3 × 3",
        repository="vivek1192/cnnAccelerator",
        top="simple_cnn",
        sources=(
            "rtl/core/booth_mult.v",
            "rtl/core/relu.v",
            "rtl/core/max_pool.v",
            "rtl/layers/conv_layer.v",
            "rtl/top/simple_cnn.v",
        ),
        timing="syn/reports/timing_route.rpt",
        use="syn/reports/utilization_route.rpt",
        part="xczu7ev",
        grade="-2",
    ),
    *(calyx(name) for name in _CALYX_DESIGNS),
    *(
        calyx(name, mapping, is_routed_netlist=True)
        for mapping, names in _CALYX_NETLISTS.items()
        for name in names
    ),
)

# Vivado's netlist is read with its cells as boxes.
_READ_NETLIST = """
read_verilog -lib +/xilinx/cells_sim.v
read_verilog -lib +/xilinx/cells_xtra.v
read_verilog -sv design.v
hierarchy -top {top}
flatten
opt_clean
select {top}
write_json -selected netlist.json
"""
_MODULE = re.compile(r"module (\S+)\s*\n\s*\(([^;]*?)\);")
_INSTANCE = re.compile(r"(?m)^  (\w+) (?:#\([^;]*?\) )?(\\\S+ |\w+)\s*\n?\s*\([^;]*?\);")
_RENAMED_PORT = re.compile(r"\.(\\?[^\s(]+\s?)\(([^()]*)\)")


def verilog_of(anchor: Anchor, folder: Path) -> str:
    """Return a design's Verilog in one text.

    What simulation alone needs is cut out: Calyx gives each wire a first value, which Yosys takes
    as a second driver.
    """
    files = [path for pattern in anchor.sources for path in sorted(folder.glob(pattern))]
    text = "\n".join(path.read_text() for path in files)
    text = re.sub(r"(?m)^\s*initial begin\n(?:\s*\w+ = [^;]*;\n)+\s*end\n", "\n", text)
    return re.sub(r"(?m)^\s*string \w+;.*$", "", text)


def plain_ports(text: str) -> str:
    """Give ports the name of the wire inside, as Yosys has no `.port(wire)` in a module's head."""
    renamed: dict[str, dict[str, str]] = {}

    def head(module: re.Match[str]) -> str:
        ports = {port[1].strip(): port[2].strip() for port in _RENAMED_PORT.finditer(module[2])}
        renamed[module[1]] = ports
        wires = _RENAMED_PORT.sub(lambda port: port[2], module[2])
        return f"module {module[1]}\n   ({wires});"

    def instance(cell: re.Match[str]) -> str:
        body = cell[0]
        for port, wire in renamed.get(cell[1], {}).items():
            body = re.sub(rf"\.{re.escape(port)}\s?\(", f".{wire} (", body)
        return body

    return _INSTANCE.sub(instance, _MODULE.sub(head, text))


def script_of(anchor: Anchor) -> str:
    """Return the commands by which Yosys makes the netlist of a design."""
    if anchor.is_routed_netlist:
        return _READ_NETLIST.format(top=anchor.top)
    script = yosys.synthesis_script(has_dsp=anchor.has_dsp)
    script = script.replace(f"-top {TOP} ", f"-top {anchor.top} ")
    return script.replace(" -nobram -nolutram", "")


def map_design(anchor: Anchor, folder: Path, build: Path) -> Netlist:
    """Map a design by Yosys, unless it is there, and return its netlist."""
    netlist = build / "netlist.json"
    if not netlist.exists():
        build.mkdir(parents=True, exist_ok=True)
        text = verilog_of(anchor, folder)
        (build / "design.v").write_text(plain_ports(text) if anchor.is_routed_netlist else text)
        shutil.copyfile(Path(yosys.__file__).with_name("adders.v"), build / "adders.v")
        (build / "synthesis.ys").write_text(script_of(anchor))
        command, _, environment = yosys.yosys_command()
        run_tool(
            [*command, "synthesis.ys"],
            name="yosys",
            folder=build,
            timeout_s=SYNTHESIS_SECONDS,
            environment=environment,
        )
    made = Netlist.from_json(json.loads(netlist.read_text()), anchor.top)
    # Two LUTs in one place, with two outputs.
    cells = (replace(one, kind=one.kind.removesuffix("_2")) for one in made.cells)
    return replace(made, cells=tuple(cells))


def build_name(anchor: Anchor) -> str:
    """Return the folder of a design's netlist."""
    kind = "netlist " if anchor.is_routed_netlist else ""
    return re.sub(r"\W+", "_", kind + anchor.name)


def measure(anchor: Anchor, repositories: Path, netlists: Path) -> Row:
    """Return what was routed, what Yosys makes of the same Verilog, and the two periods."""
    folder = repositories / anchor.repository.replace("/", "+")
    used = parse_utilisation((folder / anchor.use).read_text(), "utilization_routed.rpt")
    routed_ns = parse_timing((folder / anchor.timing).read_text()).achieved_period_ns
    netlist = map_design(anchor, folder, netlists / build_name(anchor))
    kinds = Counter(cell.kind for cell in netlist.cells)
    n_lut = sum(n for kind, n in kinds.items() if kind.startswith("LUT") or kind == "INV")
    if anchor.has_clock:  # ports have no constraint: only paths between registers count
        netlist = replace(netlist, inputs=(), outputs=())
    fits = json.loads(PATHS.read_text("utf-8"))["fit_without"]
    timed = time_netlist(netlist, n_lut, WireDelays(**fits[anchor.repository]))
    factor = GRADE_FACTORS[anchor.grade]
    return {
        "name": anchor.name,
        "repository": anchor.repository,
        "netlist": "Vivado" if anchor.is_routed_netlist else "Yosys",
        "part": anchor.part + anchor.grade,
        "routed": {**used.used, "carry8": used.carry8, "period_ns": round(routed_ns, 3)},
        "lut": n_lut,
        "ff": sum(n for kind, n in kinds.items() if kind.startswith("FD")),
        "carry8": kinds["CARRY8"] + kinds["CARRY4"] / 2,
        "dsp": kinds["DSP48E2"],
        "period_ns": round(timed.wired_ns * factor, 3),
        "period_by_share_ns": round(2 * timed.logic_ns, 3),
        "untimed": dict(timed.untimed),
    }


def measured(repositories: Path, netlists: Path) -> Iterator[Row]:
    """Yield the row of each anchor, and say which could not be made."""
    for anchor in ANCHORS:
        try:
            yield measure(anchor, repositories, netlists)
        except Exception as error:  # noqa: BLE001  one design must not hide the others
            print(f"{anchor.name}: {str(error)[-200:]}", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the anchors, and keep them beside the other figures of accuracy."""
    folders = [Path(name) for name in (sys.argv[1:] if arguments is None else arguments)]
    if len(folders) != 2 or not folders[0].is_dir():
        print(__doc__)
        return 2
    document = json.loads(KEPT.read_text("utf-8"))
    document["anchors"] = list(measured(*folders))
    KEPT.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
