"""The quantised Keras graph as a witness, and where its words overflow.

Keras computes in float32, where a sum of more than 24 bits is rounded. Such a rounding is no
property of the network: the graph is evaluated in float64 as well, and a score counts as equal if
either of the two gives it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.card.figures import Probability
from harness.card.hardware import Agreement
from harness.challenge import Value
from harness.firmware.backend import FirmwareRequest
from harness.firmware.interpret import BYTES_PER_SCORE
from harness.firmware.tools import Files, Report, Request, disk_faults
from harness.firmware.translate.quantise import load_fixed_point
from harness.firmware.translate.translation import Translation
from harness.firmware.witnesses.equality import INTERPRETER, compare
from harness.firmware.witnesses.events import CommonEvents, choose_common_events
from harness.firmware.witnesses.overflow import watched
from harness.submission.events import Events, open_rows

if TYPE_CHECKING:
    import keras

KERAS = "the quantised Keras graph"
CHUNK_EVENTS = 8_192
# Real events of a quick comparison, the highest scores among them.
_N_QUICK_EVENTS = 2_000


class GraphReport(Value):
    """Which share of the background overflows where, by the events that were compared."""

    overflow: dict[str, Probability]


def compare_quickly(
    request: FirmwareRequest, translation: Translation, scores: Path | None
) -> tuple[Agreement, dict[str, float]]:
    """Compare with Keras alone, on some of the events, if there are any, and on the edges.

    See `compare_graph`.
    """
    settings = replace(
        request.settings, n_witness_events=_N_QUICK_EVENTS, n_csim_events=_N_QUICK_EVENTS
    )
    request = replace(request, settings=settings)
    return compare_graph(request, choose_common_events(request, translation, scores))


def compare_graph(
    request: FirmwareRequest, events: CommonEvents
) -> tuple[Agreement, dict[str, float]]:
    """Compare with the quantised Keras graph, and return where its words overflow."""
    compared, stands_for = request.folder / "compared.npy", request.folder / "stands_for.npy"
    np.save(compared, events.rows[: events.n_compared])
    np.save(stands_for, events.stands_for)
    done = request.run(
        "reference",
        "witnesses.graph:evaluate_graph",
        GraphReport,
        request={"precision": request.words},
        inputs={
            "graph": request.graph,
            "weights": request.weights,
            "events": compared,
            "stands_for": stands_for,
        },
        outputs=dict.fromkeys(("single", "double"), BYTES_PER_SCORE * events.n_compared),
    )
    single, double = (np.fromfile(done.outputs[name], "<f8") for name in ("single", "double"))
    n_rounded = int((single != events.scores).sum())
    agreement = compare(
        (INTERPRETER, KERAS),
        events.scores,
        [double, single],
        events.rows,
        is_independent=True,
        note=f"float32 rounds {n_rounded} of them; float64 agrees" if n_rounded else "",
    )
    return agreement, done.report.overflow


def score_quantised(request: FirmwareRequest) -> Path:
    """Score all events of a request by the quantised Keras graph alone; return the raw scores.

    They are what the firmware computes, but for events in which float32 rounds a sum.
    """
    assert request.events is not None
    n_events = len(open_rows(request.events))
    done = request.run(
        "quantised",
        "witnesses.graph:evaluate_alone",
        GraphReport,
        request={"precision": request.words},
        inputs={"graph": request.graph, "weights": request.weights, "events": request.events},
        outputs={"scores": BYTES_PER_SCORE * n_events},
    )
    return done.outputs["scores"]


# --- The step -------------------------------------------------------------------------------------


@disk_faults()
def evaluate_graph(request: Request, inputs: Files, outputs: Files) -> Report:
    """Evaluate the quantised graph, in float32 and in float64 (entry of a step).

    Request: ``precision``. Inputs: ``graph``, ``weights``, ``events``; ``stands_for``,
    see `evaluate_with_overflow`. Outputs: ``single`` and ``double`` (float64, one for each event).
    """
    model = load_fixed_point(request["precision"], inputs)
    events = np.asarray(open_rows(inputs["events"]))
    single, overflow = evaluate_with_overflow(model, events, np.load(inputs["stands_for"]))
    single.tofile(outputs["single"])
    evaluate(in_double_precision(model), events).tofile(outputs["double"])
    return {"overflow": overflow}


@disk_faults()
def evaluate_alone(request: Request, inputs: Files, outputs: Files) -> Report:
    """Evaluate the quantised graph in float32 (entry of a step).

    Request: ``precision``. Inputs: ``graph``, ``weights``, ``events``. Outputs: ``scores``.
    """
    model = load_fixed_point(request["precision"], inputs)
    evaluate(model, open_rows(inputs["events"])).tofile(outputs["scores"])
    return {"overflow": {}}


def evaluate(model: keras.Model, events: Events) -> NDArray[np.float64]:
    """Return the scores of events, shape (n,)."""
    scores = [_call(model, chunk) for _, chunk in _chunks(events)]
    return np.concatenate(scores) if scores else np.zeros(0)


def evaluate_with_overflow(
    model: keras.Model, events: NDArray[np.float32], stands_for: NDArray[np.float64]
) -> tuple[NDArray[np.float64], dict[str, float]]:
    """Return the scores of events, and which share of the background overflows where.

    Parameters
    ----------
    model : keras.Model
    events : ndarray of float32
        Real ones first, then others, of which overflow does not count.
    stands_for : ndarray of float64
        How many events of the background each of the real ones stands for.

    Returns
    -------
    ndarray of float64, shape (n,)
    dict of str to float
        By layer and quantiser, where any event overflows: the share of background events of which
        at least one value lies outside the words' range before it is quantised.
    """
    sums: dict[str, float] = {}
    scores = []
    with watched(model) as seen:
        for first, chunk in _chunks(events):
            seen.clear()
            scores.append(_call(model, chunk))
            counted = stands_for[first : first + len(chunk)]
            for name, outside in seen.items():
                sums[name] = sums.get(name, 0.0) + float(counted[outside[: len(counted)]].sum())
    n_all = stands_for.sum()
    overflow = {name: min(1.0, n / n_all) for name, n in sorted(sums.items()) if n}
    return (np.concatenate(scores) if scores else np.zeros(0)), overflow


def _chunks(events: Events) -> Iterator[tuple[int, NDArray[np.float32]]]:
    for first in range(0, len(events), CHUNK_EVENTS):
        yield first, np.asarray(events[first : first + CHUNK_EVENTS])


def _call(model: keras.Model, chunk: NDArray[np.float32]) -> NDArray[np.float64]:
    import keras

    shaped = chunk.reshape(len(chunk), *model.inputs[0].shape[1:])
    tensor = keras.ops.convert_to_tensor(shaped, dtype=model.inputs[0].dtype)
    result = keras.ops.convert_to_numpy(model(tensor, training=False))
    return np.asarray(result, np.float64).reshape(len(chunk))


# --- Double precision -----------------------------------------------------------------------------

# Layers whose tables hold a function evaluated in float32; their inputs are short words.
_TABLES = ("QUnaryFunctionLUT", "QSoftmax", "QDenseT")


def in_double_precision(model: keras.Model) -> keras.Model:
    """Return the network with data in float64 and the quantised weights that float32 gave."""
    import keras

    config = keras.saving.serialize_keras_object(model)
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        double = keras.saving.deserialize_keras_object(_with_float64(config))
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_dtype_policy(before[1])
    _copy_weights(model, double)
    _pin_quantised_weights(model, double)
    return double


def _with_float64(value: object) -> object:
    if isinstance(value, dict):
        if value.get("class_name") in _TABLES:
            return value
        return {key: _with_float64(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_with_float64(item) for item in value)
    return "float64" if value == "float32" else value


def _copy_weights(model: keras.Model, double: keras.Model) -> None:
    for layer, twin in zip(model.layers, double.layers, strict=True):
        for weight, target in zip(layer.weights, twin.weights, strict=True):
            target.assign(np.asarray(weight).astype(target.dtype))


def _pin_quantised_weights(model: keras.Model, double: keras.Model) -> None:
    """Give each layer the quantised weights of its float32 twin.

    Where a weight lies on the edge between two words, float32 and float64 may round it to either.
    """
    import keras

    for layer, twin in zip(model.layers, double.layers, strict=True):
        pinned = {
            name: keras.ops.convert_to_tensor(np.asarray(getattr(layer, name)), dtype="float64")
            for name in ("qkernel", "qbias")
            if getattr(layer, name, None) is not None
        }
        if pinned and type(twin).__name__ not in _TABLES:
            constants = {name: property(_constant(value)) for name, value in pinned.items()}
            twin.__class__ = type(type(twin).__name__, (type(twin),), constants)


def _constant(value: keras.KerasTensor) -> Callable[[object], keras.KerasTensor]:
    return lambda _: value
