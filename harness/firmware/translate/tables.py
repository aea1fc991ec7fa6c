"""The words of lookup tables: a range in which the function changes, in steps that do not show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.submission.functions import TableOfValues
from harness.submission.words import FixedPoint

if TYPE_CHECKING:
    import keras

# A function of Keras, of one tensor.
Function: TypeAlias = Callable[..., Any]

# A table over more bits than this costs more than the rest of a network.
MAX_TABLE_BITS = 10
# Neighbouring entries of a table may lie this many steps of its output apart.
MAX_JUMP = 4
# What lies beyond an address is looked at up to this many times two.
_FAR_BITS = 10
# In place of infinity, which no difference can be taken of.
_FINITE = 1e30
_TAIL = np.linspace(0.0, 1.0, 1025) ** 3


def address_word(function: Function, word: FixedPoint, output: FixedPoint) -> FixedPoint:
    """Choose the word of a table's address: the shortest range in which the function changes.

    Beyond a range the address saturates, so the function must stay there within half a step of
    the output's word. All bits that are left are bits after the point, as far as `word` has them.
    A word that wraps keeps its whole range: what lies beyond a shorter one would come back in.

    Parameters
    ----------
    function : callable
    word : FixedPoint
        Of the values that are looked up.
    output : FixedPoint
        Of the entries.
    """
    shortest = min(word.integer_bits, int(word.is_signed))
    if word.overflow == "WRAP":
        shortest = word.integer_bits
    ranges = (_address(word, bits) for bits in range(shortest, word.integer_bits))
    constant_beyond = (one for one in ranges if _is_constant_beyond(function, one, word, output))
    return next(constant_beyond, _address(word, word.integer_bits))


def _address(word: FixedPoint, integer_bits: int) -> FixedPoint:
    width = max(1, min(MAX_TABLE_BITS, integer_bits + word.fraction_bits))
    return replace(word, width=width, integer_bits=integer_bits)


def _is_constant_beyond(
    function: Function, address: FixedPoint, word: FixedPoint, output: FixedPoint
) -> bool:
    ends = [(address.highest, word.highest), (address.lowest, word.lowest)]
    tails = [_entries(function, near + (far - near) * _TAIL, output) for near, far in ends]
    # Entries that wrap are not constant: where they lie outside of their word, they are anything.
    fits = output.overflow != "WRAP" or max(np.abs(tail).max() for tail in tails) <= output.highest
    return fits and all(np.abs(tail - tail[0]).max() <= output.step / 2 for tail in tails)


def _entries(
    function: Function, values: NDArray[np.float64], output: FixedPoint
) -> NDArray[np.float64]:
    import keras

    exact = np.asarray(function(keras.ops.convert_to_tensor(values, "float64")), np.float64)
    is_wrapping = output.overflow == "WRAP"
    ends = (-_FINITE, _FINITE) if is_wrapping else (output.lowest, output.highest)
    return np.clip(exact, *ends)


def saturates_freely(layer: keras.layers.Layer) -> bool:
    """Say whether a table gives the same for all values beyond its address, which saturates."""
    from hgq.layers import QUnaryFunctionLUT

    if not (isinstance(layer, QUnaryFunctionLUT) and layer.enable_iq and layer.enable_oq):
        return False
    if isinstance(layer.activation, TableOfValues):
        return False  # what the function is beyond its values, nobody said
    address, output = _word_of(layer.iq), _word_of(layer.oq)
    if address is None or output is None or layer.iq.quantizer.overflow_mode == "WRAP":
        return False
    magnitude = address.magnitude_bits + _FAR_BITS
    far = FixedPoint(magnitude + 1 + address.fraction_bits, magnitude + 1)
    return _is_constant_beyond(layer.activation, address, far, output)


def coarse_tables(model: keras.Model, declared: FixedPoint | None) -> Iterator[str]:
    """Yield a warning for each table whose entries jump because its address has too few bits.

    Parameters
    ----------
    model : keras.Model
        A quantised network.
    declared : FixedPoint or None
        The word of activations of a network of plain Keras layers.
    """
    from hgq.layers import QUnaryFunctionLUT

    for layer in model.operations:
        if not isinstance(layer, QUnaryFunctionLUT) or isinstance(layer.activation, TableOfValues):
            continue
        if layer.enable_iq and layer.enable_oq:
            address, output = _word_of(layer.iq), _word_of(layer.oq)
            if address is not None and output is not None:
                yield from _warn(layer, address, output, declared)


def _warn(
    layer: keras.layers.Layer, address: FixedPoint, output: FixedPoint, declared: FixedPoint | None
) -> Iterator[str]:
    jump = _largest_jump(layer.activation, address, output)
    if jump <= MAX_JUMP:
        return
    name = f"the table of layer {layer.name!r} ({layer.activation.__name__})"
    told = (
        f"warning: {name} reads its input in steps of {address.step:g}: "
        f"neighbouring entries differ by up to {jump:.0f} steps of its output"
    )
    better = address_word(layer.activation, address, output)
    if better.integer_bits < address.integer_bits:
        finer = FixedPoint(address.width, better.integer_bits, address.is_signed)
        yield f"{told}; {finer} covers all values at which it changes, in steps of {finer.step:g}"
    elif declared is not None and address.fraction_bits < declared.fraction_bits:
        yield (
            f"{told}, as an address has {MAX_TABLE_BITS} bits and activations are {declared}; "
            "give activations fewer bits before the point, or take a function that is constant "
            "for large values"
        )


def _largest_jump(function: Function, address: FixedPoint, output: FixedPoint) -> float:
    """Return the largest difference of neighbouring entries, in steps of the output."""
    n_entries = 2**address.width
    values = address.lowest + address.step * np.arange(n_entries, dtype=np.float64)
    entries = _entries(function, values, output)
    return float(np.abs(np.diff(entries)).max(initial=0.0) / output.step)


def _word_of(quantiser: Any) -> FixedPoint | None:  # noqa: ANN401 no types there
    """Return the one word of a quantiser; None if it has several, no bits, or no fixed point."""
    parts = getattr(quantiser.quantizer, "kif", None)
    values = [] if parts is None else [np.unique(np.asarray(part)) for part in parts]
    if [len(value) for value in values] != [1, 1, 1]:
        return None
    k, i, f = (int(value[0]) for value in values)
    overflow = "WRAP" if quantiser.quantizer.overflow_mode == "WRAP" else None
    word = FixedPoint(k + i + f, k + i, bool(k), overflow=overflow)
    return word if 0 < word.width <= 2 * MAX_TABLE_BITS else None
