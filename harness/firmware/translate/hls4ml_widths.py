"""Layers that hls4ml 1.3.0 writes in C++, but does not find or has no rule of exact widths for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

# Bits of sign, before the point without it, and after the point, of each value of a layer.
Bits: TypeAlias = tuple[NDArray[np.int16], NDArray[np.int16], NDArray[np.int16]]


@contextmanager
def widths_in_hls4ml() -> Iterator[None]:
    """Let hls4ml find the widths behind these layers."""
    from hls4ml.model import layers
    from hls4ml.model.optimizer.passes.bit_exact import _produce_kif, get_output_shape

    pool = _produce_kif.dispatch(layers.GlobalPooling2D)

    def pooled(node: Any) -> Bits:  # noqa: ANN401 a layer of hls4ml
        """Give hls4ml's own widths the shape of the outputs: it leaves one axis too many."""
        signs, before, after = (part.reshape(get_output_shape(node)) for part in pool(node))
        return signs, before, after

    moving = (
        *(layers.Cropping1D, layers.Cropping2D, layers.Resize),
        *(layers.ZeroPadding1D, layers.ZeroPadding2D),
    )
    rules = {
        **dict.fromkeys(moving, _moved),
        layers.PReLU: _rectified,
        layers.GlobalPooling2D: pooled,
    }
    before = {kind: _produce_kif.dispatch(kind) for kind in rules}
    for kind, rule in rules.items():
        _produce_kif.register(kind, rule)
    try:
        yield
    finally:
        for kind, rule in before.items():
            _produce_kif.register(kind, rule)


@contextmanager
def distributed_in_hls4ml() -> Iterator[None]:
    """Let a layer of the strategy ``distributed_arithmetic`` have one word for all of its inputs.

    hls4ml reads the widths of such a quantiser as those of a single input.
    """
    from hls4ml.backends.vivado.passes import distributed_arithmetic as passes

    read = passes._get_input_kif  # noqa: SLF001 hls4ml has no other place to say it

    def of_each(node: Any) -> Bits:  # noqa: ANN401 a layer of hls4ml
        shape = node.get_input_variable().shape
        signs, before, after = (np.broadcast_to(part, shape).copy() for part in read(node))
        return signs, before, after

    passes._get_input_kif = of_each  # noqa: SLF001 as above
    try:
        yield
    finally:
        passes._get_input_kif = read  # noqa: SLF001 as above


@contextmanager
def attention_in_hls4ml() -> Iterator[None]:
    """Let hls4ml find its readers of attention, which it looks for by names of an older HGQ2."""
    from hls4ml.converters.keras_v3._base import registry

    moved = {
        "hgq.layers.attn.mha.QMultiHeadAttention": "multi_head_attention.QMultiHeadAttention",
        "hgq.layers.attn.linformer.QLinformerAttention": "linformer_attention.QLinformerAttention",
    }
    before = dict(registry)
    registry.update({new: registry[f"hgq.layers.{old}"] for new, old in moved.items()})
    try:
        yield
    finally:
        registry.clear()
        registry.update(before)


def _bits_of_input(node: Any) -> Bits:  # noqa: ANN401 as above
    from hls4ml.model.optimizer.passes.bit_exact import get_input_layers, produce_kif

    (source,) = get_input_layers(node)
    bits: Bits = produce_kif(source)
    return bits


def _moved(node: Any) -> Bits:  # noqa: ANN401 as above
    signs, before, after = (_move(node, part) for part in _bits_of_input(node))
    return signs, before, after


def _move(node: Any, bits: NDArray[np.int16]) -> NDArray[np.int16]:  # noqa: ANN401 as above
    """Do to the bits of each value what the layer does to the values."""
    planes = [("top", "bottom"), ("left", "right")][-(bits.ndim - 1) :]
    if node.class_name.startswith("ZeroPadding"):
        added = [[node.attributes[f"pad_{side}"] for side in sides] for sides in planes]
        return np.pad(bits, [*added, [0, 0]])
    if node.class_name.startswith("Cropping"):
        cut = [[node.attributes[f"crop_{side}"] for side in sides] for sides in planes]
        return bits[tuple(slice(a, n - b) for (a, b), n in zip(cut, bits.shape, strict=False))]
    for axis, name in enumerate(("height_factor", "width_factor")[-(bits.ndim - 1) :]):
        bits = np.repeat(bits, node.attributes[name], axis=axis)
    return bits


def _rectified(node: Any) -> Bits:  # noqa: ANN401 as above
    """Return the widths of a value, or of its product with the slope of negative ones."""
    from hls4ml.utils.qinterval import minimal_kif

    signs, before, after = _bits_of_input(node)
    slopes = np.asarray(node.attributes["param"].data).reshape(signs.shape)
    _, slope_before, slope_after = minimal_kif(slopes)
    product_before = before + np.maximum(slope_before, 0) + 1
    return np.ones_like(signs), product_before, after + np.maximum(slope_after, 0)
