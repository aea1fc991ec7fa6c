"""Layers that HGQ2's tracer does not know, or reads otherwise than Keras computes them.

They are known while a network is traced, and no longer: hls4ml hands to da4ml every layer that
the tracer knows and hls4ml has no reader of its own for, and would be no second translator of it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras
    from da4ml.trace import FixedVariableArray

# Layers that only connect values.
WIRING = frozenset(
    {
        "Cropping1D",
        "Cropping2D",
        "Permute",
        "UpSampling1D",
        "UpSampling2D",
        "ZeroPadding1D",
        "ZeroPadding2D",
    }
)


def is_wiring(operation: keras.Operation) -> bool:
    """Say whether an operation is a layer of Keras that only connects values."""
    is_plain = type(operation).__module__.startswith("keras.src.layers")
    is_copy = getattr(operation, "interpolation", "nearest") == "nearest"
    return is_plain and is_copy and type(operation).__name__ in WIRING


@contextmanager
def layers_in_da4ml() -> Iterator[None]:
    """Let da4ml trace these layers as Keras computes them."""
    import hgq.layers
    import keras
    from hgq._dais_tracer.layers import _registry
    from hgq._dais_tracer.layers._base import ReplayOperationBase

    before = dict(_registry)
    calls = {
        tuple(getattr(keras.layers, name) for name in sorted(WIRING)): _connect,
        (keras.layers.Concatenate,): _join,
        (hgq.layers.QConv1D, hgq.layers.QConv2D): _convolve,
        (hgq.layers.QAffinedUnaryFunctionLUT,): _look_up,
    }
    for handles, call in calls.items():
        members = {"handles": handles, "call": lambda self, *x, call=call: call(self.op, *x)}
        members["__activation_handled__"] = call is _look_up
        # HGQ2 takes up a class of this kind when it is made.
        type("Replay", (ReplayOperationBase,), members)
    try:
        with warnings.catch_warnings():
            # HGQ2 asks for arrays of variables in a way that NumPy 2 warns of.
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        _registry.clear()
        _registry.update(before)


def _connect(layer: keras.layers.Layer, inputs: FixedVariableArray) -> FixedVariableArray:
    """Return each output's input, which the layer itself finds: it is given their numbers."""
    from da4ml.trace import FixedVariableArray

    # From 1 on, as a layer that pads puts 0 outside; float32 counts exactly far beyond any network.
    numbers = np.arange(1, inputs.size + 1, dtype=np.float32).reshape(1, *inputs.shape)
    sources = np.asarray(layer(numbers))[0].astype(np.int64)
    values = np.asarray([0.0, *np.asarray(inputs).ravel()], dtype=object)
    return FixedVariableArray(values[sources], inputs.solver_options)


def _join(
    layer: keras.layers.Concatenate, inputs: Sequence[FixedVariableArray]
) -> FixedVariableArray:
    """Join parts of different lengths, which the tracer broadcasts against each other."""
    joined: FixedVariableArray = np.concatenate([part[None] for part in inputs], axis=layer.axis)
    return joined[0]


def _convolve(layer: Any, inputs: FixedVariableArray) -> FixedVariableArray:  # noqa: ANN401 of HGQ2
    """Convolve channel group by group, and with the past alone where the padding is causal."""
    import keras
    from hgq._dais_tracer.layers.conv import symbolic_extract_patches

    padding = layer.padding
    if padding == "causal":
        n_past = (layer.kernel_size[0] - 1) * layer.dilation_rate[0]
        inputs = _connect(keras.layers.ZeroPadding1D((n_past, 0)), inputs)
        padding = "valid"
    patches = symbolic_extract_patches(
        inputs,
        size=layer.kernel_size,
        strides=layer.strides,
        dilation_rate=layer.dilation_rate,
        padding=padding,
        data_format="channels_last",
    )
    kernel = np.asarray(layer.qkernel)
    *places, n_channels, n_filters = kernel.shape
    places = [int(np.prod(places)), layer.groups, n_channels]
    patches = patches.reshape(*patches.shape[:-1], *places)
    kernel = kernel.reshape(places[0], n_channels, layer.groups, n_filters // layer.groups)
    outputs = np.einsum("...pgc,pcgo->...go", patches, kernel)
    outputs = outputs.reshape(*outputs.shape[:-2], n_filters)
    return outputs if layer.qbias is None else outputs + np.asarray(layer.qbias)


def _look_up(layer: Any, inputs: FixedVariableArray) -> FixedVariableArray:  # noqa: ANN401 of HGQ2
    """Look a function of a scaled and shifted value up, computed in float32 as Keras does."""
    return inputs.apply(
        lambda x: np.asarray(layer.activation(x.astype(np.float32) * layer.scale + layer.bias))
    )
