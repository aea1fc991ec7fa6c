"""Two files of events compared: one Monte Carlo with another, or simulation with data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.card.figures import NotMeasured
from harness.challenge import EventLayout
from harness.files import Progress, no_progress
from harness.metrics.two_samples import (
    SampleDistance,
    frechet_physics_distance,
    kernel_physics_distance,
    wasserstein,
)
from harness.simulate.features import read_pair

# Of what is drawn for intervals: the same files give the same figures.
_SEED = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class FeatureDistance:
    """How far the distribution of one feature is from that of the other file.

    Attributes
    ----------
    distance : SampleDistance or NotMeasured
        Wasserstein-1, in `unit`.
    spread : float
        Standard deviation of the feature in the first file.
    """

    name: str
    unit: str
    mean: float
    mean_other: float
    spread: float
    distance: SampleDistance | NotMeasured


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """Two files of events.

    Attributes
    ----------
    frechet, kernel : SampleDistance or NotMeasured
        Frechet and kernel physics distance (FPD, KPD) over all features together.
    """

    source: str
    other: str
    n_events: int
    n_other: int
    features: tuple[FeatureDistance, ...]
    frechet: SampleDistance | NotMeasured
    kernel: SampleDistance | NotMeasured


def compare_files(
    path: Path, other: Path, *, layout: EventLayout | None = None, progress: Progress = no_progress
) -> Compared:
    """Compare the first 20,000 events of two files by their features.

    Parameters
    ----------
    path, other : Path
        HDF5 files of one layout; `path` is the reference.
    layout : EventLayout, optional
        Without it one of those that `harness simulate` writes.

    Raises
    ------
    DataError
        A file cannot be read or has another layout.
    EnvironmentFaultError
        A library that the features need is not installed.
    """
    first, second = read_pair(path, other, layout, progress)
    generator = np.random.default_rng(_SEED)
    return Compared(
        source=path.name,
        other=other.name,
        n_events=len(first.values),
        n_other=len(second.values),
        features=tuple(
            FeatureDistance(
                name=name,
                unit=unit,
                mean=float(one.mean()),
                mean_other=float(two.mean()),
                spread=float(one.std()),
                distance=wasserstein(one, two, generator),
            )
            for name, unit, one, two in zip(
                first.names, first.units, first.values.T, second.values.T, strict=True
            )
        ),
        frechet=frechet_physics_distance(first.values, second.values),
        kernel=kernel_physics_distance(first.values, second.values, generator),
    )
