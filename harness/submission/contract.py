"""The contract of a network: one input that holds an event, one output that is its score."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from harness.errors import Problem
from harness.submission.layers import ALONG_AN_AXIS, FLOAT_TYPES

if TYPE_CHECKING:
    import keras


def input_shapes(event_shape: tuple[int, int]) -> tuple[tuple[int, ...], ...]:
    """Return the input shapes that a network may declare for events of `event_shape`.

    Examples
    --------
    >>> input_shapes((19, 3))
    ((57,), (19, 3), (19, 3, 1))
    """
    n_objects, n_features = event_shape
    return (n_objects * n_features,), (n_objects, n_features), (n_objects, n_features, 1)


def check_network(network: object, event_shape: tuple[int, int]) -> list[Problem]:
    """Find everything in which the result of ``network()`` breaks the contract.

    Parameters
    ----------
    network : object
        What ``network()`` returned.
    event_shape : tuple of int
        ``(n_objects, n_features)`` of the challenge.

    Returns
    -------
    list of Problem
        Empty for a Keras model with one float input of one of `input_shapes` and one real
        floating output of shape ``(n,)`` or ``(n, 1)``, in which nothing sorts or moves events.
    """
    import keras

    where = "model.py, network()"
    if not isinstance(network, keras.Model):
        return [
            Problem(
                what=f"returned {type(network).__module__}.{type(network).__qualname__}",
                where=where,
                expected="a keras.Model",
                fix="end with `return keras.Model(inputs, score)`",
            )
        ]
    functional = keras.src.models.functional.Functional
    if type(network) not in (functional, keras.Sequential):
        return [
            Problem(
                what=f"returned a subclass of keras.Model, {type(network).__qualname__}",
                where=where,
                expected="a functional or sequential model, whose graph can be exported",
                fix="train with any class, but return keras.Model(inputs, score)",
            )
        ]
    if not network.built or not network.inputs:
        return [
            Problem(
                what="returned a model that has no input yet",
                where=where,
                expected="a built model",
                fix="begin a Sequential with keras.Input(shape)",
            )
        ]
    return [
        *_input_problems(network, event_shape),
        *_output_problems(network),
        *_axis_problems(network),
    ]


def _input_problems(network: keras.Model, event_shape: tuple[int, int]) -> Iterator[Problem]:
    where = "model.py, network(), input"
    allowed = input_shapes(event_shape)
    expected = "one input of shape " + " or ".join(str(shape) for shape in allowed)
    fix = f"declare keras.Input({allowed[0]})"
    if len(network.inputs) != 1:
        yield Problem(what=f"{len(network.inputs)} inputs", where=where, expected=expected, fix=fix)
        return
    tensor = network.inputs[0]
    shape = tuple(tensor.shape[1:])
    if tensor.shape[0] is not None:
        yield Problem(
            what=f"the batch size is fixed to {tensor.shape[0]}",
            where=where,
            expected="any batch size",
            fix="leave batch_size out of keras.Input",
        )
    if None in shape:
        yield Problem(what=f"the shape {shape} is open", where=where, expected=expected, fix=fix)
    elif shape not in allowed:
        yield Problem(what=f"the shape is {shape}", where=where, expected=expected, fix=fix)
    if str(tensor.dtype) not in FLOAT_TYPES:
        yield Problem(what=f"the type is {tensor.dtype}", where=where, expected="float32", fix=fix)


def _output_problems(network: keras.Model) -> Iterator[Problem]:
    where = "model.py, network(), output"
    expected = "one anomaly score for each event: shape (n,) or (n, 1), real floating"
    if len(network.outputs) != 1:
        yield Problem(
            what=f"{len(network.outputs)} outputs",
            where=where,
            expected=expected,
            fix="put the arithmetic of the score into the graph, for instance by harness.heads",
        )
        return
    tensor = network.outputs[0]
    if tuple(tensor.shape[1:]) not in ((), (1,)):
        yield Problem(
            what=f"the shape is (n, {', '.join(str(size) for size in tensor.shape[1:])})",
            where=where,
            expected=expected,
            fix="reduce the output to one number, for instance by harness.heads",
        )
    elif len(tensor.shape) == 0 or tensor.shape[0] is not None:
        yield Problem(
            what=f"the shape is {tuple(tensor.shape)}: events are mixed",
            where=where,
            expected=expected,
            fix="never reduce over axis 0; use axis=-1",
        )
    if str(tensor.dtype) not in FLOAT_TYPES:
        yield Problem(
            what=f"the type is {tensor.dtype}",
            where=where,
            expected=expected,
            fix="return a real floating score",
        )


def _axis_problems(network: keras.Model) -> Iterator[Problem]:
    """Find the operations of `ALONG_AN_AXIS` that work along the axis of the batch.

    This names the operation. What mixes events in another way is found by its scores: see
    `harness.submission.export` and `harness.scoring.integrity`.
    """
    import keras

    # A sequential model has layers alone.
    for operation in getattr(network, "operations", network.layers):
        if isinstance(operation, keras.Model):
            yield from _axis_problems(operation)
        elif _is_along_the_batch(operation):
            yield Problem(
                what="mixes events: it works along the axis of the batch, so a score depends on "
                "the other events of its batch",
                where=f"model.py, network(), layer {operation.name!r} ({type(operation).__name__})",
                expected="an axis within the event",
                fix="give it axis=-1, or another axis that is not 0",
            )


def _is_along_the_batch(operation: keras.Operation) -> bool:
    kind = type(operation)
    if (kind.__module__, kind.__name__) not in ALONG_AN_AXIS:
        return False
    # TopK has no setting: it looks for the largest values along the last axis.
    axis = -1 if kind.__name__ == "TopK" else operation.axis
    nodes = operation._inbound_nodes  # noqa: SLF001  # Keras has no public access to nodes
    return any(_has_batch(node.input_tensors[0].shape, axis) for node in nodes)


def _has_batch(shape: Sequence[int | None], axis: int | Sequence[int] | None) -> bool:
    """Say whether an axis is the first, or the one without a fixed size: the batch, if moved."""
    axes = range(len(shape)) if axis is None else [axis] if isinstance(axis, int) else axis
    return any(one % len(shape) == 0 or shape[one % len(shape)] is None for one in axes)
