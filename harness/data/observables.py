"""Observables of events, and their distributions in fixed bins.

Every distribution that the harness keeps (of a data set, of the events that an entry accepts) is
made here, so that they can be laid over each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.card.accepted import Distribution
from harness.challenge import EventLayout, FeatureUnits, ImageLayout
from harness.data.split import chunks
from harness.submission.events import Events, SparseEvents, sparse_of


def geometric_edges(first: float, last: float, n_bins: int) -> tuple[float, ...]:
    """Edges of bins of equal width in the logarithm, to three digits.

    A spectrum falls over orders of magnitude, and what passes at FPR 1e-5 lies in its tail.

    Examples
    --------
    >>> geometric_edges(4.0, 400.0, 2)
    (4.0, 40.0, 400.0)
    """
    return tuple(float(f"{edge:.3g}") for edge in np.geomspace(first, last, n_bins + 1))


PT_EDGES = geometric_edges(4.0, 4000.0, 45)
SUM_PT_EDGES = geometric_edges(10.0, 10_000.0, 45)
# Of features whose range nobody knows: seven decades.
MAGNITUDE_EDGES = geometric_edges(1e-3, 1e4, 42)
# Of numbers of pixels, from one to a hundred million.
PIXEL_EDGES = (0.0, *geometric_edges(0.5, 1e8, 42))
_MAX_NUMBER_BINS = 50
# Events whose slots are turned round at a time: they stay in the second-level cache.
_BLOCK_EVENTS = 1024
_JETS = frozenset({"jet", "jets"})

# How the objects of ADC2021 are printed; others by their own names.
_TITLES = {"met": "Missing transverse momentum", "electron": "electron", "muon": "muon"}


class Chunk:
    """Events, and what several observables need of them: by slot, which NumPy reduces faster."""

    def __init__(self, layout: EventLayout, given: Events) -> None:
        self.given = given
        self._layout = layout

    @cached_property
    def events(self) -> NDArray[np.float32]:
        """The events, dense: shape (n, *layout.shape)."""
        return np.asarray(self.given)

    @cached_property
    def pt(self) -> NDArray[np.float32]:
        """The pT of every slot in its unit, shape (n_objects, n)."""
        found = np.empty((self._layout.n_objects, len(self.events)), np.float32)
        for piece in chunks(len(self.events), _BLOCK_EVENTS):
            found[:, piece] = self._layout.values(self.events[piece], "pt").T
        return found

    @cached_property
    def is_filled(self) -> NDArray[np.bool_]:
        """Whether every slot holds an object, shape (n_objects, n)."""
        found = np.empty((self._layout.n_objects, len(self.events)), np.bool_)
        for piece in chunks(len(self.events), _BLOCK_EVENTS):
            found[:, piece] = self._layout.is_filled(self.events[piece]).T
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Observable:
    """One number per event, and the bins that it is counted in.

    Attributes
    ----------
    edges : tuple of float
        One more than there are bins; values beyond are counted in the outermost bins.
    layout : EventLayout
        Of the events.
    of_chunk : callable
        From a `Chunk` to float64 values of shape (n,); NaN where the event has no such value, which
        is then not counted.
    """

    name: str
    title: str
    unit: str
    edges: tuple[float, ...]
    layout: EventLayout
    of_chunk: Callable[[Chunk], NDArray[np.float64]]

    def compute(self, events: Events) -> NDArray[np.float64]:
        """Return the value of each event; NaN where it has none.

        Parameters
        ----------
        events : float32 array, shape (n, n_objects, n_features), or images without their zeros
        """
        return self.of_chunk(Chunk(self.layout, events))


def observables_of(layout: EventLayout) -> tuple[Observable, ...]:
    """List the observables of events laid out as `layout` says.

    For each kind of object the pT of the leading one (of events that have one) and, where an
    event may have several, their number; HT, the sum of the jets' pT (of events that have one),
    where the layout has no HT of its own; the scalar sum of the pT of all that is no sum itself;
    the number of all such objects.

    Where the objects have no pT, the largest magnitude of each feature takes its place. For each
    channel of images the sum and the largest magnitude of the pixels, and the number of those that
    are not zero.
    """
    if isinstance(layout, ImageLayout):
        return tuple(one for channel in layout.channels for one in _pixels(layout, channel))
    has_pt = layout.lacks("pt") is None
    found: list[Observable] = []
    every = np.arange(layout.n_objects)
    several = []
    for name, slots in layout.slots.items():
        found += [_leading_pt(layout, name, slots)] if has_pt else _largest(layout, name, slots)
        if len(every[slots]) > 1:
            several.append(every[slots])
            found.append(_multiplicity(layout, f"n_{name}", f"Number of {name}s", slots))
        # A trigger has an HT of its own, with its own rules of which jets count.
        if has_pt and name in _JETS and "ht" not in layout.slots:
            found.append(_scalar_sum(layout, "ht", "HT: sum of the jets' pT", slots))
    objects = [np.arange(layout.n_objects)[layout.slots[group.name]]
               for group in layout.objects if not group.is_sum]  # fmt: skip
    if has_pt and objects:
        found.append(_scalar_sum(layout, "sum_pt", "Scalar sum of all pT", np.concatenate(objects)))
    if several:
        every = np.concatenate(several)
        found.append(_multiplicity(layout, "n_objects", "Number of objects", every))
    return tuple(found)


def distributions(
    layout: EventLayout, processes: Mapping[str, Iterable[Events]]
) -> tuple[Distribution, ...]:
    """Count the events of each process in the bins of each observable of `layout`.

    Parameters
    ----------
    processes : mapping of process to iterable of float32 arrays
        Chunks of events, shape (n, *layout.shape).
    """
    wanted = observables_of(layout)
    counts = {
        observable.name: {
            process: np.zeros(len(observable.edges) - 1, np.int64) for process in processes
        }
        for observable in wanted
    }
    for process, given in processes.items():
        for events in given:
            chunk = Chunk(layout, events)
            for observable in wanted:
                counts[observable.name][process] += count_in_bins(observable, chunk)
    return tuple(
        Distribution(
            name=observable.name,
            title=observable.title,
            unit=observable.unit,
            edges=observable.edges,
            counts={
                process: tuple(found.tolist()) for process, found in counts[observable.name].items()
            },
        )
        for observable in wanted
    )


def count_in_bins(observable: Observable, chunk: Chunk) -> NDArray[np.int64]:
    """Count events in the bins of `observable`; those without a value are left out."""
    values = observable.of_chunk(chunk)
    inner = np.asarray(observable.edges[1:-1])
    bins = np.searchsorted(inner, values, side="right")
    counts = np.bincount(bins, minlength=len(observable.edges) - 1).astype(np.int64)
    # NumPy puts NaN behind all numbers.
    counts[-1] -= np.count_nonzero(np.isnan(values))
    return counts


def number_edges(most: int) -> tuple[float, ...]:
    """Edges of bins of whole numbers from 0 to `most`: one number each, or several if many.

    Examples
    --------
    >>> number_edges(2), number_edges(700)[:3]
    ((-0.5, 0.5, 1.5, 2.5), (-0.5, 14.5, 29.5))
    """
    width = -(-(most + 1) // _MAX_NUMBER_BINS)
    n_bins = -(-(most + 1) // width)
    return tuple(width * bin_ - 0.5 for bin_ in range(n_bins + 1))


def _pixels(layout: ImageLayout, channel: str) -> Iterator[Observable]:
    """Make the observables of one channel of images."""
    number, n_channels = layout.channels.index(channel), len(layout.channels)
    units = layout.units.get(channel, FeatureUnits())

    def reduced(chunk: Chunk, ufunc: np.ufunc, *, is_count: bool = False) -> NDArray[np.float64]:
        """Reduce the pixels of a channel that are not zero, event by event; 0 of none."""
        given = chunk.given
        events = given if isinstance(given, SparseEvents) else sparse_of(given)
        entries = events.entries[events.bounds[0] : events.bounds[-1]]
        is_of_channel = entries["index"] % np.uint32(n_channels) == number
        values = 1.0 if is_count else (entries["value"] + np.float64(units.offset)) * units.step
        if ufunc is np.maximum:
            values = np.abs(values)
        found = np.zeros(len(events))
        is_filled = events.counts > 0
        if is_filled.any():
            begins = events.bounds[:-1][is_filled] - events.bounds[0]
            found[is_filled] = ufunc.reduceat(values * is_of_channel, begins)
        return found

    def total(chunk: Chunk) -> NDArray[np.float64]:
        return np.abs(reduced(chunk, np.add))

    def largest(chunk: Chunk) -> NDArray[np.float64]:
        return reduced(chunk, np.maximum)

    def count(chunk: Chunk) -> NDArray[np.float64]:
        return reduced(chunk, np.add, is_count=True)

    unit = layout.unit(channel, channel)
    for name, title, edges, unit_of, of_chunk in (
        (f"{channel}_sum", f"|Sum of {channel}|", MAGNITUDE_EDGES, unit, total),
        (f"{channel}_max", f"Largest |{channel}|", MAGNITUDE_EDGES, unit, largest),
        (f"n_{channel}", f"Filled pixels of {channel}", PIXEL_EDGES, "", count),
    ):
        yield Observable(
            name=name[:64],
            title=title[:80],
            unit=unit_of,
            edges=edges,
            layout=layout,
            of_chunk=of_chunk,
        )


def _leading_pt(layout: EventLayout, name: str, slots: slice) -> Observable:
    def of_chunk(chunk: Chunk) -> NDArray[np.float64]:
        return _of_filled(chunk.pt[slots].max(axis=0).astype(np.float64), chunk, slots)

    is_single = slots.stop - slots.start == 1
    title = _TITLES.get(name, name)
    return Observable(
        name=name if is_single else f"{name}_pt",
        title=title if is_single else f"pT of the leading {title}",
        unit="GeV",
        edges=PT_EDGES,
        layout=layout,
        of_chunk=of_chunk,
    )


def _largest(layout: EventLayout, name: str, slots: slice) -> list[Observable]:
    """Make the largest magnitude of each feature of one kind of object."""

    def of_chunk(feature: str, chunk: Chunk) -> NDArray[np.float64]:
        values = np.abs(_by_slot(layout.values_of(chunk.events, name, feature))).max(axis=0)
        return _of_filled(values.astype(np.float64), chunk, slots)

    of = name if slots.stop - slots.start == 1 else f"all {name}s"
    return [
        Observable(
            name=f"{name}_{feature}"[:64],
            title=f"Largest |{feature}| of {of}"[:80],
            unit=layout.unit(name, feature),
            edges=MAGNITUDE_EDGES,
            layout=layout,
            of_chunk=partial(of_chunk, feature),
        )
        for feature in layout.features
    ]


def _multiplicity(
    layout: EventLayout, name: str, title: str, slots: slice | NDArray[np.intp]
) -> Observable:
    def of_chunk(chunk: Chunk) -> NDArray[np.float64]:
        return np.asarray(chunk.is_filled[slots].sum(axis=0), np.float64)

    n_slots = len(np.arange(layout.n_objects)[slots])
    return Observable(
        name=name[:64],
        title=title[:80],
        unit="",
        edges=number_edges(n_slots),
        layout=layout,
        of_chunk=of_chunk,
    )


def _scalar_sum(
    layout: EventLayout, name: str, title: str, slots: slice | NDArray[np.intp]
) -> Observable:
    def of_chunk(chunk: Chunk) -> NDArray[np.float64]:
        return _of_filled(chunk.pt[slots].sum(axis=0, dtype=np.float64), chunk, slots)

    return Observable(
        name=name, title=title, unit="GeV", edges=SUM_PT_EDGES, layout=layout, of_chunk=of_chunk
    )


def _of_filled(
    values: NDArray[np.float64], chunk: Chunk, slots: slice | NDArray[np.intp]
) -> NDArray[np.float64]:
    """Leave out the events that have no such object."""
    values[~chunk.is_filled[slots].any(axis=0)] = np.nan
    return values


def _by_slot(values: NDArray[Any]) -> NDArray[Any]:
    """Return values of shape (n, m) as (m, n): NumPy reduces the few slots so much faster."""
    return np.ascontiguousarray(values.T)
