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
from harness.data.level1.streams import GET_ANOTHER, Chunk, lists_of


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
        one = place.collection
        counts, values = self._values(chunk, one)
        pt = values["pt"]
        self._check(chunk, place, counts, pt)
        counts, values = self._without(place, counts, values)
        if not len(values["pt"]):
            return
        if "phi" in values and place.turn:
            values["phi"] = self._in_turn(place, values["phi"])
        if place.capacity == 1 and len(values["pt"]) == len(counts):
            for name, column in place.columns.items():
                events[:, place.rows.start, column] = values[name]
            return
        # Where each object's first feature goes among all numbers of the chunk: three times faster
        # than a mask of the slots.
        n_objects, n_features = self.layout.shape
        begins = np.arange(len(counts)) * n_objects + place.rows.start
        begins -= np.cumsum(counts) - counts
        goes_to = (np.repeat(begins, counts) + np.arange(len(values["pt"]))) * n_features
        flat = events.reshape(-1)
        for name, column in place.columns.items():
            flat[column:][goes_to] = values[name]
        if not place.is_sorted:
            self._sort(events[:, place.rows], counts, place)

    def _values(
        self, chunk: Chunk, one: Collection
    ) -> tuple[NDArray[np.int64], dict[str, NDArray[Any]]]:
        """Return how many objects each event has, and their features one after the other."""
        found = {
            name: lists_of(chunk, one.column(branch), "iu") for name, branch in one.branches.items()
        }
        counts, _ = found["pt"]
        for name, (others, _) in found.items():
            if not np.array_equal(others, counts):
                row = int(np.argmax(others != counts))
                raise chunk.wrong(
                    one.column(one.branches[name]), row,
                    f"it has {others[row]} values, {one.branches['pt']} has {counts[row]}",
                    "a value for each object", GET_ANOTHER,
                )  # fmt: skip
        return counts, {name: values for name, (_, values) in found.items()}

    def _check(
        self, chunk: Chunk, place: _Place, counts: NDArray[np.int64], pt: NDArray[Any]
    ) -> None:
        one, name = place.collection, place.collection.column(place.collection.branches["pt"])
        if len(counts) and (most := int(counts.max())) > place.capacity:
            raise chunk.wrong(
                name, int(np.argmax(counts)), f"it has {most} objects",
                f"at most {place.capacity}: the slots of {one.kind} in the challenge's layout",
                "is it the right file, of this release?",
            )  # fmt: skip
        if len(pt) and pt.min() < 0:
            at = int(np.argmax(pt < 0))
            row = int(np.searchsorted(np.cumsum(counts), at, "right"))
            raise chunk.wrong(
                name, row, f"the code is {pt[at]}", "codes of 0 and above", GET_ANOTHER
            )

    def _without(
        self, place: _Place, counts: NDArray[np.int64], values: dict[str, NDArray[Any]]
    ) -> tuple[NDArray[np.int64], dict[str, NDArray[Any]]]:
        """Leave out saturated objects and those of code 0, which are none; the others move up."""
        pt = values["pt"]
        if not len(pt) or (pt.min() > 0 and (place.saturated or np.inf) > pt.max()):
            return counts, values
        is_kept = pt > 0
        if place.saturated is not None:
            is_saturated = pt >= place.saturated
            self.counts[f"remove {place.collection.kind}"] += int(np.count_nonzero(is_saturated))
            is_kept &= ~is_saturated
        if is_kept.all():
            return counts, values
        before = np.concatenate([[0], np.cumsum(is_kept)])
        ends = np.cumsum(counts)
        kept = {name: column[is_kept] for name, column in values.items()}
        return before[ends] - before[ends - counts], kept

    def _in_turn(self, place: _Place, phi: NDArray[Any]) -> NDArray[Any]:
        if phi.min() >= 0 and phi.max() < place.turn:
            return phi
        is_out = (phi < 0) | (phi >= place.turn)
        self.counts[f"turn {place.collection.kind}"] += int(np.count_nonzero(is_out))
        return phi.astype(np.int64) % place.turn

    def _sort(self, target: NDArray[np.float32], counts: NDArray[np.int64], place: _Place) -> None:
        """Sort the objects of each event by falling pT; equal ones keep their order."""
        several = np.flatnonzero(counts > 1)
        pt = target[several, :, place.columns["pt"]]
        several = several[(np.diff(pt, axis=1) > 0).any(axis=1)]
        self.counts[f"sort {place.collection.kind}"] += len(several)
        if len(several):
            some = target[several]
            order = np.argsort(-some[..., place.columns["pt"]], axis=1, kind="stable")
            target[several] = np.take_along_axis(some, order[..., None], axis=1)
