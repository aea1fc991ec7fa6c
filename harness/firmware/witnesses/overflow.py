"""Where the words of a quantised network overflow, watched while it is evaluated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from harness.firmware.translate.tables import saturates_freely
from harness.firmware.translate.tracing import input_quantisers

if TYPE_CHECKING:
    import keras
    from hgq.quantizer import Quantizer


@contextmanager
def watched(model: keras.Model) -> Iterator[dict[str, NDArray[np.bool_]]]:
    """Note, while the model runs eagerly, which events leave the range of which quantiser.

    Left out are those that lose nothing: one that wraps as the participant wrote it, and the
    address of a table whose function is constant beyond.
    """
    from hgq.quantizer import Quantizer

    first = {id(quantiser) for quantiser in input_quantisers(model)}
    names = {
        id(quantiser): name
        for quantiser, name in _data_quantisers(model)
        if id(quantiser) in first or not _wraps_on_purpose(quantiser)
    }
    seen: dict[str, NDArray[np.bool_]] = {}
    original = Quantizer.call

    def call(self: Quantizer, inputs: keras.KerasTensor, training: object = None) -> object:
        name = names.get(id(self))
        if name is not None:
            outside = _outside(self, inputs)
            if outside is not None:
                seen[name] = seen[name] | outside if name in seen else outside
        return original(self, inputs, training=training)

    Quantizer.call = call
    try:
        yield seen
    finally:
        Quantizer.call = original


def _wraps_on_purpose(quantiser: Quantizer) -> bool:
    """Say whether a word has fixed bits and wraps: HGQ2's default wraps, but its bits are trained.

    The words of the network's input wrap as well: there, what lies outside never arrives.
    """
    inner = quantiser.quantizer
    return getattr(inner, "overflow_mode", "") == "WRAP" and not inner.trainable


def _data_quantisers(model: keras.Model) -> Iterator[tuple[Quantizer, str]]:
    """Yield every quantiser of data, not of weights, and its name."""
    from hgq.layers.core.base import MultipleQuantizers
    from hgq.quantizer import Quantizer

    for layer in model.layers:
        if isinstance(layer, Quantizer):
            yield layer, layer.name
            continue
        if saturates_freely(layer):
            continue
        for role in ("iq", "oq"):
            own = getattr(layer, role, None) if getattr(layer, f"enable_{role}", False) else None
            many = isinstance(own, MultipleQuantizers)
            quantisers: list[Quantizer] = [] if own is None else list(own) if many else [own]
            for index, quantiser in enumerate(quantisers):
                place = "input" if role == "iq" else "output"
                yield quantiser, f"{layer.name}.{place}{index if many else ''}"


def _outside(quantiser: Quantizer, inputs: object) -> NDArray[np.bool_] | None:
    """Return which events have a value that the quantiser's words cannot hold, rounding aside."""
    import keras
    from hgq.quantizer.internal import FixedPointQuantizerBase

    inner = quantiser.quantizer
    if not isinstance(inner, FixedPointQuantizerBase) or quantiser.scaler or quantiser.affine:
        return None
    values = np.asarray(keras.ops.convert_to_numpy(inputs), np.float64)
    shape = keras.ops.shape(inputs)
    sign, integer, fraction = (
        np.asarray(inner.bw_mapper.bw_to_x(part, shape), np.float64) for part in inner.kif
    )
    step = 2.0**-fraction
    rounded = _round(values / step, inner.round_mode) * step
    is_kept = sign + integer + fraction > 0
    outside = ((rounded < -sign * 2.0**integer) | (rounded >= 2.0**integer)) & is_kept
    return cast("NDArray[np.bool_]", outside.reshape(len(values), -1).any(axis=1))


def _round(values: NDArray[np.float64], round_mode: str) -> NDArray[np.float64]:
    if round_mode.endswith("CONV"):
        return np.rint(values)
    return np.floor(values + 0.5 if round_mode.endswith("RND") else values)
