"""Observables of events, and their distributions in fixed bins.

Every distribution that the harness keeps (of a data set, of the events that an entry accepts) is
made here, so that they can be laid over each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.card.records import Distribution
from harness.challenge import EventLayout, FeatureUnits, ImageLayout
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
_JETS = frozenset({"jet", "jets"})

# How the objects of ADC2021 are printed; others by their own names.
_TITLES = {"met": "Missing transverse momentum", "electron": "electron", "muon": "muon"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Observable:
    """One number per event, and the bins that it is counted in.

    Attributes
    ----------
    edges : tuple of float
        One more than there are bins; values beyond are counted in the outermost bins.
    compute : callable
        From float32 events of shape (n, n_objects, n_features), or images without their zeros, to
        float64 values of shape (n,); NaN where the event has no such value, which is then not
        counted.
    """

    name: str
    title: str
    unit: str
    edges: tuple[float, ...]
    compute: Callable[[Events], NDArray[np.float64]]


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
    observables: Iterable[Observable], processes: Mapping[str, Iterable[Events]]
) -> tuple[Distribution, ...]:
    """Count the events of each process in the bins of each observable.

    Parameters
    ----------
    observables : iterable of Observable
        What is counted.
    processes : mapping of process to iterable of float32 arrays
        Chunks of events, shape (n, *layout.shape).
    """
    wanted = tuple(observables)
    counts = {
        observable.name: {
            process: np.zeros(len(observable.edges) - 1, np.int64) for process in processes
        }
        for observable in wanted
    }
    for process, chunks in processes.items():
        for events in chunks:
            for observable in wanted:
                counts[observable.name][process] += count_in_bins(observable, events)
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


def count_in_bins(observable: Observable, events: Events) -> NDArray[np.int64]:
    """Count `events` in the bins of `observable`; those without a value are left out."""
    values = observable.compute(events)
    values = values[~np.isnan(values)]
    inner = np.asarray(observable.edges[1:-1])
    bins = np.searchsorted(inner, values, side="right")
    return np.bincount(bins, minlength=len(observable.edges) - 1).astype(np.int64)


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

    def reduced(given: Events, ufunc: np.ufunc, *, is_count: bool = False) -> NDArray[np.float64]:
        """Reduce the pixels of a channel that are not zero, event by event; 0 of none."""
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

    def total(given: Events) -> NDArray[np.float64]:
        return np.abs(reduced(given, np.add))

    def largest(given: Events) -> NDArray[np.float64]:
        return reduced(given, np.maximum)

    def count(given: Events) -> NDArray[np.float64]:
        return reduced(given, np.add, is_count=True)

    unit = layout.unit(channel, channel)
    for name, title, edges, unit_of, compute in (
        (f"{channel}_sum", f"|Sum of {channel}|", MAGNITUDE_EDGES, unit, total),
        (f"{channel}_max", f"Largest |{channel}|", MAGNITUDE_EDGES, unit, largest),
        (f"n_{channel}", f"Filled pixels of {channel}", PIXEL_EDGES, "", count),
    ):
        yield Observable(
            name=name[:64], title=title[:80], unit=unit_of, edges=edges, compute=compute
        )


def _leading_pt(layout: EventLayout, name: str, slots: slice) -> Observable:
    def compute(given: Events) -> NDArray[np.float64]:
        events = np.asarray(given)
        pt = _by_slot(layout.values_of(events, name, "pt")).max(axis=0).astype(np.float64)
        return _of_filled(pt, layout, events[:, slots])

    is_single = slots.stop - slots.start == 1
    title = _TITLES.get(name, name)
    return Observable(
        name=name if is_single else f"{name}_pt",
        title=title if is_single else f"pT of the leading {title}",
        unit="GeV",
        edges=PT_EDGES,
        compute=compute,
    )


def _largest(layout: EventLayout, name: str, slots: slice) -> list[Observable]:
    """Make the largest magnitude of each feature of one kind of object."""

    def compute(feature: str, given: Events) -> NDArray[np.float64]:
        events = np.asarray(given)
        values = np.abs(_by_slot(layout.values_of(events, name, feature))).max(axis=0)
        return _of_filled(values.astype(np.float64), layout, events[:, slots])

    of = name if slots.stop - slots.start == 1 else f"all {name}s"
    return [
        Observable(
            name=f"{name}_{feature}"[:64],
            title=f"Largest |{feature}| of {of}"[:80],
            unit=layout.unit(name, feature),
            edges=MAGNITUDE_EDGES,
            compute=partial(compute, feature),
        )
        for feature in layout.features
    ]


def _multiplicity(
    layout: EventLayout, name: str, title: str, slots: slice | NDArray[np.intp]
) -> Observable:
    def compute(given: Events) -> NDArray[np.float64]:
        events = np.asarray(given)
        is_filled = _by_slot(layout.is_filled(events)[:, slots])
        return np.asarray(is_filled.sum(axis=0), np.float64)

    n_slots = len(np.arange(layout.n_objects)[slots])
    edges = number_edges(n_slots)
    return Observable(name=name[:64], title=title[:80], unit="", edges=edges, compute=compute)


def _scalar_sum(
    layout: EventLayout, name: str, title: str, slots: slice | NDArray[np.intp]
) -> Observable:
    def compute(given: Events) -> NDArray[np.float64]:
        events = np.asarray(given)
        pt = _by_slot(layout.values(events, "pt")[:, slots])
        total = pt.sum(axis=0, dtype=np.float64)
        return _of_filled(total, layout, events[:, slots])

    return Observable(name=name, title=title, unit="GeV", edges=SUM_PT_EDGES, compute=compute)


def _of_filled(
    values: NDArray[np.float64], layout: EventLayout, events: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Leave out the events that have no such object."""
    values[~_by_slot(layout.is_filled(events)).any(axis=0)] = np.nan
    return values


def _by_slot(values: NDArray[Any]) -> NDArray[Any]:
    """Return values of shape (n, m) as (m, n): NumPy reduces the few slots so much faster."""
    return np.ascontiguousarray(values.T)
