"""Words chosen for a network of plain Keras layers, by the ranges that training events take in it.

A word gets as many bits before the point as the largest value needs, and some to spare for events
that are rarer than those that were looked at. It gets as many bits after the point as keep the
error of rounding small beside the spread of what the layer gives. So the range, where anomalies
are, is never traded for steps that nobody sees.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.challenge import Value, events_within
from harness.firmware.backend import FirmwareRequest
from harness.firmware.tools import Files, Report, Request, disk_faults
from harness.firmware.translate.fixed_activations import FUNCTIONS, TABLES
from harness.firmware.translate.fixed_words import Floats, rounded
from harness.firmware.translate.inline import inlined
from harness.firmware.translate.quantise import has_plain_layers, has_words
from harness.submission.declaration import LayerPrecision, Precision
from harness.submission.events import open_rows
from harness.submission.words import FixedPoint

if TYPE_CHECKING:
    import keras

# Training events whose ranges are looked at, and those on which errors of rounding are measured.
N_EVENTS, _N_ERROR_EVENTS, _CHUNK = 50_000, 2_048, 8_192
# Of large events as many as fit.
_EVENT_BYTES = 2**28
# Bits before the point beyond what these events need: for an input, which wraps around, and for
# values within the network, which saturate.
_SPARE_INPUT_BITS, _SPARE_BITS = 2, 1
# An input's step is this part of the spread of its feature.
_INPUT_STEP = 1 / 128
# The error of rounding in what a layer gives may be this part of its spread.
_ERROR = 1 / 100
_WEIGHT_WIDTHS, _MAX_WIDTH = range(4, 17), 24
# Words of layers that no event reached.
_WEIGHTS, _ACTIVATIONS = "fixed<10,2>", "fixed<16,8>"
# Activations that are no table: their result has no word of its own.
_COMPARISONS = frozenset({"linear", "relu", "relu6", "leaky_relu"})
_UNARY_TABLES = frozenset({*FUNCTIONS, *TABLES, "Activation", "ELU", "Elu", "Celu", "Gelu"})
# What multiplies by constants and adds others: not the input is rounded there, but the constants.
_SCALING = frozenset({"Normalization", "Rescaling"})


class ChosenWords(Value):
    """What `choose_in_step` reports: None for a network that carries its own widths."""

    precision: Precision | None


def choose_precision(
    request: FirmwareRequest, events: Path, *, n_features: int
) -> Precision | None:
    """Choose the words of a network of plain Keras layers, in a sandboxed step.

    Parameters
    ----------
    request : FirmwareRequest
        The network; its own events are not looked at.
    events : Path
        float32 .npy, events first: training events, never those that are scored.
    n_features : int
        Features of an object: the input gets a word for each.

    Returns
    -------
    Precision or None
        None for a network of HGQ2 layers alone.
    """
    done = request.run(
        "ranges",
        "translate.ranges:choose_in_step",
        ChosenWords,
        request={"n_features": n_features},
        inputs={"graph": request.graph, "weights": request.weights, "events": events},
    )
    return done.report.precision


# --- The step -------------------------------------------------------------------------------------


@disk_faults()
def choose_in_step(request: Request, inputs: Files, outputs: Files) -> Report:  # noqa: ARG001
    """Choose the words of a network (entry of a step).

    Request: ``n_features``. Inputs: ``graph``, ``weights``, ``events``.
    """
    from harness.submission.network import rebuild

    model = inlined(rebuild(inputs["graph"], inputs["weights"]))
    if not has_plain_layers(model):
        return {"precision": None}
    events = open_rows(inputs["events"])
    rows = np.asarray(events[: events_within(_EVENT_BYTES, events.shape[1:])])
    chosen = choose_words(model, rows.reshape(len(rows), -1, request["n_features"]))
    return {"precision": chosen.model_dump(mode="json", exclude_none=True)}


def choose_words(model: keras.Model, events: NDArray[np.float32]) -> Precision:
    """Choose the words of a network by the values that events take in it.

    Parameters
    ----------
    model : keras.Model
        Of plain Keras layers, without models inside it.
    events : ndarray of float32, shape (n, n_objects, n_features)
    """
    layers = {
        use.operation.name: LayerPrecision(
            weights=_text(_weight_word(use)), activations=_text(_activation_word(use))
        )
        for use in _uses(model, events).values()
    }
    return Precision(
        input=tuple(str(_input_word(events[..., i])) for i in range(events.shape[-1])),
        weights=_WEIGHTS,
        activations=_ACTIVATIONS,
        layers={name: words for name, words in layers.items() if words != LayerPrecision()},
    )


def _text(word: FixedPoint | None) -> str | None:
    return None if word is None else str(word)


@dataclass(slots=True)
class _Use:
    """An operation, the largest absolute value that it reads and gives, and a few of its events."""

    operation: keras.Operation
    read: float = 0.0
    given: float = 0.0
    arguments: tuple[Any, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """Class of the operation."""
        return type(self.operation).__name__

    @property
    def is_scaling(self) -> bool:
        """Whether it only multiplies by constants, adds some, or compares with some."""
        return self.kind in _SCALING or (
            self.kind not in {*_UNARY_TABLES, "Power"}
            and not self.has_weights
            and self._has_constant
        )

    @property
    def has_weights(self) -> bool:
        """Whether it has constants that training made."""
        return bool(getattr(self.operation, "weights", ()))

    @property
    def _has_constant(self) -> bool:
        return any(not _is_tensor(value) for value in self.arguments) or bool(self.more)

    @property
    def is_table(self) -> bool:
        """Whether it ends with a table, whose entries have its word as well."""
        name = getattr(getattr(self.operation, "activation", None), "__name__", "linear")
        return self.kind in _UNARY_TABLES or name not in _COMPARISONS

    def __call__(self, change: Callable[[Floats], Floats] = lambda x: x) -> Floats:
        """Return what it gives for the few events, of changed inputs."""
        arguments = [_changed(value, change) for value in self.arguments]
        return _numbers(self.operation(*arguments, **self.more))


def _is_tensor(value: object) -> bool:
    import keras

    if isinstance(value, list | tuple):
        return bool(value) and all(map(_is_tensor, value))
    return bool(keras.ops.is_tensor(value))


def _numbers(value: Any) -> Floats:  # noqa: ANN401 a tensor, or a variable
    return np.asarray(value.numpy() if hasattr(value, "numpy") else value, np.float64)


def _changed(value: Any, change: Callable[[Floats], Floats]) -> object:  # noqa: ANN401 any argument
    import keras

    if isinstance(value, list | tuple) and _is_tensor(value):
        return [_changed(one, change) for one in value]
    if not _is_tensor(value):
        return value
    return keras.ops.convert_to_tensor(change(_numbers(value)), dtype=value.dtype)


def _uses(model: keras.Model, events: NDArray[np.float32]) -> dict[str, _Use]:
    """Run events through a network, and note what each operation reads and gives."""
    import keras

    uses: dict[str, _Use] = {}

    def watched(operation: keras.Operation) -> Callable[..., object]:
        def call(*arguments: Any, **more: Any) -> object:  # noqa: ANN401 any argument
            given = operation(*arguments, **more)
            if has_words(operation):
                _note(uses, operation, arguments, more, given)
            return given

        return call

    for first in range(0, len(events), _CHUNK):
        chunk = np.asarray(events[first : first + _CHUNK])
        tensor = keras.ops.convert_to_tensor(chunk.reshape(-1, *model.inputs[0].shape[1:]))
        model._run_through_graph(tensor, operation_fn=watched)  # noqa: SLF001 as Keras's own cloning
    return uses


def _note(
    uses: dict[str, _Use],
    operation: keras.Operation,
    arguments: tuple[Any, ...],
    more: Mapping[str, Any],
    given: object,
) -> None:
    use = uses.get(operation.name)
    if use is None:
        kept = {name: value for name, value in more.items() if value is not None}
        n_events = len(_first(given))
        few = tuple(_few(value, n_events) for value in arguments)
        use = uses[operation.name] = _Use(operation, arguments=few, more=kept)
    use.read = max([use.read, *map(_largest, _tensors(arguments))])
    use.given = max([use.given, *map(_largest, _tensors([given]))])


def _first(value: Any) -> Any:  # noqa: ANN401 a tensor, or some
    return value[0] if isinstance(value, list | tuple) else value


def _few(value: Any, n_events: int) -> object:  # noqa: ANN401 any argument
    """Return the first events of an argument; one without an axis of events is a constant."""
    if isinstance(value, list | tuple) and _is_tensor(value):
        return [_few(one, n_events) for one in value]
    if not _is_tensor(value):
        return value
    has_events = len(value.shape) > 0 and value.shape[0] == n_events
    return value[:_N_ERROR_EVENTS] if has_events else np.asarray(value)


def _tensors(values: Iterable[object]) -> Iterator[object]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from _tensors(value)
        elif _is_tensor(value):
            yield value


def _largest(value: object) -> float:
    numbers = np.abs(_numbers(value))
    return float(numbers[np.isfinite(numbers)].max(initial=0.0))


# --- Words ----------------------------------------------------------------------------------------


def _magnitude(largest: float) -> int:
    """Return the bits before the point, without the sign, of the largest absolute value."""
    return math.frexp(largest)[1] if largest else 0


def _input_word(values: NDArray[np.float32]) -> FixedPoint:
    """Return the word of a feature: it is cut to it, and wraps around beyond its range."""
    seen = np.asarray(values, np.float64)
    filled = seen[seen != 0]
    if not len(filled):
        return FixedPoint(1, 1, is_signed=False)
    is_signed = bool((filled < 0).any())
    magnitude = _magnitude(float(np.abs(filled).max())) + _SPARE_INPUT_BITS
    spread = float(filled.std()) or float(np.abs(filled).max())
    fraction = min(-math.floor(math.log2(spread * _INPUT_STEP)), _MAX_WIDTH - magnitude)
    return FixedPoint(max(magnitude + fraction, 1) + is_signed, magnitude + is_signed, is_signed)


def _activation_word(use: _Use) -> FixedPoint | None:
    """Return the word of what an operation reads, of what it adds, and of a table's entries."""
    largest = max(use.given if use.is_scaling else use.read, *map(_largest_of, _added(use)), 0.0)
    if use.is_table:
        largest = max(largest, use.given, _before_activation(use))
    magnitude = _magnitude(largest) + _SPARE_BITS
    exact = use()

    def word(fraction: int) -> FixedPoint:
        return FixedPoint(magnitude + fraction + 1, magnitude + 1)

    def error(fraction: int) -> float:
        chosen = word(fraction)
        if use.is_scaling:
            return _relative(exact, np.rint(exact / chosen.step) * chosen.step)
        given = use(lambda values: rounded(values, chosen))
        return _relative(exact, rounded(given, chosen) if use.is_table else given)

    return word(_first_good(range(5 - magnitude, _MAX_WIDTH - magnitude), error))


def _weight_word(use: _Use) -> FixedPoint | None:
    """Return the word of the constants that an operation multiplies by; None if it has none."""
    operation = use.operation
    if use.kind == "BatchNormalization":
        return _scale_word(use)
    if use.is_scaling:
        return None
    bias = getattr(operation, "bias", None)
    kernels = [one for one in getattr(operation, "weights", ()) if one is not bias]
    if not kernels:
        return None
    before = [_numbers(one) for one in kernels]
    exact = use()
    magnitude = _magnitude(max(map(_largest_of, before)))

    def error(width: int) -> float:
        word = FixedPoint(width, magnitude + 1)
        try:
            for kernel, values in zip(kernels, before, strict=True):
                kernel.assign(rounded(values, word))
            return _relative(exact, use())
        finally:
            for kernel, values in zip(kernels, before, strict=True):
                kernel.assign(values)

    return FixedPoint(_first_good(_WEIGHT_WIDTHS, error), magnitude + 1)


def _scale_word(use: _Use) -> FixedPoint:
    """Return the word of what a batch normalisation multiplies by."""
    scale, offset = _affine_of(use.operation)
    values = _numbers(use.arguments[0])
    shape = [1] * values.ndim
    shape[use.operation.axis] = -1
    exact = values * scale.reshape(shape) + offset.reshape(shape)
    magnitude = _magnitude(_largest_of(scale))

    def error(width: int) -> float:
        word = FixedPoint(width, magnitude + 1)
        return _relative(exact, exact + values * (rounded(scale, word) - scale).reshape(shape))

    return FixedPoint(_first_good(_WEIGHT_WIDTHS, error), magnitude + 1)


def _affine_of(layer: keras.Operation) -> tuple[Floats, Floats]:
    """Return by what a batch normalisation multiplies, and what it adds."""
    scale = 1 / np.sqrt(_numbers(layer.moving_variance) + layer.epsilon)
    scale = scale * _numbers(layer.gamma) if layer.scale else scale
    offset = -_numbers(layer.moving_mean) * scale
    return scale, offset + _numbers(layer.beta) if layer.center else offset


def _added(use: _Use) -> Iterator[Floats]:
    if use.kind == "BatchNormalization":
        yield _affine_of(use.operation)[1]
    elif getattr(use.operation, "bias", None) is not None:
        yield _numbers(use.operation.bias)


def _before_activation(use: _Use) -> float:
    """Return the largest absolute value that the table of an activation is looked up with."""
    import keras

    if not hasattr(use.operation, "activation") or not use.has_weights:
        return use.read
    before = use.operation.activation
    use.operation.activation = keras.activations.linear
    try:
        return _largest_of(use())
    finally:
        use.operation.activation = before


def _largest_of(values: Floats) -> float:
    return float(np.abs(values).max(initial=0.0))


def _first_good(choices: range, error: Callable[[int], float]) -> int:
    """Return the first choice with a small error, or the last one."""
    return next((choice for choice in choices if error(choice) <= _ERROR), choices[-1])


def _relative(exact: Floats, found: Floats) -> float:
    """Return the root mean square of a difference, in units of the spread between events."""
    spread = np.sqrt(np.mean((exact - exact.mean(axis=0)) ** 2))
    error = np.sqrt(np.mean((found - exact) ** 2))
    return float(error / spread) if spread else 0.0
