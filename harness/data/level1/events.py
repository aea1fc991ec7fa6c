"""Lists of hardware integers become events: float32, shape (n, n_objects, n_features)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.challenge import EventLayout, ReadingRules
from harness.data.level1.columns import COLLECTIONS, Collection
from harness.data.level1.streams import GET_ANOTHER, Chunk, bounded_lists


@dataclass(frozen=True, kw_only=True, slots=True)
class _Place:
    """Where a collection goes, and what is done to it."""

    collection: Collection
    rows: slice
    columns: Mapping[str, int]
    saturated: int | None
    is_sorted: bool
    # Steps of one turn in phi; 0 where the layout has none.
    turn: int

    @property
    def capacity(self) -> int:
        return int(self.rows.stop - self.rows.start)


@dataclass(kw_only=True, slots=True)
class Decoder:
    """Makes events of chunks, and counts what the rules did.

    Attributes
    ----------
    layout : EventLayout
        Has the kinds of object of `COLLECTIONS`, and the features pt, eta and phi.
    rules : ReadingRules
        Those of the source.
    counts : Counter
        What was removed, by kind of object (``remove <kind>``), what was put in order
        (``sort <kind>``), and angles that were brought into one turn (``turn <kind>``).
    """

    layout: EventLayout
    rules: ReadingRules
    counts: Counter[str] = field(default_factory=Counter)
    _places: tuple[_Place, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Find out where each collection goes."""
        self._places = tuple(self._place(one) for one in COLLECTIONS)

    def _place(self, collection: Collection) -> _Place:
        units = next(
            (group.units for group in self.layout.objects if group.name == collection.kind), {}
        )
        return _Place(
            collection=collection,
            rows=self.layout.slots[collection.kind],
            columns={name: self.layout.features.index(name) for name in collection.branches},
            saturated=self.rules.remove_saturated.get(collection.kind),
            is_sorted=collection.kind not in self.rules.sort_by_pt,
            turn=units["phi"].turn if "phi" in units and "phi" in collection.branches else 0,
        )

    def decode(self, chunk: Chunk) -> NDArray[np.float32]:
        """Make the events of a chunk; none is left out here.

        Raises
        ------
        DataError
            A list is longer than the capacity, or a pT is negative; or a column is not what it
            should be.
        """
        events = np.zeros((chunk.n_rows, *self.layout.shape), np.float32)
        for place in self._places:
            self._fill(events, chunk, place)
        return events

    def _fill(self, events: NDArray[np.float32], chunk: Chunk, place: _Place) -> None:
        bounds, values = self._values(chunk, place.collection)
        self._check(chunk, place, bounds, values["pt"])
        bounds, values = self._without(place, bounds, values)
        n_found = len(values["pt"])
        if not n_found:
            return
        if "phi" in values and place.turn:
            values["phi"] = self._in_turn(place, values["phi"])
        if not place.is_sorted:
            values = self._sorted(place, bounds, values)
        if place.capacity == 1 and n_found == chunk.n_rows:
            for name, column in place.columns.items():
                events[:, place.rows.start, column] = values[name]
            return
        # Where each object's first feature goes among all numbers of the chunk: faster than a mask
        # of the slots.
        n_objects, n_features = self.layout.shape
        begins = np.arange(place.rows.start, chunk.n_rows * n_objects, n_objects)
        goes_to = np.repeat(begins - bounds[:-1], np.diff(bounds)) + np.arange(n_found)
        goes_to *= n_features
        flat = events.reshape(-1)
        for name, column in place.columns.items():
            # Converted first: NumPy scatters other types through a buffer, three times slower.
            flat[column:][goes_to] = values[name].astype(np.float32)

    def _values(
        self, chunk: Chunk, one: Collection
    ) -> tuple[NDArray[np.integer], dict[str, NDArray[Any]]]:
        """Return where the objects of each event begin, and their features one after the other."""
        found = {
            name: bounded_lists(chunk, one.column(branch), "iu")
            for name, branch in one.branches.items()
        }
        bounds, _ = found["pt"]
        for name, (others, _) in found.items():
            if not np.array_equal(others, bounds):
                counts, other_counts = np.diff(bounds), np.diff(others)
                row = int(np.argmax(other_counts != counts))
                raise chunk.wrong(
                    one.column(one.branches[name]), row,
                    f"it has {other_counts[row]} values, {one.branches['pt']} has {counts[row]}",
                    "a value for each object", GET_ANOTHER,
                )  # fmt: skip
        return bounds, {name: values for name, (_, values) in found.items()}

    def _check(
        self, chunk: Chunk, place: _Place, bounds: NDArray[np.integer], pt: NDArray[Any]
    ) -> None:
        one, name = place.collection, place.collection.column(place.collection.branches["pt"])
        counts = np.diff(bounds)
        if len(counts) and (most := int(counts.max())) > place.capacity:
            raise chunk.wrong(
                name, int(np.argmax(counts)), f"it has {most} objects",
                f"at most {place.capacity}: the slots of {one.kind} in the challenge's layout",
                "is it the right file, of this release?",
            )  # fmt: skip
        if len(pt) and pt.min() < 0:
            at = int(np.argmax(pt < 0))
            row = int(np.searchsorted(bounds, at, "right")) - 1
            raise chunk.wrong(
                name, row, f"the code is {pt[at]}", "codes of 0 and above", GET_ANOTHER
            )

    def _without(
        self, place: _Place, bounds: NDArray[np.integer], values: dict[str, NDArray[Any]]
    ) -> tuple[NDArray[np.integer], dict[str, NDArray[Any]]]:
        """Leave out saturated objects and those of code 0, which are none; the others move up."""
        pt = values["pt"]
        if not len(pt) or (pt.min() > 0 and (place.saturated or np.inf) > pt.max()):
            return bounds, values
        is_kept = pt > 0
        if place.saturated is not None:
            is_saturated = pt >= place.saturated
            self.counts[f"remove {place.collection.kind}"] += int(np.count_nonzero(is_saturated))
            is_kept &= ~is_saturated
        if is_kept.all():
            return bounds, values
        n_before = np.concatenate([[0], np.cumsum(is_kept)])
        return n_before[bounds], {name: column[is_kept] for name, column in values.items()}

    def _in_turn(self, place: _Place, phi: NDArray[Any]) -> NDArray[Any]:
        if phi.min() >= 0 and phi.max() < place.turn:
            return phi
        is_out = (phi < 0) | (phi >= place.turn)
        self.counts[f"turn {place.collection.kind}"] += int(np.count_nonzero(is_out))
        return phi.astype(np.int64) % place.turn

    def _sorted(
        self, place: _Place, bounds: NDArray[np.integer], values: dict[str, NDArray[Any]]
    ) -> dict[str, NDArray[Any]]:
        """Sort the objects of each event by falling pT; equal ones keep their order."""
        pt = values["pt"].astype(np.int64)
        counts = np.diff(bounds)
        event = np.repeat(np.arange(len(counts)), counts)
        rises = (pt[1:] > pt[:-1]) & (event[1:] == event[:-1])
        if not rises.any():
            return values
        is_unsorted = np.zeros(len(counts), np.bool_)
        is_unsorted[event[1:][rises]] = True
        self.counts[f"sort {place.collection.kind}"] += int(np.count_nonzero(is_unsorted))
        some = np.flatnonzero(is_unsorted[event])
        order = np.arange(len(pt))
        order[some] = some[np.lexsort((-pt[some], event[some]))]
        return {name: column[order] for name, column in values.items()}
