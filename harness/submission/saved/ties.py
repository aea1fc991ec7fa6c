"""Whether a normalised value can lie half way between two values of the word that follows.

QKeras rounds halves to even. An FPGA has two adders for that, and needs the lowest bit that is
kept, which is not at hand for a product of 40 bits with the float32 constants of a normalisation.
Where no value lies half way, rounding halves up gives the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import numpy as np

from harness.submission.words import FixedPoint

# Words with more bits than this are not looked through.
_MAX_WORD_BITS = 16
# Values of float32 are whole numbers of their grid up to this.
_MOST = 2.0**24


def is_half_way(
    scale: float, offset: float, fraction_bits: int, words: Iterable[FixedPoint]
) -> bool:
    """Say whether ``scale * x + offset`` is half way between two values for an x of a grid.

    Parameters
    ----------
    scale, offset : float
        The constants.
    fraction_bits : int
        Each x is a whole number times ``2**-fraction_bits``.
    words : iterable of FixedPoint
        The words to which the result is rounded.

    Returns
    -------
    bool
        True too where it cannot be said: for words of more than 16 bits.

    Examples
    --------
    >>> word = FixedPoint(6, 3)
    >>> is_half_way(0.5, 0.0, 3, [word]), is_half_way(0.3, 0.01, 3, [word])
    (True, False)
    """
    return any(_is_half_way(scale, offset, 2.0**-fraction_bits, word) for word in words)


def _is_half_way(scale: float, offset: float, step: float, word: FixedPoint) -> bool:
    if word.width > _MAX_WORD_BITS or scale == 0:
        return True
    halves = np.arange(word.lowest, word.highest + word.step, word.step) - word.step / 2
    numbers = (halves - offset) / (scale * step)
    whole = np.rint(numbers)
    # The division is off by some 1e-16 of the number; what is near is looked at exactly.
    near = (np.abs(numbers - whole) < 1e-6) & (np.abs(whole) < _MOST)
    return any(
        Fraction(scale) * int(number) * Fraction(step) + Fraction(offset) == Fraction(half)
        for number, half in zip(whole[near], halves[near].tolist(), strict=True)
    )
