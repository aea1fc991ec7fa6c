"""Functions that a lookup table in a network may hold, beyond the activations of Keras.

An exported network names its functions and never contains their code; the harness knows these.
`exponential`, `sigmoid`, `tanh` and the like of Keras need no entry here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from keras import KerasTensor


def exp_negative(x: KerasTensor) -> KerasTensor:
    """Return exp(-x), the inverse variance of a log-variance."""
    from keras import ops

    return ops.exp(ops.negative(x))


def kl_of_log_variance(x: KerasTensor) -> KerasTensor:
    """Return exp(x) - x - 1: what a log-variance x adds to twice a Kullback-Leibler divergence."""
    from keras import ops

    return ops.subtract(ops.expm1(x), x)


def log1p(x: KerasTensor) -> KerasTensor:
    """Return log(1 + x) for x >= 0 and 0 below: a compressing scale for transverse momenta."""
    from keras import ops

    return ops.log1p(ops.maximum(x, ops.zeros_like(x)))


def reciprocal(x: KerasTensor) -> KerasTensor:
    """Return 1/x, and 0 at x = 0, where a table must hold something finite."""
    from keras import ops

    return ops.divide_no_nan(ops.ones_like(x), x)


_FUNCTIONS: Mapping[str, Callable[[KerasTensor], KerasTensor]] = {
    function.__name__: function
    for function in (exp_negative, kl_of_log_variance, log1p, reciprocal)
}
TABLE_FUNCTIONS = tuple(_FUNCTIONS)


def register_functions() -> Mapping[str, Callable[[KerasTensor], KerasTensor]]:
    """Make the functions known to Keras's serialisation; needed before a network is read."""
    import keras

    for function in _FUNCTIONS.values():
        keras.saving.register_keras_serializable(package="harness")(function)
    return _FUNCTIONS
