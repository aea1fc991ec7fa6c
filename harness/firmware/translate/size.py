"""The size of a network before it is translated: in seconds, where da4ml may take an hour.

da4ml spends nearly all of its time on products with constant matrices, for which it searches sums
that several outputs can share. Here a network is traced with each such product counted and not
built: from the nonzero signed digits of its weights and the bits that it adds follow the LUTs of
da4ml's cost model. All else is traced as it is, so its cost is exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from harness.card.figures import Count
from harness.card.hardware import StageName
from harness.challenge import Value
from harness.firmware.backend import Amount

if TYPE_CHECKING:
    from da4ml.trace import FixedVariableArray

# da4ml's variable: what it was made of (`_from`), by what (`opr`), and its cost.
Variable: TypeAlias = Any

# Adders that da4ml 0.6.0 is left with, of those that a sum without sharing takes: the more there
# are, the more are shared. An adder is as wide as an input, and this share of what the output has
# more. Fitted to 37 random matrices of 8 x 8 to 57 x 128 weights of 3 to 10 bits.
ADDERS, ADDERS_POWER, GROWTH = 1.07, 0.904, 0.30
# Seconds of da4ml's search for each square of a number of adders, within a factor of two.
SECONDS = 1.0e-6
# da4ml's cost of trained networks lies within these factors of the estimate: docs/firmware.md says
# of which ones.
BAND = (0.8, 1.25)


class NetworkSize(Value):
    """How large the firmware of a network is by estimate.

    Attributes
    ----------
    lut : float
        LUTs of da4ml's cost model, to the factors of `BAND`.
    trace_s : float
        Seconds that da4ml would take, within a factor of two on a machine of its own.
    n_multipliers : int
        Products of two values.
    layers : mapping of str to float
        LUTs by layer.
    """

    lut: Amount
    trace_s: Amount
    n_multipliers: Count
    layers: Annotated[dict[StageName, float], Field(max_length=10_000)]

    @property
    def lowest_lut(self) -> float:
        """The lower end of what it may be."""
        return self.lut * BAND[0]

    def describe(self) -> str:
        """Say it in words."""
        low, high = (self.lut * edge for edge in BAND)
        return (
            f"about {self.lut:,.0f} LUTs by the digits of its weights ({low:,.0f} to {high:,.0f})"
        )


@dataclass(kw_only=True, slots=True)
class CountedTime:
    """Seconds that the products that were counted would take da4ml."""

    seconds: float = 0.0


@contextmanager
def counted_products() -> Iterator[CountedTime]:
    """Let da4ml trace products with constant matrices without building them."""
    from da4ml.trace import fixed_variable_array

    build, time = fixed_variable_array.cmvm, CountedTime()

    def count(
        matrix: NDArray[np.float64], vector: FixedVariableArray, options: object
    ) -> NDArray[np.object_]:
        del options
        return _count(np.asarray(matrix, np.float64), vector._vars, time)  # noqa: SLF001

    fixed_variable_array.cmvm = count
    try:
        yield time
    finally:
        fixed_variable_array.cmvm = build


def _count(
    matrix: NDArray[np.float64], variables: NDArray[np.object_], time: CountedTime
) -> NDArray[np.object_]:
    """Return the outputs of a product, shape (n_outputs,), with its cost shared among them."""
    low, high = (
        np.array([float(getattr(one, end)) for one in variables])[:, None]
        for end in ("low", "high")
    )
    steps = np.array([float(one.step) for one in variables])[:, None]
    digits = signed_digits(matrix) * (low != high)
    lows = np.minimum(matrix * low, matrix * high).sum(axis=0)
    highs = np.maximum(matrix * low, matrix * high).sum(axis=0)
    step = np.where(digits > 0, steps * lowest_digit(matrix), np.inf).min(axis=0)
    step[np.isinf(step)] = 1.0  # of an output that nothing adds to
    n_adders, lut = _cost(digits, _bits(low, high, steps), _bits(lows, highs, step))
    time.seconds += SECONDS * n_adders**2
    used = digits > 0
    share = lut / max(1, int(used.any(axis=0).sum()))
    return np.array(
        [
            _output(variables[used[:, j]], lows[j], highs[j], step[j], share)
            for j in range(matrix.shape[1])
        ],
        dtype=object,
    )


def _output(
    variables: NDArray[np.object_], low: float, high: float, step: float, lut: float
) -> Variable:
    from da4ml.trace.fixed_variable import FixedVariable, HWConfig

    if not len(variables):
        return FixedVariable.from_const(low, hwconf=HWConfig(1, -1, -1))
    return FixedVariable(
        low,
        high,
        step,
        _from=tuple(variables),
        opr="vadd",
        latency=0.0,
        cost=lut,
        hwconf=variables[0].hwconf,
    )


def _cost(
    digits: NDArray[np.int64], in_bits: NDArray[np.float64], out_bits: NDArray[np.float64]
) -> tuple[float, float]:
    """Return adders and LUTs of a product.

    Parameters
    ----------
    digits : ndarray of int, shape (n_inputs, n_outputs)
        Nonzero signed digits of each weight.
    in_bits : ndarray of float, shape (n_inputs, 1)
    out_bits : ndarray of float, shape (n_outputs,)
    """
    of_output = digits.sum(axis=0)
    n_sums = int(np.maximum(of_output - 1, 0).sum())
    if not n_sums:
        return 0.0, 0.0
    n_adders = min(float(n_sums), ADDERS * n_sums**ADDERS_POWER)
    mean_in = float((digits * in_bits).sum() / digits.sum())
    mean_out = float((of_output * out_bits)[of_output > 0].sum() / of_output.sum())
    return n_adders, n_adders * (mean_in + GROWTH * max(0.0, mean_out - mean_in))


def _bits(
    low: NDArray[np.float64], high: NDArray[np.float64], step: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how many bits hold whole steps from `low` to `high`."""
    span = np.maximum(np.maximum(-low, high + step), step)
    bits: NDArray[np.float64] = np.ceil(np.log2(span / step)) + (low < 0)
    return bits


def signed_digits(matrix: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return how many nonzero digits each weight has in canonical signed digits.

    Examples
    --------
    7 is 8 - 1, 5 is 4 + 1 and 0.375 is 1/2 - 1/8.

    >>> signed_digits(np.array([7.0, 5.0, 0.375, -1.0, 0.0])).tolist()
    [2, 2, 2, 1, 0]
    """
    whole = np.abs(_mantissas(matrix))
    count: NDArray[np.int64] = np.bitwise_count(whole ^ (3 * whole)).astype(np.int64)
    return count


def lowest_digit(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weight of the lowest nonzero digit of each weight; that of 0 has no meaning."""
    whole = _mantissas(matrix)
    lowest: NDArray[np.float64] = np.ldexp((whole & -whole).astype(float), np.frexp(matrix)[1] - 24)
    return lowest


def _mantissas(matrix: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return weights, which have the precision of float32, as whole numbers of 24 bits."""
    whole: NDArray[np.int64] = np.ldexp(np.frexp(matrix)[0], 24).astype(np.int64)
    return whole


def sum_costs(layers: Mapping[str, Iterable[Variable]]) -> tuple[dict[str, float], int]:
    """Return LUTs by layer, and how many products of two values there are.

    Parameters
    ----------
    layers : mapping of str to iterable of variables
        Outputs of each layer, in order. What two layers need counts for the first.
    """
    seen: set[object] = set()
    n_multipliers, costs = 0, {}
    for name, outputs in layers.items():
        waiting, cost = list(outputs), 0.0
        while waiting:
            variable = waiting.pop()
            if variable.id in seen:
                continue
            seen.add(variable.id)
            cost += variable.cost
            n_multipliers += variable.opr == "vmul"
            waiting += variable._from  # noqa: SLF001
        costs[name] = cost
    return costs, n_multipliers
