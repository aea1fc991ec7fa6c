"""Networks small enough to work out by hand, and a way to run a step without a sandbox."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from harness.challenge import Budget, Target
from harness.firmware.backend import Backend, FirmwareRequest, FirmwareResult
from harness.firmware.synthesise import synthesise
from harness.sandbox import worker
from harness.sandbox.report import read_answer
from harness.sandbox.step import RunStep, Step, StepResult, Usage
from harness.sandbox.workspace import Workspace
from harness.submission.network import export_network, load_keras

if TYPE_CHECKING:
    import keras
    from da4ml.types import CombLogic

TARGET = Target(
    part="xcvu9p-flga2104-2-e",
    clock_period_ns=5.0,
    max_latency_ns=1000.0,
    max_interval_ns=25.0,
    budget=Budget(lut=1_000),
)


# A step has this process's TMPDIR while it runs, so one at a time: of two that overlap, the last to
# end would leave the other's behind.
_ONE_AT_A_TIME = Lock()


def direct_step(step: Step, folder: Path) -> StepResult:
    """Run a step in this process: the same entry, no isolation."""
    scratch = folder / "scratch"
    scratch.mkdir()
    outputs = {name: folder / name for name in step.outputs}
    for path in outputs.values():
        path.touch()
    message = {
        "entry": step.entry,
        "request": dict(step.request),
        "inputs": {name: str(path) for name, path in step.inputs.items()},
        "outputs": {name: str(path) for name, path in outputs.items()},
    }
    with _ONE_AT_A_TIME, patch.dict(os.environ, {"TMPDIR": str(scratch)}):
        answer = worker.encode(worker.call(message))
    report = read_answer(answer, step.name, step.may_raise)
    usage = Usage(wall_s=0.0, cpu_s=0.0, peak_memory_bytes=0)
    return StepResult(report=report, outputs=outputs, usage=usage, log="")


def make_project(network: tuple[Path, Path], folder: Path, *, backend: str = "Vitis") -> Path:
    """Make hls4ml's project of a network, packed."""
    from harness.firmware.translate.translation import trace_network

    trace_network(
        {
            "precision": None,
            "has_hls4ml": True,
            "hls_backend": backend,
            "part": "xcvu9p-flga2104-2-e",
            "clock_period_ns": 5.0,
        },
        {"graph": network[0], "weights": network[1]},
        {name: folder / f"{name}.tar" for name in ("program", "layers", "project")},
    )
    return folder / "project.tar"


def ask(
    network: tuple[Path, Path],
    events: Path | None,
    folder: Path,
    *,
    run_step: RunStep = direct_step,
    **more,
) -> FirmwareRequest:
    """Return a request for a network's firmware; its steps lie in `folder`."""
    return FirmwareRequest(
        graph=network[0],
        weights=network[1],
        events=events,
        workspace=Workspace(run_step=run_step, folder=folder),
        **({"target": TARGET} | more),
    )


def make_firmware(
    network: tuple[Path, Path],
    events: Path | None,
    folder: Path,
    *,
    backend: str = "rtl",
    cache_root: Path | None = None,
    build: Backend | None = None,
    **more,
) -> FirmwareResult:
    """Make a network's firmware; see `ask`."""
    request = ask(network, events, folder, **more)
    return synthesise(request, backend=backend, cache_root=cache_root, build=build)


def changing(change: Callable[[str], str], step_name: str = "firmware-verilog"):
    """Return a `RunStep` that changes the text of what a step writes first."""

    def run(step: Step, folder: Path) -> StepResult:
        result = direct_step(step, folder)
        if step.name == step_name:
            path = result.outputs["design"]
            before = path.read_text()
            path.write_text(change(before))
            assert path.read_text() != before, "the mutant is no mutant"
        return result

    return run


def fixed(width: int, integer: int, *, is_signed: bool = False, place: str = "weight", **more):
    """Return a configuration of HGQ2 for one fixed word."""
    from hgq.config import QuantizerConfig

    settings = {"overflow_mode": "SAT", "round_mode": "RND", "trainable": False, **more}
    return QuantizerConfig(
        "kif",
        place,
        k0=int(is_signed),
        i0=integer - is_signed,
        f0=width - integer,
        homogeneous_axis=None,
        heterogeneous_axis=(),
        **settings,
    )


def words_in(inputs, width: int, integer: int, *, is_signed: bool = False):
    """Quantise a network's inputs to the words of the wires."""
    from hgq.quantizer import Quantizer

    config = fixed(
        width,
        integer,
        is_signed=is_signed,
        place="datalane",
        overflow_mode="WRAP",
        round_mode="TRN",
    )
    return Quantizer(config, name="words")(inputs)


def two_and_one():
    """Return the network 2 a + b of two inputs of three bits: one adder."""
    load_keras()
    import keras
    from hgq.layers import QDense

    inputs = keras.Input((2,), name="event")
    layer = QDense(
        1, use_bias=False, enable_iq=False, kq_conf=fixed(2, 2), enable_ebops=False, name="sum"
    )
    score = layer(words_in(inputs, 3, 3))
    layer.kernel.assign(np.array([[2.0], [1.0]]))
    return keras.Model(inputs, score)


def encoder(n_inputs: int = 6, seed: int = 3):
    """Return a network of two dense layers and a sum of squares, with random weights."""
    load_keras()
    import keras
    from hgq.layers import QDense

    from harness import heads

    keras.utils.set_random_seed(seed)
    inputs = keras.Input((n_inputs,), name="event")
    x = words_in(inputs, 8, 6, is_signed=True)
    activations = fixed(6, 4, place="datalane")
    weights = fixed(4, 1, is_signed=True)
    for units, activation, name in ((4, "relu", "hidden"), (2, None, "mu")):
        x = QDense(
            units,
            activation=activation,
            kq_conf=weights,
            bq_conf=fixed(4, 2, is_signed=True, place="bias"),
            iq_conf=fixed(7, 5, is_signed=True, place="datalane")
            if name == "hidden"
            else activations,
            enable_ebops=False,
            name=name,
        )(x)
    return keras.Model(inputs, heads.sum_of_squares(x, word="fixed<6,4>"))


def export(model, folder: Path) -> tuple[Path, Path]:
    """Write a network's graph and weights."""
    folder.mkdir(parents=True, exist_ok=True)
    graph, weights = folder / "graph.json", folder / "weights.bin"
    export_network(model, graph, weights)
    return graph, weights


def exact_scores(program: CombLogic, events: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return a program's scores by arrays, which are bit for bit those of da4ml's interpreter."""
    from harness.firmware.arrays.blocks import BlockScorer, score_blocks
    from harness.firmware.arrays.program import as_arrays

    arrays = as_arrays(program)
    assert arrays is not None
    scores = score_blocks([BlockScorer(arrays)], events)
    expected = np.asarray(program.predict(events.astype(np.float64)), np.float64)
    assert scores.tobytes() == expected.tobytes()
    return scores


def plain_events(n_events: int, n_inputs: int, seed: int = 1) -> np.ndarray:
    """Return events of signed numbers, most of them small."""
    values = np.random.default_rng(seed).normal(0.0, 6.0, (n_events, n_inputs))
    return values.astype(np.float32)


def every_pair() -> np.ndarray:
    """Return all 64 events of two inputs of three bits."""
    return np.array([(a, b) for a in range(8) for b in range(8)], np.float32)


def simulate_by_hls4ml(
    model: keras.Model, events: NDArray[np.float32], folder: Path
) -> tuple[NDArray[np.float64], str]:
    """Score events by hls4ml's compiled C simulation; return what hls4ml printed as well."""
    from harness.firmware.translate.hls4ml_project import PROJECT, convert_by_hls4ml
    from harness.firmware.witnesses.csim import simulate_project

    files = {name: folder / name for name in ("project", "events", "scores")}
    printed = convert_by_hls4ml(model, folder / PROJECT, TARGET.part, 5.0)
    with tarfile.open(files["project"], "w") as archive:
        archive.add(folder / PROJECT, arcname=PROJECT)
    with files["events"].open("wb") as file:
        np.save(file, events)
    scores = {"scores": files.pop("scores")}
    simulate_project({"n_processes": 1, "timeout_s": 200.0}, files, scores)
    return np.fromfile(scores["scores"]), printed


def rounding_to_even(n_inputs: int = 4):
    """Return a network whose every quantiser but the input's rounds halves to even.

    It looks at the first four inputs.
    """
    load_keras()
    import keras
    from hgq.layers import QDense, QUnaryFunctionLUT
    from hgq.quantizer import Quantizer

    def even(width: int, integer: int, **more):
        return fixed(width, integer, place="datalane", round_mode="RND_CONV", **more)

    keras.utils.set_random_seed(5)
    inputs = keras.Input((n_inputs,), name="event")
    x = words_in(inputs, 9, 6, is_signed=True)
    for units, name in ((5, "hidden"), (3, "mu")):
        layer = QDense(
            units,
            activation="relu" if name == "hidden" else None,
            kq_conf=fixed(5, 2, is_signed=True, round_mode="RND_CONV"),
            bq_conf=fixed(5, 3, is_signed=True, place="bias", round_mode="RND_CONV"),
            iq_conf=even(7, 6, is_signed=name == "hidden"),
            enable_ebops=False,
            name=name,
        )
        x, n_read = layer(x), x.shape[-1]
        layer.kernel.assign(
            np.asarray(layer.kernel) * (np.arange(n_read) < (4 if name == "hidden" else 5))[:, None]
        )
    x = Quantizer(even(6, 5, is_signed=True, overflow_mode="WRAP"), name="wrapped")(x)
    x = QUnaryFunctionLUT(
        "tanh",
        iq_conf=even(6, 4, is_signed=True),
        oq_conf=fixed(5, 1, is_signed=True, place="table", round_mode="RND_CONV"),
        allow_heterogeneous_input=False,
        allow_heterogeneous_table=False,
        enable_ebops=False,
        name="table",
    )(x)
    score = QDense(
        1, kq_conf=fixed(4, 2, is_signed=True), enable_iq=False, enable_ebops=False, name="sum"
    )(x)
    return keras.Model(inputs, Quantizer(even(5, 3, is_signed=True), name="score")(score))


def deep(n_inputs: int = 3):
    """Return a network of six layers of weights in 64ths, whose squared score saturates.

    da4ml holds its values in a scale of 2^-40 and less, where 8191.9375 has 17 bits all the same.
    The network looks at the first three inputs.
    """
    load_keras()
    import keras
    from hgq.layers import QDense

    from harness import heads

    rng = np.random.default_rng(1)
    inputs = keras.Input((n_inputs,), name="event")
    x = words_in(inputs, 8, 8)
    for index in range(6):
        layer = QDense(
            4,
            activation="relu",
            use_bias=False,
            enable_iq=False,
            kq_conf=fixed(8, 2, is_signed=True),
            enable_ebops=False,
            name=f"layer{index}",
        )
        y = layer(x)
        kernel = np.zeros((x.shape[-1], 4))
        n_read = 4 if index else 3
        kernel[:n_read] = rng.integers(-16, 64, (n_read, 4)) / 64
        layer.kernel.assign(kernel)
        x = heads.limit(y, ["ufixed<11,7>"], name=f"limit{index}")
    total = heads.sum_of_squares(x, word="ufixed<11,7>")
    return keras.Model(inputs, heads.limit(total, ["ufixed<17,13>"], name="saturated"))
