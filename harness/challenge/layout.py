"""How an event is laid out, and in which units its numbers are.

There are three kinds: `EventLayout`, rows of objects; `ConstituentLayout`, many rows of one kind;
`ImageLayout`, pixels, most of them empty. The layout says which features there are. What is physics
(cuts on pT, a rotation in phi) asks it for the features that it needs, and leaves itself out where
they are not there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic.json_schema import SkipJsonSchema

from harness.challenge.values import Name, Positive, Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PT, ETA, PHI = "pt", "eta", "phi"
# What cuts, rotations and pages take these features to be in.
FIXED_UNITS = {PT: "GeV", ETA: "", PHI: "rad"}


LAYOUT_KINDS = ("objects", "constituents", "image")
# The most rows of one kind.
MAX_CONSTITUENTS = 10_000
# The most values of one event, 64 MB of float32: several of them must fit where they are scored.
MAX_VALUES = 2**24

# An event of ADC2021: 19 objects of 3 float32.
ADC2021_BYTES = 19 * 3 * 4


def events_within(n_bytes: int, shape: Sequence[int]) -> int:
    """Count the events of `shape`, in float32, that take at most `n_bytes`; at least one.

    Examples
    --------
    >>> events_within(65_536 * ADC2021_BYTES, (19, 3)), events_within(1_000, (1000, 4))
    (65536, 1)
    """
    return max(1, n_bytes // (4 * math.prod(shape)))


class FeatureUnits(Value):
    """What the numbers of one feature stand for: ``(number + offset) * step``, in `unit`.

    Attributes
    ----------
    step : float
        What a change of the number by 1 means.
    offset : float
        Added to the number before it is multiplied.
    unit : str
        How the result is labelled; of pt, eta and phi it is GeV, none and rad.
    """

    step: Positive = 1.0
    offset: float = Field(default=0.0, allow_inf_nan=False)
    unit: str = Field(default="", max_length=16)

    @property
    def turn(self) -> int:
        """Steps of one turn, if the feature is an angle in radians."""
        return round(2 * math.pi / self.step)


class ObjectGroup(Value):
    """Consecutive rows of an event that hold one kind of object, by falling pT.

    Attributes
    ----------
    units : mapping of feature to FeatureUnits
        Of features that are in steps, such as hardware integers; others are what they say.
    is_sum : bool
        It is a sum over the event, no object: sums of pT do not add it again.
    """

    name: Name
    n_slots: int = Field(ge=1, le=MAX_CONSTITUENTS)
    is_sum: bool = Field(default=False, exclude_if=lambda is_so: not is_so)
    units: dict[Name, FeatureUnits] = Field(
        default_factory=dict, exclude_if=lambda units: not units
    )

    @property
    def has_phi(self) -> bool:
        """Whether it points somewhere: a scalar sum, such as HT, has units but none of phi."""
        return not (self.is_sum and self.units and PHI not in self.units)


class EventLayout(Value):
    """How an event is laid out: rows of objects, columns of features.

    `events` are float32 of shape ``(n, n_objects, n_features)``.

    Attributes
    ----------
    kind : str
        ``objects``; the other kinds are classes derived from this one.
    """

    kind: Literal["objects", "constituents", "image"] = Field(
        default="objects", exclude_if=lambda kind: kind == "objects"
    )
    objects: tuple[ObjectGroup, ...] = Field(min_length=1)
    features: tuple[Name, ...] = Field(default=(PT, ETA, PHI), min_length=1)

    @model_validator(mode="after")
    def _names_are_right(self) -> EventLayout:
        if len(self.slots) != len(self.objects):
            raise ValueError("two kinds of object share a name")
        if len(set(self.features)) != len(self.features):
            raise ValueError("two features share a name")
        for group in self.objects:
            for feature, units in group.units.items():
                self._check_units(group.name, feature, units)
        if self.kind == "objects":
            _refuse_large(self)
        return self

    def _check_units(self, kind: str, feature: str, units: FeatureUnits) -> None:
        if feature not in self.features:
            names = ", ".join(self.features)
            raise ValueError(f"{kind} has units of {feature}; the features are {names}")
        fixed = FIXED_UNITS.get(feature, units.unit)
        if units.unit and units.unit != fixed:
            wanted = fixed or "no unit"
            raise ValueError(f"{feature} of {kind} is in {units.unit}; {feature} is in {wanted}")
        if feature == PHI and units.step > math.pi:
            raise ValueError(f"phi of {kind} has a step of {units.step:g} rad, over half a turn")

    @property
    def n_objects(self) -> int:
        """Rows of an event."""
        return sum(group.n_slots for group in self.objects)

    @property
    def slots(self) -> dict[str, slice]:
        """Rows of each kind of object, by its name."""
        ends = accumulate(group.n_slots for group in self.objects)
        return {
            group.name: slice(end - group.n_slots, end)
            for group, end in zip(self.objects, ends, strict=True)
        }

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one event."""
        return self.n_objects, len(self.features)

    @property
    def is_sparse(self) -> bool:
        """Whether events are kept without their zeros, and made dense where they are used."""
        return False

    @property
    def has_units(self) -> bool:
        """Whether a feature is in other steps than those of its unit."""
        return any(group.units for group in self.objects)

    def columns(self, *features: str) -> list[int]:
        """Columns of the features of these names."""
        return [self.features.index(name) for name in features]

    def lacks(self, *features: str) -> str | None:
        """Say which of `features` the layout has not; None if it has all.

        Examples
        --------
        >>> group = ObjectGroup(name="hit", n_slots=4)
        >>> EventLayout(objects=(group,), features=("pt", "x")).lacks("pt", "eta", "phi")
        'the layout has no eta and phi'
        """
        missing = [name for name in features if name not in self.features]
        if not missing:
            return None
        *first, last = missing
        return f"the layout has no {', '.join(first)}{' and ' if first else ''}{last}"

    def unit(self, kind: str, feature: str) -> str:
        """Return the unit in which `values` gives a feature of a kind of object."""
        group = next(group for group in self.objects if group.name == kind)
        stated = group.units[feature].unit if feature in group.units else ""
        return stated or FIXED_UNITS.get(feature, "")

    def is_filled(self, events: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return which slots hold an object: its pT, or any feature where there is no pT, is not 0.

        Parameters
        ----------
        events : float32 array, shape (n, m, n_features)
            As they are in the file; the m rows may be some of an event's.
        """
        if PT in self.features:
            is_filled: NDArray[np.bool_] = events[..., self.features.index(PT)] > 0
            return is_filled
        has_any: NDArray[np.bool_] = (events != 0).any(axis=-1)
        return has_any

    def values(self, events: NDArray[np.float32], feature: str) -> NDArray[np.float32]:
        """Return a feature of all objects in its unit; a view where no units are given.

        Angles in steps come out between -pi and pi. Empty slots are zero.

        Parameters
        ----------
        events : float32 array, shape (n, n_objects, n_features)
            As they are in the file.

        Returns
        -------
        float32 array, shape (n, n_objects)
        """
        column = events[..., self.features.index(feature)]
        scaled = list(self.scaled(feature))
        if not scaled:
            return column
        import numpy as np

        wide = column.astype(np.float64)
        if feature == PHI:
            for slots, units in scaled:
                wide[:, slots] = _in_units(column[:, slots], units, is_angle=True)
        else:
            # All kinds at once. One without units keeps its values: plus 0, times 1.
            offsets, steps = np.zeros(self.n_objects), np.ones(self.n_objects)
            for slots, units in scaled:
                offsets[slots], steps[slots] = units.offset, units.step
            wide += offsets
            wide *= steps
        found = wide.astype(np.float32)
        np.copyto(found, np.float32(0.0), where=~self.is_filled(events))
        return found

    def values_of(
        self, events: NDArray[np.float32], kind: str, feature: str
    ) -> NDArray[np.float32]:
        """Return `values` of one kind of object alone, shape (n, n_slots of the kind)."""
        some = events[:, self.slots[kind]]
        column = some[..., self.features.index(feature)]
        if not any(feature in group.units for group in self.objects):
            return column
        found = column.copy()
        group = next(group for group in self.objects if group.name == kind)
        if feature in group.units:
            found[...] = _in_units(column, group.units[feature], is_angle=feature == PHI)
        found[~self.is_filled(some)] = 0.0
        return found

    def physical(self, events: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return events with every feature in its unit; `events` itself where none are given."""
        if not self.has_units:
            return events
        import numpy as np

        return np.stack([self.values(events, name) for name in self.features], axis=-1)

    def put(
        self, events: NDArray[np.float32], feature: str, values: NDArray[np.floating]
    ) -> NDArray[np.float32]:
        """Return a copy of `events` in which a feature has other values: the inverse of `values`.

        Parameters
        ----------
        values : float array, shape (n, n_objects)
            In the feature's unit; rounded to whole steps where it has units. Slots whose value is
            that of `events` keep their bits.
        """
        import numpy as np

        column = self.features.index(feature)
        changed = events.copy()
        old = self.values(events, feature)
        changed[..., column] = values
        for slots, units in self.scaled(feature):
            numbers = np.rint(values[:, slots] / units.step - units.offset)
            if feature == PHI:
                numbers = in_turn(numbers, units, like=events[:, slots, column])
            changed[:, slots, column] = numbers
        is_same = values.astype(np.float32) == old
        changed[..., column] = np.where(is_same, events[..., column], changed[..., column])
        return changed

    def scaled(self, feature: str) -> Iterator[tuple[slice, FeatureUnits]]:
        """Give the rows of each kind of object for which `feature` has units, and these."""
        slots = self.slots
        for group in self.objects:
            if feature in group.units:
                yield slots[group.name], group.units[feature]


class ConstituentLayout(EventLayout):
    """Many rows of one kind, such as the particles of a jet; the last rows are empty.

    Attributes
    ----------
    n_constituents : int
        Rows of an event.
    name : str
        What a row is called.
    units : mapping of feature to FeatureUnits
        Of features that are in steps.
    """

    kind: Literal["constituents"] = "constituents"
    n_constituents: int = Field(ge=1, le=MAX_CONSTITUENTS)
    name: Name = "constituent"
    features: tuple[Name, ...] = Field(default=(PT, ETA, PHI), min_length=3, max_length=4)
    units: dict[Name, FeatureUnits] = Field(
        default_factory=dict, exclude_if=lambda units: not units
    )
    objects: SkipJsonSchema[tuple[ObjectGroup, ...]] = Field(default=(), exclude=True)

    @model_validator(mode="after")
    def _is_one_kind_of_object(self) -> ConstituentLayout:
        _refuse_stated(self, "objects")
        for feature, units in self.units.items():
            self._check_units(self.name, feature, units)
        group = ObjectGroup(name=self.name, n_slots=self.n_constituents, units=self.units)
        self.__dict__["objects"] = (group,)
        return self


class ImageLayout(EventLayout):
    """Pixels: events are float32 of shape ``(n, height, width, n_channels)``, most of them zero.

    Attributes
    ----------
    channels : tuple of str
        Names of the channels, such as the layers of a detector.
    non_negative : bool
        Whether a file with a negative pixel is refused.
    units : mapping of channel to FeatureUnits
        Of channels that are in steps.
    """

    kind: Literal["image"] = "image"
    height: int = Field(ge=1, le=MAX_VALUES)
    width: int = Field(ge=1, le=MAX_VALUES)
    channels: tuple[Name, ...] = Field(default=("pixel",), min_length=1, max_length=64)
    non_negative: bool = False
    units: dict[Name, FeatureUnits] = Field(
        default_factory=dict, exclude_if=lambda units: not units
    )
    objects: SkipJsonSchema[tuple[ObjectGroup, ...]] = Field(default=(), exclude=True)
    features: SkipJsonSchema[tuple[Name, ...]] = Field(default=(), exclude=True)

    @model_validator(mode="after")
    def _is_of_a_size(self) -> ImageLayout:
        _refuse_stated(self, "objects", "features")
        if len(set(self.channels)) != len(self.channels):
            raise ValueError("two channels share a name")
        _refuse_large(self)
        for name in self.units:
            if name not in self.channels:
                raise ValueError(f"units of {name}; the channels are {', '.join(self.channels)}")
        self.__dict__["features"] = self.channels
        return self

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one event."""
        return self.height, self.width, len(self.channels)

    @property
    def is_sparse(self) -> bool:
        """Images are kept without their zeros."""
        return True

    @property
    def has_units(self) -> bool:
        """Whether a channel is in other steps than those of its unit."""
        return bool(self.units)

    def lacks(self, *features: str) -> str | None:
        """Say that an image has no features of objects."""
        *first, last = features
        return f"an image has no {', '.join(first)}{' and ' if first else ''}{last}"

    def unit(self, kind: str, feature: str) -> str:
        """Return the unit in which `values` gives a channel; `kind` is not looked at."""
        del kind
        return self.units[feature].unit if feature in self.units else ""

    def is_filled(self, events: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return which pixels are not zero; shape (n, height, width, n_channels)."""
        is_filled: NDArray[np.bool_] = events != 0
        return is_filled

    def values(self, events: NDArray[np.float32], feature: str) -> NDArray[np.float32]:
        """Return a channel in its unit; shape (n, height, width). Empty pixels are zero."""
        pixels = events[..., self.channels.index(feature)]
        if feature not in self.units:
            return pixels
        units = self.units[feature]
        found: NDArray[np.float32] = (pixels + units.offset) * units.step * (pixels != 0)
        return found.astype(pixels.dtype)


def _refuse_large(layout: EventLayout) -> None:
    """Refuse events of which no chunk fits into memory."""
    if (n_values := math.prod(layout.shape)) > MAX_VALUES:
        raise ValueError(f"an event has {n_values:,} values: no chunk fits; at most {MAX_VALUES:,}")


def _refuse_stated(layout: EventLayout, *fields: str) -> None:
    """Refuse what only a layout of the kind objects states."""
    if stated := layout.model_fields_set & set(fields):
        raise ValueError(f"a layout of the kind {layout.kind} has no {min(stated)}")


def _kind_of(value: object) -> str | None:
    kind = value.get("kind", "objects") if isinstance(value, dict) else value
    kind = getattr(kind, "kind", kind)
    return f"<{kind}>" if kind in LAYOUT_KINDS else None


# Tags in angle brackets are no part of the path of a field in a message.
AnyLayout = Annotated[
    Annotated[EventLayout, Tag("<objects>")]
    | Annotated[ConstituentLayout, Tag("<constituents>")]
    | Annotated[ImageLayout, Tag("<image>")],
    Discriminator(
        _kind_of,
        custom_error_type="layout_kind",
        custom_error_message=f"a kind of layout: {', '.join(LAYOUT_KINDS)}",
    ),
]


def in_turn(
    numbers: NDArray[np.float64], units: FeatureUnits, *, like: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Bring angles in steps into one turn: from 0, or around 0 if `like` has negative ones."""
    lowest = -(units.turn // 2) if (like < 0).any() else 0
    inside: NDArray[np.float64] = (numbers - lowest) % units.turn + lowest
    return inside


def _in_units(
    numbers: NDArray[np.float32], units: FeatureUnits, *, is_angle: bool
) -> NDArray[np.float64]:
    import numpy as np

    found: NDArray[np.float64] = (numbers.astype(np.float64) + units.offset) * units.step
    return (found + np.pi) % (2 * np.pi) - np.pi if is_angle else found
