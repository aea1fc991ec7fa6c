"""The structure of events, checked chunk by chunk while they are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from harness.challenge import (
    ADC2021_BYTES,
    EventLayout,
    FeatureUnits,
    ImageLayout,
    Value,
    events_within,
)
from harness.data.hdf5 import slot_classes
from harness.data.split import chunks
from harness.errors import DataError
from harness.submission.events import Events, SparseEvents, used_values

# float32(pi) is 9e-8 above pi; a file rounded to three decimals may hold 3.142.
PHI_TOLERANCE = 1e-3
# Events that are looked at together, 4,096 of ADC2021: they stay in the cache.
_BLOCK_BYTES = 4096 * ADC2021_BYTES
# What is counted, and how it is said.
_REMARKS = {
    "n_unsorted": "are not sorted by falling pT",
    "n_gaps": "have a filled slot after an empty one",
    "n_padding": "have an angle in an empty slot",
    "n_phi_out_of_range": "have |phi| > pi",
    "n_class_differs": "have a class that does not follow from the slot",
    "n_empty": "are images without a pixel that is not zero",
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
    n_empty : int
        Images that are zero everywhere.
    max_pt, max_abs_eta, max_abs_phi : float
        Extremes [GeV, 1, rad]; 0 where the layout has no such feature.
    n_filled : tuple of int
        Events that fill each slot.
    """

    n_events: int = Field(ge=0)
    n_unsorted: int = Field(ge=0)
    n_gaps: int = Field(ge=0)
    n_padding: int = Field(ge=0)
    n_phi_out_of_range: int = Field(ge=0)
    n_class_differs: int = Field(ge=0)
    n_empty: int = Field(default=0, ge=0)
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
    # Of angles in steps.
    _max_phi: float = 0.0
    _n_events: int = 0
    # The least and the largest value of each feature of a slot; events that fill it.
    _low: NDArray[np.float32] = field(init=False)
    _high: NDArray[np.float32] = field(init=False)
    _filled: NDArray[np.int64] = field(init=False)
    # Which slots are followed by one of the same kind of object.
    _neighbours: NDArray[np.bool_] = field(init=False)
    # Where angles are in steps, and in which.
    _angles: list[tuple[slice, FeatureUnits]] = field(init=False)
    # The largest angle that each slot may have.
    _largest: NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        """Ask the layout what is the same for all events."""
        shape = () if self.layout.is_sparse else self.layout.shape
        self._low, self._high = (np.zeros(shape, np.float32) for _ in range(2))
        self._filled = np.zeros(shape[:1], np.int64)
        self._neighbours = np.diff(slot_classes(self.layout)) == 0
        self._angles = list(self.layout.scaled("phi"))
        self._largest = np.full(self.layout.n_objects, np.float32(np.pi + PHI_TOLERANCE))
        for slots, units in self._angles:
            # The angle of a whole turn is out as well.
            self._largest[slots] = np.nextafter(np.float32(units.turn), np.float32(0))

    def add(self, events: Events, classes: NDArray[np.floating] | None = None) -> None:
        """Check one chunk.

        Parameters
        ----------
        events : float32 array, shape (n, *layout.shape), or SparseEvents
            The next events of the file.
        classes : ndarray, shape (n, n_objects), optional
            The class column, if the file has one.

        Raises
        ------
        DataError
            A value is not finite, a pT or pixel is negative where it must not be, or a constituent
            follows an empty one.
        """
        if isinstance(events, SparseEvents):
            self._add_sparse(events)
            return
        used = self._used(events) if len(events) else events
        for some in chunks(len(used), events_within(_BLOCK_BYTES, used.shape[1:])):
            self._add_block(used[some], None if classes is None else classes[some])

    def _used(self, events: NDArray[np.float32]) -> NDArray[np.float32]:
        """Leave out slots of constituents that are empty in all of some events, at the end."""
        if self.layout.kind != "constituents":
            return events
        n_used = -(-used_values(events) // events.shape[-1])
        return events[:, : max(n_used, 1)]

    def _add_block(self, given: NDArray[np.float32], classes: NDArray[np.floating] | None) -> None:
        """Check a few events, without slots at the end that none of them fills."""
        shape, neighbours = given.shape, self._neighbours[: given.shape[1] - 1]
        # The same events with each feature of each slot in one piece: all that follows is several
        # times faster than on rows of three numbers.
        pieces = np.ascontiguousarray(given.reshape(len(given), -1).T)
        events = pieces.reshape(*shape[1:], len(given)).transpose(2, 0, 1)
        columns = {name: events[..., i] for i, name in enumerate(self.layout.features)}
        low, high = (end.reshape(shape[1:]) for end in (pieces.min(axis=1), pieces.max(axis=1)))
        self._refuse_bad(columns, low, high)
        is_filled = self.layout.is_filled(events)
        if (pt := columns.get("pt")) is not None:
            if self.layout.kind == "objects":
                self._count("n_unsorted", (pt[:, 1:] > pt[:, :-1]) & neighbours)
            others = (each != 0 for name, each in columns.items() if name != "pt")
            if (is_padded := next(others, None)) is not None:
                for each in others:
                    is_padded |= each
                self._count("n_padding", is_padded > is_filled)
        has_gap = is_filled[:, 1:] > is_filled[:, :-1]
        has_gap &= neighbours
        if self.layout.kind == "constituents" and has_gap.any():
            self._refuse_gap(has_gap)
        self._count("n_gaps", has_gap)
        if classes is not None:
            self._count("n_class_differs", classes != slot_classes(self.layout) * is_filled)
        if "phi" in columns:
            column = self.layout.features.index("phi")
            largest = np.maximum(-low[:, column], high[:, column])
            limit = self._largest[: shape[1]]
            if (largest > limit).any():
                is_out = np.abs(columns["phi"]) > limit
                self._count("n_phi_out_of_range", is_out)
            self._widen_turn(columns["phi"])
        filled = np.add.reduce(is_filled.view(np.uint8), axis=0, dtype=np.int64)
        self._filled[: len(filled)] += filled
        is_first = self._n_events == 0
        for kept, end, widen in ((self._low, low, np.minimum), (self._high, high, np.maximum)):
            some = kept[: len(end)]
            some[:] = end if is_first else widen(some, end)
            # Slots that were left out are zero.
            kept[len(end) :] = widen(kept[len(end) :], 0.0)
        self._n_events += len(events)

    def _refuse_bad(
        self,
        columns: Mapping[str, NDArray[np.float32]],
        low: NDArray[np.float32],
        high: NDArray[np.float32],
    ) -> None:
        """Refuse values that are not finite, and negative pT: the ranges say if there is any."""
        # A value that is not a number makes both ends of the range that.
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            self._refuse(columns, {name: ~np.isfinite(each) for name, each in columns.items()})
        if "pt" in columns and (low[:, self.layout.features.index("pt")] < 0).any():
            self._refuse(columns, {"pt": columns["pt"] < 0}, "is a negative pT")

    def _widen_turn(self, phi: NDArray[np.float32]) -> None:
        """Find the largest angle in steps: it grows to half a turn, and falls from there."""
        for slots, units in self._angles:
            half = np.float32(units.turn / 2)
            if self._max_phi < float(half * units.step):
                off = np.abs(np.abs(phi[:, slots]) - half).min()
                self._max_phi = max(self._max_phi, float((half - off) * units.step))

    def _find_extremes(self) -> dict[str, float]:
        """Find the largest magnitude of each feature, in its unit, in the ends of its ranges."""
        names, low, high = self.layout.features, self._low, self._high
        extremes = {"pt": 0.0, "eta": 0.0, "phi": self._max_phi}
        for name in set(extremes) & set(names):
            if name == "phi":
                values = np.maximum(*(np.abs(end[:, names.index(name)]) for end in (low, high)))
                for slots, _ in self._angles:
                    values[slots] = 0.0
            else:
                # Two events, of which `values` leaves out what is no object.
                ends = np.stack([low, high])
                if name != "pt" and "pt" in names:
                    ends[..., names.index("pt")] = high[:, names.index("pt")]
                values = np.abs(self.layout.values(ends, name))
            extremes[name] = max(extremes[name], float(values.max()))
        return extremes

    def _add_sparse(self, events: SparseEvents) -> None:
        """Check the pixels that are not zero; their order was checked when they were read."""
        entries = events.entries[events.bounds[0] : events.bounds[-1]]
        values = np.ascontiguousarray(entries["value"])
        is_bounded = isinstance(self.layout, ImageLayout) and self.layout.non_negative
        is_bad = ~np.isfinite(values) | ((values < 0) if is_bounded else False)
        if is_bad.any():
            at = int(np.argmax(is_bad))
            event = int(np.searchsorted(events.bounds, events.bounds[0] + at, "right")) - 1
            place = np.unravel_index(int(entries["index"][at]), self.layout.shape)
            raise DataError(
                f"a pixel is {values[at]}",
                where=f"{self.source}, event {self._n_events + event}, "
                f"pixel {tuple(int(one) for one in place)}",
                expected="finite values, none negative" if is_bounded else "finite values",
                fix="get the file again, or ask its publisher to correct it",
            )
        self._counts["n_empty"] += int(np.count_nonzero(events.counts == 0))
        self._n_events += len(events)

    def _refuse_gap(self, has_gap: NDArray[np.bool_]) -> None:
        event, slot = (int(index[0]) for index in np.nonzero(has_gap))
        raise DataError(
            "a constituent follows an empty one",
            where=f"{self.source}, event {self._n_events + event}, slot {slot + 1}",
            expected="constituents from the first row on, and zeros after the last of them",
            fix="move the empty rows to the end, or leave them out: `indptr` and `value`",
        )

    def report(self) -> StructureReport:
        """Return what was seen so far."""
        is_dense = self._n_events and not self.layout.is_sparse
        extremes = self._find_extremes() if is_dense else dict.fromkeys(("pt", "eta", "phi"), 0.0)
        return StructureReport(
            n_events=self._n_events,
            **{name: self._counts[name] for name in _REMARKS},
            max_pt=extremes["pt"],
            max_abs_eta=extremes["eta"],
            max_abs_phi=extremes["phi"],
            n_filled=tuple(self._filled.tolist()) if is_dense else (),
        )

    def _count(self, name: str, is_odd: NDArray[np.bool_]) -> None:
        """Count the events with an odd slot; `is_odd` has the shape (n, m)."""
        if is_odd.any():
            self._counts[name] += int(np.count_nonzero(is_odd.any(axis=1)))

    def _refuse(
        self,
        columns: Mapping[str, NDArray[np.float32]],
        is_bad: Mapping[str, NDArray[np.bool_]],
        complaint: str = "is not finite",
    ) -> None:
        for name, bad in is_bad.items():
            if not bad.any():
                continue
            event, slot = (int(index[0]) for index in np.nonzero(bad))
            raise DataError(
                f"{name} = {columns[name][event, slot]} {complaint}",
                where=f"{self.source}, event {self._n_events + event}, slot {slot}",
                expected="finite values, pT >= 0" if "pt" in columns else "finite values",
                fix="get the file again, or ask its publisher to correct it",
            )
