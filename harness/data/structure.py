"""The structure of events, checked chunk by chunk while they are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from harness.challenge import EventLayout, Value
from harness.data.hdf5 import slot_classes
from harness.errors import DataError

# float32(pi) is 9e-8 above pi; a file rounded to three decimals may hold 3.142.
PHI_TOLERANCE = 1e-3
# What is counted, and how it is said.
_REMARKS = {
    "n_unsorted": "are not sorted by falling pT",
    "n_gaps": "have a filled slot after an empty one",
    "n_padding": "have an angle in an empty slot",
    "n_phi_out_of_range": "have |phi| > pi",
    "n_class_differs": "have a class that does not follow from the slot",
}


class StructureReport(Value):
    """What was seen while a file was read.

    None of these counts makes a file unusable: they are reported, and kept with the cache.

    Attributes
    ----------
    n_unsorted : int
        Events in which pT rises from one slot to the next within one kind of object.
    n_gaps : int
        Events with a filled slot after an empty one.
    n_padding : int
        Events in which a slot with pT = 0 holds an angle.
    n_phi_out_of_range : int
        Events with |phi| > pi (with a tolerance of 0.001).
    n_class_differs : int
        Events in which the class column does not just repeat slot and padding.
    max_pt, max_abs_eta, max_abs_phi : float
        Extremes [GeV, 1, rad].
    n_filled : tuple of int
        Events that fill each slot.
    """

    n_events: int = Field(ge=0)
    n_unsorted: int = Field(ge=0)
    n_gaps: int = Field(ge=0)
    n_padding: int = Field(ge=0)
    n_phi_out_of_range: int = Field(ge=0)
    n_class_differs: int = Field(ge=0)
    max_pt: float
    max_abs_eta: float
    max_abs_phi: float
    n_filled: tuple[int, ...]

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is unusual, in words; empty for a file as described."""
        counts = ((getattr(self, name), text) for name, text in _REMARKS.items())
        return tuple(f"{count:,} events {text}" for count, text in counts if count)


@dataclass(kw_only=True, slots=True)
class StructureCheck:
    """Gathers a `StructureReport` over the chunks of one file.

    Attributes
    ----------
    source : str
        File name, for messages.
    layout : EventLayout
        What the events should look like.
    """

    source: str
    layout: EventLayout
    _counts: Counter[str] = field(default_factory=Counter)
    _extremes: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    _filled: NDArray[np.int64] | None = None
    _n_events: int = 0

    def add(self, events: NDArray[np.float32], classes: NDArray[np.floating] | None = None) -> None:
        """Check one chunk.

        Parameters
        ----------
        events : ndarray of float32, shape (n, n_objects, n_features)
            The next events of the file.
        classes : ndarray, shape (n, n_objects), optional
            The class column, if the file has one.

        Raises
        ------
        DataError
            A value is not finite, or a pT is negative.
        """
        # Columns in one piece: reductions over rows of three numbers are ten times slower.
        columns = [np.ascontiguousarray(column) for column in np.moveaxis(events, -1, 0)]
        pt = columns[0]
        self._refuse(columns, [~np.isfinite(column) for column in columns], "is not finite")
        self._refuse(columns, [pt < 0], "is a negative pT")
        is_filled = pt > 0
        self._count("n_unsorted", (pt[:, 1:] > pt[:, :-1]) & self._neighbours())
        self._count("n_gaps", (is_filled[:, 1:] & ~is_filled[:, :-1]) & self._neighbours())
        has_angle = np.logical_or.reduce([column != 0 for column in columns[1:]])
        self._count("n_padding", has_angle & ~is_filled)
        if classes is not None:
            self._count("n_class_differs", classes != slot_classes(self.layout) * is_filled)
        if "phi" in self.layout.features:
            phi = columns[self.layout.features.index("phi")]
            self._count("n_phi_out_of_range", np.abs(phi) > np.pi + PHI_TOLERANCE)
        if len(events):
            extremes = [float(np.abs(column).max()) for column in columns[:3]]
            self._extremes[: len(extremes)] = np.maximum(self._extremes[: len(extremes)], extremes)
        filled = np.count_nonzero(is_filled, axis=0)
        self._filled = filled if self._filled is None else self._filled + filled
        self._n_events += len(events)

    def report(self) -> StructureReport:
        """Return what was seen so far."""
        filled = () if self._filled is None else self._filled.tolist()
        return StructureReport(
            n_events=self._n_events,
            **{name: self._counts[name] for name in _REMARKS},
            max_pt=float(self._extremes[0]),
            max_abs_eta=float(self._extremes[1]),
            max_abs_phi=float(self._extremes[2]),
            n_filled=tuple(filled),
        )

    def _count(self, name: str, is_odd: NDArray[np.bool_]) -> None:
        """Count the events with an odd slot; `is_odd` has the shape (n, m)."""
        if is_odd.any():
            self._counts[name] += int(np.count_nonzero(is_odd.any(axis=1)))

    def _neighbours(self) -> NDArray[np.bool_]:
        """Return which slots are followed by one of the same kind of object."""
        is_same: NDArray[np.bool_] = np.diff(slot_classes(self.layout)) == 0
        return is_same

    def _refuse(
        self,
        columns: Sequence[NDArray[np.float32]],
        is_bad: Sequence[NDArray[np.bool_]],
        complaint: str,
    ) -> None:
        for name, column, bad in zip(self.layout.features, columns, is_bad, strict=False):
            if not bad.any():
                continue
            event, slot = (int(index[0]) for index in np.nonzero(bad))
            raise DataError(
                f"{name} = {column[event, slot]} {complaint}",
                where=f"{self.source}, event {self._n_events + event}, slot {slot}",
                expected="finite values, pT >= 0",
                fix="get the file again, or ask its publisher to correct it",
            )
