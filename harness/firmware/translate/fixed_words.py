"""Words of fixed width as HGQ2 is told them, and constants that are rounded to such words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.submission.quantisers import quantiser_config
from harness.submission.words import FixedPoint, parse_word

# The words of a layer at fixed widths: ``weights`` and ``activations``.
Words: TypeAlias = Mapping[str, FixedPoint]
Floats: TypeAlias = NDArray[np.float64]
# Keras computes constants in float32.
SIGNIFICANT_BITS = 24


@dataclass(frozen=True, kw_only=True, slots=True)
class Widths:
    """The words of a network at fixed widths.

    Attributes
    ----------
    inputs : tuple of str
        One word for all inputs of the network, one for each feature, or one for each input.
    every : mapping
        Words of layers that have none of their own.
    of_layers : mapping of str to mapping
        By the names of layers, the words that they have of their own.
    """

    inputs: tuple[str, ...]
    every: Words
    of_layers: Mapping[str, Words]

    def of(self, name: str) -> Words:
        """Return the words of a layer."""
        return {**self.every, **self.of_layers.get(name, {})}


def read_widths(precision: Mapping[str, object]) -> Widths:
    """Read a declared precision, as `harness.submission.declaration.Precision` is written.

    Examples
    --------
    >>> declared = {"input": "fixed<13,11>", "weights": "fixed<8,2>", "activations": "fixed<16,8>"}
    >>> own = {"first": {"activations": "fixed<18,12>", "weights": None}}
    >>> str(read_widths({**declared, "layers": own}).of("first")["activations"])
    'fixed<18,12>'
    """
    inputs, layers = precision["input"], precision.get("layers") or {}
    assert isinstance(layers, Mapping)
    return Widths(
        inputs=(inputs,) if isinstance(inputs, str) else tuple(cast("Sequence[str]", inputs)),
        every=_parsed({key: precision[key] for key in ("weights", "activations")}),
        of_layers={name: _parsed(words) for name, words in layers.items()},
    )


def _parsed(words: Mapping[str, object]) -> Words:
    return {key: parse_word(text) for key, text in words.items() if isinstance(text, str)}


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
