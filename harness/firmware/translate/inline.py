"""A network without models inside it, and without layers that do nothing when they score.

Both translators read one flat graph. Models within models are a way to write a network; the layers
in them are the network.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from harness.firmware.backend import UntranslatableError

if TYPE_CHECKING:
    import keras

# Layers that give what they receive; dropout and noise do so outside of training.
NOTHING = frozenset(
    {
        "ActivityRegularization",
        "AlphaDropout",
        "Dropout",
        "GaussianDropout",
        "GaussianNoise",
        "Identity",
        "SpatialDropout1D",
        "SpatialDropout2D",
    }
)


def inlined(model: keras.Model) -> keras.Model:
    """Return the network with the layers of inner models in their places.

    Parameters
    ----------
    model : keras.Model
        A functional model with one input. A layer of an inner model gets the name of this model in
        front of its own where the own name is taken; the layers themselves stay.

    Raises
    ------
    UntranslatableError
        An inner model is called with another shape or type than its own input has.
    """
    import keras

    if not any(_is_opened(operation) for operation in model.operations):
        return model
    taken: dict[str, keras.Operation] = {}
    source = model.inputs[0]
    inputs = keras.Input(source.shape[1:], dtype=source.dtype, name=source.name)
    taken[source.name] = inputs._keras_history.operation  # noqa: SLF001 no public way to it
    outputs = model._run_through_graph(  # noqa: SLF001 as Keras itself does to clone a model
        inputs, operation_fn=partial(_opened, model="", taken=taken)
    )
    return keras.Model(inputs, outputs, name=model.name)


def without_other_uses(model: keras.Model) -> keras.Model:
    """Return a network whose layers know of no other network that they were part of.

    hls4ml reads the inputs of a layer from its first use.
    """
    import keras
    from keras.src.ops.node import KerasHistory

    own = {id(node) for nodes in model._nodes_by_depth.values() for node in nodes}  # noqa: SLF001
    for operation in model.operations:
        uses = [node for node in operation._inbound_nodes if id(node) in own]  # noqa: SLF001
        operation._inbound_nodes = uses  # noqa: SLF001 Keras has no public way to nodes
        for number, node in enumerate(uses):
            for place, tensor in enumerate(node.outputs):
                tensor._keras_history = KerasHistory(operation, number, place)  # noqa: SLF001
    return keras.Model(model.inputs, model.outputs, name=model.name)


def _is_opened(operation: keras.Operation) -> bool:
    import keras

    return (
        isinstance(operation, keras.Model)
        or does_nothing(operation)
        or type(operation).__name__ == "RepeatVector"
    )


def does_nothing(operation: keras.Operation) -> bool:
    """Say whether an operation of Keras gives what it receives."""
    kind = type(operation).__name__
    if kind == "Activation":
        return getattr(operation.activation, "__name__", "") == "linear"
    return kind in NOTHING


def _opened(
    operation: keras.Operation, model: str, taken: dict[str, keras.Operation]
) -> Callable[..., Any]:
    """Return what takes the place of an operation: itself, its layers, or nothing."""
    import keras

    if isinstance(operation, keras.Sequential):
        operation = operation._functional  # noqa: SLF001 the graph that it is
    if isinstance(operation, keras.Model):
        return partial(_call_layers, operation, taken)
    if does_nothing(operation):
        return lambda x, **_: x
    if type(operation).__name__ == "RepeatVector":
        return _repeated(operation, taken)
    if taken.get(operation.name, operation) is not operation:
        operation.name = _free_name(f"{model}>{operation.name}", taken)
    taken[operation.name] = operation
    call: Callable[..., Any] = operation
    return call


def _repeated(layer: keras.layers.Layer, taken: dict[str, keras.Operation]) -> Callable[..., Any]:
    """Repeat a vector as both translators read it: one row, then copies of it."""
    import keras

    def call(x: keras.KerasTensor, **_: object) -> keras.KerasTensor:
        for made in (
            keras.layers.Reshape((1, x.shape[-1]), name=_free_name(layer.name, taken)),
            keras.layers.UpSampling1D(layer.n, name=_free_name(f"{layer.name}>rows", taken)),
        ):
            taken[made.name] = made
            x = made(x)
        return x

    return call


def _call_layers(
    model: keras.Model, taken: dict[str, keras.Operation], inputs: object, **_: object
) -> object:
    import keras

    for given, own in zip(keras.tree.flatten(inputs), model.inputs, strict=True):
        if len(given.shape) != len(own.shape) or given.dtype != own.dtype:
            raise UntranslatableError(
                f"is called with {given.dtype} of shape {tuple(given.shape)}",
                where=f"model {model.name!r}",
                expected=f"{own.dtype} of shape {tuple(own.shape)}, as its own input",
                fix="change the shape by a Reshape layer before the call, or call the layers of "
                "the inner model directly",
            )
    return model._run_through_graph(  # noqa: SLF001 as above
        inputs, operation_fn=partial(_opened, model=model.name, taken=taken)
    )


def _free_name(wanted: str, taken: dict[str, keras.Operation]) -> str:
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}>{number}"
    return name
