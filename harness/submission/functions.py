"""Functions that a lookup table in a network may hold, beyond the activations of Keras.

An exported network names its functions and never contains their code; the harness knows these.
`exponential`, `sigmoid`, `tanh` and the like of Keras need no entry here. Any other function is a
table of its values, which the exported network does contain.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from keras import KerasTensor

# Entries of a table of one's own: sixteen bits of address; a netlist of more than ten is large.
MAX_TABLE_VALUES = 2**16
# Where a logarithm has no value, that of a number smaller than any step of a word.
_TINY = 2.0**-32


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


def cos(x: KerasTensor) -> KerasTensor:
    """Return the cosine of an angle in radians."""
    from keras import ops

    return ops.cos(x)


def sin(x: KerasTensor) -> KerasTensor:
    """Return the sine of an angle in radians."""
    from keras import ops

    return ops.sin(x)


def cosh(x: KerasTensor) -> KerasTensor:
    """Return the hyperbolic cosine, as of a difference of pseudorapidities."""
    from keras import ops

    return ops.cosh(x)


def sinh(x: KerasTensor) -> KerasTensor:
    """Return the hyperbolic sine: the longitudinal momentum of unit transverse momentum."""
    from keras import ops

    return ops.sinh(x)


def sqrt(x: KerasTensor) -> KerasTensor:
    """Return the square root for x >= 0 and 0 below."""
    from keras import ops

    return ops.sqrt(ops.maximum(x, ops.zeros_like(x)))


def log(x: KerasTensor) -> KerasTensor:
    """Return the natural logarithm, and that of 2^-32 for smaller x."""
    from keras import ops

    return ops.log(ops.maximum(x, ops.full_like(x, _TINY)))


class TableOfValues:
    """A function that is given by its values at equal steps.

    Parameters
    ----------
    lowest : float
        Where the first value belongs.
    step : float
        Difference of neighbouring addresses.
    values : sequence of float
        A power of two of them. Between two addresses the nearest counts, beyond the ends the first
        or the last.

    Raises
    ------
    ValueError
        They are no such values.
    """

    def __init__(self, lowest: float, step: float, values: Sequence[float]) -> None:
        n_values = len(values)
        if not 1 < n_values <= MAX_TABLE_VALUES or n_values & (n_values - 1):
            raise ValueError(f"{n_values} values: not a power of two up to {MAX_TABLE_VALUES}")
        numbers = [float(value) for value in (lowest, step, *values)]
        if step <= 0 or not all(map(math.isfinite, numbers)):
            raise ValueError("a table of values that are not finite, or of no step")
        self.lowest, self.step, *self.values = numbers
        # HGQ2 asks an activation for its name.
        self.__name__ = "table_of_values"

    def __call__(self, x: KerasTensor) -> KerasTensor:
        """Look values up; training sees the slope between the neighbours of each."""
        from keras import ops

        x = ops.convert_to_tensor(x)
        values = ops.convert_to_tensor(self.values, dtype=x.dtype)
        last = len(self.values) - 1
        places = ops.clip(ops.round((x - self.lowest) / self.step), 0, last)
        index = ops.cast(places, "int32")
        rise = ops.take(values, ops.minimum(index + 1, last)) - ops.take(
            values, ops.maximum(index - 1, 0)
        )
        # The second term is 0, and has a derivative.
        slope = ops.stop_gradient(rise) / (2 * self.step)
        return ops.take(values, index) + slope * (x - ops.stop_gradient(x))

    def get_config(self) -> dict[str, object]:
        """Return what the table is made of."""
        return {"lowest": self.lowest, "step": self.step, "values": self.values}

    @classmethod
    def from_config(cls, config: Mapping[str, object]) -> TableOfValues:
        """Make a table again."""
        return cls(**config)  # type: ignore[arg-type]


_FUNCTIONS: Mapping[str, Callable[[KerasTensor], KerasTensor]] = {
    function.__name__: function
    for function in (
        cos,
        cosh,
        exp_negative,
        kl_of_log_variance,
        log,
        log1p,
        reciprocal,
        sin,
        sinh,
        sqrt,
    )
}
TABLE_FUNCTIONS = tuple(_FUNCTIONS)


def register_functions() -> Mapping[str, Callable[[KerasTensor], KerasTensor]]:
    """Make the functions known to Keras's serialisation; needed before a network is read."""
    import keras

    for function in _FUNCTIONS.values():
        keras.saving.register_keras_serializable(package="harness")(function)
    keras.saving.register_keras_serializable(package="harness")(TableOfValues)
    return _FUNCTIONS
