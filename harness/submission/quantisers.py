"""Fixed words as HGQ2 takes them, which training leaves alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.submission.words import parse_word

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
