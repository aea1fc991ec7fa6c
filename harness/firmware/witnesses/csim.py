"""hls4ml's bit-exact C simulation, compiled and run: an independent witness of the scores."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from harness.card.figures import Count
from harness.card.hardware import SECOND_TRANSLATOR, Agreement
from harness.challenge import Value
from harness.firmware.artefacts import unpack
from harness.firmware.backend import FirmwareRequest
from harness.firmware.compiling import compile_units
from harness.firmware.interpret import BYTES_PER_SCORE
from harness.firmware.tools import Files, Report, Request, build_folder, disk_faults, run_tool
from harness.firmware.translate.hls4ml_project import PROJECT
from harness.firmware.translate.translation import Translation
from harness.firmware.witnesses.equality import INTERPRETER, compare
from harness.firmware.witnesses.events import CommonEvents
from harness.submission.events import open_rows


class CsimReport(Value):
    """How many events were scored."""

    n_events: Count


def compare_csim(
    request: FirmwareRequest, translation: Translation, events: CommonEvents
) -> Agreement | None:
    """Compare with hls4ml's C simulation, where hls4ml translates the network."""
    if translation.project is None:
        return None
    request.progress(f"compiling hls4ml's C simulation for {len(events.rows):,} events")
    done = request.run(
        "csim",
        "witnesses.csim:simulate_project",
        CsimReport,
        request={"n_processes": request.settings.n_threads},
        inputs={"project": translation.project, "events": events.path},
        outputs={"scores": BYTES_PER_SCORE * len(events.rows)},
        tools_s=request.settings.simulation_wall_s,
    )
    layers = translation.report.da4ml_layers
    return compare(
        (INTERPRETER, SECOND_TRANSLATOR),
        events.all_scores,
        [np.fromfile(done.outputs["scores"], "<f8")],
        events.rows,
        is_independent=not layers,
        note=f"hls4ml hands {', '.join(layers)} to da4ml" if layers else "",
    )


# --- The step -------------------------------------------------------------------------------------


@disk_faults()
def simulate_project(request: Request, inputs: Files, outputs: Files) -> Report:
    """Compile an hls4ml project and score events by it (entry of a step).

    Request: ``n_processes``, ``timeout_s``. Inputs: ``project`` (tar), ``events``. Outputs:
    ``scores`` (float64, one for each event).
    """
    events = np.asarray(open_rows(inputs["events"]))
    timeout_s = request["timeout_s"]
    with build_folder("hls4ml") as folder:
        unpack(inputs["project"], folder)
        program = build_simulation(folder / PROJECT, events.shape[1], timeout_s)
        # The header of a .npy file is left behind, so that processes can seek to their share.
        raw = folder / "events.f32"
        np.ascontiguousarray(events, "<f4").tofile(raw)
        parts = run_simulation(program, raw, len(events), request["n_processes"], timeout_s)
        with outputs["scores"].open("wb") as file:
            for part in parts:
                file.write(part.read_bytes())
    return {"n_events": len(events)}


def build_simulation(project: Path, n_inputs: int, timeout_s: float) -> Path:
    """Compile an hls4ml project into a program that scores a share of a file of events."""
    options = ["-std=c++17", "-w", "-I.", "-Ifirmware/ap_types/", f"-DN_INPUTS={n_inputs}"]
    options += [f'-DWEIGHTS_DIR="{project}/firmware/weights"', f"-DSCORE={PROJECT}_double"]
    driver = project / "driver.cpp"
    shutil.copyfile(Path(__file__).with_name(f"csim_{driver.name}"), driver)
    sources = [project / "firmware" / f"{PROJECT}.cpp", project / f"{PROJECT}_bridge.cpp", driver]
    return compile_units(
        [sources],
        project / "simulation",
        options,
        name="the compilation of hls4ml's C simulation",
        timeout_s=timeout_s,
    )


def run_simulation(
    program: Path, events: Path, n_events: int, n_processes: int, timeout_s: float
) -> list[Path]:
    """Share the events among processes; return their outputs in order."""
    n_processes = max(1, n_processes)
    bounds = np.linspace(0, n_events, n_processes + 1).astype(int)

    def run(index: int) -> Path:
        part = program.parent / f"scores{index}"
        first, end = bounds[index], bounds[index + 1]
        run_tool(
            [program, events, part, str(first), str(end - first)],
            name="hls4ml's C simulation",
            folder=program.parent,
            timeout_s=timeout_s,
        )
        return part

    with ThreadPoolExecutor(n_processes) as pool:
        return list(pool.map(run, range(n_processes)))
