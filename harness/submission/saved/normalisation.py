"""Batch normalisation as a product and a sum with constants, exactly as in float32."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.submission.saved.layers import Layer
from harness.submission.saved.plain_layers import Call, LayerError, own_name, quantiser_of
from harness.submission.saved.quantisers import Floats, quantised
from harness.submission.saved.word_configs import exact_config

_PART_BITS = 9


def normalisation(layer: Layer) -> Call:
    """Return a batch normalisation as a product and a sum with constants of float32, exactly."""
    scale, offset = scale_and_offset(layer)
    axis = layer.settings.get("axis", -1)
    axis = axis[0] if isinstance(axis, list) else axis
    return affine(layer, scale, offset, axis, own_name(layer))


def affine(layer: Layer, scale: Floats, offset: Floats, axis: int, name: str) -> Call:
    """Multiply each channel by a constant, and add another.

    A constant of 24 bits makes a product of 40, of which da4ml's interpreter cannot take every
    step; so the product is added up from constants of `_PART_BITS` bits.
    """
    from hgq.layers import QAdd

    parts = _parts_of(scale)
    if len(parts) == 1:
        return _product(layer, parts[0], offset, axis, name)
    zeros = np.zeros_like(offset)
    products = [
        _product(layer, part, zeros if n else offset, axis, f"{name}_{n}")
        for n, part in enumerate(parts)
    ]
    add = QAdd(enable_iq=False, name=name)
    return lambda x: add([product(x) for product in products])


def _parts_of(scale: Floats) -> list[Floats]:
    """Split constants into sums of some with few significant bits, the largest first."""
    parts: list[Floats] = []
    rest = np.asarray(scale, np.float64)
    while not parts or rest.any():
        mantissas, exponents = np.frexp(rest)
        part = np.ldexp(np.rint(np.ldexp(mantissas, _PART_BITS)), exponents - _PART_BITS)
        parts.append(np.asarray(part, np.float32))
        rest = rest - part
    return parts


def _product(layer: Layer, scale: Floats, offset: Floats, axis: int, name: str) -> Call:
    from hgq.layers import QBatchNormalization

    made = QBatchNormalization(
        axis=axis,
        epsilon=0.0,
        kq_conf=exact_config(scale, "weight"),
        bq_conf=exact_config(offset, "bias"),
        enable_iq=False,
        trainable=False,
        name=name,
    )
    done: list[bool] = []

    def call(inputs: Any) -> object:  # noqa: ANN401 a tensor
        if tuple(inputs.shape)[axis] != len(scale):
            raise LayerError(
                layer.problem(f"has {len(scale)} channels for values of {tuple(inputs.shape)}")
            )
        outputs = made(inputs)
        if not done:
            made.bn_gamma.assign(scale)
            made.bn_beta.assign(offset)
            done.append(True)
        return outputs

    return call


def scale_and_offset(layer: Layer) -> tuple[Floats, Floats]:
    """Return what a value is multiplied with, and what is added, as Keras computes them."""
    names = [
        *(["gamma"] if layer.settings.get("scale", True) else []),
        *(["beta"] if layer.settings.get("center", True) else []),
        "mean",
        "variance",
    ]
    shapes = {array.shape for array in layer.arrays}
    if len(layer.arrays) != len(names) or len(shapes) != 1 or len(layer.arrays[0].shape) != 1:
        raise LayerError(
            layer.problem(f"has {len(layer.arrays)} arrays of weights", ", ".join(names))
        )
    weights = {
        name: quantised(quantiser_of(layer, f"{name}_quantizer"), np.asarray(array, np.float32))
        for name, array in zip(names, layer.arrays, strict=True)
    }
    epsilon = np.float32(layer.settings.get("epsilon", 1e-3))
    scale = 1 / np.sqrt(weights["variance"] + epsilon)
    scale = np.asarray(scale * weights.get("gamma", np.float32(1)), np.float32)
    offset = weights.get("beta", np.float32(0)) - weights["mean"] * scale
    if not (np.isfinite(scale).all() and np.isfinite(offset).all()):
        raise LayerError(layer.problem("its variance is not above 0", "a trained normalisation"))
    return scale, np.asarray(offset, np.float32)
