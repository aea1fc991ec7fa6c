"""The values of an ONNX graph while it is built: constants, tensors of the events, and nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from keras import KerasTensor

Array: TypeAlias = NDArray[Any]


class RefusedNodeError(Exception):
    """A node cannot be built; `fix` says what to use instead."""

    def __init__(self, what: str, fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix


@dataclass(frozen=True, kw_only=True, slots=True)
class Quantised:
    """What stands behind a constant that a node ``Quant`` has rounded: integers times scales.

    Attributes
    ----------
    integers, scale : ndarray of float64
        Both of the shape of the constant.
    n_bits : int
        Bits of each integer, the sign included.
    is_signed : bool
        Whether the integers have a sign.
    """

    integers: Array
    scale: Array
    n_bits: int
    is_signed: bool

    def moved(self, move: Callable[[Array], Array]) -> Quantised:
        """Return the same after a change of shape or of order."""
        return Quantised(
            integers=move(self.integers),
            scale=move(self.scale),
            n_bits=self.n_bits,
            is_signed=self.is_signed,
        )


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that no event changes.

    Attributes
    ----------
    array : ndarray
        Its numbers.
    quantised : Quantised or None
        Their integers, where a ``Quant`` made them.
    """

    array: Array
    quantised: Quantised | None = None

    def moved(self, move: Callable[[Array], Array]) -> Constant:
        """Return the same after a change of shape or of order."""
        return Constant(move(self.array), self.quantised and self.quantised.moved(move))


# Where the axes of a tensor with channels go: behind the places, and back.
_TO_LAST = {3: (2, 1), 4: (2, 3, 1)}
_TO_FIRST = {3: (2, 1), 4: (3, 1, 2)}


class Tensor:
    """A value that differs from event to event.

    ONNX puts the channels before the places, Keras behind them. A tensor knows one of the two
    forms, or both; what is missing is made by a permutation, which costs nothing in firmware.

    Parameters
    ----------
    first, last : KerasTensor, optional
        The form in the order of ONNX's axes, and the one with axis 1 moved to the end.
    scale : float
        By what its values are still to be multiplied: integers of a quantiser whose scale is no
        power of two stay integers as long as possible.
    is_fixed : bool
        Whether its values are in fixed point.
    """

    __slots__ = ("_first", "_last", "is_fixed", "scale")
    _first: Any  # of Keras, or None
    _last: Any

    def __init__(
        self,
        first: KerasTensor | None = None,
        *,
        last: KerasTensor | None = None,
        scale: float = 1.0,
        is_fixed: bool = False,
    ) -> None:
        self._first = first
        self._last = last
        self.scale = scale
        self.is_fixed = is_fixed

    @property
    def rank(self) -> int:
        """Number of axes, that of the events included."""
        known = self._last if self._first is None else self._first
        return len(known.shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one event, in the order of ONNX's axes."""
        if self._first is not None:
            return tuple(self._first.shape[1:])
        *places, channels = self._last.shape[1:]
        return (channels, *places)

    @property
    def has_channels_last(self) -> bool:
        """Whether the form with the channels at the end is there, and the other one is not."""
        return self._first is None

    @property
    def first(self) -> KerasTensor:
        """The form in the order of ONNX's axes."""
        if self._first is None:
            import keras

            self._first = keras.layers.Permute(_TO_FIRST[self.rank])(self._last)
        return self._first

    @property
    def last(self) -> KerasTensor:
        """The form with the channels at the end."""
        if self._last is None:
            import keras

            if self.rank not in _TO_LAST:
                return self._first
            self._last = keras.layers.Permute(_TO_LAST[self.rank])(self._first)
        return self._last

    def mapped(self, call: Callable[[KerasTensor], KerasTensor], **more: Any) -> Tensor:  # noqa: ANN401
        """Return the tensor after a call that treats each number alike; `more` is changed."""
        settings = {"scale": self.scale, "is_fixed": self.is_fixed, **more}
        if self._first is None:
            return Tensor(last=call(self._last), **settings)
        return Tensor(call(self._first), **settings)

    def moved(self, tensor: KerasTensor) -> Tensor:
        """Return a tensor of the same numbers in another order, or of some of them."""
        return Tensor(tensor, scale=self.scale, is_fixed=self.is_fixed)


Known: TypeAlias = Constant | Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """One node of the graph.

    Attributes
    ----------
    kind : str
        Its operator.
    name : str
        What messages call it.
    inputs : tuple
        Its inputs; None for one that is left out.
    settings : mapping
        Its attributes as Python's values: numbers, strings, lists, arrays.
    n_outputs : int
        How many outputs it has.
    opset : int
        Version of the standard operators.
    batch : int
        Number of events that constants of the graph are made for.
    """

    kind: str
    name: str
    inputs: tuple[Known | None, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    n_outputs: int = 1
    opset: int = 20
    batch: int = 1

    def tensor(self, index: int = 0) -> Tensor:
        """Return an input that must differ from event to event, without a pending scale.

        Raises
        ------
        RefusedNodeError
            It is a constant, or left out.
        """
        return settled(self.scaled_tensor(index))

    def scaled_tensor(self, index: int = 0) -> Tensor:
        """Return an input as it is, with the scale that is still to be multiplied."""
        value = self.inputs[index] if index < len(self.inputs) else None
        if not isinstance(value, Tensor):
            raise RefusedNodeError(
                f"its input {index + 1} is a constant", "compute it before the export"
            )
        return value

    def constant(self, index: int) -> Array | None:
        """Return the numbers of an input that must be constant; None if it is left out.

        Raises
        ------
        RefusedNodeError
            It differs from event to event.
        """
        value = self.inputs[index] if index < len(self.inputs) else None
        if isinstance(value, Tensor):
            raise RefusedNodeError(
                f"its input {index + 1} differs from event to event",
                "make it a constant of the model",
            )
        return None if value is None else value.array

    def required(self, index: int) -> Array:
        """Return the numbers of a constant input, as a list, that must be there."""
        array = self.constant(index)
        if array is None:
            raise RefusedNodeError(f"has no input {index + 1}", "export the model again")
        return np.atleast_1d(array)

    def numbers(self, name: str, index: int) -> tuple[int, ...] | None:
        """Return whole numbers that are an attribute in older opsets and an input in newer ones."""
        found = self.settings[name] if name in self.settings else self.constant(index)
        if found is None:
            return None
        return tuple(int(number) for number in np.atleast_1d(np.asarray(found)))

    def axis(self, axis: int, rank: int) -> int:
        """Return an axis counted from 0 on, which is not that of the events.

        Raises
        ------
        RefusedNodeError
            There is no such axis, or it numbers the events.
        """
        if not -rank <= axis < rank:
            raise RefusedNodeError(f"has the axis {axis} of {rank}")
        if axis % rank == 0:
            raise RefusedNodeError(
                "acts along axis 0, which numbers the events",
                "name axes of one event: dim=1, dim=-1",
            )
        return axis % rank


Built: TypeAlias = Known | tuple[Known, ...]
Builder: TypeAlias = Callable[[Node], Built]


def settled(x: Tensor) -> Tensor:
    """Multiply a tensor by the scale that is pending."""
    if x.scale == 1.0:
        return x
    import keras

    layer = keras.layers.Rescaling(x.scale)
    return x.mapped(layer, scale=1.0, is_fixed=False)
