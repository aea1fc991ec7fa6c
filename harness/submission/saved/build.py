"""A saved model as a network of known layers of Keras 3 and HGQ2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import InvalidSubmissionError, Problem
from harness.submission.graph import first_problems
from harness.submission.saved.container import read_saved
from harness.submission.saved.grid import follows_between
from harness.submission.saved.layers import Graph, Layer, Tensor, input_shape, read_graph
from harness.submission.saved.plain_layers import Call, LayerError, plain_layer
from harness.submission.saved.quantised_layers import is_quantised, quantised_layer

if TYPE_CHECKING:
    import keras


def build_saved(
    path: Path, weights: Path | None = None, outputs: Sequence[str] = ()
) -> keras.Model:
    """Read a saved model and build it.

    Parameters
    ----------
    path : Path
        ``.h5``, ``.keras``, or ``model.json``.
    weights : Path, optional
        With ``model.json``: its weights.
    outputs : sequence of str
        Names of layers whose outputs are taken in place of the model's; layers that they do not
        need are not read.

    Returns
    -------
    keras.Model
        A functional model. With layers of QKeras in the file, HGQ2 layers of the same words take
        their place, and that of the plain layers beside them that HGQ2 has too.

    Raises
    ------
    InvalidSubmissionError
        The files are missing, damaged or too large, or hold layers that are not known: all are
        named.
    """
    saved = read_saved(path, weights)
    graph = read_graph(saved, outputs)
    problems: list[Problem] = []
    calls = _calls_of(graph, problems, has_words=any(map(is_quantised, graph.walk())))
    if problems:
        raise InvalidSubmissionError(*first_problems(problems))
    try:
        return _model(graph, calls, ())
    except LayerError as error:
        raise InvalidSubmissionError(error.problem) from error


# For each layer, by its name, what takes its place; for a model, the same of its layers.
_Calls = Mapping[str, Any]


def _calls_of(graph: Graph, problems: list[Problem], *, has_words: bool) -> dict[str, Any]:
    calls: dict[str, Any] = {}
    names = {id(layer): name for name, layer in graph.layers.items()}
    for layer in graph.needed():
        name = names[id(layer)]
        if layer.model is not None:
            calls[name] = _calls_of(layer.model, problems, has_words=has_words)
        elif layer.kind != "InputLayer":
            try:
                calls[name] = _call_of(graph, name, has_words=has_words)
            except LayerError as error:
                problems.append(error.problem)
            except Exception as error:  # noqa: BLE001 Keras and HGQ2 raise anything at all
                reason = f"{type(error).__name__}: {str(error)[:300]}"
                problems.append(layer.problem(f"has settings that do not fit: {reason}"))
    return calls


def _call_of(graph: Graph, name: str, *, has_words: bool) -> Call:
    layer = graph.layers[name]
    if has_words:
        return quantised_layer(layer, is_between=follows_between(graph, name))
    return plain_layer(layer)


def _model(graph: Graph, calls: _Calls, above: tuple[str, ...]) -> keras.Model:
    """Wire the layers of a model."""
    import keras

    inputs = [_input(graph.layers.get(name), graph.name) for name, _, _ in graph.inputs]
    values: dict[Tensor, Any] = dict(zip(graph.inputs, inputs, strict=True))
    models: dict[str, keras.Model] = {}
    # Followed by hand and not by calls of a function: a network may be deeper than Python's stack.
    waiting = list(graph.outputs)
    while waiting:
        tensor = waiting[-1]
        if tensor in values:
            waiting.pop()
            continue
        layer, sources = _sources(graph, tensor)
        missing = [source for source in sources if source not in values]
        if missing:
            waiting += missing
            if len(waiting) > 100 * len(graph.layers) + 1_000:
                raise _broken(graph.name, "its layers are connected in a circle")
            continue
        arguments = [values[source] for source in sources]
        if layer.model is not None and tensor[0] not in models:
            models[tensor[0]] = _model(layer.model, calls[tensor[0]], (*above, tensor[0]))
        call = models[tensor[0]] if layer.model is not None else calls[tensor[0]]
        outputs = _called(layer, call, arguments)
        for number, output in enumerate(outputs):
            values[(tensor[0], tensor[1], number)] = output
        if tensor not in values:
            raise _broken(graph.name, f"{layer.where} has no output {tensor[2]}")
    outputs = [values[tensor] for tensor in graph.outputs]
    return keras.Model(_one_or_all(inputs), _one_or_all(outputs), name=_name(graph.name))


def _one_or_all(tensors: list[Any]) -> Any:  # noqa: ANN401 as Keras takes them
    return tensors[0] if len(tensors) == 1 else tensors


def _called(layer: Layer, call: Call, arguments: list[Any]) -> list[Any]:
    try:
        outputs = call(arguments[0] if len(arguments) == 1 else arguments)
    except LayerError:
        raise
    except Exception as error:
        # Keras raises anything at all from settings and shapes that do not fit each other.
        reason = f"{type(error).__name__}: {str(error)[:300]}"
        raise LayerError(layer.problem(f"cannot be built: {reason}")) from error
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]


def _sources(graph: Graph, tensor: Tensor) -> tuple[Layer, tuple[Tensor, ...]]:
    name, number, _ = tensor
    layer = graph.layers.get(name)
    if layer is None or layer.kind == "InputLayer":
        raise _broken(graph.name, f"it names {name[:60]!r}, which is no layer or another input")
    if not 0 <= number < len(layer.calls) or not layer.calls[number]:
        # In a model within the model, calls are counted on from those that made it.
        if len(layer.calls) == 1 and layer.calls[0]:
            return layer, layer.calls[0]
        raise _broken(graph.name, f"{layer.where} is not called that often")
    return layer, layer.calls[number]


def _broken(name: str, what: str) -> LayerError:
    return LayerError(Problem(what=what, where=f"model {name[:60]!r}"))


def _input(layer: Layer | None, name: str) -> keras.KerasTensor:
    import keras

    shape = input_shape(layer.settings) if layer is not None else None
    if not shape or not all(isinstance(size, int) and 0 < size < 10**6 for size in shape[1:]):
        raise _broken(name, f"the shape of its input is {shape}, and must be known")
    return keras.Input(tuple(size for size in shape[1:] if size is not None))


def _name(name: str) -> str:
    return "".join(c if c.isalnum() or c in "_.-" else "_" for c in name)[:100] or "model"
