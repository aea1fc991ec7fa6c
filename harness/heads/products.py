"""Products with constants, squares and sums, in words that float32 holds exactly."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.heads.shapes import flat
from harness.submission.quantisers import one_word, settings
from harness.submission.words import FixedPoint, parse_word

if TYPE_CHECKING:
    from keras import KerasTensor

# Bits of an integer that float32 holds exactly.
FLOAT32_BITS = 24


def combine(x: KerasTensor, matrix: ArrayLike, *, name: str) -> KerasTensor:
    """Multiply by a matrix of constants: to select inputs, add some of them, or weight them.

    Parameters
    ----------
    x : KerasTensor, m values for each event, of any shape
        In fixed point.
    matrix : array_like, shape (m, k)
        Constants that training does not change, exact in fixed point. An entry of 0, 1 or another
        power of two costs no logic.
    name : str
        Name of the layer.

    Returns
    -------
    KerasTensor, shape (n, k)

    Raises
    ------
    ValueError
        The constants need more than 24 bits.
    """
    factors = np.asarray(matrix, np.float64)
    return times_constants(x, factors, word_of_constants(factors, name), name=name)


def word_of_constants(factors: NDArray[np.float64], name: str) -> str:
    """Return the shortest word that holds all of `factors` exactly."""
    largest = float(np.abs(factors).max(initial=0.0))
    magnitude = math.floor(math.log2(largest)) + 1 if largest else 1
    is_signed = bool((factors < 0).any())
    for n_bits in range(1, FLOAT32_BITS + 1):
        scaled = factors * 2.0 ** (n_bits - magnitude)
        if np.array_equal(scaled, np.round(scaled)):
            sign = "" if is_signed else "u"
            return f"{sign}fixed<{n_bits + is_signed},{magnitude + is_signed}>"
    raise ValueError(
        f"{name}: the constants are not exact in {FLOAT32_BITS} bits: round them to a word"
    )


def multiply(
    first: KerasTensor, second: KerasTensor, *, words: tuple[str, str], name: str
) -> KerasTensor:
    """Multiply two tensors of one shape, value by value.

    Parameters
    ----------
    first, second : KerasTensor, shape (n, m)
        The factors.
    words : tuple of str
        Their words: what does not fit saturates, what is finer is rounded.
    name : str
        Name of the layer.

    Returns
    -------
    KerasTensor, shape (n, m)
        Exact products.

    Raises
    ------
    ValueError
        A product needs more than 24 bits.
    """
    from hgq.layers import QMultiply

    width = sum(parse_word(word).width for word in words)
    if width > FLOAT32_BITS:
        raise ValueError(
            f"{name}: a product of {words[0]} and {words[1]} needs {width} bits, and what Keras "
            f"computes is exact to {FLOAT32_BITS}: take shorter words"
        )
    return QMultiply(iq_confs=[one_word(word) for word in words], name=name)([first, second])


def square(x: KerasTensor, word: str, name: str) -> KerasTensor:
    """Square values that are rounded to a word."""
    from hgq.layers import QMultiply

    return QMultiply(iq_confs=[one_word(word)] * 2, name=name)([x, x])


def total(x: KerasTensor, word: FixedPoint, *, exponent: int = 0, name: str) -> KerasTensor:
    """Add up all values of an event, times a power of two."""
    n_terms = math.prod(x.shape[1:])
    n_bits = word.width + math.ceil(math.log2(n_terms)) if n_terms > 1 else word.width
    if n_bits > FLOAT32_BITS:
        raise ValueError(
            f"{name}: the sum of {n_terms} terms {word} needs {n_bits} bits, and what Keras "
            f"computes is exact to {FLOAT32_BITS}: take shorter words"
        )
    factors = np.full((n_terms, 1), 2.0**exponent)
    return times_constants(x, factors, f"ufixed<1,{exponent + 1}>", name=name)


def times_constants(
    x: KerasTensor, factors: NDArray[np.float64], word: str, *, name: str
) -> KerasTensor:
    """Multiply by a matrix of constants in one word, which training leaves alone."""
    from hgq.layers import QDense

    layer = QDense(
        factors.shape[1],
        use_bias=False,
        kq_conf=settings([word], factors.shape, place="weight"),
        enable_iq=False,
        trainable=False,
        name=name,
    )
    product = layer(flat(x, name))
    layer.kernel.assign(factors)
    return product


def square_word(word: str) -> FixedPoint:
    """Return the word that holds the square of any value of `word`."""
    return product_word(parse_word(word), parse_word(word))


def product_word(first: FixedPoint, second: FixedPoint) -> FixedPoint:
    """Return the word that holds the product of any two values."""
    magnitude = first.magnitude_bits + second.magnitude_bits
    fraction = first.fraction_bits + second.fraction_bits
    both_signed = first.is_signed and second.is_signed
    # The square of the lowest signed value alone takes the topmost bit.
    return FixedPoint(magnitude + fraction + both_signed, magnitude + both_signed, is_signed=False)


def sum_word(first: FixedPoint, second: FixedPoint) -> FixedPoint:
    """Return the word that holds the sum of any two values, of which neither is negative."""
    magnitude = max(first.magnitude_bits, second.magnitude_bits) + 1
    fraction = max(first.fraction_bits, second.fraction_bits)
    return FixedPoint(magnitude + fraction, magnitude, is_signed=False)
