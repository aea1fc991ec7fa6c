"""Layers that hls4ml 1.3.0 reads wrongly or not at all, so that it stays a second translator."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partialmethod
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from harness.firmware.translate.selections import choosing

if TYPE_CHECKING:
    import keras
    from hls4ml.model.optimizer.passes.hgq_proxy_model import FixedPointQuantizer

# A layer of hls4ml before it is made: its name, kind, tensors and numbers.
_Config = dict[str, Any]


@contextmanager
def readable_by_hls4ml() -> Iterator[None]:
    """Mend how hls4ml reads tables and ReLU, and hand on to da4ml what it refuses to read."""
    from unittest.mock import patch

    from hls4ml.converters.keras_v3.core import ReLUHandler
    from hls4ml.converters.keras_v3.hgq2.unary_lut import QUnaryLUTHandler
    from hls4ml.converters.keras_v3.merge import MergeHandler
    from hls4ml.converters.keras_v3_to_hls import KerasV3HandlerDispatcher

    mended: tuple[tuple[type, str, Callable[..., object]], ...] = (
        (ReLUHandler, "handle", _read_relu),
        (QUnaryLUTHandler, "handle", _read_table),
        (MergeHandler, "handle", _read_joined),
        (KerasV3HandlerDispatcher, "v3_call", _read_or_refuse),
    )
    with ExitStack() as stack:
        stack.enter_context(_whole_addresses())
        stack.enter_context(_all_bits_for_da4ml())
        for owner, name, function in mended:
            before = getattr(owner, name)
            stack.enter_context(patch.object(owner, name, partialmethod(function, before)))
        yield


@contextmanager
def _whole_addresses() -> Iterator[None]:
    """Leave the word alone that is the address of a table.

    Where the values have fewer bits than a word, hls4ml makes the word shorter. The table behind it
    keeps all of its entries, so that another one would be looked up.
    """
    from hls4ml.model.optimizer.passes.bit_exact import (
        _produce_kif,
        get_output_layers,
        get_output_shape,
    )
    from hls4ml.model.optimizer.passes.hgq_proxy_model import FixedPointQuantizer, UnaryLUT

    shorten = _produce_kif.dispatch(FixedPointQuantizer)

    def produce(layer: FixedPointQuantizer) -> object:
        if not any(isinstance(reader, UnaryLUT) for reader in get_output_layers(layer)):
            return shorten(layer)
        k, width, integer = (np.asarray(part[0], np.int16) for part in layer.mask_kbi)
        shape = get_output_shape(layer)
        return tuple(np.broadcast_to(bits, shape) for bits in (k, integer - k, width - integer))

    _produce_kif.register(FixedPointQuantizer, produce)
    try:
        yield
    finally:
        _produce_kif.register(FixedPointQuantizer, shorten)


@contextmanager
def _all_bits_for_da4ml() -> Iterator[None]:
    """Give all bits to a layer that hls4ml hands to da4ml.

    hls4ml asks for the bits that da4ml's program reads, but looks for it under a wrong name.
    """
    from hls4ml.model.layers import DACombinational
    from hls4ml.model.optimizer.passes.bit_exact import _request_kif

    before = _request_kif.dispatch(DACombinational)
    _request_kif.register(DACombinational, _request_kif.dispatch(object))
    try:
        yield
    finally:
        _request_kif.register(DACombinational, before)


def _read_table(
    handler: object, read: Callable[..., object], layer: keras.layers.Layer, *tensors: object
) -> object:
    """Read a table whose words could differ from entry to entry, but do not.

    Where they do, hls4ml does not find the one word that it asks for, and fails.
    """
    from unittest.mock import patch

    with patch.object(layer, "_allow_heterogeneous_table", new=False):
        return read(handler, layer, *tensors)


def _read_relu(
    handler: object,
    read: Callable[..., tuple[_Config, ...]],
    layer: keras.layers.Layer,
    inputs: Sequence[keras.KerasTensor],
    outputs: Sequence[keras.KerasTensor],
) -> tuple[_Config, ...]:
    """Read a ReLU that ends at a largest value c as the same without it, and min(y, c) behind it.

    That is c - relu(c - y), which is exact.
    """
    cap = getattr(layer, "max_value", None)
    if cap is None or math.isinf(cap):
        return read(handler, layer, inputs, outputs)
    layer.max_value = None
    try:
        (config,) = read(handler, layer, inputs, outputs)
    finally:
        layer.max_value = cap
    shape = outputs[0].shape[1:]
    n_filt, n_in = shape[-1], math.prod(shape)
    distance = {
        "class_name": "BatchNormalization",
        "n_in": n_in,
        "n_filt": n_filt,
        "scale_data": np.full(n_filt, -1.0),
        "bias_data": np.full(n_filt, float(cap)),
    }
    relu = {"class_name": "Activation", "activation": "relu", "n_in": n_in}
    return _in_a_row(config, distance, relu, distance)


def _in_a_row(first: _Config, *others: Mapping[str, Any]) -> tuple[_Config, ...]:
    """Put layers behind a layer that hls4ml read; the last one gives its output."""
    name, (output,) = first["name"], first["output_keras_tensor_names"]
    tensors = [*(f"{output}_{place}" for place in range(len(others))), output]
    row = [first | {"output_keras_tensor_names": [tensors[0]]}]
    for place, other in enumerate(others):
        row.append(
            {
                **other,
                "name": f"{name}_{place}",
                "input_shape": first["input_shape"],
                "input_keras_tensor_names": [tensors[place]],
                "output_keras_tensor_names": [tensors[place + 1]],
            }
        )
    return tuple(row)


def _read_joined(
    handler: Any,  # noqa: ANN401 no types there
    read: Callable[..., object],
    layer: keras.layers.Layer,
    inputs: Sequence[keras.KerasTensor],
    outputs: Sequence[keras.KerasTensor],
    *kind: str,
) -> object:
    """Read a layer that joins more than two inputs as layers that join two each.

    Its axis is counted from the end: a positive one counts the axis of the events, which the widths
    do not have. Other layers of two inputs get both in the shape of what comes out.
    """
    if type(layer).__name__ != "Concatenate":
        config = read(handler, layer, inputs, outputs, *kind)
        return _repeated(handler, cast("_Config", config), inputs, outputs[0])
    from unittest.mock import patch

    axis = layer.axis - len(outputs[0].shape) if layer.axis > 0 else layer.axis
    if len(inputs) < 3:
        with patch.object(layer, "axis", axis):
            return read(handler, layer, inputs, outputs, *kind)
    before, shape, row = inputs[0].name, list(inputs[0].shape[1:]), []
    for place, tensor in enumerate(inputs[1:], 1):
        shapes = [list(shape), list(tensor.shape[1:])]
        shape[axis] += tensor.shape[1:][axis]
        is_last = place == len(inputs) - 1
        after = outputs[0].name if is_last else f"{outputs[0].name}_{place}"
        row.append(
            {
                **handler.default_config,
                "name": f"{layer.name}_{place}",
                "class_name": "Concatenate",
                "op": f"Concatenate{len(shape)}d",
                "axis": axis,
                "input_shape": shapes,
                "output_shape": list(shape),
                "input_keras_tensor_names": [before, tensor.name],
                "output_keras_tensor_names": [after],
            }
        )
        before = after
    return tuple(row)


def _repeated(
    handler: Any,  # noqa: ANN401 no types there
    config: _Config,
    inputs: Sequence[keras.KerasTensor],
    output: keras.KerasTensor,
) -> _Config | tuple[_Config, ...]:
    """Repeat the values of an input that is smaller than the output, by constants of 0 and 1.

    hls4ml takes the inputs of a sum or a product value by value, whatever their shapes.
    """
    target = tuple(output.shape[1:])
    if config["class_name"] != "Merge" or all(tuple(x.shape[1:]) == target for x in inputs):
        return config
    row: list[_Config] = []
    names: list[str] = []
    for place, x in enumerate(inputs):
        names.append(x.name)
        if tuple(x.shape[1:]) != target:
            names[-1] = f"{x.name}_{place}_repeated"
            row += _repeating(x, target, names[-1])
    joined = {
        **handler.default_config,
        **config,
        "input_shape": [list(target) for _ in inputs],
        "input_keras_tensor_names": names,
    }
    return (*row, joined)


def _repeating(x: keras.KerasTensor, target: Sequence[int], after: str) -> Iterator[_Config]:
    """Give the layers that make a tensor one of another shape, as NumPy repeats its values."""
    shape = tuple(x.shape[1:])
    n_in, n_out = math.prod(shape), math.prod(target)
    matrix = choosing(np.broadcast_to(np.arange(n_in).reshape(shape), target), n_in)
    steps: tuple[tuple[str, Sequence[int], _Config], ...] = (
        ("Reshape", [n_in], {"target_shape": [n_in]}),
        (
            "Dense",
            [n_out],
            {"n_in": n_in, "n_out": n_out, "weight_data": matrix, "bias_data": None}
            | {"use_bias": False, "data_format": "channels_last"},
        ),
        ("Reshape", target, {"target_shape": list(target)}),
    )
    before, before_shape = x.name, list(shape)
    for step, (kind, given_shape, config) in enumerate(steps):
        name = after if step == len(steps) - 1 else f"{after}_{step}"
        yield {
            **config,
            "class_name": kind,
            "name": f"{after}_layer_{step}",
            "input_shape": [before_shape],
            "input_keras_tensor_names": [before],
            "output_keras_tensor_names": [name],
        }
        before, before_shape = name, list(given_shape)


def _read_or_refuse(
    dispatcher: object,
    read: Callable[..., tuple[_Config, ...] | None],
    layer: keras.layers.Layer,
    inputs: Sequence[keras.KerasTensor],
    outputs: Sequence[keras.KerasTensor],
) -> tuple[_Config, ...] | None:
    """Say None of a layer that hls4ml fails to read; then it asks da4ml for this one layer."""
    try:
        return read(dispatcher, layer, inputs, outputs)
    except Exception:  # noqa: BLE001 hls4ml asserts, and raises what Keras and NumPy raise
        return None
