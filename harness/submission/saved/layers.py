"""The graph of a saved model: its layers, their settings and what each is called with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.card.text import plain
from harness.errors import InvalidSubmissionError, Problem
from harness.submission.graph import MAX_LAYERS
from harness.submission.saved.container import Array, Arrays, SavedModel, snake_case

# A tensor: the layer that gave it, which of its calls, which of its outputs.
Tensor = tuple[str, int, int]
MODELS = frozenset({"Functional", "Model", "Sequential"})
_MAX_DEPTH = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """A layer of a saved model.

    Attributes
    ----------
    kind : str
        Its class; ``is_quantised`` if it is QKeras's.
    name : str
        Its name, with those of the models that it is in.
    settings : mapping
        Its configuration.
    calls : tuple
        For each time it is called, its inputs.
    arrays : tuple of ndarray
        Its weights, in Keras's order.
    model : Graph, optional
        Of a model within the model.
    is_keras_3 : bool
        Whether Keras 3 saved it.
    """

    kind: str
    module: str
    name: str
    settings: Mapping[str, Any]
    calls: tuple[tuple[Tensor, ...], ...] = ()
    arrays: tuple[Array, ...] = ()
    model: Graph | None = None
    is_keras_3: bool = False

    @property
    def where(self) -> str:
        """The layer, for messages."""
        return f"layer {plain(self.name)[:100]!r} ({plain(self.kind)[:60]})"

    def problem(self, what: str, expected: str = "", fix: str = "") -> Problem:
        """Say what is wrong with the layer."""
        return Problem(what=what, where=self.where, expected=expected, fix=fix)


@dataclass(frozen=True, kw_only=True, slots=True)
class Graph:
    """A model: its layers by name, its input and its outputs."""

    name: str
    layers: Mapping[str, Layer]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    def needed(self) -> tuple[Layer, ...]:
        """Return the layers that the outputs depend on, in the order of the file."""
        waiting, seen = [name for name, _, _ in self.outputs], set()
        while waiting:
            name = waiting.pop()
            if name in seen or name not in self.layers:
                continue
            seen.add(name)
            waiting += [tensor[0] for call in self.layers[name].calls for tensor in call]
        return tuple(layer for name, layer in self.layers.items() if name in seen)

    def walk(self) -> Iterator[Layer]:
        """Yield the layers that are needed, those of models within it too."""
        for layer in self.needed():
            if layer.model is None:
                yield layer
            else:
                yield from layer.model.walk()


@dataclass(slots=True)
class _Parser:
    arrays: Arrays
    is_keras_3: bool
    problems: list[Problem] = field(default_factory=list)
    n_layers: int = 0


def read_graph(saved: SavedModel, outputs: Sequence[str] = ()) -> Graph:
    """Read the layers of a saved model.

    Parameters
    ----------
    saved : SavedModel
        The configuration and the weights.
    outputs : sequence of str
        Names of layers whose outputs are taken in place of the model's.

    Raises
    ------
    InvalidSubmissionError
        The configuration is not that of a functional or sequential model, or there is no layer
        of such a name.
    """
    kind = saved.config["class_name"]
    if kind not in MODELS:
        raise InvalidSubmissionError(
            f"is a model of the class {plain(kind)[:60]}",
            where=saved.name,
            expected="a functional or sequential model",
            fix="save keras.Model(inputs, outputs) of its layers",
        )
    parser = _Parser(saved.arrays, saved.is_keras_3)
    try:
        graph = _graph(parser, saved.config, (), "")
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise InvalidSubmissionError(
            f"its configuration cannot be followed: {type(error).__name__}: {str(error)[:120]}",
            where=saved.name,
            expected="what model.save or model.to_json() writes",
        ) from error
    graph = _with_outputs(graph, outputs, saved.name)
    if parser.problems:
        raise InvalidSubmissionError(*parser.problems)
    return graph


def _with_outputs(graph: Graph, outputs: Sequence[str], where: str) -> Graph:
    if not outputs:
        return graph
    if unknown := [name for name in outputs if name not in graph.layers]:
        raise InvalidSubmissionError(
            f"has no layer {plain(unknown[0])[:80]!r}",
            where=where,
            expected=", ".join(plain(name)[:60] for name in list(graph.layers)[:30]),
        )
    ends = tuple((name, 0, 0) for name in outputs)
    return Graph(name=graph.name, layers=graph.layers, inputs=graph.inputs, outputs=ends)


def _graph(
    parser: _Parser, described: Mapping[str, Any], parents: tuple[str, ...], place: str
) -> Graph:
    config = described["config"]
    # Keras 2.0 and 2.1 wrote a sequential model as its list of layers.
    settings = {"name": "sequential", "layers": config} if isinstance(config, list) else config
    listed = settings["layers"]
    parser.n_layers += len(listed)
    if parser.n_layers > MAX_LAYERS or len(parents) > _MAX_DEPTH:
        raise ValueError(f"more than {MAX_LAYERS} layers, or models {_MAX_DEPTH} deep")
    counts: dict[str, int] = {}
    layers: dict[str, Layer] = {}
    for entry in listed:
        layer = _layer(parser, entry, parents, place, counts)
        layers[entry["config"]["name"]] = layer
    name = str(settings.get("name", "model"))
    if described["class_name"] == "Sequential":
        return _chain(name, layers, settings)
    return Graph(
        name=name,
        layers=layers,
        inputs=_tensors(settings["input_layers"]),
        outputs=_tensors(settings["output_layers"]),
    )


def _layer(
    parser: _Parser,
    entry: Mapping[str, Any],
    parents: tuple[str, ...],
    place: str,
    counts: dict[str, int],
) -> Layer:
    kind, settings = entry["class_name"], entry["config"]
    names = (*parents, str(settings["name"]))
    number = counts[kind] = counts.get(kind, -1) + 1
    own_place = f"{place}layers/{snake_case(kind)}" + (f"_{number}" if number else "")
    is_model = kind in MODELS
    return Layer(
        kind=str(kind),
        module=str(entry.get("module") or ""),
        name="/".join(names),
        settings=settings,
        calls=tuple(_calls(entry.get("inbound_nodes", ()), names[-1], parser)),
        arrays=() if is_model else parser.arrays.of_layer(names, own_place),
        model=_graph(parser, entry, names, f"{own_place}/") if is_model else None,
        is_keras_3=parser.is_keras_3,
    )


def _chain(name: str, layers: Mapping[str, Layer], settings: Mapping[str, Any]) -> Graph:
    """Return a sequential model as a graph: each layer is called with the one before."""
    chained: dict[str, Layer] = {}
    first = next(iter(layers.values()))
    before = ">input"
    if first.kind != "InputLayer":
        shape = first.settings.get("batch_input_shape") or first.settings.get("batch_shape")
        # A model within it begins with an input of its own.
        inner = first.model.layers[first.model.inputs[0][0]].settings if first.model else {}
        shape = shape or settings.get("build_input_shape") or input_shape(inner)
        chained[before] = Layer(
            kind="InputLayer", module="", name=before, settings={"batch_shape": shape}
        )
    for key, layer in layers.items():
        calls = () if layer.kind == "InputLayer" else (((before, 0, 0),),)
        chained[key] = Layer(
            kind=layer.kind,
            module=layer.module,
            name=layer.name,
            settings=layer.settings,
            calls=calls,
            arrays=layer.arrays,
            model=layer.model,
            is_keras_3=layer.is_keras_3,
        )
        before = key
    start = next(iter(chained))
    return Graph(name=name, layers=chained, inputs=((start, 0, 0),), outputs=((before, 0, 0),))


def input_shape(settings: Mapping[str, Any]) -> list[int | None] | None:
    """Return the shape that an input layer declares, the events' axis first."""
    shape = settings.get("batch_shape") or settings.get("batch_input_shape")
    return list(shape) if isinstance(shape, list | tuple) else None


def _tensors(value: Any) -> tuple[Tensor, ...]:  # noqa: ANN401 JSON
    """Read ``[["dense", 0, 0], ...]``, of which Keras 3 leaves the outer list out."""
    if isinstance(value, dict):
        raise TypeError("inputs or outputs that have names")
    if value and isinstance(value[0], str):
        value = [value]
    return tuple((str(one[0]), int(one[1]), int(one[2])) for one in value)


def _calls(nodes: Any, name: str, parser: _Parser) -> Iterator[tuple[Tensor, ...]]:  # noqa: ANN401
    for node in nodes:
        if isinstance(node, dict):
            tensors = tuple(_keras_3_tensors(node["args"]))
            others = node.get("kwargs", {})
        elif node and isinstance(node[0], str):
            # What TensorFlow's functions leave; their layers are refused by their class.
            tensors, others = (), {}
        else:
            tensors = tuple((str(one[0]), int(one[1]), int(one[2])) for one in node)
            others = {key: value for one in node for key, value in (one[3:] or [{}])[0].items()}
        if unusual := [key for key, value in others.items() if value not in (None, False)]:
            parser.problems.append(
                Problem(
                    what=f"is called with {', '.join(map(plain, unusual))[:100]}",
                    where=f"layer {plain(name)[:100]!r}",
                    expected="layers that are called with tensors alone",
                )
            )
        yield tensors


def _keras_3_tensors(value: Any) -> Iterator[Tensor]:  # noqa: ANN401 JSON
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        name, call, output = value["config"]["keras_history"]
        yield str(name), int(call), int(output)
    elif isinstance(value, list):
        for one in value:
            yield from _keras_3_tensors(one)
