"""Words of fixed width as HGQ2 is told them, and constants that are rounded to such words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.submission.quantisers import quantiser_config
from harness.submission.words import FixedPoint

# The words of a network at fixed widths: ``input``, ``weights`` and ``activations``.
Words: TypeAlias = Mapping[str, FixedPoint]
Floats: TypeAlias = NDArray[np.float64]
# Keras computes constants in float32.
SIGNIFICANT_BITS = 24


def layer_configs(words: Words, weight_word: FixedPoint | None = None) -> dict[str, object]:
    """Return what a layer of weights is given besides its own settings."""
    return {
        "kq_conf": quantiser_config(weight_word or words["weights"], "weight"),
        "bq_conf": quantiser_config(words["activations"], "bias"),
        "iq_conf": quantiser_config(words["activations"], "datalane"),
        "enable_ebops": False,
    }


def nearest(values: ArrayLike, n_bits: int) -> Floats:
    """Round each value to `n_bits` significant bits, whatever its size; to 24 at most, as float32.

    Examples
    --------
    >>> nearest([1 / 3, 101.0], 4).tolist()
    [0.34375, 104.0]
    """
    mantissas, exponents = np.frexp(np.asarray(values, np.float64))
    n_bits = min(n_bits, SIGNIFICANT_BITS)
    return np.asarray(np.ldexp(np.rint(np.ldexp(mantissas, n_bits)), exponents - n_bits))


def rounded(values: ArrayLike, word: FixedPoint) -> Floats:
    """Round values to a word, and saturate.

    Examples
    --------
    >>> rounded([0.3, -5.0], FixedPoint(4, 2)).tolist()
    [0.25, -2.0]
    """
    whole = np.floor(np.asarray(values, np.float64) / word.step + 0.5)
    return np.clip(whole * word.step, word.lowest, word.highest)
