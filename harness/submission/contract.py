"""The contract of a network: one input that holds an event, one output that is its score.

Nothing in the graph mixes events, or computes in more than float32.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.errors import InvalidSubmissionError, Problem
from harness.submission.graph import first_problems
from harness.submission.independence import declaration_problems, mixing_problems
from harness.submission.layers import FLOAT_TYPES
from harness.submission.number_types import type_problems

if TYPE_CHECKING:
    import keras

# What makes a network, in messages.
NETWORK = "model.py, network()"


def input_shapes(event_shape: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Return the input shapes that a network may declare for events of `event_shape`.

    Examples
    --------
    >>> input_shapes((19, 3)), input_shapes((288, 360, 3))
    (((57,), (19, 3), (19, 3, 1)), ((311040,), (288, 360, 3)))
    """
    as_image = ((*event_shape, 1),) if len(event_shape) == 2 else ()
    return (math.prod(event_shape),), event_shape, *as_image


def check_network(
    network: object, event_shape: tuple[int, ...], where: str = NETWORK
) -> list[Problem]:
    """Find everything in which the result of ``network()`` breaks the contract.

    Parameters
    ----------
    network : object
        What ``network()`` returned.
    event_shape : tuple of int
        Shape of one event of the challenge.
    where : str
        What made the network, for the messages.

    Returns
    -------
    list of Problem
        Empty for a Keras model with one float input of one of `input_shapes`, one real floating
        output of shape ``(n,)`` or ``(n, 1)``, and a graph that scores each event alone. All that
        is wrong, up to a limit.
    """
    import keras

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
    return first_problems(
        [
            *_input_problems(network, event_shape, where),
            *_output_problems(network, where),
            *mixing_problems(network, where),
            *type_problems(network, where),
        ]
    )


def check_rebuilt(network: keras.Model) -> None:
    """Check that a network which was built from an exported graph scores each event alone.

    Raises
    ------
    InvalidSubmissionError
        Its graph mixes events, computes in more than float32, or is not what it declares.
    """
    problems = [*mixing_problems(network, "graph"), *type_problems(network, "graph")]
    problems = first_problems(problems or declaration_problems(network, "graph"))
    if problems:
        raise InvalidSubmissionError(*problems)


def _input_problems(
    network: keras.Model, event_shape: tuple[int, ...], where: str
) -> Iterator[Problem]:
    where = f"{where}, input"
    allowed = input_shapes(event_shape)
    expected = "one input of shape " + " or ".join(str(shape) for shape in allowed)
    fix = f"declare keras.Input({allowed[0]})"
    if len(network.inputs) != 1:
        yield Problem(what=f"{len(network.inputs)} inputs", where=where, expected=expected, fix=fix)
        return
    tensor = network.inputs[0]
    shape = tuple(tensor.shape[1:])
    if None in shape:
        yield Problem(what=f"the shape {shape} is open", where=where, expected=expected, fix=fix)
    elif shape not in allowed:
        yield Problem(what=f"the shape is {shape}", where=where, expected=expected, fix=fix)
    if str(tensor.dtype) not in FLOAT_TYPES:
        yield Problem(what=f"the type is {tensor.dtype}", where=where, expected="float32", fix=fix)


def _output_problems(network: keras.Model, where: str) -> Iterator[Problem]:
    where = f"{where}, output"
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
    if str(tensor.dtype) not in FLOAT_TYPES:
        yield Problem(
            what=f"the type is {tensor.dtype}",
            where=where,
            expected=expected,
            fix="return a real floating score",
        )
