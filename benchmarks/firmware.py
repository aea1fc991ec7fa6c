"""What the firmware of a network costs in time and memory, cold and found in the cache.

`submissions/team_x` goes the whole way in the sandbox: both translators, interpreter, Verilog,
simulation, synthesis, C simulation, Keras. The scores of many events are timed by themselves, and
so is the estimate of a dense network 57-256-256-1 at 10 bits.

Machines differ by half, so the goals of speed are ratios within one run: to da4ml's own interpreter
on the same events and threads, and to a fresh Python's `import tensorflow`. They are of processor
time, which other work on the machine disturbs less; rates by the clock are kept beside them. With
LARGE=1 a full autoencoder 57-32-16-3-16-32-57 at 6 bits, with random weights, goes it too.

    python benchmarks/firmware.py [--quick] [--json FILE]        (LARGE=1 for the autoencoder)
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import psutil
from _table import Goal, Report, publish, read_options
from inference import EVENT_SHAPE, TEAM, draw_events

from harness.card.hardware import Figure, Firmware
from harness.challenge import Budget, Target
from harness.firmware.backend import FirmwareRequest, FirmwareResult
from harness.firmware.interpret import CHUNK_EVENTS
from harness.firmware.interpreter import interpret_events
from harness.firmware.synthesise import synthesise
from harness.firmware.translate.hls4ml_project import PROJECT
from harness.firmware.translate.program import load_program
from harness.firmware.translate.translation import trace_network
from harness.firmware.witnesses.csim import build_simulation, run_simulation
from harness.sandbox import open_sandbox
from harness.sandbox.step import GIB, Usage
from harness.sandbox.workspace import Workspace
from harness.submission.declaration import Precision
from harness.submission.export import export_submission
from harness.submission.network import export_network, load_keras

TARGET = Target(
    part="xcvu9p-flga2104-2-e",
    clock_period_ns=5.0,
    max_latency_ns=1000.0,
    max_interval_ns=25.0,
    budget=Budget(lut=394_080),
)
POLL_SECONDS = 0.05
N_CSIM_EVENTS = 100_000
N_IMPORTS = 3
# Limits from the ratios when they were set, on a busy machine: C simulation over da4ml's
# interpreter 0.104 (0.125 on an idle one), processor time of the cold way over the import's 14.0.
CSIM_RATIO, COLD_RATIO = 0.1, 15.0


@dataclass(slots=True)
class Peak:
    """Most memory that this process and all its descendants held at once, bytes."""

    n_bytes: int = 0


@contextlib.contextmanager
def watched_memory() -> Iterator[Peak]:
    """Add up the private memory of the process tree, some times a second."""
    peak, ended = Peak(), threading.Event()

    def watch() -> None:
        own = psutil.Process()
        before = own.memory_info().rss
        while not ended.wait(POLL_SECONDS):
            total = own.memory_info().rss - before
            for child in own.children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    total += child.memory_info().rss
            peak.n_bytes = max(peak.n_bytes, total)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()


def export_team(folder: Path) -> tuple[Path, Path]:
    """Export the shipped network."""
    files = {"graph": folder / "graph.json", "weights": folder / "weights.bin"}
    with contextlib.chdir(folder):  # the export changes the working directory
        export_submission({"event_shape": list(EVENT_SHAPE)}, {"submission": TEAM}, files)
    return files["graph"], files["weights"]


def export_autoencoder(folder: Path) -> tuple[Path, Path]:
    """Export a dense autoencoder 57-32-16-3-16-32-57 with weights of 6 bits, untrained."""
    load_keras()
    import keras
    from hgq.config import QuantizerConfigScope
    from hgq.layers import QDense

    from harness import heads

    keras.utils.set_random_seed(6)
    inputs = keras.Input((57,))
    words = heads.input_words(inputs, ["ufixed<15,13>", "fixed<8,4>", "fixed<8,3>"])
    x = scaled = heads.limit(words, ["ufixed<8,8>", "fixed<6,4>", "fixed<6,3>"])
    with (
        QuantizerConfigScope(place="weight", b0=5, i0=0),
        QuantizerConfigScope(place="bias", overflow_mode="SAT", b0=5, i0=1),
        QuantizerConfigScope(place="datalane", overflow_mode="SAT", i0=3, f0=3),
    ):
        for units in (32, 16, 3, 16, 32):
            x = QDense(units, activation="relu" if units != 3 else None)(x)
        x = QDense(57)(x)
    score = heads.mean_squared_error(scaled, x, word="fixed<8,6>")
    files = folder / "graph.json", folder / "weights.bin"
    export_network(keras.Model(inputs, score), *files)
    return files


def export_wide(folder: Path) -> tuple[Path, Path]:
    """Export a dense network 57-256-256-1 of plain Keras layers, untrained."""
    load_keras()
    import keras

    keras.utils.set_random_seed(6)
    x = inputs = keras.Input((57,))
    for units, activation in ((256, "relu"), (256, "relu"), (1, None)):
        x = keras.layers.Dense(units, activation=activation)(x)
    files = folder / "graph.json", folder / "weights.bin"
    export_network(keras.Model(inputs, x), *files)
    return files


WORD = "fixed<10,5>"
TEN_BITS = Precision(input=(WORD,), weights=WORD, activations=WORD)


def import_seconds() -> tuple[float, float]:
    """Return least wall-clock and processor seconds of ``import tensorflow`` in a fresh Python."""
    wall, processor = [], []
    for _ in range(N_IMPORTS):
        before, started = os.times(), time.monotonic()
        subprocess.run([sys.executable, "-c", "import tensorflow"], check=True, capture_output=True)
        after = os.times()
        wall.append(time.monotonic() - started)
        processor.append(
            after.children_user
            - before.children_user
            + after.children_system
            - before.children_system
        )
    return min(wall), min(processor)


@dataclass(frozen=True, kw_only=True, slots=True)
class Timed:
    """One call of `synthesise`."""

    result: FirmwareResult
    usages: Sequence[Usage]
    wall_s: float
    peak_bytes: int

    @property
    def cpu_s(self) -> float:
        """Processor seconds of all steps: what a busy machine disturbs less."""
        return sum(usage.cpu_s for usage in self.usages)


def make(
    network: tuple[Path, Path],
    events: Path | None,
    folder: Path,
    cache: Path | None,
    *,
    backend: str = "rtl",
    precision: Precision | None = None,
) -> Timed:
    """Make a network's firmware in the sandbox."""
    workspace = Workspace(run_step=open_sandbox("bwrap").run, folder=folder)
    request = FirmwareRequest(
        graph=network[0],
        weights=network[1],
        target=TARGET,
        events=events,
        workspace=workspace,
        precision=precision,
        progress=lambda line: print(line, file=sys.stderr),
    )
    with watched_memory() as peak:
        started = time.monotonic()
        result = synthesise(request, backend=backend, cache_root=cache)
        wall_s = time.monotonic() - started
    return Timed(result=result, usages=workspace.usages, wall_s=wall_s, peak_bytes=peak.n_bytes)


def value_of(result: FirmwareResult, name: str) -> float:
    """Return a figure of a report."""
    if not isinstance(result.report, Firmware):
        raise TypeError(result.report.not_measured)
    return cast("Figure", getattr(result.report, name)).value


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """Events per second: as it was, and as two cores to themselves would have it."""

    by_clock: float
    by_processor: float

    def or_faster(self, n_events: int, wall_s: float, processor_s: float) -> Rate:
        """Return the higher rates of these and of another measurement."""
        return Rate(
            by_clock=max(self.by_clock, n_events / wall_s),
            by_processor=max(self.by_processor, 2 * n_events / processor_s),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """Of the firmware's scores, of da4ml's interpreter alone, and of the C simulation."""

    firmware: Rate
    da4ml: Rate
    simulation: Rate


def rates(network: tuple[Path, Path], events: Path, folder: Path) -> Rates:
    """Return the rates at which the exact scores of a network's firmware are made."""
    names = ("program", "layers", "project")
    files = {name: folder / name for name in names}
    trace_network(
        {
            "precision": None,
            "has_hls4ml": True,
            "part": TARGET.part,
            "clock_period_ns": TARGET.clock_period_ns,
        },
        {"graph": network[0], "weights": network[1]},
        files,
    )
    firmware, da4ml = _interpreted(files["program"], events, folder)
    return Rates(
        firmware=firmware, da4ml=da4ml, simulation=_simulated(files["project"], events, folder)
    )


def _interpreted(path: Path, events: Path, folder: Path) -> tuple[Rate, Rate]:
    """Score the events by harness and by da4ml's own interpreter, in turns; they agree in each."""
    inputs = {"program": path, "events": events}
    program, rows = load_program(path), np.load(events).reshape(-1, 57)
    best, own = Rate(by_clock=0.0, by_processor=0.0), Rate(by_clock=0.0, by_processor=0.0)
    for _ in range(3):
        before, started = time.process_time(), time.monotonic()
        request = {"n_threads": 2, "at_once": CHUNK_EVENTS}
        interpret_events(request, inputs, {"scores": folder / "scores"})
        best = best.or_faster(len(rows), time.monotonic() - started, time.process_time() - before)
        before, started = time.process_time(), time.monotonic()
        scores = program.predict(rows, n_threads=2)
        own = own.or_faster(len(rows), time.monotonic() - started, time.process_time() - before)
    if not np.array_equal(np.fromfile(folder / "scores", "<f8"), scores.ravel()):
        raise ValueError("the two interpreters differ")
    return best, own


def _simulated(project: Path, events: Path, folder: Path) -> Rate:
    with tarfile.open(project) as archive:
        archive.extractall(folder / "csim", filter="data")
    rows = np.load(events, mmap_mode="r")[:N_CSIM_EVENTS].reshape(N_CSIM_EVENTS, -1)
    program = build_simulation(folder / "csim" / PROJECT, rows.shape[1], 900.0)
    raw = folder / "events.f32"
    rows.astype("<f4").tofile(raw)
    before, started = os.times(), time.monotonic()
    run_simulation(program, raw, N_CSIM_EVENTS, 2, 900.0)
    wall_s, after = time.monotonic() - started, os.times()
    processor_s = (after.children_user - before.children_user) + (
        after.children_system - before.children_system
    )
    return Rate(by_clock=N_CSIM_EVENTS / wall_s, by_processor=2 * N_CSIM_EVENTS / processor_s)


def _at_most(name: str, value: float, limit: float, unit: str) -> Goal:
    return Goal(name=name, value=value, relation="<=", limit=limit, unit=unit)


def _at_least(name: str, value: float, limit: float, unit: str) -> Goal:
    return Goal(name=name, value=value, relation=">=", limit=limit, unit=unit)


def speeds(
    rate: Rates, *, cold_cpu_s: float, wide_cpu_s: float, import_cpu_s: float
) -> Iterator[Goal]:
    """Yield the goals that are ratios within this run."""
    own = rate.da4ml.by_processor
    yield _at_least("exact scores / da4ml's interpreter", rate.firmware.by_processor / own, 2, "")
    yield _at_least(
        "C simulation / da4ml's interpreter", rate.simulation.by_processor / own, CSIM_RATIO, ""
    )
    yield _at_most("team_x cold / import tensorflow", cold_cpu_s / import_cpu_s, COLD_RATIO, "")
    yield _at_most(
        "estimate of 57-256-256-1, 10 bits / import tensorflow", wide_cpu_s / import_cpu_s, 4, ""
    )


def main() -> int:
    """Measure, print and keep."""
    options = read_options(__doc__ or "")
    n_events = 200_000 if options.quick else 1_200_000
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        events = scratch / "events.npy"
        np.save(events, draw_events(n_events))
        network = export_team(scratch)
        cold = make(network, events, scratch / "cold", scratch / "cache")
        warm = make(network, events, scratch / "warm", scratch / "cache")
        (scratch / "wide").mkdir()
        # Exported first: the export is no part of the estimate.
        plain = export_wide(scratch / "wide")
        wide = make(plain, None, scratch / "estimate", None, backend="estimate", precision=TEN_BITS)
        _, import_cpu_s = import_seconds()
        rate = rates(network, events, scratch)
        rows = [_row("team_x, cold", cold), _row("team_x, cached", warm)]
        goals = [
            _at_most("team_x cold, wall", cold.wall_s, 120, "s"),
            _at_most("team_x cached", warm.wall_s, 2, "s"),
            _at_most("team_x peak memory", cold.peak_bytes / GIB, 2, "GiB"),
            *speeds(rate, cold_cpu_s=cold.cpu_s, wide_cpu_s=wide.cpu_s, import_cpu_s=import_cpu_s),
        ]
        if os.environ.get("LARGE"):
            (scratch / "large").mkdir()
            network = export_autoencoder(scratch / "large")
            large = make(network, events, scratch / "autoencoder", scratch / "cache")
            rows.append(_row("autoencoder, 6 bits, cold", large))
            goals += [
                _at_most("autoencoder, wall", large.wall_s, 480, "s"),
                _at_most("autoencoder, peak memory", large.peak_bytes / GIB, 4, "GiB"),
            ]
    report = Report(
        name="firmware",
        title=f"Firmware, {n_events:,} events",
        columns=("network", "wall s", "CPU s", "peak GiB", "cycles", "LUT", "FF", "DSP"),
        rows=tuple(rows),
        goals=tuple(goals),
        conditions={
            "events": n_events,
            "exact scores, events/s by the clock": round(rate.firmware.by_clock),
            "da4ml's interpreter, events/s by the clock": round(rate.da4ml.by_clock),
            "C simulation, events/s by the clock": round(rate.simulation.by_clock),
            "import tensorflow, processor s": round(import_cpu_s, 2),
            "estimate of 57-256-256-1, processor s": round(wide.cpu_s, 2),
        },
    )
    return publish(report, options)


def _row(name: str, timed: Timed) -> tuple[str | float, ...]:
    figures = [value_of(timed.result, key) for key in ("latency_cycles", "lut", "ff", "dsp")]
    return (
        name,
        round(timed.wall_s, 1),
        round(timed.cpu_s, 1),
        round(timed.peak_bytes / GIB, 2),
        *figures,
    )


if __name__ == "__main__":
    sys.exit(main())
