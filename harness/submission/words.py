"""Fixed-point words: how they are written, what they hold, and which events they cannot hold."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

MAX_WIDTH = 32
_WORD = re.compile(r"\s*(?:ap_)?(?P<unsigned>u?)(?P<kind>fixed|int)\s*<(?P<arguments>[^<>]*)>\s*\Z")
_NUMBER = re.compile(r"-?\d{1,2}\Z")
# The modes of ap_fixed (Vitis HLS, UG1399, "Arbitrary Precision Fixed-Point Data Types"), and of
# these what both translators can build: https://fastmachinelearning.org/hls4ml has the same names.
ROUNDING_MODES = ("TRN", "RND")
OVERFLOW_MODES = ("WRAP", "SAT", "SAT_SYM")
_OTHER_ROUNDING_MODES = ("TRN_ZERO", "RND_ZERO", "RND_INF", "RND_MIN_INF", "RND_CONV")
_OTHER_OVERFLOW_MODES = ("SAT_ZERO", "WRAP_SM")


@dataclass(frozen=True, slots=True)
class FixedPoint:
    """A fixed-point type, written ``fixed<W,I>`` or ``ufixed<W,I>`` as in hls4ml.

    Attributes
    ----------
    width : int
        Bits in all, the sign included.
    integer_bits : int
        Bits before the point, the sign included; negative for words of small values alone.
    is_signed : bool
        Whether the word has a sign.
    rounding, overflow : str or None
        One of `ROUNDING_MODES` and one of `OVERFLOW_MODES`; None where the text names none, so
        that the place of the word decides.
    """

    width: int
    integer_bits: int
    is_signed: bool = True
    rounding: str | None = None
    overflow: str | None = None

    @property
    def fraction_bits(self) -> int:
        """Bits after the point."""
        return self.width - self.integer_bits

    @property
    def magnitude_bits(self) -> int:
        """Bits before the point without the sign: HGQ2's i."""
        return self.integer_bits - self.is_signed

    @property
    def step(self) -> float:
        """Difference of neighbouring values."""
        return 2.0**-self.fraction_bits

    @property
    def lowest(self) -> float:
        """Smallest value."""
        return -(2.0**self.magnitude_bits) if self.is_signed else 0.0

    @property
    def highest(self) -> float:
        """Largest value."""
        return 2.0**self.magnitude_bits - self.step

    def __str__(self) -> str:
        """Write the word as hls4ml does."""
        modes = [mode for mode in (self.rounding, self.overflow) if mode]
        arguments = ",".join([str(self.width), str(self.integer_bits), *modes])
        return f"{'' if self.is_signed else 'u'}fixed<{arguments}>"


def parse_word(text: str) -> FixedPoint:
    """Read a fixed-point type as hls4ml and Vitis HLS write it.

    ``fixed<W,I>``, ``ufixed<W,I>``, ``int<W>`` and ``uint<W>``, each also with ``ap_`` before it;
    after W and I a rounding and an overflow mode may follow: ``ap_fixed<16,6,AP_RND,AP_SAT>``.

    Raises
    ------
    ValueError
        The text is no such word, one of no bits or of more than `MAX_WIDTH`, or has a mode that
        the firmware cannot build.

    Examples
    --------
    >>> parse_word("fixed<8,3>").lowest, parse_word("fixed<8,3>").highest
    (-4.0, 3.96875)
    >>> parse_word("ufixed<12,10>").step
    0.25
    >>> str(parse_word("ap_fixed<16, 6, AP_RND, AP_SAT>")), str(parse_word("ap_uint<8>"))
    ('fixed<16,6,RND,SAT>', 'ufixed<8,8>')
    """
    match = _WORD.match(text)
    arguments = [argument.strip() for argument in match["arguments"].split(",")] if match else []
    # An integer type has one number and no modes.
    n_numbers, n_most = (2, 5) if match and match["kind"] == "fixed" else (1, 1)
    numbers = arguments[:n_numbers]
    is_complete = n_numbers <= len(arguments) <= n_most
    if not match or not is_complete or not all(map(_NUMBER.match, numbers)):
        raise _no_word(text)
    if not 1 <= int(numbers[0]) <= MAX_WIDTH:
        raise _no_word(text)
    modes = _parse_modes(text, arguments[n_numbers:])
    return FixedPoint(int(numbers[0]), int(numbers[-1]), not match["unsigned"], *modes)


def _no_word(text: str) -> ValueError:
    cut = "; put it in quotes, YAML cuts it at its comma" if "<" in text and ">" not in text else ""
    return ValueError(
        f"{text[:40]!r} is no fixed-point type such as fixed<16,6> of 1 to {MAX_WIDTH} bits{cut}"
    )


def _parse_modes(text: str, modes: Sequence[str]) -> tuple[str | None, str | None]:
    """Read what follows W and I: a rounding mode, an overflow mode, and saturation bits of 0."""
    names = [mode.upper().removeprefix("AP_") for mode in modes]
    if names[2:] not in ([], ["0"]):
        raise ValueError(f"{text[:60]!r}: after the two modes only the number 0 may follow")
    rounding = _mode(text, "rounding", names[:1], ROUNDING_MODES, _OTHER_ROUNDING_MODES)
    return rounding, _mode(text, "overflow", names[1:2], OVERFLOW_MODES, _OTHER_OVERFLOW_MODES)


def _mode(
    text: str, kind: str, names: Sequence[str], known: Sequence[str], others: Sequence[str]
) -> str | None:
    if not names or names[0] in known:
        return names[0] if names else None
    possible = " or ".join(f"AP_{name}" for name in known)
    what = "is not built by this firmware" if names[0] in others else f"is no {kind} mode"
    raise ValueError(f"{text[:60]!r}: AP_{names[0][:20]} {what}: write {possible}")


def parse_input_word(text: str) -> FixedPoint:
    """Read the word of an input of the chip, which is cut to it: other bits do not arrive.

    Raises
    ------
    ValueError
        As `parse_word`, or the text asks to round or to saturate.
    """
    word = parse_word(text)
    if (word.rounding or "TRN", word.overflow or "WRAP") != ("TRN", "WRAP"):
        raise ValueError(
            f"{text[:60]!r}: an input is cut to its word and wraps around (AP_TRN, AP_WRAP), "
            "because its other bits do not reach the chip: leave the modes out"
        )
    return word


@dataclass(frozen=True, kw_only=True, slots=True)
class InputOverflow:
    """How many events have an input that the network's input words cannot hold.

    Attributes
    ----------
    n_events, n_outside : int
        Events looked at, and those with at least one input outside its word's range.
    share_by_input : ndarray of float64, shape (n_inputs,)
        For each input, the share of events whose value lies outside.
    """

    n_events: int
    n_outside: int
    share_by_input: NDArray[np.float64]

    @property
    def share(self) -> float:
        """Share of events with any input outside."""
        return self.n_outside / self.n_events if self.n_events else 0.0


def overflow_of_words(
    events: NDArray[np.float32], words: Sequence[FixedPoint | str]
) -> InputOverflow:
    """Measure which events lie outside the range of their input words.

    Parameters
    ----------
    events : ndarray of float32, shape (n, n_objects, n_features)
        pT [GeV], eta, phi [rad].
    words : sequence of FixedPoint or str
        One for each feature, or one for each input.

    Returns
    -------
    InputOverflow
        Rounding is no overflow: a value counts as outside if it is below the lowest value of
        its word, or a step or more above the highest.
    """
    parsed = [parse_word(word) if isinstance(word, str) else word for word in words]
    n_inputs = int(np.prod(events.shape[1:]))
    repeats = n_inputs // len(parsed)
    lowest = np.tile([word.lowest for word in parsed], repeats)
    end = np.tile([word.highest + word.step for word in parsed], repeats)
    return _overflow(events.reshape(len(events), n_inputs), lowest, end)


def input_overflow(model: keras.Model, events: NDArray[np.float32]) -> InputOverflow | None:
    """Measure which events lie outside what the first quantisers of a network can hold.

    Parameters
    ----------
    model : keras.Model
        A network of HGQ2 layers.
    events : ndarray of float32, shape (n, n_objects, n_features)
        The events.

    Returns
    -------
    InputOverflow or None
        None for a network whose input is not quantised. Of several quantisers on one input, the
        widest range counts.
    """
    lowest, end = _input_ranges(model)
    if lowest is None or end is None:
        return None
    return _overflow(events.reshape(len(events), -1), lowest.ravel(), end.ravel())


def _overflow(
    values: NDArray[np.float32], lowest: NDArray[np.float64], end: NDArray[np.float64]
) -> InputOverflow:
    outside = (values < lowest) | (values >= end)
    n_events = len(values)
    return InputOverflow(
        n_events=n_events,
        n_outside=int(outside.any(axis=1).sum()),
        share_by_input=outside.mean(axis=0) if n_events else np.zeros(values.shape[1]),
    )


def _input_ranges(
    model: keras.Model,
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """Return the lowest value and the end of the range of each input of a network."""
    lowest, ends = [], []
    for shape, quantiser in _first_quantisers(model):
        k, i, _ = (
            np.broadcast_to(np.asarray(part, np.float64), (1, *shape)).ravel()
            for part in quantiser.kif
        )
        lowest.append(-k * 2.0**i)
        ends.append(2.0**i)
    if not lowest:
        return None, None
    return np.min(lowest, axis=0), np.max(ends, axis=0)


def _first_quantisers(model: keras.Model) -> list[tuple[tuple[int, ...], keras.layers.Layer]]:
    """Return the fixed-point quantisers that act on the input itself, and the shape they see."""
    inputs = {id(model.inputs[0])}
    found = []
    for layer in model.layers:
        for node in layer._inbound_nodes:  # noqa: SLF001  # Keras has no public access to nodes
            places = [n for n, x in enumerate(node.input_tensors) if id(x) in inputs]
            if not places:
                continue
            if type(layer).__name__ in ("Reshape", "Flatten"):
                inputs |= {id(tensor) for tensor in node.output_tensors}
            shape = tuple(node.input_tensors[places[0]].shape[1:])
            found += [(shape, quantiser) for quantiser in _quantisers_at(layer, places)]
    return found


def _quantisers_at(layer: keras.layers.Layer, places: Sequence[int]) -> list[keras.layers.Layer]:
    """Return the inner quantisers of the inputs of a layer at `places`, if they are fixed point."""
    if type(layer).__name__ == "Quantizer":
        outer = [layer]
    elif getattr(layer, "enable_iq", False):
        several = getattr(layer.iq, "quantizers", None)
        outer = [several[place] for place in places] if several else [layer.iq]
    else:
        outer = []
    return [one.quantizer for one in outer if hasattr(one.quantizer, "kif")]
