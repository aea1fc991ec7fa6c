"""Sums as existing firmware computes them: constants added, products cut one by one, wrapping sums.

They write a trigger down that was built by hls4ml with an accumulator's word of its own. A new
network does not need them: sums without a cut are exact, and da4ml shares them among outputs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from harness.heads.products import FLOAT32_BITS, times_constants, word_of_constants
from harness.heads.shapes import flat, shaped
from harness.submission.quantisers import quantiser, settings
from harness.submission.words import parse_word

if TYPE_CHECKING:
    from keras import KerasTensor


def offset(x: KerasTensor, constants: Sequence[float], *, name: str = "offset") -> KerasTensor:
    """Add a constant to each value.

    Parameters
    ----------
    x : KerasTensor, shape (n, m) or (n, rows, columns) or (n, rows, columns, 1)
        Values in fixed point.
    constants : sequence of float
        One for each feature, repeated over the objects, or one for each input; exact in fixed
        point. One of 0 costs no logic.
    name : str
        Name of the layer.

    Returns
    -------
    KerasTensor
        Of the shape of `x`.

    Raises
    ------
    ValueError
        The constants do not divide the inputs, or need more than 24 bits.
    """
    from hgq.layers import QEinsumDense

    n_inputs = math.prod(x.shape[1:])
    added = np.asarray(constants, np.float64).ravel()
    if not len(added) or n_inputs % len(added):
        raise ValueError(f"{name}: {len(added)} constants do not divide {n_inputs} inputs")
    added = np.tile(added, n_inputs // len(added))
    word = word_of_constants(added, name)
    layer = QEinsumDense(
        "bi,i->bi",
        output_shape=(n_inputs,),
        bias_axes="i",
        kq_conf=settings(["ufixed<1,1>"], (n_inputs,), place="weight"),
        bq_conf=settings([word], (n_inputs,), place="bias"),
        enable_iq=False,
        trainable=False,
        name=name,
    )
    shifted = layer(flat(x, name))
    layer.kernel.assign(np.ones(n_inputs))
    layer.bias.assign(added)
    return shaped(shifted, x.shape, name)


def dense(
    x: KerasTensor, kernel: ArrayLike, bias: ArrayLike | None = None, *, accumulator: str, name: str
) -> KerasTensor:
    """Multiply by a matrix as hls4ml does with an accumulator of few bits.

    Every product is cut to the word, and the sum wraps in it, as ``accum_t`` of hls4ml.

    Parameters
    ----------
    x : KerasTensor, m values for each event, of any shape
        In fixed point.
    kernel : array_like, shape (m, k)
        Constants that training does not change, exact in fixed point.
    bias : array_like, shape (k,), optional
        Likewise; added before the sum wraps.
    accumulator : str
        Such as ``fixed<16,8>``. It cuts and wraps, unless it names other modes.
    name : str
        Name of the layer of the products; those behind it have names that begin with it.

    Returns
    -------
    KerasTensor, shape (n, k)

    Raises
    ------
    ValueError
        The constants or the sum need more than 24 bits.
    """
    factors = np.asarray(kernel, np.float64)
    n_inputs, n_outputs = factors.shape
    width = parse_word(accumulator).width + math.ceil(math.log2(n_inputs + 1))
    if width > FLOAT32_BITS:
        raise ValueError(
            f"{name}: a sum of {n_inputs} products in {accumulator} needs {width} bits before it "
            f"wraps, and what Keras computes is exact to {FLOAT32_BITS}: take a shorter word"
        )
    apart = np.zeros((n_inputs, n_inputs * n_outputs))
    for row, weights in enumerate(factors):
        apart[row, row * n_outputs : (row + 1) * n_outputs] = weights
    products = times_constants(x, apart, word_of_constants(factors, name), name=name)
    cut = _in_word(products, accumulator, f"{name}_cut")
    adding = np.tile(np.eye(n_outputs), (n_inputs, 1))
    total = times_constants(cut, adding, "ufixed<1,1>", name=f"{name}_sum")
    if bias is not None:
        total = offset(total, np.asarray(bias, np.float64).tolist(), name=f"{name}_bias")
    return _in_word(total, accumulator, f"{name}_accumulator")


def _in_word(x: KerasTensor, word: str, name: str) -> KerasTensor:
    return quantiser([word], x.shape, overflow="WRAP", rounding="TRN", name=name)(x)
