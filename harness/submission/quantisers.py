"""Fixed words as HGQ2 is configured with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from harness.submission.words import FixedPoint

if TYPE_CHECKING:
    from hgq.config import QuantizerConfig


def quantiser_config(
    word: FixedPoint, place: str, *, overflow: str = "SAT", rounding: str = "RND"
) -> QuantizerConfig:
    """Return a configuration of HGQ2 of one fixed word for all values.

    Modes that the word itself names take the place of `overflow` and `rounding`.
    """
    from hgq.config import QuantizerConfig

    return QuantizerConfig(
        "kif",
        place,
        k0=int(word.is_signed),
        i0=word.magnitude_bits,
        f0=word.fraction_bits,
        overflow_mode=word.overflow or overflow,
        round_mode=word.rounding or rounding,
        homogeneous_axis=None,
        heterogeneous_axis=(),
        trainable=False,
    )


def word_of(values: ArrayLike) -> FixedPoint:
    """Return the word with a sign that holds these values exactly.

    Examples
    --------
    >>> str(word_of([0.75, -6.0]))
    'fixed<6,4>'
    """
    numbers = np.asarray(values, np.float64).ravel()
    numbers = numbers[numbers != 0]
    if not len(numbers):
        return FixedPoint(1, 1)
    n_integer = int(np.frexp(np.abs(numbers))[1].max()) + 1
    n_fraction = max(_fraction_bits(number) for number in numbers)
    return FixedPoint(max(n_integer + n_fraction, 1), n_integer)


def _fraction_bits(number: float) -> int:
    """Return how many bits after the point a number has; negative for multiples of two."""
    numerator, denominator = float(number).as_integer_ratio()
    n_zeros = (numerator & -numerator).bit_length() - 1
    return denominator.bit_length() - 1 - n_zeros
