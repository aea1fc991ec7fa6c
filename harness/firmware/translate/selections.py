"""Slices of an event as products with constants of 0 and 1, which hls4ml reads and wires are."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.submission.quantisers import settings

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

_SLICE = "GetItem"
_WORD = "ufixed<1,1>"
# Entries of the matrix of one selection; hls4ml writes each of them.
_MAX_ENTRIES = 2**18


def choosing(places: NDArray[np.int64], n_values: int) -> NDArray[np.float64]:
    """Return what values are multiplied by to take those at `places`, shape (n_values, n_places).

    Examples
    --------
    >>> (np.array([5.0, 6.0, 7.0]) @ choosing(np.array([2, 0, 0]), 3)).tolist()
    [7.0, 5.0, 5.0]
    """
    matrix = np.zeros((n_values, places.size))
    matrix[places.ravel(), np.arange(places.size)] = 1.0
    return matrix


def without_slices(model: keras.Model) -> keras.Model:
    """Return the network with a layer of HGQ2 in place of each slice along the axes of an event.

    Parameters
    ----------
    model : keras.Model
        A functional model with one input, without models inside it; its layers are shared.

    Returns
    -------
    keras.Model
        Of the same scores, bit for bit. A slice that is a single number for each event, or far too
        large, stays as it is.
    """
    import keras

    if not any(type(operation).__name__ == _SLICE for operation in model.operations):
        return model
    source = model.inputs[0]
    inputs = keras.Input(source.shape[1:], dtype=source.dtype, name=source.name)
    outputs = model._run_through_graph(inputs, operation_fn=_replaced)  # noqa: SLF001 as Keras does
    return keras.Model(inputs, outputs, name=model.name)


def _replaced(operation: keras.Operation) -> Callable[..., Any]:
    return partial(_select, operation) if type(operation).__name__ == _SLICE else operation


def _select(operation: keras.Operation, x: keras.KerasTensor, key: object) -> keras.KerasTensor:
    """Return what a slice takes, by a matrix."""
    from hgq.layers import QDense
    from keras.layers import Flatten, Reshape

    shape = tuple(x.shape[1:])
    # A network that was written and read again has a list in place of the tuple.
    keys = tuple(key) if isinstance(key, tuple | list) else (key,)
    # The first axis is that of the events, of which all are taken.
    inner = keys if keys[0] is Ellipsis else keys[1:]
    chosen = np.arange(math.prod(shape)).reshape(shape)[inner]
    n_values = math.prod(shape)
    if chosen.ndim == 0 or n_values * chosen.size > _MAX_ENTRIES:
        return operation(x, key)
    matrix = choosing(chosen, n_values)
    layer = QDense(
        chosen.size,
        use_bias=False,
        kq_conf=settings([_WORD], matrix.shape, place="weight"),
        enable_iq=False,
        trainable=False,
        name=f"{operation.name}_selection",
    )
    taken = layer(x if len(shape) == 1 else Flatten(name=f"{operation.name}_flat")(x))
    layer.kernel.assign(matrix)
    if chosen.ndim == 1:
        return taken
    return Reshape(chosen.shape, name=f"{operation.name}_rows")(taken)
