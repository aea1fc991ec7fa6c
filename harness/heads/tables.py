"""Lookup tables: a function of one value, or values of your own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.submission.functions import MAX_TABLE_VALUES, TableOfValues, register_functions
from harness.submission.quantisers import one_word, settings
from harness.submission.words import FixedPoint, parse_word

if TYPE_CHECKING:
    from keras import KerasTensor


def table(
    x: KerasTensor,
    function: str | Callable[[NDArray[np.float64]], ArrayLike] | None = None,
    *,
    word: str,
    output: str,
    values: ArrayLike | None = None,
    name: str | None = None,
) -> KerasTensor:
    """Replace each value by a function of it, by a lookup table.

    Parameters
    ----------
    x : KerasTensor
        Values, of any shape.
    function : str or callable, optional
        One of `TABLE_FUNCTIONS`, an activation of Keras such as ``exponential`` or ``tanh``, or a
        function of an array of NumPy such as ``numpy.cosh``, which is called once, for all
        addresses.
    word : str
        Word of the values, the address of the table: W bits make 2^W entries, so keep W <= 10.
        What lies beyond saturates: it reads the first or the last entry.
    output : str
        Word of the entries, to which they are rounded.
    values : array_like, shape (2^W,), optional
        In place of `function` the entries themselves, from that of the lowest value of `word` to
        that of its highest.
    name : str, optional
        Name of the layer.

    Raises
    ------
    ValueError
        Both or none of `function` and `values` are given, the values are too few or too many, or
        one of them is no finite number.

    Examples
    --------
    ``heads.table(eta, numpy.cosh, word="fixed<8,4>", output="ufixed<12,12>")``
    """
    from hgq.layers import QUnaryFunctionLUT

    return QUnaryFunctionLUT(
        _activation(function, values, parse_word(word), parse_word(output)),
        iq_conf=one_word(word),
        oq_conf=settings([output], (1,), place="table"),
        allow_heterogeneous_input=False,
        allow_heterogeneous_table=False,
        name=name,
    )(x)


def _activation(
    function: str | Callable[[NDArray[np.float64]], ArrayLike] | None,
    values: ArrayLike | None,
    word: FixedPoint,
    output: FixedPoint,
) -> object:
    """Return what HGQ2 evaluates at the addresses: a known function, or a table of values."""
    if (function is None) == (values is None):
        raise ValueError("a table is given either a function or values")
    if isinstance(function, str):
        return register_functions().get(function, function)
    register_functions()
    if 2**word.width > MAX_TABLE_VALUES:
        raise ValueError(f"an address {word} makes {2**word.width:,} entries: take a shorter word")
    addresses = word.lowest + word.step * np.arange(2**word.width)
    if function is not None:
        with np.errstate(all="ignore"):  # what is not finite is refused below, with its address
            values = function(addresses)
    entries = np.asarray(values, np.float64)
    if entries.shape != addresses.shape:
        raise ValueError(
            f"a table of values of shape {entries.shape}: the address {word} has "
            f"{len(addresses):,} entries, from {word.lowest:g} to {word.highest:g}"
        )
    if not np.isfinite(entries).all():
        where = addresses[~np.isfinite(entries)]
        raise ValueError(
            f"a table is not finite at {where[0]:g} and at {len(where) - 1} more addresses: "
            "state what it holds there, such as numpy.log(numpy.maximum(x, 0.01))"
        )
    # Rounded here, an entry has few digits in the exported graph, the same on every processor.
    steps = np.clip(
        np.floor(entries / output.step + 0.5) * output.step, output.lowest, output.highest
    )
    return TableOfValues(word.lowest, word.step, steps.tolist())
