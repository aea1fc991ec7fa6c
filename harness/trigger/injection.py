"""One trial of `harness reach`: whether a signal is found.

A trial does what `harness cluster` does, on features that were computed once. It says only whether
the global p-value is below a level, and stops its toys as soon as that is certain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from harness.challenge import mix64
from harness.data.observables import Observable
from harness.trigger.cells import Cells, excess_p, find_cells, measure_excess
from harness.trigger.cluster import ASIDE_SHARE
from harness.trigger.features import Features, standard_of

# Toys that are drawn together at first; each further batch is twice as large.
_FIRST_BATCH, _LARGEST_BATCH = 32, 512
# Seeds of k-means are five times as large, and below 2**32.
_MAX_SEED = 2**29


@dataclass(frozen=True, kw_only=True, slots=True)
class BackgroundPool:
    """Accepted background events, of the stream of the data and of the simulation together.

    Attributes
    ----------
    values : float64 array, shape (n, n_features)
        Features in their units.
    keys : uint64 array, shape (n,)
        Which event of its stream each is: a variation of an event has the key of the event.
    """

    values: NDArray[np.float64]
    keys: NDArray[np.uint64]


@dataclass(frozen=True, kw_only=True, slots=True)
class SignalPool:
    """Accepted events of a signal.

    Attributes
    ----------
    values : float64 array, shape (n_accepted, n_features)
        Features in their units.
    n_events : int
        Events of its stream, accepted or not.
    """

    values: NDArray[np.float64]
    n_events: int


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialPool:
    """Accepted events that trials are drawn from.

    Attributes
    ----------
    observables : tuple of Observable
        What the features are.
    background : BackgroundPool
    exposure, expected_exposure : float
        Events of the two streams of background, accepted or not.
    signals : mapping of name to SignalPool
    varied : mapping of name to BackgroundPool
        What the trigger accepts of the same streams with a systematic variation.
    """

    observables: tuple[Observable, ...]
    background: BackgroundPool
    exposure: float
    expected_exposure: float
    signals: Mapping[str, SignalPool]
    varied: Mapping[str, BackgroundPool] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """Data and expectations of one trial.

    Attributes
    ----------
    observed : float64 array, shape (n, n_features)
    expectations : tuple of float64 array, shape (n, n_features)
        The nominal one, then one of each variation.
    seed : int
        Of the clusters.
    """

    observed: NDArray[np.float64]
    expectations: tuple[NDArray[np.float64], ...]
    seed: int


def draw_trial(
    pool: TrialPool,
    generator: np.random.Generator,
    *,
    signal: str | None = None,
    n_injected: int = 0,
) -> Trial:
    """Draw which background events are the data, and put events of a signal among them.

    Without a signal the two streams are exchangeable: each event is one of the data with the
    probability that the exposures give, with its variations or without. Injected events are drawn
    without replacement from all events of the signal, so that the number of accepted ones is
    hypergeometric.

    Parameters
    ----------
    n_injected : int
        Events of the signal, accepted or not; at most as many as there are.
    """
    share = pool.exposure / (pool.exposure + pool.expected_exposure)
    salt = generator.integers(2**64, dtype=np.uint64)
    is_data = _is_chosen(pool.background.keys, salt, share)
    observed = pool.background.values[is_data]
    if signal is not None:
        found = pool.signals[signal]
        n_accepted = len(found.values)
        n_drawn = generator.hypergeometric(n_accepted, found.n_events - n_accepted, n_injected)
        rows = generator.choice(n_accepted, n_drawn, replace=False)
        observed = np.concatenate([observed, found.values[rows]])
    seed = int(generator.integers(_MAX_SEED))
    expectations = tuple(
        one.values[~_is_chosen(one.keys, salt, share)]
        for one in (pool.background, *pool.varied.values())
    )
    return Trial(observed=observed, expectations=expectations, seed=seed)


def _is_chosen(keys: NDArray[np.uint64], salt: np.uint64, share: float) -> NDArray[np.bool_]:
    """Draw a yes or no for each key, always the same one for the same key and salt."""
    drawn: NDArray[np.bool_] = mix64(keys ^ salt) < np.uint64(share * 2**64)
    return drawn


def global_p(pool: TrialPool, trial: Trial, *, n_toys: int) -> float:
    """Return the largest global p-value beside any expectation, as `harness cluster` reports it."""
    return max(
        measure_excess(
            cells, is_observed, observed_share=share, n_toys=n_toys, generator=generator
        ).global_p
        for cells, is_observed, share, generator in _compared(pool, trial)
    )


def is_found(pool: TrialPool, trial: Trial, *, level: float, n_toys: int) -> bool:
    """Whether `global_p` is at most `level`: the same toys, and no more of them than needed."""
    return all(
        is_unexpected(
            cells,
            is_observed,
            observed_share=share,
            level=level,
            n_toys=n_toys,
            generator=generator,
        )
        for cells, is_observed, share, generator in _compared(pool, trial)
    )


def _compared(
    pool: TrialPool, trial: Trial
) -> Iterator[tuple[Cells, NDArray[np.bool_], float, np.random.Generator]]:
    """Cluster the data with each expectation, in the steps of `harness.trigger.cluster`."""
    exposure = pool.expected_exposure * (1 - ASIDE_SHARE)
    share = pool.exposure / (pool.exposure + exposure)
    for expected in trial.expectations:
        generator = np.random.default_rng(trial.seed)
        is_aside = generator.random(len(expected)) < ASIDE_SHARE
        aside = Features(observables=pool.observables, values=expected[is_aside])
        values = np.concatenate([trial.observed, expected[~is_aside]])
        cells = find_cells(standard_of(aside)(values), seed=trial.seed)
        yield cells, np.arange(len(values)) < len(trial.observed), share, generator


def is_unexpected(
    cells: Cells,
    is_observed: NDArray[np.bool_],
    *,
    observed_share: float,
    level: float,
    n_toys: int,
    generator: np.random.Generator,
) -> bool:
    """Whether `measure_excess` gives a global p-value of at most `level`.

    A toy is as extreme as the data where any cell holds at least the count at which its local
    p-value is as small. Toys end when too many are: more could not bring the p-value down again.

    References
    ----------
    J. Besag, P. Clifford, Biometrika 78 (1991) 301, doi:10.1093/biomet/78.2.301 (toys that end).
    """
    n_observed, n_every = cells.count(is_observed), cells.count(np.ones(len(is_observed), bool))
    smallest = excess_p(n_observed, n_every, observed_share).min(initial=1.0)
    critical = _critical_counts(smallest, n_every, observed_share)
    atoms = np.bincount(cells.atoms, minlength=len(cells.members))
    # Counts are whole numbers far below 2**24: exact in float32.
    members = cells.members.astype(np.float32)
    n_below, n_left, n_now = 0, n_toys, _FIRST_BATCH
    while n_left and (1 + n_below) / (1 + n_toys) <= level:
        n_now = min(n_now, n_left)
        drawn = generator.binomial(atoms, observed_share, (n_now, len(atoms)))
        counts = drawn.astype(np.float32) @ members
        n_below += int((counts >= critical).any(axis=1).sum())
        n_left -= n_now
        n_now = min(2 * n_now, _LARGEST_BATCH)
    return (1 + n_below) / (1 + n_toys) <= level


def _critical_counts(
    smallest: float, n_every: NDArray[np.int64], share: float
) -> NDArray[np.float32]:
    """Return the fewest observed events of each cell with a local p of at most `smallest`.

    One more than it has where no number does.
    """
    # Equal counts give equal p-values; rounding must not tell them apart, as in `measure_excess`.
    at_most = smallest * (1 + 1e-9)
    low, high = np.zeros_like(n_every), n_every + 1
    while (low < high).any():
        middle = (low + high) // 2
        is_enough = excess_p(middle, n_every, share) <= at_most
        high = np.where(is_enough, middle, high)
        low = np.where(is_enough, low, np.minimum(middle + 1, high))
    return low.astype(np.float32)
