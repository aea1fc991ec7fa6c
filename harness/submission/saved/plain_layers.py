"""Layers of Keras 2 and 3 as layers of Keras 3, from their settings; no class is looked up."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from harness.card.text import plain
from harness.errors import Problem
from harness.submission.layers import ALLOWED_FUNCTIONS, KERAS_LAYERS
from harness.submission.saved.layers import Layer
from harness.submission.saved.quantisers import Quantiser, UnknownQuantiserError, parse_quantiser

if TYPE_CHECKING:
    import keras

# What takes the place of a layer: called with its inputs, it gives its output.
Call: TypeAlias = Callable[..., Any]

# Settings of training, of names and of what a layer was built for.
_NAMES_LEFT_OUT = """
    name trainable dtype batch_input_shape batch_shape input_dim input_shape seed
    momentum synchronized fused renorm_momentum virtual_batch_size build_config
    autocast lora_rank lora_alpha quantization_config kernel_range bias_range
"""
_LEFT_OUT = frozenset(_NAMES_LEFT_OUT.split())
_TRAINING = ("_regularizer", "_initializer", "_constraint")
# Of old files: another name of the same setting.
_RENAMED = {("LeakyReLU", "alpha"): "negative_slope"}
# Keras 2 computes this one with another slope than Keras 3.
_CHANGED_FUNCTIONS = frozenset({"hard_sigmoid"})
# Layers of old files that draw numbers or normalise in training alone.
ADVICE = {
    "Lambda": "a Lambda holds code of Python: build the layers before and after it in model.py; "
    'for a sampling of a VAE take an earlier layer, such as `output="z_mean"`',
    "TFOpLambda": "save the model before this function of TensorFlow, and write the arithmetic "
    "in model.py, for a score by harness.heads",
    "SlicingOpLambda": "save the model before this slice, and slice in model.py",
    "TensorFlowOpLayer": "save the model before this function, and write it in model.py",
    "Conv2DTranspose": "use UpSampling2D and Conv2D",
    "Conv1DTranspose": "use UpSampling1D and Conv1D",
    "Masking": "leave it out: harness masks nothing",
    "LSTM": "a recurrent layer has no firmware here: use Dense or Conv1D",
    "GRU": "a recurrent layer has no firmware here: use Dense or Conv1D",
    "SimpleRNN": "a recurrent layer has no firmware here: use Dense or Conv1D",
    "MultiHeadAttention": "use hgq.layers.QMultiHeadAttention in model.py",
    "ThresholdedReLU": "use ReLU",
    "QDepthwiseConv2D": "use QConv2D",
    "QSeparableConv1D": "use QConv1D",
    "QSeparableConv2D": "use QConv2D",
    "QConv2DBatchnorm": "save QConv2D and QBatchNormalization as two layers",
    "QAveragePooling2D": "use MaxPooling2D, or QConv2D with strides",
    "QGlobalAveragePooling2D": "use Flatten and QDense",
    "QAdaptiveActivation": "save it as QActivation with the bits that it found",
}


class LayerError(ValueError):
    """A layer cannot be read; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def unknown(layer: Layer) -> LayerError:
    """Say that a layer is not known, and what to use."""
    fix = ADVICE.get(layer.kind, "build this part in model.py from layers of docs/submission.md")
    return LayerError(
        layer.problem("cannot be read", "layers of Keras of fixed meaning, or of QKeras", fix)
    )


def plain_layer(layer: Layer) -> Call:
    """Return a layer of Keras 3 that computes what the saved one does.

    Raises
    ------
    LayerError
        The layer is not known, or has a setting that is not.
    """
    import keras

    if layer.kind not in KERAS_LAYERS:
        raise unknown(layer)
    make = getattr(keras.layers, layer.kind)
    settings = plain_settings(layer, set(inspect.signature(make.__init__).parameters))
    try:
        made = make(**settings, name=own_name(layer), trainable=False)
    except (ValueError, TypeError) as error:
        raise LayerError(layer.problem(f"has settings that do not fit: {error}"[:300])) from error
    return with_weights(layer, made, [np.asarray(array) for array in layer.arrays])


def own_name(layer: Layer) -> str:
    """Return the name of a layer by itself, as an exported network may have it."""
    return "".join(c if c.isalnum() or c in "_.-" else "_" for c in layer.name.split("/")[-1])[:100]


def plain_settings(layer: Layer, known: set[str]) -> dict[str, Any]:
    """Return the settings that matter at inference; each is a number, a word or a list of them."""
    _check_type(layer)
    settings: dict[str, Any] = {}
    for key, value in layer.settings.items():
        name = _RENAMED.get((layer.kind, key), key)
        if key in _LEFT_OUT or key.endswith(_TRAINING):
            continue
        if name == "activation":
            settings[name] = activation(layer, value)
        elif name in known and _is_plain(value):
            settings[name] = value
        elif name == "axis" and isinstance(value, list) and len(value) == 1:
            settings[name] = value[0]
        elif value not in (None, False, [], 1):
            what = f"has the setting {plain(key)[:40]}={plain(str(value))[:60]}"
            raise LayerError(layer.problem(what, "settings that Keras 3 knows"))
    axis = settings.get("axis")
    if layer.kind == "BatchNormalization" and isinstance(axis, list) and len(axis) == 1:
        settings["axis"] = axis[0]
    return settings


def _check_type(layer: Layer) -> None:
    kind = layer.settings.get("dtype")
    if isinstance(kind, dict):  # a policy of Keras 3
        kind = (kind.get("config") or {}).get("name")
    if kind not in (None, "float32"):
        what = f"computes in {plain(str(kind))[:40]}"
        raise LayerError(layer.problem(what, "float32", "save the model in float32"))


def _is_plain(value: object) -> bool:
    if isinstance(value, list):
        return all(_is_plain(one) for one in value)
    return value is None or isinstance(value, bool | int | float | str)


def activation(layer: Layer, value: object) -> str:
    """Return the name of an activation.

    Raises
    ------
    LayerError
        It is not one of Keras, or not the same in Keras 3.
    """
    if isinstance(value, dict):  # Keras 3 writes a function so
        config = value.get("config")
        value = config if isinstance(config, str) else value.get("class_name")
    name = "linear" if value is None else str(value)
    if name not in ALLOWED_FUNCTIONS or ">" in name:
        raise LayerError(
            layer.problem(
                f"has the activation {plain(name)[:60]!r}",
                "an activation of Keras",
                "use relu; or build this layer in model.py",
            )
        )
    if name in _CHANGED_FUNCTIONS and not layer.is_keras_3:
        raise LayerError(
            layer.problem(
                f"has the activation {name}, which Keras 3 computes with another slope",
                "an activation that both compute alike",
                "use sigmoid, or build this layer in model.py",
            )
        )
    return name


def with_weights(layer: Layer, made: keras.layers.Layer, arrays: Sequence[Any]) -> Call:
    """Return the call of a layer that gets its weights when it is called first."""
    done: list[bool] = []

    def call(*inputs: object) -> object:
        outputs = made(*inputs)
        if not done:
            assign(layer, made.weights, arrays)
            if hasattr(made, "finalize_state"):  # Normalization keeps a copy of its weights
                made.finalize_state()
            done.append(True)
        return outputs

    return call


def assign(layer: Layer, variables: Sequence[keras.Variable], arrays: Sequence[Any]) -> None:
    """Give a layer its weights.

    Raises
    ------
    LayerError
        They are too few or too many, or of another shape.
    """
    variables = [one for one in variables if "seed_generator" not in one.path]
    found = [tuple(array.shape) for array in arrays]
    expected = [tuple(variable.shape) for variable in variables]
    if len(found) > len(expected) == 0:
        return  # the state of the random numbers of a dropout
    if found != expected:
        raise LayerError(
            layer.problem(
                f"the file has weights of the shapes {found}" if found else "has no weights here",
                f"the shapes {expected}",
                "save the model and its weights together, by model.save",
            )
        )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def quantiser_of(layer: Layer, key: str) -> Quantiser | None:
    """Return a quantiser of QKeras that a layer has under a key.

    Raises
    ------
    LayerError
        It is not known.
    """
    try:
        return parse_quantiser(layer.settings.get(key))
    except UnknownQuantiserError as error:
        raise LayerError(layer.problem(f"{key}: {error}", fix=error.fix)) from error
