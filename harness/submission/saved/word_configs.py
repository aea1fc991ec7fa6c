"""Words of values and of constants, as HGQ2 takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.submission.saved.quantisers import Floats
from harness.submission.words import FixedPoint

if TYPE_CHECKING:
    import keras
    from hgq.config import QuantizerConfig


def word_config(word: FixedPoint, place: str) -> QuantizerConfig:
    """Return the configuration of one word, to which values are rounded as QKeras does."""
    from hgq.config import QuantizerConfig

    return QuantizerConfig(
        "kif",
        place,
        k0=int(word.is_signed),
        i0=word.magnitude_bits,
        f0=word.fraction_bits,
        round_mode=word.rounding or "RND_CONV",
        overflow_mode=word.overflow or "SAT",
        homogeneous_axis=None,
        heterogeneous_axis=(),
        trainable=False,
        ic=None,
        fc=None,
        ir=None,
        fr=None,
    )


def exact_config(values: Floats, place: str) -> QuantizerConfig:
    """Return the shortest word for each output channel, the last axis, that holds its constants."""
    import keras
    from hgq.config import QuantizerConfig

    channels = np.asarray(values, np.float64).reshape(-1, values.shape[-1]).T
    shape = (1,) * (values.ndim - 1) + (values.shape[-1],)

    def constant(numbers: list[int]) -> keras.initializers.Constant:
        return keras.initializers.Constant(np.reshape(numbers, shape).astype(float).tolist())

    ends = [magnitude_and_fraction(channel) for channel in channels]
    return QuantizerConfig(
        "kif",
        place,
        k0=constant([int((channel < 0).any()) for channel in channels]),
        i0=constant([magnitude for magnitude, _ in ends]),
        f0=constant([fraction for _, fraction in ends]),
        round_mode="RND_CONV",
        overflow_mode="SAT",
        homogeneous_axis=tuple(range(values.ndim - 1)),
        heterogeneous_axis=None,
        trainable=False,
        ic=None,
        fc=None,
        ir=None,
        fr=None,
    )


def magnitude_and_fraction(numbers: NDArray[np.float64]) -> tuple[int, int]:
    """Return the bits before and after the point that constants need; 0 and 0 for zeros."""
    numbers = numbers[numbers != 0]
    if not len(numbers):
        return 0, 0
    magnitude = int(np.frexp(np.abs(numbers))[1].max())
    fractions = [_fraction_bits(float(number)) for number in numbers]
    return magnitude, max(fractions)


def _fraction_bits(number: float) -> int:
    numerator, denominator = number.as_integer_ratio()
    n_zeros = (numerator & -numerator).bit_length() - 1
    return denominator.bit_length() - 1 - n_zeros
