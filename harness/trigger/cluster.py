"""Is it new? Accepted events are clustered and compared with those that simulation leads to expect.

A share of the expectation is set aside to standardise the features and is not counted, so that
nothing that is counted tells observed from simulated events before the counts are compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from harness.board.cluster_report import Cluster, ClusterReport, DedicatedTrigger, TypicalEvent
from harness.board.counts import count_interval
from harness.board.streams import StreamSummary
from harness.card.accepted import Distribution
from harness.card.figures import Interval
from harness.challenge.layout import AnyLayout
from harness.data.describe import example_of
from harness.data.observables import distributions
from harness.errors import UsageError
from harness.trigger.cells import (
    ALL,
    DENSITY_MIN_SIZE,
    N_STARTS,
    Cells,
    Excess,
    find_cells,
    measure_excess,
)
from harness.trigger.cuts import propose_trigger
from harness.trigger.features import Features, Standard, features_of, standard_of
from harness.trigger.folder import read_run
from harness.trigger.pool import Pool, read_pool
from harness.trigger.records import TriggerRun

# Part of the expectation that standardises the features.
ASIDE_SHARE = 0.1
# One-sided three standard deviations.
THREE_SIGMA = 0.00135
_N_TYPICAL = 10
_LEVEL = 0.95


def cluster_events(
    folder: Path,
    expected: Sequence[Path],
    *,
    level: float = THREE_SIGMA,
    n_toys: int = 10_000,
    seed: int = 1,
    is_shape_only: bool = False,
    varied: Sequence[Path] = (),
) -> ClusterReport:
    """Cluster accepted events and compare them with an expectation.

    Parameters
    ----------
    folder : Path
        Of `harness trigger`.
    expected : sequence of Path
        Folders of `harness trigger` on simulated events; their streams together are the mixture
        that is expected.
    level : float
        Global p-value below which a cluster is unexpected.
    is_shape_only : bool
        Whether the number of accepted events is taken as it is.
    varied : sequence of Path
        The expectation with systematic variations, each in a folder. The data are compared with
        each as with `expected`; only what is unexpected beside all of them is unexpected. Their
        numbers in each cluster are its envelope.

    Raises
    ------
    DataError, UsageError
        See `read_pool`; or `n_toys` cannot resolve `level`.
    """
    if 1 / (n_toys + 1) > level:
        raise UsageError(
            f"{n_toys:,} toys cannot give a p-value below {level:g}",
            fix=f"--toys {int(np.ceil(1 / level)):,} at least",
        )

    def compared_with(pool: Pool) -> _Compared:
        generator = np.random.default_rng(seed)
        is_aside = generator.random(len(pool.expected)) < ASIDE_SHARE
        return _compare(run, pool, is_aside, n_toys, seed, generator, is_shape_only=is_shape_only)

    run, pool = read_pool(folder, expected, alike=varied)
    compared = compared_with(pool)
    envelope = {}
    for path in varied:
        # Each with all thresholds: scores that are compared are the same everywhere.
        _, other = read_pool(folder, [path], alike=[*expected, *varied])
        numbers = _varied_numbers(run, other, compared, is_shape_only=is_shape_only)
        envelope[str(path)] = _Varied(excess=compared_with(other).excess, expected=numbers)
    streams = tuple(read_run(path).stream for path in expected)
    return _report(run, pool, compared, envelope, streams, level=level, n_toys=n_toys, seed=seed)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Varied:
    """A variation of the expectation.

    Attributes
    ----------
    excess : Excess
        Of the data beside it, in clusters of its own.
    expected : float64 array, shape (n_cells,)
        Its numbers in the clusters of the nominal expectation, in the exposure of the data.
    """

    excess: Excess
    expected: NDArray[np.float64]


def _varied_numbers(
    run: TriggerRun, pool: Pool, compared: _Compared, *, is_shape_only: bool
) -> NDArray[np.float64]:
    """Return what a variation leads to expect in each cluster of the nominal expectation."""
    features = features_of(run.settings.layout, pool.expected.events)
    counts = compared.cells.count_others(compared.standard(features.values))
    scale = pool.exposure / pool.expected_exposure
    if is_shape_only:
        scale = len(pool.observed) / max(len(pool.expected), 1)
    return np.asarray(counts * scale, np.float64)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Compared:
    """Events that are counted: observed ones, then simulated ones.

    Attributes
    ----------
    points : float64 array, shape (n, n_features)
        Standardised.
    aside : Features
        Of simulated events that are not counted.
    scale : float
        From simulated to expected events.
    """

    features: Features
    points: NDArray[np.float64]
    aside: Features
    standard: Standard
    is_observed: NDArray[np.bool_]
    origins: NDArray[np.str_]
    cells: Cells
    excess: Excess
    observed_share: float | None
    scale: float


def _compare(
    run: TriggerRun,
    pool: Pool,
    is_aside: NDArray[np.bool_],
    n_toys: int,
    seed: int,
    generator: np.random.Generator,
    *,
    is_shape_only: bool,
) -> _Compared:
    layout = run.settings.layout
    aside = features_of(layout, pool.expected.events[is_aside])
    counted = pool.expected.events[~is_aside]
    features = features_of(layout, np.concatenate([pool.observed.events, counted]))
    is_observed = np.arange(len(features.values)) < len(pool.observed)
    standard = standard_of(aside)
    points = standard(features.values)
    cells = find_cells(points, seed=seed)
    exposure = pool.expected_exposure * (1 - ASIDE_SHARE)
    share = None if is_shape_only else pool.exposure / (pool.exposure + exposure)
    excess = measure_excess(
        cells, is_observed, observed_share=share, n_toys=n_toys, generator=generator
    )
    scale = pool.exposure / exposure
    if is_shape_only:
        scale = len(pool.observed) / max(len(counted), 1)
    return _Compared(
        features=features,
        points=points,
        aside=aside,
        standard=standard,
        is_observed=is_observed,
        origins=pool.origins[~is_aside],
        cells=cells,
        excess=excess,
        observed_share=share,
        scale=scale,
    )


def _report(
    run: TriggerRun,
    pool: Pool,
    compared: _Compared,
    envelope: Mapping[str, _Varied],
    expectation: tuple[StreamSummary, ...],
    *,
    level: float,
    n_toys: int,
    seed: int,
) -> ClusterReport:
    excess, cells = compared.excess, compared.cells
    every = (excess, *(one.excess for one in envelope.values()))
    largest_p = max(one.global_p for one in every)
    best = _most_unexpected(cells, excess, level)
    is_found = largest_p <= level
    order = np.argsort(excess.local_p, kind="stable")
    names = tuple(one.name for one in compared.features.observables)
    report = ClusterReport(
        team=run.settings.team,
        challenge=run.settings.challenge,
        verdict=_verdict(every, compared, best if is_found else None),
        level=level,
        global_p=excess.global_p,
        varied_p={name: one.excess.global_p for name, one in envelope.items()},
        n_toys=n_toys,
        seed=seed,
        parameters={
            "k-means": f"scikit-learn KMeans, {N_STARTS} starts each, seed as above",
            "HDBSCAN": f"scikit-learn HDBSCAN, min_cluster_size {DENSITY_MIN_SIZE}",
            "features": "log(1 + |x|) of those with a unit, standardised on "
            f"{ASIDE_SHARE:.0%} of the expectation, which is not counted",
        },
        threshold=pool.threshold,
        data=run.stream,
        expectation=expectation,
        n_observed=len(pool.observed),
        n_simulated=int((~compared.is_observed).sum()),
        observed_share=compared.observed_share,
        features=names,
        clusters=tuple(_cluster(int(cell), compared, envelope) for cell in order),
        warnings=run.warnings,
    )
    if not is_found:
        return report
    return report.model_copy(
        update={
            "unexpected": cells.names[best],
            "spectra": _spectra(run, pool, compared, best),
            "typical": _typical(run.settings.layout, pool, compared, best),
            "trigger": _dedicated(run, pool, compared, best, seed),
        }
    )


def _most_unexpected(cells: Cells, excess: Excess, level: float) -> int:
    """Return the cell with the smallest local p, a cluster rather than all events.

    Where the number of all events is what is most unexpected, the best cluster is shown in its
    place if it alone, its p-value times the number of cells, is below `level`.
    """
    best = int(np.argmin(excess.local_p))
    is_part = np.array([not name.startswith(f"{ALL}/") for name in cells.names])
    own = np.where(is_part, excess.local_p, np.inf)
    part = int(np.argmin(own))
    return part if own[part] * len(cells.names) <= level else best


def _verdict(every: Sequence[Excess], compared: _Compared, best: int | None) -> str:
    """Say what was found; the first of `every` is beside the nominal expectation."""
    excess, *varied = every
    p = f"{excess.global_p:.2g}"
    if varied:
        p += f", {max(one.global_p for one in varied):.2g} with a variation"
    if best is None:
        return f"nothing unexpected, global p = {p}"
    largest_p = max(one.global_p for one in every)
    # No toy was as extreme beside any that decides: more of them could give a smaller value.
    is_bound = all(one.is_smallest for one in every if one.global_p == largest_p)
    at_least = "at least " if is_bound else ""
    sigma = f"{at_least}{-ndtri(largest_p):.1f} sigma"
    expected = excess.n_expected[best] * compared.scale
    return (
        f"cluster {compared.cells.names[best]} is unexpected: {excess.n_observed[best]:,} events "
        f"observed, {expected:.1f} expected, global p = {p} ({sigma})"
    )


def _cluster(cell: int, compared: _Compared, envelope: Mapping[str, _Varied]) -> Cluster:
    excess, names = compared.excess, [one.name for one in compared.features.observables]
    holds = compared.cells.holds(cell)
    n_simulated = int(excess.n_expected[cell])
    low, high = count_interval(n_simulated, level=_LEVEL)
    means = [
        compared.features.values[holds & chosen].mean(axis=0).tolist()
        if (holds & chosen).any()
        else [None] * len(names)
        for chosen in (compared.is_observed, ~compared.is_observed)
    ]
    origins = compared.origins[holds[~compared.is_observed]]
    sources, counts = np.unique(origins, return_counts=True)
    return Cluster(
        name=compared.cells.names[cell],
        n_observed=int(excess.n_observed[cell]),
        n_simulated=n_simulated,
        expected=n_simulated * compared.scale,
        expected_interval=Interval(
            lower=low * compared.scale,
            upper=high * compared.scale,
            level=_LEVEL,
            method="Garwood, of the simulated events",
        ),
        varied={name: float(one.expected[cell]) for name, one in envelope.items()},
        local_p=float(excess.local_p[cell]),
        composition={
            str(name): float(count / len(origins))
            for name, count in zip(sources, counts, strict=True)
        },
        means=dict(zip(names, zip(*means, strict=True), strict=True)),
    )


def _spectra(
    run: TriggerRun, pool: Pool, compared: _Compared, cell: int
) -> tuple[Distribution, ...]:
    """Count the events of a cluster, observed and all simulated ones, in fixed bins."""
    holds = compared.cells.holds(cell)[compared.is_observed]
    events = {"observed": [pool.observed.events[holds]], "expected": [pool.expected.events]}
    return distributions(run.settings.layout, events)


def _typical(
    layout: AnyLayout, pool: Pool, compared: _Compared, cell: int
) -> tuple[TypicalEvent, ...]:
    """Return the observed events nearest to the middle of a cluster."""
    rows = np.flatnonzero(compared.cells.holds(cell) & compared.is_observed)
    middle = np.median(compared.points[rows], axis=0)
    distance = ((compared.points[rows] - middle) ** 2).sum(axis=1)
    names = [one.name for one in compared.features.observables]
    return tuple(
        TypicalEvent(
            source=str(pool.observed.sources[row]),
            section=int(pool.observed.sections[row]),
            row=int(pool.observed.rows[row]),
            score=float(pool.observed.scores[row]),
            features=dict(zip(names, compared.features.values[row].tolist(), strict=True)),
            shown=example_of("observed", pool.observed.events[[row]], layout),
        )
        for row in rows[np.argsort(distance, kind="stable")][:_N_TYPICAL]
    )


def _dedicated(
    run: TriggerRun, pool: Pool, compared: _Compared, cell: int, seed: int
) -> DedicatedTrigger | None:
    holds = compared.cells.holds(cell) & compared.is_observed
    simulated = compared.features.values[~compared.is_observed]
    return propose_trigger(
        tuple(one.name for one in compared.features.observables),
        compared.features.values[holds],
        np.concatenate([simulated, compared.aside.values]),
        accepted_share=len(pool.expected) / pool.expected_exposure,
        input_rate_hz=run.settings.input_rate_hz,
        seed=seed,
    )
