"""Histograms of scores in common bins, for plots."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from harness.card import physics
from harness.metrics.scores import RankedScores

N_BINS = 80
_LARGEST = float(np.finfo(np.float64).max)
_SMALLEST = float(np.finfo(np.float64).tiny)


def score_histogram(samples: Mapping[str, RankedScores]) -> physics.Histogram:
    """Count the scores of every sample in common bins that hold all of them.

    Scores may spread over many powers of ten, and a few far ones must not squeeze the rest into
    one bin: the bins are of equal width in asinh((s - median) / spread), linear around the
    median and logarithmic far from it. Median and spread (interquartile range) are those of the
    first sample; where so many of its scores tie that both quartiles are one score, those of its
    distinct scores.

    Parameters
    ----------
    samples : mapping of str to RankedScores
        At least one whole sample; the background comes first.
    """
    values = [sample.ascending for sample in samples.values()]
    lowest = min(float(array[0]) for array in values)
    highest = max(float(array[-1]) for array in values)
    edges = _edges(np.asarray(values[0], dtype=np.float64), lowest, highest)
    return physics.Histogram(
        edges=tuple(edges.tolist()),
        counts={name: _counts(sample, edges) for name, sample in samples.items()},
    )


def _edges(ascending: NDArray[np.float64], lowest: float, highest: float) -> NDArray[np.float64]:
    if lowest == highest:
        margin = max(0.5, abs(lowest) * 2**-20)
        return np.clip([lowest - margin, highest + margin], -_LARGEST, _LARGEST)
    # Halved, so that the difference of the largest floats does not overflow.
    quarter, median, three_quarters = (
        float(ascending[int(q * (len(ascending) - 1))]) / 2 for q in (0.25, 0.5, 0.75)
    )
    if quarter == three_quarters:
        distinct = np.unique(ascending) / 2
        quarter, median, three_quarters = np.quantile(distinct, (0.25, 0.5, 0.75)).tolist()
    spread = max(three_quarters - quarter, (highest / 2 - lowest / 2) * 1e-12, _SMALLEST)
    low, high = (np.arcsinh((edge / 2 - median) / spread) for edge in (lowest, highest))
    inner = 2 * (median + spread * np.sinh(np.linspace(low, high, N_BINS + 1)[1:-1]))
    inside = inner[(inner > lowest) & (inner < highest)]
    return np.unique(np.concatenate([[lowest], inside, [highest]]))


def _counts(sample: RankedScores, edges: NDArray[np.float64]) -> tuple[int, ...]:
    """Count scores in [edge, next edge); the last bin holds its upper edge too."""
    below = [len(sample.ascending) - sample.n_at_least(edge) for edge in edges[1:-1].tolist()]
    positions = [0, *below, len(sample.ascending)]
    return tuple(np.diff(positions).tolist())
