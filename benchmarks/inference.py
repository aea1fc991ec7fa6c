"""Ways to score events with a network on this CPU, and the one that the harness takes.

Two networks: `submissions/team_x`, quantised by HGQ2, and its plain float twin. The challenge's
notebook calls ``model.predict(x)``, which takes 32 events at a time. The harness's row is the whole
step as the sandbox runs it, from the memory-mapped events to the written scores, with the survey of
the scores; what is left out is the start of TensorFlow and the compilation, a few seconds once.
onnxruntime knows none of HGQ2's layers, so the harness, which scores every network by one
arithmetic, can't use it: its row says what that costs a float network, and the fastest way is
sought among those that know all the layers.

    python benchmarks/inference.py [--quick] [--json FILE]
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from _table import Goal, Report, publish, read_options, timed
from numpy.typing import NDArray

from harness.submission.export import export_submission
from harness.submission.inference import CHUNK_EVENTS, CHUNKS_AT_A_TIME, compile_network
from harness.submission.jobs import Job, score_job
from harness.submission.network import load_keras, rebuild

if TYPE_CHECKING:
    import keras

TEAM = Path(__file__).parents[1] / "submissions" / "team_x"
EVENT_SHAPE = (19, 3)
# The slow way is timed on part of the events.
NOTEBOOK_EVENTS = 32_768
REPEATS = 5
ONNX = "onnxruntime"
MIN_RATIO = 20.0
MAX_OF_FASTEST = 1.2
# Scores of float networks differ by the order of their float32 sums, in units of their spread.
TOLERANCE = 1e-4

Scores = NDArray[np.float64]
Way = Callable[[], Scores]


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """One way, how fast it was, and how far its scores lie from those of `predict`."""

    name: str
    events_per_s: float
    difference: float


def draw_events(n_events: int) -> NDArray[np.float32]:
    """Draw events of the form of the challenge's: momenta falling, two in three slots empty."""
    generator = np.random.default_rng(2021)
    events = generator.uniform(-3, 3, (n_events, *EVENT_SHAPE)).astype(np.float32)
    events[..., 0] = generator.exponential(30.0, events.shape[:2])
    events[generator.random(events.shape[:2]) < 0.67] = 0.0
    return events


def quantised_network(folder: Path) -> keras.Model:
    """Return the shipped network, by way of the export."""
    files = {"graph": folder / "graph.json", "weights": folder / "weights.bin"}
    with contextlib.chdir(folder):  # the export changes the working directory
        export_submission({"event_shape": list(EVENT_SHAPE)}, {"submission": TEAM}, files)
    return rebuild(files["graph"], files["weights"])


def float_network() -> keras.Model:
    """Return the float twin of 57-32-16-3 with the sum of squares."""
    import keras

    keras.utils.set_random_seed(1)
    inputs = keras.Input((57,))
    hidden = keras.layers.Dense(32, activation="relu")(inputs)
    hidden = keras.layers.Dense(16, activation="relu")(hidden)
    mu = keras.layers.Dense(3)(hidden)
    return keras.Model(inputs, keras.ops.sum(keras.ops.square(mu), axis=-1))


def keras_way(model: keras.Model, events: NDArray[np.float32], batch_size: int) -> Way:
    """Score by ``model.predict``."""
    flat = events.reshape(len(events), -1)
    return lambda: cast(
        "Scores", model.predict(flat, batch_size=batch_size, verbose=0).ravel().astype(np.float64)
    )


def function_way(
    model: keras.Model, events: NDArray[np.float32], chunk: int, *, jit_compile: bool
) -> Way:
    """Score by a compiled function of one chunk size; the events are a multiple of it."""
    import tensorflow as tf

    signature = [tf.TensorSpec((chunk, events[0].size), tf.float32)]
    function = tf.function(
        lambda x: model(x, training=False), input_signature=signature, jit_compile=jit_compile
    )
    flat = events.reshape(len(events), -1)

    def score() -> Scores:
        starts = range(0, len(flat), chunk)
        parts = [function(tf.constant(flat[start : start + chunk])).numpy() for start in starts]
        return np.concatenate(parts).ravel().astype(np.float64)

    return score


def harness_way(model: keras.Model, events: NDArray[np.float32], folder: Path) -> Way:
    """Score as the sandbox does, from a mapped file to a file."""
    path, scores = folder / "events.npy", folder / "scores"
    np.save(path, events)
    scorer, _ = compile_network(model, CHUNK_EVENTS)
    job = Job(events="events", scores="scores", chunk=CHUNK_EVENTS)

    def score() -> Scores:
        score_job(
            scorer,
            np.load(path, mmap_mode="r"),
            job,
            {"scores": scores},
            chunks_at_a_time=CHUNKS_AT_A_TIME,
        )
        return np.fromfile(scores, "<f8")

    return score


def onnx_way(model: keras.Model, events: NDArray[np.float32], chunk: int) -> Way | None:
    """Score the float network by onnxruntime; None where the packages are missing."""
    if any(importlib.util.find_spec(name) is None for name in ("onnx", "onnxruntime")):
        return None
    import onnxruntime

    session = onnxruntime.InferenceSession(_as_onnx(model), providers=["CPUExecutionProvider"])
    flat = events.reshape(len(events), -1)

    def score() -> Scores:
        starts = range(0, len(flat), chunk)
        parts = [session.run(None, {"x": flat[start : start + chunk]})[0] for start in starts]
        return np.concatenate(parts).ravel().astype(np.float64)

    return score


def _as_onnx(model: keras.Model) -> bytes:
    """Write the three dense layers and the sum of squares as an ONNX graph."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants, last = [], [], "x"
    layers = [layer for layer in model.layers if layer.weights]
    for number, layer in enumerate(layers):
        kernel, bias = (np.asarray(weight.value.numpy()) for weight in layer.weights)
        names = [f"kernel_{number}", f"bias_{number}"]
        constants += [numpy_helper.from_array(v, n) for v, n in zip((kernel, bias), names)]
        nodes.append(helper.make_node("Gemm", [last, *names], [f"sum_{number}"]))
        last = f"sum_{number}"
        if number < len(layers) - 1:
            nodes.append(helper.make_node("Relu", [last], [f"relu_{number}"]))
            last = f"relu_{number}"
    nodes.append(helper.make_node("ReduceSumSquare", [last], ["y"], axes=[1], keepdims=0))
    graph = helper.make_graph(
        nodes,
        "twin",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 57])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None])],
        constants,
    )
    opset = [helper.make_opsetid("", 17)]
    model_proto = helper.make_model(graph, opset_imports=opset, ir_version=8)
    return cast("bytes", model_proto.SerializeToString())


def ways_of(
    model: keras.Model, events: NDArray[np.float32], folder: Path, *, has_onnx: bool
) -> Mapping[str, tuple[Way, int]]:
    """Return each way and the number of events that it scores."""
    n_events = len(events)
    notebook = keras_way(model, events[:NOTEBOOK_EVENTS], 32)
    ways: dict[str, tuple[Way, int]] = {
        "predict, 32 at a time (notebook)": (notebook, NOTEBOOK_EVENTS)
    }
    for size in (4_096, 65_536):
        ways[f"predict, {size:,}"] = (keras_way(model, events, size), n_events)
    ways["tf.function, 8,192"] = (function_way(model, events, 8_192, jit_compile=False), n_events)
    for size in (2_048, 8_192, 16_384, 32_768):
        way = function_way(model, events, size, jit_compile=True)
        ways[f"tf.function with XLA, {size:,}"] = (way, n_events)
    onnx = onnx_way(model, events, 8_192) if has_onnx else None
    if onnx is not None:
        ways[f"{ONNX}, 8,192"] = (onnx, n_events)
    ways["harness, file to file"] = (harness_way(model, events, folder), n_events)
    return ways


def measure(ways: Mapping[str, tuple[Way, int]]) -> list[Measured]:
    """Compare the scores of all ways, then time them by turns: least of `REPEATS` calls each.

    By turns, so that other work on the machine disturbs all of them alike.
    """
    reference = ways["predict, 65,536"][0]()
    spread = float(np.std(reference))
    differences = {
        name: float(np.max(np.abs(way() - reference[:n_events]))) / spread
        for name, (way, n_events) in ways.items()
    }
    seconds = {name: float("inf") for name in ways}
    for _ in range(REPEATS):
        for name, (way, _) in ways.items():
            seconds[name] = min(seconds[name], timed(way, repeats=1).best_s)
    return [
        Measured(name=name, events_per_s=n_events / seconds[name], difference=differences[name])
        for name, (_, n_events) in ways.items()
    ]


def goals_of(name: str, measured: list[Measured]) -> tuple[Goal, ...]:
    """Hold the figures of one network against what is asked of them."""
    slow, ours = measured[0], measured[-1]
    fastest = max(row.events_per_s for row in measured if not row.name.startswith(ONNX))
    return (
        Goal(
            name=f"{name}: harness against the notebook's predict",
            value=ours.events_per_s / slow.events_per_s,
            relation=">=",
            limit=MIN_RATIO,
            unit="x",
        ),
        Goal(
            name=f"{name}: time of the harness against the fastest that knows all the layers",
            value=fastest / ours.events_per_s,
            relation="<=",
            limit=MAX_OF_FASTEST,
            unit="x",
        ),
        Goal(
            name=f"{name}: largest difference of the scores / spread",
            value=max(row.difference for row in measured),
            relation="<=",
            limit=0.0 if name == "quantised" else TOLERANCE,
        ),
    )


def main() -> int:
    """Measure, print and keep."""
    options = read_options(__doc__ or "")
    load_keras()
    n_events = 2**17 if options.quick else 2**20
    events = draw_events(n_events)
    rows: list[tuple[str | float, ...]] = []
    goals: list[Goal] = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("quantised", "float"):
            is_float = name == "float"
            model = float_network() if is_float else quantised_network(Path(scratch))
            measured = measure(ways_of(model, events, Path(scratch), has_onnx=is_float))
            slow = measured[0].events_per_s
            rows += [
                (name, row.name, row.events_per_s, row.events_per_s / slow, row.difference)
                for row in measured
            ]
            goals += goals_of(name, measured)
    report = Report(
        name="inference",
        title="Scoring with an encoder 57-32-16-3 and its sum of squares",
        columns=("network", "way", "events/s", "x notebook", "difference / spread"),
        rows=tuple(rows),
        goals=tuple(goals),
        conditions={"events": n_events, "repeats": REPEATS},
    )
    return publish(report, options)


if __name__ == "__main__":
    sys.exit(main())
