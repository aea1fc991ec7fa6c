"""Changes of shape and order: they cost nothing in firmware."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from harness.submission.onnx.values import Built, Constant, Known, Node, RefusedNodeError, Tensor

# Parts that a choice of indices may be put together of.
_MAX_RUNS = 64
_KEEP_EVENTS = "keep dimension 0 for the events: x.reshape(x.shape[0], ...), torch.flatten(x, 1)"


def same(node: Node) -> Known:
    """Return the input: dropout and identities do nothing at inference."""
    return node.scaled_tensor()


def _reshaped(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    import keras

    if shape == x.shape:
        return x
    return x.moved(keras.layers.Reshape(shape)(x.first))


def reshape(node: Node) -> Known:
    """Build a new shape for the numbers of each event."""
    x = node.scaled_tensor()
    target = [int(size) for size in node.required(1)]
    before = (node.batch, *x.shape)
    if not node.settings.get("allowzero", 0):
        if any(size == 0 and place >= len(before) for place, size in enumerate(target)):
            raise RefusedNodeError(f"has the shape {target}")
        target = [before[place] if size == 0 else size for place, size in enumerate(target)]
    n_known = math.prod(size for size in target if size != -1)
    n_values = math.prod(before)
    target = [n_values // n_known if size == -1 and n_known else size for size in target]
    first = target[0] if target else 0
    # A file for one event says 1; with more, the first size is the number of events.
    if first != node.batch or math.prod(target[1:]) != math.prod(x.shape):
        raise RefusedNodeError(f"joins events: from {x.shape} of each to {target}", _KEEP_EVENTS)
    return _reshaped(x, tuple(target[1:]))


def flatten(node: Node) -> Known:
    """Build one axis for all numbers of an event."""
    x = node.scaled_tensor()
    axis = int(node.settings.get("axis", 1))
    if axis not in (1, 1 - x.rank):
        raise RefusedNodeError(f"flattens from axis {axis} on", "use torch.flatten(x, 1)")
    return _reshaped(x, (math.prod(x.shape),))


def squeeze(node: Node) -> Known:
    """Build a shape without axes of one place."""
    x = node.scaled_tensor()
    given = node.numbers("axes", 1)
    if given is None:
        if node.batch == 1:
            raise RefusedNodeError("drops all axes of one place, axis 0 too", "use squeeze(-1)")
        given = tuple(place for place, size in enumerate(x.shape, 1) if size == 1)
    axes = {node.axis(axis, x.rank) for axis in given}
    return _reshaped(x, tuple(size for place, size in enumerate(x.shape, 1) if place not in axes))


def unsqueeze(node: Node) -> Known:
    """Build a shape with axes of one place."""
    x = node.scaled_tensor()
    given = node.numbers("axes", 1) or ()
    rank = x.rank + len(given)
    axes = {node.axis(axis, rank) for axis in given}
    sizes = iter(x.shape)
    return _reshaped(x, tuple(1 if axis in axes else next(sizes) for axis in range(1, rank)))


def transpose(node: Node) -> Known:
    """Build another order of the axes of an event."""
    import keras

    x = node.scaled_tensor()
    order = [int(axis) for axis in node.settings.get("perm", range(x.rank)[::-1])]
    if order[0] != 0:
        raise RefusedNodeError(
            f"puts the axes in the order {order}", "leave dimension 0 where it is: permute(0, 2, 1)"
        )
    if order == list(range(x.rank)):
        return x
    return x.moved(keras.layers.Permute(tuple(order[1:]))(x.first))


def concatenate(node: Node) -> Known:
    """Join tensors along an axis of an event."""
    import keras

    parts = [node.tensor(index) for index in range(len(node.inputs))]
    if len(parts) == 1:
        return parts[0]
    axis = node.axis(int(node.settings["axis"]), parts[0].rank)
    joined = keras.layers.Concatenate(axis=axis)([part.first for part in parts])
    return Tensor(joined, is_fixed=all(part.is_fixed for part in parts))


# --- Choices of places ----------------------------------------------------------------------------


def gather(node: Node) -> Known:
    """Choose places of one axis by constant numbers."""
    x = node.scaled_tensor()
    axis = node.axis(int(node.settings.get("axis", 0)), x.rank)
    indices = node.constant(1)
    if indices is None or indices.ndim > 1:
        raise RefusedNodeError("chooses by an array of numbers", "use one list of numbers")
    size = x.shape[axis - 1]
    chosen = [int(index) for index in np.atleast_1d(indices)]
    if not all(-size <= index < size for index in chosen) or not chosen:
        raise RefusedNodeError(f"chooses places that axis {axis} of {size} does not have")
    made = take(x, axis, [index % size for index in chosen])
    if indices.ndim:
        return made
    return _reshaped(made, made.shape[: axis - 1] + made.shape[axis:])


def part(node: Node) -> Known:
    """Build a slice along one or more axes of an event."""
    x = node.scaled_tensor()
    starts, ends = (node.numbers(name, index) for name, index in (("starts", 1), ("ends", 2)))
    if starts is None or ends is None:
        raise RefusedNodeError("has no bounds")
    axes = node.numbers("axes", 3) or tuple(range(len(starts)))
    steps = node.numbers("steps", 4) or (1,) * len(starts)
    for axis, start, end, step in zip(axes, starts, ends, steps):
        if axis % x.rank == 0 and start == 0 and end >= node.batch and step == 1:
            continue  # all events
        place = node.axis(axis, x.rank)
        indices = list(range(x.shape[place - 1]))[slice(start, _end(end, step), step)]
        if not indices:
            raise RefusedNodeError(f"takes nothing of axis {axis}")
        x = take(x, place, indices)
    return x


def _end(end: int, step: int) -> int | None:
    """Return the end of a slice as Python counts it: far below zero is before the first place."""
    return None if step < 0 and end < -(2**31) + 2 else end


def split(node: Node) -> Built:
    """Cut a tensor into parts along an axis of an event."""
    x = node.scaled_tensor()
    axis = node.axis(int(node.settings.get("axis", 0)), x.rank)
    size = x.shape[axis - 1]
    sizes = node.numbers("split", 1)
    if sizes is None:
        each = -(-size // node.n_outputs)
        sizes = tuple(min(each, size - first) for first in range(0, size, each))
    if sum(sizes) != size or min(sizes) < 1:
        raise RefusedNodeError(f"cuts {size} places into {sizes}")
    starts = np.cumsum([0, *sizes])
    return tuple(
        take(x, axis, list(range(first, first + n))) for first, n in zip(starts.tolist(), sizes)
    )


def take(x: Tensor, axis: int, indices: Sequence[int]) -> Tensor:
    """Choose places of one axis, as neighbours that are cut out and joined again."""
    import keras

    if list(indices) == list(range(x.shape[axis - 1])):
        return x
    runs: list[list[int]] = []
    for index in indices:
        if runs and index == runs[-1][1]:
            runs[-1][1] += 1
        else:
            runs.append([index, index + 1])
    if len(runs) > _MAX_RUNS:
        raise RefusedNodeError(f"chooses {len(runs)} separate parts", "choose neighbours")
    cut = [_cropped(x, axis, first, end) for first, end in runs]
    if len(cut) == 1:
        return cut[0]
    return x.moved(keras.layers.Concatenate(axis=axis)([one.first for one in cut]))


def _cropped(x: Tensor, axis: int, first: int, end: int) -> Tensor:
    """Cut neighbouring places out: as columns of rows of all axes before, with all axes after."""
    import keras

    before, size, after = x.shape[: axis - 1], x.shape[axis - 1], x.shape[axis:]
    rows = _reshaped(x, (math.prod(before), size, math.prod(after)))
    crop = keras.layers.Cropping2D(((0, 0), (first, size - end)))
    return _reshaped(x.moved(crop(rows.first)), (*before, end - first, *after))


def pad(node: Node) -> Known:
    """Build zeros around the places of axes of an event."""
    import keras

    if node.settings.get("mode", "constant") != "constant":
        raise RefusedNodeError("pads by what is no constant", "pad with zeros")
    value = node.settings.get("value", node.constant(2))
    if value is not None and np.any(np.asarray(value) != 0):
        raise RefusedNodeError("pads with other numbers than 0", "pad with zeros")
    x = node.scaled_tensor()
    pads = node.numbers("pads", 1) or ()
    given = node.constant(3)
    axes = range(x.rank) if given is None else [int(axis) % x.rank for axis in given]
    n_axes = len(axes)
    if len(pads) != 2 * n_axes or min(pads, default=0) < 0:
        raise RefusedNodeError(f"has the pads {pads}", "cut by a slice")
    for axis, front, back in zip(axes, pads[:n_axes], pads[n_axes:]):
        if not front and not back:
            continue
        place = node.axis(axis, x.rank)
        before, size, after = x.shape[: place - 1], x.shape[place - 1], x.shape[place:]
        rows = _reshaped(x, (math.prod(before), size, math.prod(after)))
        layer = keras.layers.ZeroPadding2D(((0, 0), (front, back)))
        x = _reshaped(x.moved(layer(rows.first)), (*before, size + front + back, *after))
    return x


def expand(node: Node) -> Known:
    """Repeat axes of one place until the tensor has a wider shape."""
    import keras

    x = node.tensor()
    target = [int(size) for size in node.required(1)]
    if len(target) > x.rank:
        raise RefusedNodeError(f"adds axes to {x.shape}", "use unsqueeze first")
    target = [1] * (x.rank - len(target)) + target
    if target[0] not in (1, node.batch):
        raise RefusedNodeError(f"repeats events to {target}", _KEEP_EVENTS)
    sizes = np.broadcast_shapes(x.shape, tuple(target[1:]))
    if sizes == x.shape:
        return x
    ones = np.ones((1, *sizes), np.float32)
    return Tensor(keras.ops.multiply(x.first, ones))


def shape_of(node: Node) -> Constant:
    """Return the shape of a tensor; an open number of events is made up."""
    x = node.scaled_tensor()
    sizes = np.array([node.batch, *x.shape], np.int64)
    start = int(node.settings.get("start", 0))
    end = node.settings.get("end")
    return Constant(sizes[start : None if end is None else int(end)])


def size_of(node: Node) -> Constant:
    """Return how many numbers a tensor has."""
    x = node.scaled_tensor()
    return Constant(np.array(node.batch * math.prod(x.shape), np.int64))
