"""Bootstrap replicates of figures that hang on more than the upper tail of the background.

Both samples are dealt into buckets, as signals are in `harness.metrics.replicates`, with weights of
their own: the weighted count of any set of events is a dot product of its bucket counts with them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.metrics.replicates import (
    N_BUCKETS,
    N_REPLICATES,
    DealtSignal,
    ReplicateCuts,
    background_bucket_weights,
    bucket_weights,
    deal_events,
    deal_signal,
    replicate_rates,
    weigh,
)
from harness.metrics.roc import Placement
from harness.metrics.scores import Sample


@dataclass(frozen=True, kw_only=True, slots=True)
class Dealt:
    """Scores of one sample in rising order, and the weights of their events.

    Attributes
    ----------
    sample : DealtSignal
        All events.
    weights : ndarray of uint8, shape (n_replicates, n_buckets)
        Of the sample's buckets.
    """

    sample: DealtSignal
    weights: NDArray[np.uint8]

    def rates(self, thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the share of events with ``score >= threshold``, each replicate at its own."""
        cuts = ReplicateCuts(thresholds=thresholds, is_strict=np.zeros(len(thresholds), dtype=bool))
        return replicate_rates(self.sample, cuts, self.weights)

    def shares(self, thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the share at or above each of m falling thresholds, shape (n_replicates, m)."""
        scores, buckets = self.sample.scores, self.sample.buckets
        starts = np.searchsorted(scores, thresholds, "left")
        counts = np.empty((len(thresholds), N_BUCKETS))
        stop = len(scores)
        for row, start in enumerate(starts.tolist()):
            counts[row] = np.bincount(buckets[start:stop], minlength=N_BUCKETS)
            stop = start
        # Integers below 2**53: the sums are exact in any order.
        within = self.weights.astype(np.float64) @ counts.T
        total = np.maximum(self.sample.total_weights, 1)[:, np.newaxis]
        return np.asarray(np.cumsum(within, axis=1) / total, dtype=np.float64)

    def thresholds(self, share: float) -> NDArray[np.float64]:
        """Return each replicate's highest score that `share` of its weight reaches.

        Only events near that place of the sample can be it; they are looked at one by one.
        """
        n_events = len(self.sample.scores)
        centre, half = math.ceil(share * n_events), math.ceil(10 * math.sqrt(n_events)) + 50
        while True:
            first = max(n_events - centre - half, 0)
            last = min(n_events - centre + half, n_events)
            found = self._thresholds_within(share, first, last)
            if found is not None:
                return found
            half *= 2

    def _thresholds_within(self, share: float, first: int, last: int) -> NDArray[np.float64] | None:
        buckets, scores = self.sample.buckets, self.sample.scores
        above = weigh(self.weights, np.bincount(buckets[last:], minlength=N_BUCKETS))
        wanted = share * np.maximum(self.sample.total_weights, 1)
        falling = buckets[first:last][::-1]
        at = np.empty(N_REPLICATES, dtype=np.intp)
        for row in range(N_REPLICATES):
            reached = above[row] + np.cumsum(self.weights[row][falling], dtype=np.int64)
            if above[row] >= wanted[row] > 0 and last < len(scores):
                return None
            # The rounding of share * weight must not ask for one event more.
            at[row] = np.searchsorted(reached, wanted[row] * (1 - 1e-12), "left")
        if first > 0 and int(at.max()) >= len(falling):
            return None
        return np.asarray(scores[last - 1 - np.minimum(at, len(falling) - 1)], dtype=np.float64)


def deal_background(background: Sample, *, seed: int, lowest: float = -math.inf) -> Dealt:
    """Deal the background, of which only scores of `lowest` or more are kept."""
    return _deal(background, background_bucket_weights(seed), seed, lowest)


def deal_whole_signal(signal: Sample, *, seed: int) -> Dealt:
    """Deal all events of a signal."""
    return _deal(signal, bucket_weights(seed), seed, -math.inf)


def _deal(sample: Sample, weights: NDArray[np.uint8], seed: int, lowest: float) -> Dealt:
    dealing = deal_events(sample.hashes, weights, seed=seed)
    dealt = deal_signal(sample.scores, dealing, lowest=lowest)
    return Dealt(sample=dealt, weights=weights)


def area_replicates(
    placement: Placement, area: float, background: Dealt, signal: Dealt
) -> NDArray[np.float64]:
    """Return the area under the ROC curve in each replicate, to first order in the weights.

    The area is a mean over pairs; its change with the weights is that of the two means of
    placements, which DeLong's variance is made of, up to terms of 1/n.
    """
    of_signal = (placement.n_below + placement.n_not_above) / (2 * placement.n_background)
    ordered, scores = signal.sample.scores, background.sample.scores
    below = np.searchsorted(ordered, scores, "left") + np.searchsorted(ordered, scores, "right")
    of_background = 1.0 - below / (2 * len(ordered))
    changes = _mean_change(of_signal - area, signal) + _mean_change(
        of_background - area, background
    )
    return np.clip(area + changes, 0.0, 1.0)


def _mean_change(values: NDArray[np.float64], dealt: Dealt) -> NDArray[np.float64]:
    sums = np.bincount(dealt.sample.buckets, weights=values, minlength=N_BUCKETS)
    # In float64 the order of the sum matters in the last digits alone.
    changes = np.asarray(dealt.weights @ sums, dtype=np.float64)
    return changes / np.maximum(dealt.sample.total_weights, 1)
