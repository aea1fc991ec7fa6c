"""The step that turns a submission into a graph and weights; its sandbox holds no events."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from pydantic import JsonValue

from harness.card.text import visible
from harness.challenge import Value, events_within
from harness.errors import InvalidSubmissionError, Problem
from harness.submission.calls import models_in
from harness.submission.contract import check_network
from harness.submission.network import export_network, load_keras, model_digest, rebuild
from harness.submission.plugin import blamed_on_submission, find_function, load_plugin

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

# The functions of a plugin that make a network: the one that is ranked, and what it was before its
# values were rounded, which says what the rounding cost.
FUNCTION, UNROUNDED = "network", "unrounded"
N_PROBES = 256
_PROBE_BYTES = 16 * 2**20
# So many quantisers are named, in so many characters.
_MAX_SCALES, _MAX_NAME = 1_000, 120


class ExportReport(Value):
    """What `export_submission` reports."""

    model_digest: str
    input_shape: tuple[int, ...]
    layers: tuple[tuple[str, str], ...]
    has_unrounded: bool = False
    other_scales: tuple[str, ...] = ()


def export_submission(
    request: Mapping[str, JsonValue], inputs: Mapping[str, Path], outputs: Mapping[str, Path]
) -> dict[str, JsonValue]:
    """Build the network of `model.py` or of an ONNX file, and export it.

    Parameters
    ----------
    request : mapping
        ``event_shape``: shape of one event of the challenge; ``model``: the name of the ONNX file
        that is the network, or None for a function of `model.py`: ``function``, ``network`` by
        default, or ``unrounded``: the network before anything of it was rounded.
    inputs : mapping
        ``submission``: the folder.
    outputs : mapping
        ``graph`` and ``weights``: the files to write.

    Returns
    -------
    dict
        ``model_digest``, ``input_shape``, ``layers`` (name and class of each),
        ``has_unrounded``: whether `model.py` also has the function ``unrounded``, and
        ``other_scales``: the quantisers of an ONNX file whose scales are no powers of two.

    Raises
    ------
    InvalidSubmissionError
        The network does not keep the contract, or differs between two calls of ``network()``.
    SubmissionError
        The participant's code failed.
    """
    shape = cast("list[int]", request["event_shape"])
    event_shape = tuple(shape)
    load_keras()
    folder = inputs["submission"].resolve()
    name = cast("str", request.get("function") or FUNCTION)
    source = _source(folder, cast("str | None", request.get("model")), name, event_shape)
    model = _call_network(source, event_shape)
    probes = probe_events(event_shape).reshape(-1, *model.input_shape[1:])
    with blamed_on_submission(folder, "while the network computed a few events"):
        scores = _scores(model, probes)
    report = _describe(model)
    export_network(model, outputs["graph"], outputs["weights"])
    digest = model_digest(outputs["graph"], outputs["weights"])
    _check_repeats(source, event_shape, digest)
    rebuilt = rebuild(outputs["graph"], outputs["weights"])
    if problems := _rebuilt_problems(rebuilt, probes, scores, source.where):
        raise InvalidSubmissionError(*problems)
    return {
        "model_digest": digest,
        "has_unrounded": source.has_unrounded,
        "other_scales": list[JsonValue](source.other_scales)[:_MAX_SCALES],
        **report,
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class _Source:
    """What makes a network: the participant's function, or the reader of their ONNX file."""

    make: Callable[[], object]
    folder: Path
    where: str
    advice: str
    has_unrounded: bool = False
    other_scales: dict[str, None] = field(default_factory=dict)


def _source(folder: Path, onnx: str | None, name: str, event_shape: tuple[int, ...]) -> _Source:
    if onnx is not None:
        from harness.submission.onnx.network import build_network

        scales: dict[str, None] = {}

        def note_scale(name: str) -> None:
            scales[visible(name)[:_MAX_NAME]] = None

        return _Source(
            make=partial(build_network, folder / onnx, event_shape, note_scale),
            other_scales=scales,
            folder=folder,
            where=onnx,
            advice="please report this file",
        )
    plugin = load_plugin(folder)
    return _Source(
        make=find_function(plugin, name),
        folder=folder,
        where=f"model.py, {name}()",
        advice="load trained weights from a file of the submission; initialise nothing at random",
        has_unrounded=callable(getattr(plugin, UNROUNDED, None)),
    )


def _call_network(source: _Source, event_shape: tuple[int, ...]) -> keras.Model:
    import keras

    # Names that Keras makes up count upwards; from the same start, two calls give the same names.
    keras.utils.clear_session(free_memory=False)
    with blamed_on_submission(source.folder, f"in {source.where.removeprefix('model.py, ')}"):
        model = source.make()
    if problems := check_network(model, event_shape, source.where):
        raise InvalidSubmissionError(*problems)
    return cast("keras.Model", model)


def _check_repeats(source: _Source, event_shape: tuple[int, ...], digest: str) -> None:
    model = _call_network(source, event_shape)
    with tempfile.TemporaryDirectory() as scratch:
        graph, weights = Path(scratch) / "graph", Path(scratch) / "weights"
        export_network(model, graph, weights)
        if model_digest(graph, weights) == digest:
            return
    raise InvalidSubmissionError(
        "gives another network at its second call",
        where=source.where,
        expected="the same graph and weights at every call",
        fix=source.advice,
    )


def probe_events(event_shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Make events to try a network on: of no physics, but of the form and size of real ones.

    Returns
    -------
    ndarray of float32, shape (n, *event_shape)
        `N_PROBES` of them, or fewer large ones. Rows of objects: first feature falling
        exponentially from some 30 (GeV), the others within +-3; objects missing from the end of the
        event on. Images: one pixel in fifty is filled, falling exponentially.
    """
    rng = np.random.default_rng(57)
    n_probes = min(N_PROBES, events_within(_PROBE_BYTES, event_shape))
    if len(event_shape) != 2:
        pixels = rng.exponential(10.0, (n_probes, *event_shape))
        return (pixels * (rng.random(pixels.shape) < 0.02)).astype(np.float32)
    n_objects, n_features = event_shape
    events = rng.uniform(-3.0, 3.0, (n_probes, n_objects, n_features))
    events[..., 0] = rng.exponential(30.0, (n_probes, n_objects))
    n_present = rng.integers(1, n_objects + 1, n_probes)
    events[np.arange(n_objects) >= n_present[:, None]] = 0.0
    return events.astype(np.float32)


def _scores(model: keras.Model, events: NDArray[np.float32]) -> NDArray[np.generic]:
    import keras

    output = keras.ops.convert_to_numpy(model(events, training=False))
    return np.asarray(output).reshape(len(events))


def _rebuilt_problems(
    model: keras.Model, probes: NDArray[np.float32], scores: NDArray[np.generic], where: str
) -> list[Problem]:
    """Compare the scores of the rebuilt network with those of the participant's, bit for bit."""
    rebuilt = _scores(model, probes)
    differing = ~((rebuilt == scores) | (np.isnan(rebuilt) & np.isnan(scores)))
    if not differing.any():
        return []
    return [
        Problem(
            what=f"the exported network scores {int(differing.sum())} of {len(probes)} events "
            "differently",
            where=where,
            expected="a network that its configuration and weights describe completely",
            fix="use no custom function with the name of an activation, and do not change the "
            "behaviour of a layer after it was made",
        )
    ]


def _describe(model: keras.Model) -> dict[str, JsonValue]:
    return {
        "input_shape": list(model.input_shape[1:]),
        "layers": [
            [prefix + layer.name, type(layer).__name__]
            for prefix, part in models_in(model)
            for layer in part.layers
        ],
    }
