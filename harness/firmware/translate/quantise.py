"""A network of plain Keras layers rebuilt as one of HGQ2 layers, at fixed widths.

The translators read quantised layers alone. A float network with a declared precision becomes a
quantised one: weights are rounded to the words for weights, every layer's input to those for
activations, the network's own input to the words for inputs. From then on that network is the
reference: its scores are the firmware's, and how far they lie from the float network's shows in
the physics.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from harness.firmware.backend import UntranslatableError
from harness.firmware.tools import Files
from harness.firmware.translate import fixed_layers
from harness.firmware.translate.fixed_layers import Call, Words, no_form
from harness.firmware.translate.names import number_tensors
from harness.submission.words import parse_word

if TYPE_CHECKING:
    import keras

# Layers that compute nothing, or nothing but wiring, comparisons and sums.
_UNCHANGED = frozenset(
    [
        "InputLayer",
        "Flatten",
        "Reshape",
        "Permute",
        "RepeatVector",
        "Dropout",
        "AlphaDropout",
        "SpatialDropout1D",
        "SpatialDropout2D",
        "GaussianNoise",
        "GaussianDropout",
        "ActivityRegularization",
        "Identity",
        "Concatenate",
        "ReLU",
    ]
)
_LAYERS: Mapping[str, Callable[[Any, Words], Call]] = {
    **dict.fromkeys(("Dense", "Conv1D", "Conv2D", "EinsumDense"), fixed_layers.dense),
    **dict.fromkeys(fixed_layers.MERGED, fixed_layers.merge),
    "Average": fixed_layers.average,
    "BatchNormalization": fixed_layers.batch_normalisation,
    "Activation": fixed_layers.activation,
}
# Operations of `keras.ops`; None for those that are wiring, or that da4ml reads as they are.
_OPERATIONS: Mapping[str, Callable[[Any, Words], Call] | None] = {
    "Square": fixed_layers.square,
    **dict.fromkeys(("Multiply", "Add", "Subtract", "Maximum", "Minimum"), fixed_layers.pair),
    **dict.fromkeys(("Sum", "Mean"), fixed_layers.total),
    **dict.fromkeys(("Absolute", "Reshape", "GetItem")),
}


def load_fixed_point(precision: Mapping[str, str] | None, inputs: Files) -> keras.Model:
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

    model = rebuild(inputs["graph"], inputs["weights"])
    if precision and has_plain_layers(model):
        model = to_fixed_width(model, precision)
    number_tensors(model)
    return model


def has_plain_layers(model: keras.Model) -> bool:
    """Say whether a network has arithmetic outside of HGQ2's layers."""
    import keras

    return any(
        not type(layer).__module__.startswith("hgq") and type(layer).__name__ not in _UNCHANGED
        for layer in model.layers
        if isinstance(layer, keras.layers.Layer)
    )


def to_fixed_width(model: keras.Model, precision: Mapping[str, str]) -> keras.Model:
    """Rebuild a network with quantised layers.

    Parameters
    ----------
    model : keras.Model
        Plain layers of Keras, HGQ2's, or both; HGQ2's stay as they are.
    precision : mapping
        ``input``, ``weights`` and ``activations``, each ``fixed<W,I>`` or ``ufixed<W,I>``.

    Raises
    ------
    UntranslatableError
        A layer has no quantised form; it is named with what to use instead.
    """
    import keras

    words = {name: parse_word(text) for name, text in precision.items()}
    # The input is quantised by a layer of its own, so that every layer that reads it sees the same.
    inputs = keras.Input(
        model.inputs[0].shape[1:], dtype=model.inputs[0].dtype, name="events>float"
    )
    quantised = fixed_layers.input_words(words)(inputs)
    replaced: dict[int, Call] = {}

    def replace(operation: keras.Operation) -> Call:
        if id(operation) not in replaced:
            replaced[id(operation)] = _named(operation, _replacement(operation, words))
        return replaced[id(operation)]

    outputs = model._run_through_graph(quantised, operation_fn=replace)  # noqa: SLF001
    return keras.Model(inputs, outputs, name=model.name)


def _replacement(operation: keras.Operation, words: Words) -> Call:
    kind, module = type(operation).__name__, type(operation).__module__
    same: Call = operation
    if module.startswith("hgq") or kind in _UNCHANGED:
        return same
    if module.startswith("keras.src.ops") and kind in _OPERATIONS:
        make = _OPERATIONS[kind]
        return same if make is None else make(operation, words)
    if module.startswith("keras.src.layers") and kind in _LAYERS:
        return _LAYERS[kind](operation, words)
    raise no_form(operation)


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
