"""When a call of an operation keeps the events apart: one rule for each kind of operation.

Axis 0 of every tensor numbers the events. A rule gets a call whose inputs are all such tensors,
and yields each way in which the call would let one event meet another.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from harness.submission.calls import Call, flat, graph_of, is_tensor


class Fault(NamedTuple):
    """What is wrong with a call, and what to write in its place."""

    what: str
    fix: str


Rule = Callable[[Call], Iterator[Fault]]

_WHOLE = (int, np.integer)
# Flags of attention that concern the event alone.
_FLAGS = frozenset({"use_causal_mask", "return_attention_scores"})
_OVER_LAST_AXIS = frozenset({"softmax", "log_softmax"})


def elementwise(call: Call) -> Iterator[Fault]:
    """Tensors of one rank, and constants that are the same for every event."""
    yield from _rank_faults(call)
    for value in call.arguments.values():
        if value is not None and not is_tensor(value):
            yield from _constant_faults(call, value)


def choice(call: Call) -> Iterator[Fault]:
    """Choose between two values, elementwise; a condition alone gives the numbers of events."""
    yield from elementwise(call)
    if call.arguments.get("x1") is None or call.arguments.get("x2") is None:
        yield Fault(
            "Where without values gives the numbers of events", "write ops.where(condition, x, y)"
        )


def choices(call: Call) -> Iterator[Fault]:
    """Choose among several values, elementwise, by as many conditions."""
    yield from _rank_faults(call)
    for value in call.arguments.values():
        for item in value if isinstance(value, (list, tuple)) else [value]:
            if not is_tensor(item):
                yield from _constant_faults(call, item)


def only_tensors(call: Call) -> Iterator[Fault]:
    """Tensors of one rank and nothing else: no constant, no mask, no training."""
    yield from _rank_faults(call)
    for name, value in call.arguments.items():
        may_be_tensor = name != "training" and "mask" not in name
        for item in flat(value):
            is_off = item is None or item is False or name in _FLAGS
            if not is_off and not (may_be_tensor and is_tensor(item)):
                yield Fault(f"{call.kind} is called with {name}={str(item)[:60]}", "leave this out")
    activation = getattr(getattr(call.operation, "activation", None), "__name__", "")
    if activation in _OVER_LAST_AXIS and len(call.outputs[0].shape) == 1:
        what = f"{activation} over the only axis, axis 0, mixes events"
        yield Fault(what, _nothing_left(activation))


def addition(call_rule: Rule) -> Rule:
    """Make the rule of an addition, whose second part Keras may take for a bias.

    ``keras.ops.add(x, y)`` adds a y of shape (n, 1) along whichever axis of x has n entries. In a
    batch of as many events as x has inputs, this joins each event with all others.
    """

    def rule(call: Call) -> Iterator[Fault]:
        yield from call_rule(call)
        n_largest = 1
        for value in flat(list(call.arguments.values())):
            n_values = math.prod(_shape_of(value)[1:])
            if is_tensor(value) and n_values == 1 < n_largest:
                yield Fault(
                    f"{call.kind} has one number for each event as its second part, which Keras "
                    "may add along another axis",
                    "write the part of one number first: y + x in the place of x + y",
                )
            n_largest = max(n_largest, n_values)

    return rule


def along(*settings: str, call_rule: Rule = only_tensors, adds_axes: bool = False) -> Rule:
    """Make the rule of an operation along axes of the event, which its `settings` give.

    With `adds_axes` they are axes of the output.
    """
    values = (-1,) if len(settings) == 1 else (1, -1)
    example = ", ".join(f"{name}={value}" for name, value in zip(settings, values))

    def rule(call: Call) -> Iterator[Fault]:
        yield from call_rule(call)
        for setting in settings:
            axes = flat(getattr(call.operation, setting, None))
            rank = call.rank + adds_axes * len(axes)
            yield from _axis_faults(call, setting, axes, rank, example)

    return rule


def last_axis(call: Call) -> Iterator[Fault]:
    """Look along the last axis, which is one of the event."""
    yield from only_tensors(call)
    yield from _axis_faults(call, "axis", [-1], call.rank, "a tensor of two axes or more")


def by_constants(call: Call) -> Iterator[Fault]:
    """Take one tensor; all else is constant, as bin edges and the shares of quantiles are."""
    if len(call.inputs) > 1:
        yield Fault(
            f"{call.kind} takes {', '.join(list(call.arguments)[1:])} of the events",
            "give a constant",
        )


def reshape(call: Call) -> Iterator[Fault]:
    """Keep the numbers of each event together: -1 first, then the sizes of an event."""
    yield from only_tensors(call)
    shape = _shape_of(call.inputs[0])
    target = tuple(flat(getattr(call.operation, "newshape", -1)))  # Ravel has none.
    n_values = math.prod(shape[1:])
    sizes = [size for size in target[1:] if isinstance(size, _WHOLE) and size >= 0]
    is_whole = len(sizes) == len(target) - 1 and math.prod(sizes) == n_values
    if not (target[:1] == (-1,) and is_whole):
        yield Fault(
            f"{call.kind} from {shape} to {target} moves numbers between events",
            f"write ops.reshape(x, (-1, ...)) with {n_values} numbers for each event, "
            "or keras.layers.Reshape",
        )


def transpose(call: Call) -> Iterator[Fault]:
    """Leave axis 0 where it is."""
    yield from only_tensors(call)
    axes = tuple(getattr(call.operation, "axes", None) or reversed(range(call.rank)))
    if axes[0] not in (0, -call.rank):
        yield Fault(
            f"Transpose to the axes {axes} moves axis 0, the events",
            "begin with axis 0, such as ops.transpose(x, (0, 2, 1))",
        )


def get_item(call: Call) -> Iterator[Fault]:
    """Take all events, then numbers and slices of each."""
    key = call.arguments["key"]
    items = list(key) if isinstance(key, (tuple, list)) else [key]
    n_indexed = sum(isinstance(item, (*_WHOLE, slice)) for item in items)
    first = items[0] if items else None
    is_whole = _takes_all(first) or (first is Ellipsis and n_indexed < call.rank)
    if not (is_whole and all(_is_index(item) for item in items)):
        yield Fault(
            f"x[{', '.join(map(_shown, items))}] chooses or moves events",
            "begin with all events, x[:, ...], and go on with numbers and slices",
        )


def einsum(setting: str) -> Rule:
    """Make the rule of an Einstein sum whose equation stands in a `setting`."""

    def rule(call: Call) -> Iterator[Fault]:
        equation = str(getattr(call.operation, setting))
        if call.is_layer:
            yield from only_tensors(call)
            operands: list[object] = list(call.inputs)
        else:
            operands = flat(list(call.arguments.values()))
        if not _keeps_events(equation, [_axes_of(operand) for operand in operands]):
            yield Fault(
                f"{call.kind} {equation!r} mixes events",
                "the letter of the events comes first in each tensor and in the output, and "
                "nowhere else: 'bi,ij->bj', 'bi,bi->b'",
            )

    return rule


def matmul(call: Call) -> Iterator[Fault]:
    """Multiply by a constant, or matrices of the same event."""
    left, right = call.arguments.values()
    (n_left, is_left), (n_right, is_right) = _axes_of(left), _axes_of(right)
    if is_left and is_right:
        is_apart = n_left == n_right >= 3
    else:
        is_apart = n_left >= 2 if is_left else n_right >= 3
    if not is_apart:
        yield Fault(
            f"Matmul of {n_left} and {n_right} axes sums over axis 0, the events, or spreads it",
            "write ops.matmul(x, constant), or multiply tensors of the same number of axes, at "
            "least 3; a scalar product is ops.sum(x * y, axis=-1)",
        )
    elif is_left != is_right:
        constant, n_axes = (right, n_right) if is_left else (left, n_left)
        if n_axes > 2:  # The last two are the matrix; the others go along with those of the tensor.
            yield from _constant_faults(call, constant)


def tensordot(call: Call) -> Iterator[Fault]:
    """Contract axes of the event with a constant."""
    x1, x2 = call.arguments.values()
    axes = call.operation.axes
    is_number = isinstance(axes, _WHOLE)
    contracted = range(call.rank - axes, call.rank) if is_number else flat(axes[0])
    if not is_tensor(x1) or is_tensor(x2):
        yield Fault(
            "Tensordot joins each event with every event",
            "write a tensor and then a constant, or ops.einsum('bi,bi->b', x, y)",
        )
    elif contracted:
        yield from _axis_faults(call, "axes", contracted, call.rank, "axes=[[-1], [0]]")


def attention(call: Call) -> Iterator[Fault]:
    """Attend along axes of the event, which are positive numbers."""
    yield from only_tensors(call)
    axes = flat(getattr(call.operation, "_attention_axes", ()))
    if not all(isinstance(axis, _WHOLE) and axis > 0 for axis in axes):
        yield Fault(
            f"{call.kind} with attention_axes={axes} attends to other events",
            "write attention_axes=(1,), or leave it out",
        )


def nested(call: Call) -> Iterator[Fault]:
    """Call a model within the model with the shapes that it declares."""
    yield from only_tensors(call)
    inner = graph_of(call.operation)
    if inner is None:
        yield Fault("is a sequential model without input", "begin it with keras.Input(shape)")
        return
    given, declared = ([tuple(t.shape) for t in some] for some in (call.inputs, inner.inputs))
    if given != declared:
        yield Fault(
            f"is a model of {declared} and is called with {given}",
            "declare its input with the shape that it is called with",
        )


# --- parts of the rules ------------------------------------------------------------------------


def _rank_faults(call: Call) -> Iterator[Fault]:
    shapes = [tuple(tensor.shape) for tensor in call.inputs]
    if len({len(shape) for shape in shapes}) > 1:
        yield Fault(
            f"{call.kind} joins {', '.join(map(str, shapes))}, whose axes 0 do not meet",
            "give all the same number of axes, by keepdims=True or ops.expand_dims(x, axis=-1)",
        )


def _constant_faults(call: Call, constant: object) -> Iterator[Fault]:
    shape = _shape_of(constant)
    if len(shape) > call.rank or (len(shape) == call.rank and shape[0] != 1):
        yield Fault(
            f"{call.kind} takes a constant of shape {shape}, which differs from event to event",
            "leave out the first axis of the constant",
        )


def _axis_faults(
    call: Call, setting: str, axes: Sequence[object], rank: int, example: str
) -> Iterator[Fault]:
    counted = [int(axis) % rank for axis in axes if isinstance(axis, _WHOLE)]
    if axes and len(counted) == len(axes) and 0 not in counted:
        return
    given = ", ".join(map(str, axes)) or "()"
    why = "axis 0 numbers them" if 0 in counted else "it goes over all axes, axis 0 too"
    fix = _nothing_left(call.kind) if rank == 1 else f"write {call.written_with(example)}"
    yield Fault(f"{call.kind} with {setting}={given} mixes events: {why}", fix)


def _nothing_left(name: str) -> str:
    return f"there is one number for each event and no other axis: leave {name} out"


def _takes_all(item: object) -> bool:
    if not isinstance(item, slice) or item.stop is not None:
        return False
    return item.start in (None, 0) and item.step in (None, 1)


def _is_index(item: object) -> bool:
    parts = [item.start, item.stop, item.step] if isinstance(item, slice) else [item]
    return item is Ellipsis or all(
        part is None or (isinstance(part, _WHOLE) and not isinstance(part, bool)) for part in parts
    )


def _shown(item: object) -> str:
    if not isinstance(item, slice):
        return "..." if item is Ellipsis else str(item)[:30]
    bounds = [item.start, item.stop] + [item.step] * (item.step is not None)
    return ":".join("" if bound is None else str(bound)[:30] for bound in bounds)


def _shape_of(value: ArrayLike | object) -> tuple[int, ...]:
    """Return the shape of a tensor, or of a constant: an array, a list or a number."""
    shape = getattr(value, "shape", None)
    return tuple(np.shape(value) if shape is None else shape)  # type: ignore[arg-type]


def _axes_of(value: object) -> tuple[int, bool]:
    """Return the number of axes of an operand, and whether its first one numbers the events."""
    return len(_shape_of(value)), is_tensor(value)


def _keeps_events(equation: str, operands: Sequence[tuple[int, bool]]) -> bool:
    """Return whether the letter of the events comes first everywhere, and is in no constant."""
    terms, arrow, output = equation.replace(" ", "").partition("->")
    parts = terms.split(",")
    # A layer's kernel, which is no operand of its call, is a constant of no other axes.
    kernels = [(len(part), False) for part in parts[len(operands) :]]
    named = [
        (_name_axes(part, rank), is_of_events)
        for part, (rank, is_of_events) in zip(parts, [*operands, *kernels])
    ]
    n_elided = max(sum(isinstance(axis, int) for axis in axes) for axes, _ in named)
    n_output = n_elided + len(output.replace(".", ""))
    named.append((_name_axes(output, n_output), True))
    events = next(axes[:1] for axes, is_of_events in named if is_of_events)
    return bool(arrow and events) and all(
        axes[:1] == events and axes.count(events[0]) == 1 if is_of_events else events[0] not in axes
        for axes, is_of_events in named
    )


def _name_axes(part: str, rank: int) -> list[str | int]:
    """Name each axis of an operand by its letter, or in an ellipsis by its place from the right.

    Examples
    --------
    >>> _name_axes("...i", 3)
    [-2, -1, 'i']
    """
    before, dots, after = part.partition("...")
    n_elided = rank - len(before) - len(after) if dots else 0
    return [*before, *range(-n_elided, 0), *after]
