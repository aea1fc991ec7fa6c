"""Yes-or-no properties of accepted events, counted per section.

Each property is one yes or no for each event, so that its count in some sections is hypergeometric
beside that of a reference, whatever else is in the events: an event with three jets in a cell
counts once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.board.watch_report import ETA_RANGE, N_ETA
from harness.challenge import EventLayout
from harness.data.observables import Chunk, Observable, observables_of
from harness.errors import DataError
from harness.trigger.folder import AcceptedEvents

# Edges of the maps of occupancy; eta beyond the last edge is in the outermost cells.
ETA_EDGES = np.linspace(*ETA_RANGE, N_ETA + 1)
PHI_EDGES = np.linspace(-np.pi, np.pi, 17)
N_PHI = len(PHI_EDGES) - 1
# Of the reference's values: where spectra are cut.
QUANTILES = (0.1, 0.5, 0.9, 0.99)
# Sections that are counted at a time.
_BLOCK_SECTIONS = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class Spectrum:
    """A value of events and the cuts at which it is counted.

    Attributes
    ----------
    name, title, unit : str
    cuts : float64 array, shape (n_cuts,)
        An event has the property of a cut if its value is at least as large; rising.
    """

    name: str
    title: str
    unit: str
    cuts: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Properties:
    """What is counted.

    Attributes
    ----------
    kinds : tuple of str
        Kinds of object with a map of occupancy.
    spectra : tuple of Spectrum
        Of the score, then of the observables of the layout.
    """

    layout: EventLayout
    kinds: tuple[str, ...]
    spectra: tuple[Spectrum, ...]

    def count(self, parts: Iterable[AcceptedEvents], sections: NDArray[np.int64]) -> Counts:
        """Count the events with each property in each section.

        Parameters
        ----------
        sections : int64 array, shape (n_sections,)
            Their numbers, rising.
        """
        counts = self._nothing(sections)
        for part in parts:
            self._add(counts, part)
        return counts

    def blocks(
        self, parts: Iterable[AcceptedEvents], sections: NDArray[np.int64]
    ) -> Iterator[Counts]:
        """Count as `count` does, in blocks of consecutive sections: in memory is one of them.

        Parameters
        ----------
        parts : iterable of AcceptedEvents
            Their sections never fall, and are among `sections`.
        """
        first = 0
        counts = self._nothing(sections[:_BLOCK_SECTIONS])
        for part in parts:
            where = np.searchsorted(sections, part.sections)
            done = 0
            while done < len(part):
                cut = int(np.searchsorted(where, first + _BLOCK_SECTIONS))
                self._add(counts, part.part(done, cut))
                done = cut
                if done < len(part):
                    yield counts
                    first += _BLOCK_SECTIONS
                    counts = self._nothing(sections[first : first + _BLOCK_SECTIONS])
        while first < len(sections):
            yield counts
            first += _BLOCK_SECTIONS
            counts = self._nothing(sections[first : first + _BLOCK_SECTIONS])

    def _nothing(self, sections: NDArray[np.int64]) -> Counts:
        n_sections = len(sections)
        return Counts(
            sections=sections,
            n_events=np.zeros(n_sections, np.int64),
            maps={kind: np.zeros((n_sections, N_ETA * N_PHI), np.int64) for kind in self.kinds},
            spectra={
                one.name: np.zeros((n_sections, len(one.cuts)), np.int64) for one in self.spectra
            },
        )

    def _add(self, counts: Counts, part: AcceptedEvents) -> None:
        n_sections = len(counts.sections)
        where = np.searchsorted(counts.sections, part.sections)
        counts.n_events[:] += np.bincount(where, minlength=n_sections)
        for kind, found in counts.maps.items():
            event, cell = _occupied(self.layout, part.events, kind)
            np.add.at(found, (where[event], cell), 1)
        for name, values in values_of(self.layout, part).items():
            for number, cut in enumerate(self._cuts(name)):
                passes = where[values >= cut]
                counts.spectra[name][:, number] += np.bincount(passes, minlength=n_sections)

    def _cuts(self, name: str) -> NDArray[np.float64]:
        return next((one.cuts for one in self.spectra if one.name == name), np.zeros(0))


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """Events with each property, by section.

    Attributes
    ----------
    sections, n_events : int64 arrays, shape (n_sections,)
    maps : mapping of kind to int64 array, shape (n_sections, N_ETA * N_PHI)
    spectra : mapping of name to int64 array, shape (n_sections, n_cuts)
    """

    sections: NDArray[np.int64]
    n_events: NDArray[np.int64]
    maps: dict[str, NDArray[np.int64]]
    spectra: dict[str, NDArray[np.int64]]


def properties_of(layout: EventLayout, reference: AcceptedEvents) -> Properties:
    """Choose what is counted by the events of a reference.

    Raises
    ------
    DataError
        The reference has no events.
    """
    if not len(reference):
        raise DataError("the reference has no accepted events")
    titles = {one.name: one for one in observables_of(layout)}
    spectra = []
    for name, values in values_of(layout, reference).items():
        # A cut that all events pass, or that repeats another, says nothing.
        cuts = np.unique(np.quantile(values, QUANTILES, method="higher"))
        cuts = cuts[cuts > values.min()]
        if len(cuts):
            spectra.append(_spectrum(name, titles.get(name), cuts))
    kinds = tuple(
        group.name for group in layout.objects if _has_map(layout, reference.events, group.name)
    )
    return Properties(layout=layout, kinds=kinds, spectra=tuple(spectra))


def _spectrum(name: str, found: Observable | None, cuts: NDArray[np.float64]) -> Spectrum:
    if found is None:
        return Spectrum(name=name, title="score", unit="", cuts=cuts)
    return Spectrum(name=name, title=found.title, unit=found.unit, cuts=cuts)


def _has_map(layout: EventLayout, events: NDArray[np.float32], kind: str) -> bool:
    group = next(group for group in layout.objects if group.name == kind)
    if group.is_sum or layout.lacks("pt", "eta", "phi"):
        return False
    eta = layout.values_of(events, kind, "eta")
    return bool((eta != 0).any())


def _occupied(
    layout: EventLayout, events: NDArray[np.float32], kind: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return events and cells in which they have an object, each pair once."""
    eta, phi = (layout.values_of(events, kind, name) for name in ("eta", "phi"))
    event, slot = np.nonzero(layout.values_of(events, kind, "pt") > 0)
    row = np.clip(np.searchsorted(ETA_EDGES, eta[event, slot], "right") - 1, 0, N_ETA - 1)
    column = np.clip(np.searchsorted(PHI_EDGES, phi[event, slot], "right") - 1, 0, N_PHI - 1)
    n_cells = N_ETA * N_PHI
    pairs = np.unique(event * n_cells + row * N_PHI + column)
    return pairs // n_cells, pairs % n_cells


def values_of(layout: EventLayout, part: AcceptedEvents) -> dict[str, NDArray[np.float64]]:
    """Return the score and the observables of events; 0 where one has no such object."""
    chunk = Chunk(layout, part.events)
    found = {"score": part.scores}
    for one in observables_of(layout):
        found[one.name] = np.nan_to_num(one.of_chunk(chunk))
    return found
