"""Measure how the figures of backend `rtl` compare with those of vendor tools; keep them as JSON.

python -m tools.firmware_measure csynth FOLDER...
    what a vendor's reports of C synthesis say (folders that `harness synth --from-reports` reads)
python -m tools.firmware_measure vendor FOLDER [--bits 16 32] [--clock 25]
    the network beside such reports (keras_model.h5 of Keras 2: Dense and ReLU), by backend `rtl`
python -m tools.firmware_measure public FOLDER...
    trained HGQ2 networks (*.keras) of a checkout
python -m tools.firmware_measure submissions NAME...
    networks in submissions/
python -m tools.firmware_measure sizes
    networks of random weights, for the two counters of LUTs alone
python -m tools.firmware_measure routed FOLDER
    the summaries of routed designs that were published beside arXiv:2508.15468

`make firmware-accuracy` writes the tables of docs/firmware-accuracy.md from these figures. Nothing
here runs in a sandbox: measure networks that you trust.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from pydantic import JsonValue

from harness.firmware.delays import logic_budget_ns, period_ns
from harness.firmware.reports.folder import find_reports
from harness.firmware.rtl.evaluation import evaluate_netlist
from harness.firmware.rtl.netlist import FLIP_FLOPS, Netlist, feed_forward_order
from harness.firmware.rtl.synthesis import examine_netlist
from harness.firmware.rtl.yosys import run_yosys, yosys_version
from harness.firmware.translate.pipeline import balance, make_pipeline
from harness.firmware.translate.program import (
    input_formats,
    output_formats,
    pack_words,
    quantise_inputs,
)
from harness.firmware.translate.verilog import TOP, verilog_text
from tools.firmware_accuracy import KEPT
from tools.sizes import SUBMISSIONS

if TYPE_CHECKING:
    import keras
    from da4ml.types import CombLogic

CLOCK_NS = 5.0
N_EVENTS = 512
MAX_ATTEMPTS = 3
SYNTHESIS_SECONDS = 5_400.0

Row: TypeAlias = dict[str, JsonValue]


# --- One network ----------------------------------------------------------------------------------


def trace(model: keras.Model) -> CombLogic:
    """Trace a quantised network as backend `rtl` does, and one of several outputs as well.

    The backend rejects several outputs, so they are traced here. It traces twice, to save casts
    in the program: on three networks of `submissions/` that changed no figure of the netlist.
    """
    from da4ml.converter import trace_model
    from da4ml.trace import HWConfig, comb_trace

    from harness.firmware.translate.checking import check_translatable
    from harness.firmware.translate.tracing import trace_program, wire_format

    check_translatable(model)
    if math.prod(model.output_shape[1:]) == 1:
        return trace_program(model)
    inputs, outputs = trace_model(
        model, HWConfig(1, -1, -1), {"hard_dc": 2}, inputs_kif=wire_format(model), framework="keras"
    )
    return comb_trace(inputs, outputs)


def measure(program: CombLogic, clock_ns: float, max_attempts: int = MAX_ATTEMPTS) -> Row:
    """Pipeline a program for a clock, synthesise it, count, time and evaluate the netlist."""
    budget_ns = planned_ns = logic_budget_ns(clock_ns)
    best: Row = {}
    for attempt in range(1, max_attempts + 1):
        row = _attempt(program, planned_ns)
        logic_ns = float(str(row["logic_ns"]))
        if not best or logic_ns < float(str(best["logic_ns"])):
            best = {**row, "n_attempts": attempt}
        if logic_ns <= budget_ns:
            break
        planned_ns *= 0.98 * budget_ns / logic_ns
    best["cost_lut"] = round(program.cost)
    best["clock_ns"] = clock_ns
    best["n_multipliers"] = sum(op.opcode == 7 for op in program.ops)
    return best


def _attempt(program: CombLogic, planned_ns: float) -> Row:
    pipeline = make_pipeline(program, balance(program, planned_ns))
    started = time.process_time(), time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "source.v"
        source.write_text(verilog_text(pipeline))
        run_yosys(source, folder, has_dsp=True, timeout_s=SYNTHESIS_SECONDS)
        check = (folder / "check.txt").read_text()
        netlist = Netlist.from_json(json.loads((folder / "netlist.json").read_text()), TOP)
    wall_s = time.monotonic() - started[1]
    report = examine_netlist(netlist, check)
    depths = register_depths(netlist)
    return {
        **{name: report[name] for name in ("lut", "ff", "dsp", "bram18", "carry8", "logic_ns")},
        "n_inverters": report["cells"].get("INV", 0),
        "estimated_period_ns": period_ns(report["logic_ns"]),
        "latency_cycles": list(depths),
        "n_stages": len(pipeline.solutions),
        "n_events_equal": evaluated(netlist, program),
        "yosys": yosys_version(),
        "yosys_wall_s": round(wall_s),
    }


def register_depths(netlist: Netlist) -> tuple[int, int]:
    """Return the fewest and the most flip-flops on any path from an input to an output.

    Where the two are equal and there is no feedback, the netlist accepts a new event with every
    clock edge and gives its outputs after that many.

    Raises
    ------
    ValueError
        There is feedback.
    """
    shortest: dict[int, int] = dict.fromkeys(netlist.inputs, 0)
    longest: dict[int, int] = dict.fromkeys(netlist.inputs, 0)
    for cell in feed_forward_order(netlist):
        is_register = cell.kind in FLIP_FLOPS
        ins = [
            bit
            for port in cell.connections
            if port not in ("O", "CO", "P", "Q", "C")
            for bit in cell.bits(port)
            if bit in shortest
        ]
        if not ins:
            continue
        outs = [bit for port in ("O", "CO", "P", "Q", "O5", "O6") for bit in cell.bits(port)]
        for bit in outs:
            shortest[bit] = min(shortest[i] for i in ins) + is_register
            longest[bit] = max(longest[i] for i in ins) + is_register
    ends = [bit for bit in netlist.outputs if bit in shortest]
    return min(shortest[bit] for bit in ends), max(longest[bit] for bit in ends)


def evaluated(netlist: Netlist, program: CombLogic) -> int:
    """Evaluate the mapped cells on random events, and return on how many they equal the program.

    Raises
    ------
    ValueError
        One differs.
    """
    inputs, outputs = input_formats(program), output_formats(program)
    random = np.random.default_rng(0)
    lows = np.array([form.lowest if form.width else 0.0 for form in inputs])
    highs = np.array([form.highest if form.width else 0.0 for form in inputs])
    events = random.uniform(lows, highs, (N_EVENTS, len(inputs)))
    words = pack_words(quantise_inputs(events.astype(np.float32), inputs), inputs)
    expected = program.predict(events.astype(np.float32).astype(np.float64))
    low = 0
    for column, form in enumerate(outputs):
        port = netlist.ports["model_out"][low : low + form.width]
        low += form.width
        part = replace(netlist, ports={**netlist.ports, "part": tuple(port)})
        bits = evaluate_netlist(part, words, input_port="model_inp", output_port="part")
        mask = np.uint64((1 << form.width) - 1)
        wanted = np.rint(expected[:, column] / form.step).astype(np.int64).astype(np.uint64) & mask
        if (bits != wanted).any():
            raise ValueError(f"output {column} of the netlist is not the program's")
    return N_EVENTS


# --- Sources --------------------------------------------------------------------------------------


def csynth(folders: Sequence[Path]) -> Iterator[Row]:
    """Read a vendor's reports of C synthesis."""
    for folder in folders:
        reports = find_reports(folder)
        yield {
            "name": folder.name,
            "sha256": digest(reports.model) if reports.model else None,
            **reports.csynth.model_dump(mode="json"),
        }


def vendor(folder: Path, bits: Sequence[int], clock_ns: float) -> Iterator[Row]:
    """Measure the network beside a vendor's reports, at its own widths or at others."""
    from harness.firmware.translate.quantise import to_fixed_width

    path = find_reports(folder).model
    if path is None:
        raise SystemExit(f"{folder} holds no keras_model.h5")
    model = dense_network(path)
    for width in bits:
        word = f"fixed<{width},{width // 2}>"
        words = {"input": word, "weights": word, "activations": word}
        yield {
            "name": f"{word}, clock of {clock_ns:g} ns",
            "words": word,
            "sha256": digest(path),
            **measure(trace(to_fixed_width(model, words)), clock_ns, max_attempts=1),
        }


def dense_network(path: Path) -> keras.Model:
    """Rebuild a Keras 2 file of Dense layers, each followed by a ReLU or by nothing."""
    import h5py
    import keras

    with h5py.File(path) as file:
        config = json.loads(file.attrs["model_config"])
        layers = config["config"]["layers"]
        inputs = keras.Input(layers[0]["config"]["batch_input_shape"][1:])
        x = inputs
        for entry in layers[1:]:
            name = entry["config"]["name"]
            if entry["class_name"] == "ReLU":
                x = keras.layers.ReLU(name=name)(x)
                continue
            if entry["class_name"] != "Dense" or entry["config"]["activation"] != "linear":
                raise SystemExit(f"{path}: layer {name} is no Dense layer without activation")
            layer = keras.layers.Dense(entry["config"]["units"], name=name)
            x = layer(x)
            weights = file["model_weights"][name][name]
            layer.set_weights([weights["kernel:0"][()], weights["bias:0"][()]])
    return keras.Model(inputs, x)


def public(folders: Sequence[Path]) -> Iterator[Row]:
    """Measure trained networks of HGQ2 that their authors published."""
    import keras

    for path in sorted(path for folder in folders for path in folder.rglob("*.keras")):
        model = keras.models.load_model(path, compile=False)
        yield {
            "name": f"{path.parent.name}/{path.stem}",
            "sha256": digest(path),
            "shape": [int(n) for n in (model.inputs[0].shape[-1], model.outputs[0].shape[-1])],
            **measure(trace(model), CLOCK_NS),
        }


def submissions(names: Sequence[str]) -> Iterator[Row]:
    """Measure networks of this repository."""
    import contextlib

    from harness.firmware.translate.quantise import load_fixed_point
    from harness.submission.declaration import Precision, read_spec
    from harness.submission.export import export_submission

    for name in names:
        spec, problems = read_spec(SUBMISSIONS / name)
        if spec is None:
            raise SystemExit(f"{name}: {problems}")
        with tempfile.TemporaryDirectory() as scratch, contextlib.chdir(scratch):
            files = {key: Path(scratch) / key for key in ("graph", "weights")}
            source = {"submission": SUBMISSIONS / name}
            export_submission({"event_shape": [19, 3]}, source, files)
            words = None
            if isinstance(spec.precision, Precision):
                words = spec.precision.model_dump(mode="json")
            model = load_fixed_point(words, files)
        yield {"name": name, **measure(trace(model), CLOCK_NS)}


def sizes(bits: Sequence[int]) -> Iterator[Row]:
    """Measure encoders and autoencoders of random weights."""
    for name, units in (("57-16-8-3", (16, 8, 3)), ("57-32-16-3", (32, 16, 3))):
        for width in bits:
            yield {
                "name": f"{name}, {width} bits, random weights",
                **measure(trace(random_network(units, width)), CLOCK_NS),
            }


def random_network(units: Sequence[int], bits: int) -> keras.Model:
    """Return dense layers with ReLU between them, and a sum of squares at the end."""
    import keras
    from hgq.config import QuantizerConfigScope
    from hgq.layers import QDense

    from harness import heads

    keras.utils.set_random_seed(bits)
    inputs = keras.Input((57,))
    x = heads.input_words(inputs, ["ufixed<8,8>", "fixed<6,4>", "fixed<6,3>"])
    with (
        QuantizerConfigScope(place="weight", b0=bits - 1, i0=0),
        QuantizerConfigScope(place="bias", overflow_mode="SAT", b0=bits - 1, i0=1),
        QuantizerConfigScope(place="datalane", overflow_mode="SAT", i0=3, f0=bits - 3),
    ):
        for index, number in enumerate(units):
            is_last = index == len(units) - 1
            x = QDense(number, activation=None if is_last else "relu", enable_iq=index > 0)(x)
    return keras.Model(inputs, heads.sum_of_squares(x, word=f"fixed<{bits},4>"))


def routed(folder: Path) -> Iterator[Row]:
    """Read summaries of routed designs: da4ml's cost model beside Vivado's figures."""
    for path in sorted(folder.rglob("summary/*.json")):
        for summary in json.loads(path.read_text()).values():
            yield {
                "name": path.stem,
                "cost_lut": summary["cost"],
                "lut": summary["LUT"],
                "ff": summary["FF"],
                "dsp": summary["DSP"],
                "latency_cycles": summary["latency"],
                "period_ns": round(summary["actual_period"], 3),
            }


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


# --- Keeping --------------------------------------------------------------------------------------


def keep(group: str, row: Row) -> None:
    """Put a row in its place among those that are kept."""
    document: dict[str, list[Row]] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    rows = [old for old in document.get(group, []) if old["name"] != row["name"]]
    document[group] = sorted([*rows, row], key=lambda entry: str(entry["name"]))
    KEPT.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", "utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is asked for, and keep each row as soon as it is there."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(dest="group", required=True)
    commands.add_parser("csynth").add_argument("folders", type=Path, nargs="+")
    command = commands.add_parser("vendor")
    command.add_argument("folder", type=Path)
    command.add_argument("--bits", type=int, nargs="+", default=[16, 32])
    command.add_argument("--clock", type=float, default=25.0)
    commands.add_parser("public").add_argument("folders", type=Path, nargs="+")
    commands.add_parser("submissions").add_argument("names", nargs="+")
    commands.add_parser("sizes").add_argument("--bits", type=int, nargs="+", default=[4, 6, 8])
    commands.add_parser("routed").add_argument("folder", type=Path)
    options = parser.parse_args(arguments)
    from harness.submission.network import load_keras

    load_keras()
    sources: Mapping[str, Callable[[], Iterator[Row]]] = {
        "csynth": lambda: csynth(options.folders),
        "vendor": lambda: vendor(options.folder, options.bits, options.clock),
        "public": lambda: public(options.folders),
        "submissions": lambda: submissions(options.names),
        "sizes": lambda: sizes(options.bits),
        "routed": lambda: routed(options.folder),
    }
    for row in sources[options.group]():
        keep(options.group, row)
        print(json.dumps(row))
    return 0


if __name__ == "__main__":
    sys.exit(main())
