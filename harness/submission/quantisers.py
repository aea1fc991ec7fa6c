"""Fixed words as HGQ2 takes them, which training leaves alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from harness.submission.words import FixedPoint, parse_word

if TYPE_CHECKING:
    from hgq.config import QuantizerConfig
    from hgq.layers import Quantizer
    from keras.initializers import Initializer


def quantiser(
    words: Sequence[str],
    shape: tuple[int | None, ...],
    *,
    overflow: str,
    rounding: str,
    name: str | None,
) -> Quantizer:
    """Return a layer that quantises values of `shape`, whose first axis is that of the events."""
    from hgq.layers import Quantizer

    sizes = tuple(size for size in shape[1:] if size is not None)
    config = settings(words, sizes, place="datalane", overflow=overflow, rounding=rounding)
    return Quantizer(config, name=name)


def one_word(word: str) -> QuantizerConfig:
    """Return the configuration of values that all have the same word."""
    return settings([word], (1,), place="datalane")


def settings(
    words: Sequence[str],
    shape: tuple[int, ...],
    *,
    place: str,
    overflow: str = "SAT",
    rounding: str = "RND",
) -> QuantizerConfig:
    """Return a configuration of HGQ2 for fixed words that training leaves alone.

    Modes that the words name take the place of `overflow` and `rounding`.
    """
    from hgq.config import QuantizerConfig

    parsed = [parse_word(word) for word in words]
    modes = {(word.rounding or rounding, word.overflow or overflow) for word in parsed}
    if len(modes) > 1:
        raise ValueError(f"{', '.join(words)[:200]}: words of one layer have the same modes")
    ((rounding, overflow),) = modes
    parts = {
        "k0": [int(word.is_signed) for word in parsed],
        "i0": [word.magnitude_bits for word in parsed],
        "f0": [word.fraction_bits for word in parsed],
    }
    axes: Mapping[str, tuple[int, ...] | None]
    if len(parsed) == 1:
        values = {key: part[0] for key, part in parts.items()}
        axes = {"homogeneous_axis": None, "heterogeneous_axis": ()}
    else:
        values = {key: _constant(part, shape) for key, part in parts.items()}
        axes = {"homogeneous_axis": (0,), "heterogeneous_axis": None}
    return QuantizerConfig(
        "kif",
        place,
        **values,
        **axes,
        overflow_mode=overflow,
        round_mode=rounding,
        trainable=False,
        ic=None,
        fc=None,
        ir=None,
        fr=None,
    )


def _constant(values: Sequence[int], shape: tuple[int, ...]) -> Initializer:
    """Return an initialiser that gives each input the value of its feature."""
    import keras

    n_inputs = math.prod(shape)
    if n_inputs % len(values):
        raise ValueError(f"{len(values)} words do not divide {n_inputs} inputs")
    tiled = np.tile(np.asarray(values, np.float64), n_inputs // len(values))
    return keras.initializers.Constant(tiled.reshape(1, *shape).tolist())


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
