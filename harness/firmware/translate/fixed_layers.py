"""One layer or operation of Keras as a layer of HGQ2 at fixed widths.

A layer that takes the place of another has its name. What comes in addition has a name with ``>``,
which no participant can give.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from harness.firmware.backend import UntranslatableError
from harness.firmware.translate.fixed_words import Floats, Words, layer_configs, nearest
from harness.firmware.translate.replacements import advise
from harness.submission.quantisers import quantiser, quantiser_config, word_of
from harness.submission.words import FixedPoint

if TYPE_CHECKING:
    import keras

# What takes the place of a layer: called with its inputs, it gives its output.
Call: TypeAlias = Callable[..., Any]

MERGED = {
    "Add": "QAdd",
    "Subtract": "QSubtract",
    "Multiply": "QMultiply",
    "Maximum": "QMaximum",
    "Minimum": "QMinimum",
}
# The layer that cuts the input of a network of plain Keras layers to its word.
INPUT_WORDS = "events>words"
# Settings of a dense layer that its quantised form keeps.
_DENSE = ("units", "equation", "output_shape", "bias_axes")


def no_form(
    operation: keras.Operation, what: str = "has no fixed-width form", fix: str = ""
) -> UntranslatableError:
    """Say that a layer cannot be rebuilt, and what to use instead."""
    kind = type(operation).__name__
    return UntranslatableError(
        what,
        where=f"layer {operation.name!r} ({kind})",
        expected="a layer that docs/firmware.md lists for networks of plain Keras layers",
        fix=fix or advise(kind),
    )


def added_name(operation: keras.Operation, what: str) -> str:
    """Return the name of a layer that comes in addition."""
    return f"{operation.name}>{what}"


def built_once(build: Callable[[Any], Call]) -> Call:
    """Return a call that builds its layers for the first input, and uses them for every other."""
    made: list[Call] = []

    def call(x: keras.KerasTensor) -> object:
        if not made:
            made.append(build(x))
        return made[0](x)

    return call


# --- Layers of weights ----------------------------------------------------------------------------


def input_words(words: Sequence[str], shape: tuple[int | None, ...]) -> Call:
    """Return the layer that cuts the network's input to its words."""
    n_inputs = math.prod(size for size in shape[1:] if size is not None)
    if n_inputs % len(words):
        raise UntranslatableError(
            f"{len(words)} words do not divide {n_inputs} inputs",
            where="submission.yaml, field precision.input",
            expected="one word, one for each feature of an object, or one for each input",
        )
    layer: Call = quantiser(words, shape, overflow="WRAP", rounding="TRN", name=INPUT_WORDS)
    return layer


def dense(layer: keras.layers.Layer, words: Words) -> Call:
    """Return a dense layer without its activation."""
    config = layer.get_config()
    settings = {key: config[key] for key in _DENSE if key in config}
    if "units" in settings:
        settings["use_bias"] = layer.use_bias
    weights = [np.asarray(weight) for weight in layer.weights]
    kind = f"Q{type(layer).__name__}"
    return weighted(kind, settings, weights, words, name=layer.name)


def weighted(
    kind: str,
    settings: Mapping[str, object],
    weights: Sequence[Floats],
    words: Words,
    *,
    name: str,
    weight_word: FixedPoint | None = None,
) -> Call:
    """Return a layer of HGQ2 with a kernel and, where `weights` has a second array, a bias."""
    import hgq.layers

    make = getattr(hgq.layers, kind)
    quantised = make(**settings, **layer_configs(words, weight_word), name=name)

    def call(inputs: keras.KerasTensor) -> keras.KerasTensor:
        outputs = quantised(inputs)
        for variable, value in zip((quantised.kernel, quantised.bias), weights, strict=False):
            variable.assign(value)
        return outputs

    return call


def batch_normalisation(layer: keras.layers.Layer, words: Words) -> Call:
    """Return a batch normalisation with the moments that were learnt."""
    from hgq.layers import QBatchNormalization

    # HGQ2 0.2.0 adds 1 where there is no centre, so the quantised layer always has one.
    quantised = QBatchNormalization(
        axis=layer.axis, epsilon=layer.epsilon, **layer_configs(words), name=layer.name
    )

    def call(inputs: keras.KerasTensor) -> keras.KerasTensor:
        outputs = quantised(inputs)
        if layer.scale:
            quantised.bn_gamma.assign(np.asarray(layer.gamma))
        if layer.center:
            quantised.bn_beta.assign(np.asarray(layer.beta))
        quantised.moving_mean.assign(np.asarray(layer.moving_mean))
        quantised.moving_variance.assign(np.asarray(layer.moving_variance))
        return outputs

    return call


# --- Layers of constants --------------------------------------------------------------------------


def normalisation(layer: keras.layers.Layer, words: Words) -> Call:
    """Return the subtraction of a mean and the division by a spread."""
    mean = np.asarray(layer.mean, np.float64)
    # As Keras does, against a division by zero.
    spread = np.maximum(np.sqrt(np.asarray(layer.variance, np.float64)), 1e-7)
    scale, offset = (spread, mean) if layer.invert else (1 / spread, -mean / spread)
    return scaled(layer, scale, offset, words)


def rescaling(layer: keras.layers.Layer, words: Words) -> Call:
    """Return a product with a constant and the sum with another."""
    return scaled(layer, layer.scale, layer.offset, words)


def scaled(
    layer: keras.layers.Layer, scale: ArrayLike, offset: ArrayLike, words: Words, what: str = ""
) -> Call:
    """Multiply by constants of as many significant bits as a weight, and add others.

    What comes in is not quantised first: such a layer stands where the values are not yet in the
    range of the activations.
    """
    import keras

    name = added_name(layer, what) if what else layer.name
    step = words["activations"].step
    constants = (
        nearest(scale, words["weights"].width),
        np.rint(np.asarray(offset, np.float64) / step) * step,
    )

    def build(x: keras.KerasTensor) -> Call:
        shape = x.shape[1:]
        rows = [np.broadcast_to(part, (1, *shape))[0].reshape(-1, shape[-1]) for part in constants]
        if all((part == part[0]).all() for part in rows):
            return _affine(rows[0][0], rows[1][0], name)
        flat = keras.layers.Flatten(name=added_name(layer, "flat"))
        product = _affine(rows[0].ravel(), rows[1].ravel(), name)
        shaped = keras.layers.Reshape(shape, name=added_name(layer, "shape"))
        return lambda x: shaped(product(flat(x)))

    return built_once(build)


def _affine(scale: Floats, offset: Floats, name: str) -> Call:
    """Multiply by a constant for each place of the last axis, and add another, both exactly."""
    from hgq.layers import QBatchNormalization

    layer = QBatchNormalization(
        epsilon=0.0,
        kq_conf=quantiser_config(word_of(scale), "weight"),
        bq_conf=quantiser_config(word_of(offset), "bias"),
        enable_iq=False,
        enable_ebops=False,
        name=name,
    )

    def call(x: keras.KerasTensor) -> keras.KerasTensor:
        outputs = layer(x)
        layer.bn_gamma.assign(scale)
        layer.bn_beta.assign(offset)
        return outputs

    return call


# --- Layers of several inputs ---------------------------------------------------------------------


def merge(layer: keras.layers.Layer, words: Words) -> Call:
    """Return a layer that adds, multiplies or compares quantised operands."""
    return merging(MERGED[type(layer).__name__], layer, words)


def average(layer: keras.layers.Layer, words: Words) -> Call:
    """Return a sum times a constant, which is exact for two, four or eight inputs."""
    added = merging("QAdd", layer, words)
    share = scaled(layer, 1 / len(layer.input), 0.0, words, "share")
    return lambda inputs: share(added(inputs))


def merging(kind: str, operation: keras.Operation, words: Words) -> Call:
    """Return a layer of HGQ2 of several quantised operands, which takes an operation's place."""
    import hgq.layers

    layer: Call = getattr(hgq.layers, kind)(
        iq_confs=quantiser_config(words["activations"], "datalane"),
        enable_ebops=False,
        name=operation.name,
    )
    return layer
