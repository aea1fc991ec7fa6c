"""Where the words of a quantised network overflow, watched while it is evaluated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras
    from hgq.quantizer import Quantizer


@contextmanager
def watched(model: keras.Model) -> Iterator[dict[str, NDArray[np.bool_]]]:
    """Note, while the model runs eagerly, which events leave the range of which quantiser."""
    from hgq.quantizer import Quantizer

    names = dict(_data_quantisers(model))
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


def _data_quantisers(model: keras.Model) -> Iterator[tuple[int, str]]:
    """Yield identity and name of every quantiser of data, not of weights."""
    from hgq.layers.core.base import MultipleQuantizers
    from hgq.quantizer import Quantizer

    for layer in model.layers:
        if isinstance(layer, Quantizer):
            yield id(layer), layer.name
            continue
        for role in ("iq", "oq"):
            own = getattr(layer, role, None) if getattr(layer, f"enable_{role}", False) else None
            many = isinstance(own, MultipleQuantizers)
            quantisers: list[Quantizer] = [] if own is None else list(own) if many else [own]
            for index, quantiser in enumerate(quantisers):
                place = "input" if role == "iq" else "output"
                yield id(quantiser), f"{layer.name}.{place}{index if many else ''}"


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
