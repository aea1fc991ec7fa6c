"""hls4ml's bit-exact C simulation, compiled and run: the second witness of the scores."""

from __future__ import annotations

import re
import subprocess
import tarfile
import time
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import cast

import numpy as np
from pydantic import JsonValue

from harness.errors import Problem
from harness.firmware.tools import Fault, build_folder, compiler, run_tool, step_entry
from harness.firmware.translate.translator import PROJECT
from harness.firmware.witnesses.interpret import open_events

__all__ = ["build_simulation", "run_simulation", "simulate_project"]

_DRIVER = r"""
#include <cstdio>
#include <cstdlib>
#include <vector>
extern "C" void @PROJECT@_double(double *inputs, double *outputs);

int main(int argc, char **argv) {
    const size_t width = @N_INPUTS@;
    const size_t first = strtoull(argv[3], nullptr, 10), count = strtoull(argv[4], nullptr, 10);
    FILE *in = fopen(argv[1], "rb"), *out = fopen(argv[2], "wb");
    if (!in || !out || fseek(in, long(first * width * sizeof(float)), SEEK_SET)) return 2;
    std::vector<float> event(width);
    std::vector<double> inputs(width);
    for (size_t index = 0; index < count; ++index) {
        if (fread(event.data(), sizeof(float), width, in) != width) return 3;
        for (size_t column = 0; column < width; ++column) inputs[column] = event[column];
        double score = 0.0;
        @PROJECT@_double(inputs.data(), &score);
        if (fwrite(&score, sizeof score, 1, out) != 1) return 4;
    }
    return fclose(out) ? 5 : 0;
}
"""


@step_entry
def simulate_project(
    request: Mapping[str, JsonValue], inputs: Mapping[str, Path], outputs: Mapping[str, Path]
) -> dict[str, JsonValue]:
    """Compile an hls4ml project and score events by it (entry of a step).

    Request: ``n_processes``, ``timeout_s``. Inputs: ``project`` (tar), ``events``. Outputs:
    ``scores`` (float64, one for each event).
    """
    events = open_events(inputs["events"])
    timeout_s = float(cast("float", request["timeout_s"]))
    started = time.monotonic()
    with build_folder("hls4ml") as folder:
        with tarfile.open(inputs["project"]) as archive:
            archive.extractall(folder, filter="data")
        program = build_simulation(folder / PROJECT, events.shape[1], timeout_s)
        built = time.monotonic()
        # The header of a .npy file is left behind, so that processes can seek to their share.
        raw = folder / "events.f32"
        np.ascontiguousarray(events, "<f4").tofile(raw)
        n_processes = cast("int", request["n_processes"])
        parts = run_simulation(program, raw, len(events), n_processes, timeout_s)
        with outputs["scores"].open("wb") as file:
            for part in parts:
                file.write(part.read_bytes())
    return {
        "n_events": len(events),
        "compile_s": built - started,
        "run_s": time.monotonic() - built,
    }


def build_simulation(project: Path, n_inputs: int, timeout_s: float) -> Path:
    """Compile an hls4ml project into a program that scores a share of a file of events."""
    driver = project / "driver.cpp"
    text = _DRIVER.replace("@PROJECT@", PROJECT).replace("@N_INPUTS@", str(n_inputs))
    driver.write_text(text)
    run_tool(
        [
            compiler(),
            "-O2",
            "-std=c++17",
            "-w",
            "-Ifirmware/ap_types/",
            f'-DWEIGHTS_DIR="{project}/firmware/weights"',
            f"firmware/{PROJECT}.cpp",
            f"{PROJECT}_bridge.cpp",
            driver.name,
            "-o",
            "simulation",
        ],
        name="the compilation of hls4ml's C simulation",
        folder=project,
        timeout_s=timeout_s,
    )
    return project / "simulation"


def run_simulation(
    program: Path, events: Path, n_events: int, n_processes: int, timeout_s: float
) -> list[Path]:
    """Share the events among processes; return their outputs in order."""
    bounds = np.linspace(0, n_events, max(1, n_processes) + 1).astype(int)
    parts, running = [], []
    for index, (first, end) in enumerate(pairwise(bounds)):
        part = program.parent / f"scores{index}"
        parts.append(part)
        arguments = [program, events, part, first, end - first]
        running.append(
            subprocess.Popen(
                [str(argument) for argument in arguments],
                cwd=program.parent,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        )
    deadline = time.monotonic() + timeout_s
    try:
        for process in running:
            _wait(process, deadline)
    finally:
        for process in running:
            process.kill()
            process.communicate()
    return parts


def _wait(process: subprocess.Popen[bytes], deadline: float) -> None:
    try:
        _, errors = process.communicate(timeout=max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired as error:
        raise Fault(
            "limit",
            Problem(
                what="hls4ml's C simulation did not end in time",
                fix="raise the time limit of the firmware settings, or take fewer events",
            ),
        ) from error
    if process.returncode:
        tail = re.sub(r"\s+", " ", errors.decode(errors="replace"))[-300:]
        raise Fault(
            "environment",
            Problem(what=f"hls4ml's C simulation failed ({process.returncode}): {tail}"),
        )
