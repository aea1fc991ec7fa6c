"""The calls of a network's graph: which operation is applied to which tensors and constants."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import InvalidSubmissionError

if TYPE_CHECKING:
    import keras
    from keras.src.ops.node import Node


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One call of one layer or operation.

    Attributes
    ----------
    operation : keras.Operation
        The layer or operation; it may be a model within the model.
    name : str
        Its name; a part of a model within the model has that model's name before it.
    arguments : mapping
        What it is called with, by the name of the argument.
    inputs, outputs : tuple of KerasTensor
        All tensors among the arguments, and what comes out.
    """

    operation: keras.Operation
    name: str
    arguments: Mapping[str, object]
    inputs: tuple[keras.KerasTensor, ...]
    outputs: tuple[keras.KerasTensor, ...]

    @property
    def kind(self) -> str:
        """Name of the operation's class."""
        return type(self.operation).__name__

    @property
    def rank(self) -> int:
        """Number of axes of the first input."""
        return len(self.inputs[0].shape)

    @property
    def is_layer(self) -> bool:
        """Whether it is a layer, not a function of `keras.ops`."""
        import keras

        return isinstance(self.operation, keras.layers.Layer)

    @property
    def is_model(self) -> bool:
        """Whether it is a model within the model."""
        import keras

        return isinstance(self.operation, keras.Model)

    def written_with(self, settings: str) -> str:
        """Return how a participant writes it, such as ``ops.mean(x, axis=-1)``."""
        from keras.src.utils.naming import to_snake_case

        if self.is_layer:
            return f"{self.kind}({settings})"
        return f"ops.{to_snake_case(self.kind)}(x, {settings})"


def is_tensor(value: object) -> bool:
    """Return whether a value is a tensor of the graph, and not a constant."""
    import keras

    return isinstance(value, keras.KerasTensor)


def flat(value: object) -> list[object]:
    """Return the values in nested lists, tuples and mappings; an array is one value."""
    import keras

    return list(keras.tree.flatten(value))


def graph_of(model: keras.Model) -> keras.Model | None:
    """Return the functional graph of a model; None for a sequential one that is not built."""
    import keras

    return getattr(model, "_functional", None) if isinstance(model, keras.Sequential) else model


def nodes_of(model: keras.Model) -> list[Node]:
    """Return the nodes of a model in the order of computation; its inputs come first."""
    by_depth = getattr(graph_of(model), "_nodes_by_depth", {})  # Keras lists them nowhere else.
    return [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]


def models_in(model: keras.Model, name: str = "") -> Iterator[tuple[str, keras.Model]]:
    """Yield a model and each model within it, once, with the prefix of its parts' names."""
    import keras

    yield name, model
    inner = {id(node.operation): node.operation for node in nodes_of(model)}
    for operation in inner.values():
        if isinstance(operation, keras.Model):
            yield from models_in(operation, f"{name}{operation.name}/")


def calls_of(model: keras.Model) -> Iterator[Call]:
    """Yield every call of a model and of the models within it.

    Raises
    ------
    InvalidSubmissionError
        An operation does not take the arguments that it is called with.
    """
    for prefix, part in models_in(model):
        for node in nodes_of(part):
            yield _call_of(node, f"{prefix}{node.operation.name}")


def _call_of(node: Node, name: str) -> Call:
    operation, given = node.operation, node.arguments
    try:
        # The class's method: that of an object can be replaced.
        bound = inspect.signature(type(operation).call).bind(None, *given.args, **given.kwargs)
    except TypeError as error:
        raise InvalidSubmissionError(
            f"{type(operation).__name__} cannot be called so: {error}", where=f"layer {name!r}"
        ) from error
    return Call(
        operation=operation,
        name=name,
        arguments=dict(list(bound.arguments.items())[1:]),
        inputs=tuple(given.keras_tensors),
        outputs=tuple(node.outputs),
    )
