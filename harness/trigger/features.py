"""Features of accepted events, standardised on the expectation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.challenge import EventLayout
from harness.data.observables import Chunk, Observable, observables_of
from harness.data.split import chunks

_BLOCK_EVENTS = 16_384


@dataclass(frozen=True, kw_only=True, slots=True)
class Features:
    """Observables of events, one row for each event.

    Attributes
    ----------
    observables : tuple of Observable
        `harness.data.observables.observables_of` the layout.
    values : float64 array, shape (n, len(observables))
        In their units; 0 where an event has no such object.
    """

    observables: tuple[Observable, ...]
    values: NDArray[np.float64]


def features_of(layout: EventLayout, events: NDArray[np.float32]) -> Features:
    """Compute the observables of events, shape (n, *layout.shape)."""
    observables = observables_of(layout)
    values = np.zeros((len(events), len(observables)))
    for piece in chunks(len(events), _BLOCK_EVENTS):
        chunk = Chunk(layout, events[piece])
        for column, observable in enumerate(observables):
            values[piece, column] = np.nan_to_num(observable.of_chunk(chunk))
    return Features(observables=observables, values=values)


@dataclass(frozen=True, kw_only=True, slots=True)
class Standard:
    """How features are made comparable: log(1 + x), minus a mean, over a spread.

    The logarithm is of magnitudes, whose spectra fall over decades; numbers of objects stay.

    Attributes
    ----------
    is_logarithmic : bool array, shape (n_features,)
    mean, spread : float64 arrays, shape (n_features,)
        Of the events that it was made of; a feature without spread has a spread of 1.
    """

    is_logarithmic: NDArray[np.bool_]
    mean: NDArray[np.float64]
    spread: NDArray[np.float64]

    def __call__(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Standardise features, shape (n, n_features)."""
        scaled: NDArray[np.float64] = (self._curved(values) - self.mean) / self.spread
        return scaled

    def _curved(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(self.is_logarithmic, np.log1p(np.abs(values)), values)


def standard_of(features: Features) -> Standard:
    """Make the standard of the features of expected events."""
    is_logarithmic = np.array([bool(one.unit) for one in features.observables])
    bare = Standard(
        is_logarithmic=is_logarithmic,
        mean=np.zeros(len(is_logarithmic)),
        spread=np.ones(len(is_logarithmic)),
    )
    curved = bare(features.values)
    spread = curved.std(axis=0)
    return Standard(
        is_logarithmic=is_logarithmic,
        mean=curved.mean(axis=0),
        spread=np.where(spread > 0, spread, 1.0),
    )
