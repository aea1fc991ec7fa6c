"""The quantised Keras graph as a witness, and where its words overflow.

Keras computes in float32, where a sum of more than 24 bits is rounded. Such a rounding is no
property of the network: the graph is evaluated in float64 as well, and a score counts as equal if
either of the two gives it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.card.records import Agreement, Probability
from harness.challenge import Value
from harness.firmware.backend import FirmwareRequest
from harness.firmware.interpret import BYTES_PER_SCORE, open_events
from harness.firmware.tools import Files, Report, Request, disk_faults
from harness.firmware.translate.quantise import load_fixed_point
from harness.firmware.translate.translation import Translation
from harness.firmware.witnesses.equality import INTERPRETER, compare
from harness.firmware.witnesses.events import CommonEvents, choose_common_events
from harness.firmware.witnesses.overflow import watched

if TYPE_CHECKING:
    import keras

KERAS = "the quantised Keras graph"
CHUNK_EVENTS = 8_192
# Real events of a quick comparison, the highest scores among them.
_N_QUICK_EVENTS = 2_000


class GraphReport(Value):
    """Which share of the real events overflows where."""

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
    compared = request.folder / "compared.npy"
    np.save(compared, events.rows[: events.n_compared])
    done = request.run(
        "reference",
        "witnesses.graph:evaluate_graph",
        GraphReport,
        request={
            "precision": request.precision.model_dump() if request.precision else None,
            "n_ordinary": events.n_ordinary,
        },
        inputs={"graph": request.graph, "weights": request.weights, "events": compared},
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


# --- The step -------------------------------------------------------------------------------------


@disk_faults()
def evaluate_graph(request: Request, inputs: Files, outputs: Files) -> Report:
    """Evaluate the quantised graph, in float32 and in float64 (entry of a step).

    Request: ``precision``; ``n_ordinary``, how many of the first events are real ones, of which
    overflow is reported. Inputs: ``graph``, ``weights``, ``events``. Outputs: ``single`` and
    ``double`` (float64, one for each event).
    """
    model = load_fixed_point(request["precision"], inputs)
    events = open_events(inputs["events"])
    single, overflow = evaluate_with_overflow(model, events, request["n_ordinary"])
    single.tofile(outputs["single"])
    evaluate(in_double_precision(model), events).tofile(outputs["double"])
    return {"overflow": overflow}


def evaluate(model: keras.Model, events: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the scores of events, shape (n,)."""
    scores = [_call(model, chunk) for _, chunk in _chunks(events)]
    return np.concatenate(scores) if scores else np.zeros(0)


def evaluate_with_overflow(
    model: keras.Model, events: NDArray[np.float32], n_ordinary: int
) -> tuple[NDArray[np.float64], dict[str, float]]:
    """Return the scores of events, and which share of the first `n_ordinary` overflows where.

    Returns
    -------
    ndarray of float64, shape (n,)
    dict of str to float
        By layer and quantiser, where any event overflows: the share of events of which at least
        one value lies outside the words' range before it is quantised.
    """
    counts: dict[str, int] = {}
    scores = []
    with watched(model) as seen:
        for first, chunk in _chunks(events):
            seen.clear()
            scores.append(_call(model, chunk))
            n_counted = max(0, min(len(chunk), n_ordinary - first))
            for name, outside in seen.items():
                counts[name] = counts.get(name, 0) + int(outside[:n_counted].sum())
    shares = overflow_shares(counts, n_ordinary)
    return (np.concatenate(scores) if scores else np.zeros(0)), shares


def overflow_shares(counts: Mapping[str, int], n_events: int) -> dict[str, float]:
    """Turn counts of overflowing events into shares, without the zeros."""
    return {name: n / n_events for name, n in sorted(counts.items()) if n and n_events}


def _chunks(events: NDArray[np.float32]) -> Iterator[tuple[int, NDArray[np.float32]]]:
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
_TABLES = ("QUnaryFunctionLUT", "QAffinedUnaryFunctionLUT", "QSoftmax", "QDenseT")


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
