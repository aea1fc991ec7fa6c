"""Events of any shape that a network may declare: heads work on one axis of values."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keras import KerasTensor


def flat(x: KerasTensor, name: str) -> KerasTensor:
    """Return the values of an event on one axis, shape (n, m): wires alone, no logic."""
    import keras

    return x if len(x.shape) < 3 else keras.layers.Flatten(name=f"{name}_flat")(x)


def shaped(x: KerasTensor, shape: tuple[int | None, ...], name: str) -> KerasTensor:
    """Return values of one axis in `shape`, whose first axis is that of the events."""
    import keras

    return x if len(shape) < 3 else keras.layers.Reshape(shape[1:], name=f"{name}_shape")(x)
