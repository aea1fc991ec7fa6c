"""What the network reads: words of the inputs, their limits, their scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.heads.shapes import flat, shaped
from harness.submission.quantisers import quantiser, settings
from harness.submission.words import parse_input_word

if TYPE_CHECKING:
    from keras import KerasTensor


def input_words(
    inputs: KerasTensor, words: str | Sequence[str], *, name: str = "words"
) -> KerasTensor:
    """Declare the fixed-point words in which the inputs reach the chip.

    Parameters
    ----------
    inputs : KerasTensor, shape (n, m) or (n, rows, columns) or (n, rows, columns, 1)
        What ``keras.Input`` returned.
    words : str or sequence of str
        One word for all, one for each feature (repeated over the objects), or one for each input.
    name : str
        Name of the layer.

    Returns
    -------
    KerasTensor
        The inputs, cut (not rounded) to their words. A value out of range wraps around, because
        its upper bits are missing: choose words that cover every event, and use `limit` to keep
        the numbers small.
    """
    words = _listed(words)
    for word in words:
        parse_input_word(word)
    return quantiser(words, inputs.shape, overflow="WRAP", rounding="TRN", name=name)(inputs)


# Rows of an event of the CMS level-1 release (`cmsl1t`) that its starter kits take as input: MET, 4
# muons, 10 jets, 12 e/gamma and 12 taus, 39 objects of three features.
CMSL1T_ROWS = (46, *range(4), *range(8, 18), *range(20, 44))


def select(
    x: KerasTensor, rows: Sequence[int], *, n_features: int = 3, name: str = "select"
) -> KerasTensor:
    """Take some rows of each event: wires alone, no logic.

    Parameters
    ----------
    x : KerasTensor, shape (n, m) or (n, rows, columns) or (n, rows, columns, 1)
        Inputs, such as those of `input_words`.
    rows : sequence of int
        Which rows, in the order in which they come out; such as `CMSL1T_ROWS`.
    n_features : int
        Numbers of a row, where `x` has one axis of values.
    name : str
        Of the layer.

    Returns
    -------
    KerasTensor
        Of as many axes as `x`.

    Raises
    ------
    ValueError
        There is no such row.
    """
    import keras

    width = n_features if len(x.shape) == 2 else 1
    n_rows = x.shape[1] // width
    if not rows or min(rows) < 0 or max(rows) >= n_rows:
        raise ValueError(f"{name}: rows {min(rows, default=0)} to {max(rows, default=-1)} of "
                         f"{n_rows} rows")  # fmt: skip
    # Runs of neighbours, [first, end): one slice each.
    runs: list[list[int]] = []
    for row in rows:
        if runs and runs[-1][1] == row:
            runs[-1][1] = row + 1
        else:
            runs.append([row, row + 1])
    taken = [x[:, first * width : end * width] for first, end in runs]
    return taken[0] if len(taken) == 1 else keras.layers.Concatenate(axis=1, name=name)(taken)


def limit(x: KerasTensor, words: str | Sequence[str], *, name: str = "limit") -> KerasTensor:
    """Saturate and cut values to smaller words, given as in `input_words`."""
    return quantiser(_listed(words), x.shape, overflow="SAT", rounding="TRN", name=name)(x)


def _listed(words: str | Sequence[str]) -> Sequence[str]:
    return [words] if isinstance(words, str) else words


def quantise(x: KerasTensor, word: str, *, name: str | None = None) -> KerasTensor:
    """Round values to one word, saturating."""
    return quantiser([word], x.shape, overflow="SAT", rounding="RND", name=name)(x)


def scale(x: KerasTensor, exponents: Sequence[int], *, name: str = "scale") -> KerasTensor:
    """Multiply by powers of two: a normalisation that costs no logic.

    Parameters
    ----------
    x : KerasTensor, shape (n, m) or (n, rows, columns) or (n, rows, columns, 1)
        Values in fixed point.
    exponents : sequence of int
        One for each feature, repeated over the objects, or one for each input; -7 divides by 128.
    name : str
        Name of the layer.

    Returns
    -------
    KerasTensor
        Of the shape of `x`.

    Raises
    ------
    ValueError
        The exponents do not divide the inputs, or are no whole numbers.
    """
    from hgq.layers import QEinsumDense

    n_inputs = math.prod(x.shape[1:])
    powers = np.asarray(exponents, np.float64)
    if not len(powers) or n_inputs % len(powers):
        raise ValueError(f"{name}: {len(powers)} exponents do not divide {n_inputs} inputs")
    if not np.array_equal(powers, np.rint(powers)):
        raise ValueError(f"{name}: exponents of two are whole numbers: -5 divides by 32")
    factors = np.exp2(np.tile(powers, n_inputs // len(powers)))
    word = _word_of(factors)
    layer = QEinsumDense(
        "bi,i->bi",
        output_shape=(n_inputs,),
        kq_conf=settings([word], (n_inputs,), place="weight"),
        enable_iq=False,
        trainable=False,
        name=name,
    )
    scaled = layer(flat(x, name))
    layer.kernel.assign(factors)
    return shaped(scaled, x.shape, name)


def _word_of(factors: np.ndarray) -> str:
    """Return a word that holds powers of two exactly."""
    high, low = int(np.log2(factors.max())), int(np.log2(factors.min()))
    return f"ufixed<{high - low + 1},{high + 1}>"
