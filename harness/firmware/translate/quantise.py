"""A network of plain Keras layers rebuilt as one of HGQ2 layers, at fixed widths.

The translators read quantised layers alone. A float network with a declared precision becomes a
quantised one: weights are rounded to the words for weights, every layer's input to those for
activations, the network's own input to the words for inputs. A layer may have words of its own.
From then on that network is the reference: its scores are the firmware's, and how far they lie
from the float network's shows in the physics.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from harness.errors import Problem
from harness.firmware.backend import UntranslatableError
from harness.firmware.tools import Files
from harness.firmware.translate import (
    fixed_activations,
    fixed_images,
    fixed_layers,
    fixed_operations,
)
from harness.firmware.translate.da4ml_layers import is_wiring
from harness.firmware.translate.fixed_activations import is_plain_relu
from harness.firmware.translate.fixed_layers import Call, no_form
from harness.firmware.translate.fixed_words import Words, read_widths
from harness.firmware.translate.inline import NOTHING, inlined, without_other_uses
from harness.firmware.translate.names import number_tensors, require_layers
from harness.firmware.translate.tracing import input_quantisers

if TYPE_CHECKING:
    import keras

# Layers that compute nothing, or nothing but wiring.
_UNCHANGED = frozenset(
    ["Concatenate", "Flatten", "InputLayer", "RepeatVector", "Reshape", *NOTHING]
)
_Make: TypeAlias = Callable[[Any, Words], Call]
_WITH_ACTIVATION: Mapping[str, _Make] = {
    **dict.fromkeys(("Dense", "EinsumDense"), fixed_layers.dense),
    **dict.fromkeys(("Conv1D", "Conv2D"), fixed_images.convolution),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), fixed_images.convolution),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), fixed_images.separable_convolution),
}
_LAYERS: Mapping[str, _Make] = {
    **dict.fromkeys(fixed_layers.MERGED, fixed_layers.merge),
    "Average": fixed_layers.average,
    "BatchNormalization": fixed_layers.batch_normalisation,
    "Normalization": fixed_layers.normalisation,
    "Rescaling": fixed_layers.rescaling,
    "Activation": fixed_activations.activation,
    "ELU": fixed_activations.exponential_unit,
    **dict.fromkeys(("ReLU", "LeakyReLU"), fixed_activations.rectifier),
    "PReLU": fixed_activations.parametric_rectifier,
    **dict.fromkeys(fixed_images.MAX_POOLING, fixed_images.max_pooling),
    **dict.fromkeys(fixed_images.AVERAGE_POOLING, fixed_images.average_pooling),
}
# Operations of `keras.ops`; None for those that are wiring, or that da4ml reads as they are.
_OPERATIONS: Mapping[str, _Make | None] = {
    "Square": fixed_operations.square,
    "Power": fixed_operations.power,
    **dict.fromkeys(("Multiply", "Add", "Subtract", "Maximum", "Minimum"), fixed_operations.pair),
    **dict.fromkeys(("Divide", "TrueDivide"), fixed_operations.quotient),
    "Negative": fixed_operations.negative,
    "Clip": fixed_operations.clip,
    **dict.fromkeys(("Sum", "Mean"), fixed_operations.total),
    **dict.fromkeys(fixed_activations.FUNCTIONS, fixed_activations.function),
    **dict.fromkeys(fixed_activations.TABLES, fixed_activations.known_function),
    **dict.fromkeys(("Elu", "Celu"), fixed_activations.exponential_unit),
    "Gelu": fixed_activations.gelu,
    **dict.fromkeys(("LeakyRelu", "ReLU"), fixed_activations.rectifier),
    "Reshape": fixed_operations.reshape,
    "Concatenate": fixed_operations.concatenate,
    **dict.fromkeys(("Absolute", "GetItem")),
}

# Of these, those whose result is as exact as what they read.
_WORDLESS = frozenset({"Concatenate", "Mean", "Reshape", "Sum"})


def load_fixed_point(precision: Mapping[str, object] | None, inputs: Files) -> keras.Model:
    """Rebuild a network; one of plain Keras layers becomes fixed-width by its precision.

    Parameters
    ----------
    precision : mapping or None
        See `to_fixed_width`.
    inputs : mapping of str to Path
        ``graph`` and ``weights``.

    Raises
    ------
    UntranslatableError
        A layer has no quantised form.
    InvalidSubmissionError
        The graph cannot be rebuilt.
    """
    from harness.submission.network import rebuild

    model = inlined(rebuild(inputs["graph"], inputs["weights"]))
    if precision and has_plain_layers(model):
        model = to_fixed_width(model, precision)
    elif precision and any(
        one.quantizer.overflow_mode != "WRAP" for one in input_quantisers(model)
    ):
        model = _with_input_words(model, precision)
    model = without_other_uses(model)
    number_tensors(model)
    return model


def _with_input_words(model: keras.Model, precision: Mapping[str, object]) -> keras.Model:
    """Cut the input of a quantised network that declares no words of its own, as QONNX ones."""
    import keras

    source = model.inputs[0]
    inputs = keras.Input(source.shape[1:], dtype=source.dtype, name="events>float")
    words = fixed_layers.input_words(read_widths(precision).inputs, source.shape)
    outputs = model._run_through_graph(words(inputs), operation_fn=lambda one: one)  # noqa: SLF001
    return keras.Model(inputs, outputs, name=model.name)


def has_plain_layers(model: keras.Model) -> bool:
    """Say whether a network has arithmetic outside of HGQ2's layers."""
    import keras

    layers = (layer for layer in model.layers if isinstance(layer, keras.layers.Layer))
    return any(not _stays(layer) for layer in layers)


def _stays(operation: keras.Operation) -> bool:
    """Say whether an operation is the same at fixed widths."""
    kind, module = type(operation).__name__, type(operation).__module__
    if module.startswith("hgq"):
        return True
    if not module.startswith("keras.src.layers"):
        return False
    is_plain = kind == "ReLU" and is_plain_relu(operation)
    return is_plain or kind in _UNCHANGED or is_wiring(operation)


def to_fixed_width(model: keras.Model, precision: Mapping[str, object]) -> keras.Model:
    """Rebuild a network with quantised layers.

    Parameters
    ----------
    model : keras.Model
        Plain layers of Keras, HGQ2's, or both; HGQ2's stay as they are.
    precision : mapping
        ``input``, ``weights`` and ``activations``, each ``fixed<W,I>`` or ``ufixed<W,I>``, and
        ``layers``, words of single layers by their names. ``input`` may list a word for each
        feature.

    Raises
    ------
    UntranslatableError
        Layers have no quantised form; each is named with what to use instead.
    """
    import keras

    widths = read_widths(precision)
    require_layers(model, widths.of_layers, "precision.layers")
    # The input is quantised by a layer of its own, so that every layer that reads it sees the same.
    inputs = keras.Input(
        model.inputs[0].shape[1:], dtype=model.inputs[0].dtype, name="events>float"
    )
    quantised = fixed_layers.input_words(widths.inputs, inputs.shape)(inputs)
    replaced: dict[int, Call] = {}
    problems: list[Problem] = []

    def replace(operation: keras.Operation) -> Call:
        if id(operation) not in replaced:
            words = widths.of(operation.name)
            replaced[id(operation)] = _noting(operation, words, problems)
        return replaced[id(operation)]

    outputs = model._run_through_graph(quantised, operation_fn=replace)  # noqa: SLF001
    if problems:
        raise UntranslatableError(*problems)
    return keras.Model(inputs, outputs, name=model.name)


def _noting(operation: keras.Operation, words: Words, problems: list[Problem]) -> Call:
    """Return what takes the place of an operation, or itself where that fails, and note why.

    So a network is followed to its end, and all that is wrong is said at once.
    """
    try:
        call = _named(operation, _replacement(operation, words))
    except UntranslatableError as error:
        problems += error.problems
        same: Call = operation
        return same

    def noting(*arguments: object, **more: object) -> object:
        if more.get("mask", more) is None:
            del more["mask"]  # Keras says so where nothing is masked
        try:
            return call(*arguments, **more)
        except UntranslatableError as error:
            problems.extend(error.problems)
            return operation(*arguments, **more)

    return noting


def _replacement(operation: keras.Operation, words: Words) -> Call:
    kind = type(operation).__name__
    same: Call = operation
    if _stays(operation):
        return same
    if not type(operation).__module__.startswith("keras.src.layers"):
        make = _OPERATIONS.get(kind)
        if make is None and kind not in _OPERATIONS:
            raise no_form(operation)
        return same if make is None else make(operation, words)
    if kind in _WITH_ACTIVATION:
        products = _WITH_ACTIVATION[kind](operation, words)
        return fixed_activations.with_activation(operation, products, words)
    if kind not in _LAYERS:
        raise no_form(operation)
    return _LAYERS[kind](operation, words)


def has_words(operation: keras.Operation) -> bool:
    """Say whether an operation is rounded to words when it is rebuilt at fixed widths."""
    kind = type(operation).__name__
    is_exact = _OPERATIONS.get(kind, _LAYERS.get(kind)) is None and kind not in _WITH_ACTIVATION
    return has_fixed_form(operation) and not (is_exact or kind in _WORDLESS or _stays(operation))


def has_fixed_form(operation: keras.Operation) -> bool:
    """Say whether there is a form at fixed widths of operations of this kind."""
    kind = type(operation).__name__
    return kind in {*_WITH_ACTIVATION, *_LAYERS, *_OPERATIONS}


def _named(operation: keras.Operation, call: Call) -> Call:
    """Raise whatever a layer raises when it is built as an error that names it."""

    def named(*arguments: object, **more: object) -> object:
        try:
            return call(*arguments, **more)
        except UntranslatableError:
            raise
        except Exception as error:
            # Layers of HGQ2 assert, and raise what Keras and NumPy raise.
            reason = f"{type(error).__name__}: {str(error)[:300]}"
            raise no_form(operation, f"cannot be rebuilt with fixed widths: {reason}") from error

    return named
