"""An ONNX graph as a network of Keras and HGQ2: node by node, all refusals at once."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.card.text import visible
from harness.errors import InvalidSubmissionError, Problem
from harness.submission.onnx.builders import FOLDED_ONLY, QUANTISED_BUILDERS, advise, builder_of
from harness.submission.onnx.folding import fold
from harness.submission.onnx.quantised import has_other_scale
from harness.submission.onnx.reading import STANDARD, OnnxGraph, RawNode, read_onnx
from harness.submission.onnx.values import Constant, Known, Node, RefusedNodeError, Tensor, settled

if TYPE_CHECKING:
    import keras

# Events that constants are made for where the file leaves their number open: no size of an event.
_MADE_UP_BATCH = 61
_MAX_PROBLEMS = 20
_NO_NAME = re.compile(r"[^A-Za-z0-9_.\-]+")


def build_network(
    path: Path, event_shape: tuple[int, ...], note_scale: Callable[[str], object] = lambda _: None
) -> keras.Model:
    """Build the network of an ONNX file.

    Parameters
    ----------
    path : Path
        The file in its submission.
    event_shape : tuple of int
        Shape of one event of the challenge.
    note_scale : callable
        Receives the name of each quantiser whose scales are not all powers of two.

    Returns
    -------
    keras.Model
        A functional model of layers that `harness.submission.layers` lists, with one input of shape
        ``(n_objects * n_features,)`` or ``(n_objects, n_features)`` and one output.

    Raises
    ------
    InvalidSubmissionError
        See `harness.submission.onnx.reading.read_onnx`; or nodes cannot be built: each is named,
        with what to use instead.
    """
    import keras

    graph = read_onnx(path)
    where = path.name
    if problems := _unknown_operators(graph, where):
        raise InvalidSubmissionError(*problems[:_MAX_PROBLEMS])
    inputs, event = _inputs(graph, event_shape, where)
    walk = _Walk(graph, where)
    walk.values[graph.input_name] = event
    walk.run()
    if walk.problems:
        raise InvalidSubmissionError(*walk.problems[:_MAX_PROBLEMS])
    for name in walk.other_scales:
        note_scale(name)
    score = walk.values.get(graph.output_name)
    if not isinstance(score, Tensor):
        raise InvalidSubmissionError(
            "its output does not depend on the event",
            where=where,
            expected="one anomaly score for each event",
        )
    return keras.Model(inputs, settled(score).first)


def _inputs(
    graph: OnnxGraph, event_shape: tuple[int, ...], where: str
) -> tuple[keras.KerasTensor, Tensor]:
    """Return the input of the network, and the event in the shape that the file declares."""
    import keras

    flat = (math.prod(event_shape),)
    sizes = tuple(size for size in graph.input_shape if size != 1)
    shapes = {flat: flat, event_shape: event_shape}
    bare = tuple(size for size in event_shape if size != 1)
    own = shapes.get(sizes, event_shape if sizes == bare else None)
    if own is None:
        raise InvalidSubmissionError(
            f"its input has the shape (n, {', '.join(map(str, graph.input_shape))})",
            where=where,
            expected=f"(n, {flat[0]}), (n, {', '.join(map(str, event_shape))}), also with 1s",
            fix="export with one event of this challenge as the example input",
        )
    inputs = keras.Input(own, name="event")
    event = inputs if own == graph.input_shape else keras.layers.Reshape(graph.input_shape)(inputs)
    return inputs, Tensor(event)


def _unknown_operators(graph: OnnxGraph, where: str) -> list[Problem]:
    """Name each node whose operator has no builder."""
    found = []
    for raw in graph.nodes:
        is_standard = raw.domain in STANDARD
        is_known = builder_of(raw.kind, is_standard=is_standard) is not None
        if not is_known and not (is_standard and raw.kind in FOLDED_ONLY):
            found.append(
                _problem(raw, where, "has no form in firmware or network", advise(raw.kind))
            )
    return found


def _problem(raw: RawNode, where: str, what: str, fix: str) -> Problem:
    return Problem(what=visible(what)[:400], where=f"{where}, {raw.name}", fix=fix)


class _Walk:
    """The nodes of a graph, built one after the other."""

    def __init__(self, graph: OnnxGraph, where: str) -> None:
        self.graph = graph
        self.where = where
        self.values: dict[str, Known] = {
            name: Constant(array) for name, array in graph.constants.items()
        }
        self.problems: list[Problem] = []
        self.other_scales: list[str] = []
        self.batch = graph.batch or _MADE_UP_BATCH
        self.n_uses = Counter(name for raw in graph.nodes for name in raw.inputs)
        self.n_uses[graph.output_name] += 1
        self.named: set[int] = set()
        self.labels: Counter[str] = Counter()

    def run(self) -> None:
        """Compute all that constants give, then build what differs from event to event."""
        waiting = []
        for raw in self.graph.nodes:
            is_constant = all(
                not name or isinstance(self.values.get(name), Constant) for name in raw.inputs
            )
            if is_constant:
                self._take(raw)
            else:
                waiting.append(raw)
        for raw in waiting:
            if raw.outputs[0] not in self.values:
                self._take(self._with_bias(raw, waiting))

    def _take(self, raw: RawNode) -> None:
        """Build a node and keep what it gives, or note why that fails."""
        if any(name and name not in self.values for name in raw.inputs):
            self._note_missing(raw)
            return
        try:
            made = self._build(raw)
        except RefusedNodeError as error:
            self.problems.append(_problem(raw, self.where, error.what, error.fix))
            return
        for name, value in zip(raw.outputs, made):
            if name:
                self.values[name] = value

    def _with_bias(self, raw: RawNode, nodes: Sequence[RawNode]) -> RawNode:
        """Join a product with a matrix and the sum after it: a layer with a bias."""
        if raw.kind != "MatMul" or self.n_uses[raw.outputs[0]] != 1:
            return raw
        for other in nodes:
            if other.kind == "Add" and raw.outputs[0] in other.inputs and len(other.inputs) == 2:
                (bias,) = (name for name in other.inputs if name != raw.outputs[0])
                value = self.values.get(bias)
                if isinstance(value, Constant) and _is_bias(value):
                    return replace(raw, inputs=(*raw.inputs, bias), outputs=other.outputs)
        return raw

    def _note_missing(self, raw: RawNode) -> None:
        """Say that an input is made by no node; what a refused node would give is not mentioned."""
        given = {name for other in self.graph.nodes for name in other.outputs}
        missing = [name for name in raw.inputs if name and name not in self.values]
        if not given.issuperset(missing) or not self.problems:
            what = f"its input {visible(missing[0])[:60]!r} is made by no node before it"
            self.problems.append(_problem(raw, self.where, what, "export the model again"))

    def _build(self, raw: RawNode) -> Sequence[Known]:
        inputs = tuple(self.values[name] if name else None for name in raw.inputs)
        is_standard = raw.domain in STANDARD
        constants = [one for one in inputs if not isinstance(one, Tensor)]
        if is_standard and len(constants) == len(inputs):
            return fold(raw, constants, self.graph.opset)
        builder = builder_of(raw.kind, is_standard=is_standard)
        if builder is None:
            raise RefusedNodeError("is applied to events", advise(raw.kind))
        node = Node(
            kind=raw.kind,
            name=raw.name,
            inputs=inputs,
            settings=raw.settings,
            n_outputs=len(raw.outputs),
            opset=self.graph.opset,
            batch=self.batch,
        )
        try:
            made = builder(node)
        except (RefusedNodeError, InvalidSubmissionError):
            raise
        except Exception as error:
            # Keras raises anything at all of shapes that do not fit.
            reason = f"cannot be built: {type(error).__name__}: {str(error)[:200]}"
            raise RefusedNodeError(reason, "check its shapes") from error
        if not is_standard and raw.kind in QUANTISED_BUILDERS and has_other_scale(node):
            self.other_scales.append(raw.name)
        values = made if isinstance(made, tuple) else (made,)
        self._name_layers(raw, values)
        return values

    def _name_layers(self, raw: RawNode, values: Sequence[Known]) -> None:
        """Give the layers of a node its name, so that messages about firmware name it too."""
        label = _NO_NAME.sub("_", raw.outputs[0])[:80].strip("_.") or raw.kind
        for value in values:
            for form in ("_first", "_last"):
                tensor = getattr(value, form, None)
                if tensor is not None:
                    self._name_back(tensor, f"{raw.kind}.{label}")

    def _name_back(self, tensor: Any, label: str) -> None:  # noqa: ANN401 of Keras
        import keras

        waiting = [tensor]
        while waiting:
            operation = waiting.pop()._keras_history.operation  # noqa: SLF001 no public way to it
            if id(operation) in self.named or isinstance(operation, keras.layers.InputLayer):
                continue
            self.named.add(id(operation))
            self.labels[label] += 1
            number = self.labels[label]
            operation.name = label if number == 1 else f"{label}.{number}"
            waiting += operation._inbound_nodes[0].input_tensors  # noqa: SLF001 as above


def _is_bias(constant: Constant) -> bool:
    """Say whether a constant has one number for each place of the last axis, or one for all."""
    return all(size == 1 for size in constant.array.shape[:-1])
