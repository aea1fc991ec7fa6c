"""How an event is laid out, and in which units its numbers are.

The layout says which features there are. What is physics (cuts on pT, a rotation in phi) asks it
for the features that it needs, and leaves itself out where they are not there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from harness.challenge.values import Name, Positive, Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PT, ETA, PHI = "pt", "eta", "phi"
# What cuts, rotations and pages take these features to be in.
FIXED_UNITS = {PT: "GeV", ETA: "", PHI: "rad"}


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
    """

    name: Name
    n_slots: int = Field(ge=1, le=1000)
    units: dict[Name, FeatureUnits] = Field(
        default_factory=dict, exclude_if=lambda units: not units
    )


class EventLayout(Value):
    """How an event is laid out: rows of objects, columns of features.

    `events` are float32 of shape ``(n, n_objects, n_features)``.
    """

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
    def shape(self) -> tuple[int, int]:
        """Shape of one event."""
        return self.n_objects, len(self.features)

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
        found, is_filled = column.copy(), self.is_filled(events)
        for slots, units in scaled:
            found[:, slots] = _in_units(column[:, slots], units, is_angle=feature == PHI)
        found[~is_filled] = 0.0
        return found

    def physical(self, events: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return events with every feature in its unit; `events` itself where none are given."""
        if not any(group.units for group in self.objects):
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
