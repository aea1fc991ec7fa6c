"""Keyed bootstrap replicates of the TPR, which make score cards comparable in pairs.

Replicate r of a challenge gives every event a weight, Poisson(1) as in a bootstrap sample of a
sample of Poisson size, that depends on the challenge's seed, the event's content hash and r alone.
Two entries scored anywhere, at any time, in any order are therefore resampled alike: the luck
that they share cancels in the difference of their replicates.

Background. Every event has a SplitMix64 stream of its own, seeded by its hash; four replicates
share one output of it. Only the upper tail can decide the threshold of a replicate, so only the
tail gets weights, and the tail is lengthened until it does decide every replicate.

Signal. TPR needs the weight of all events, passing or not, which is 500 numbers for each of
millions. Events are therefore dealt by their hash into `N_BUCKETS` buckets, and all events of a
bucket share its weights: the weighted count of any set of events is then a dot product of its
bucket counts with a table that serves all signals and thresholds. The hash knows nothing of the
score, so this resampling of clusters is unbiased: with p the TPR, M events and n_b, M_b the
passing and all events of bucket b, the replicates' variance is sum_b (n_b - p M_b)^2 / M^2, whose
mean over the hashes is p (1 - p) / M as it should be, and whose spread relative to that is
sqrt(2 / N_BUCKETS) = 1.1 % (0.55 % of an interval's width; 500 replicates have 3.2 % of their own).
An event's bucket is the same for all entries, so pairing is exact.

References
----------
B. Efron, Ann. Stat. 7 (1979) 1, doi:10.1214/aos/1176344552 (bootstrap). J. A. Hanley,
B. MacGibbon, Comput. Methods Programs Biomed. 83 (2006) 57, doi:10.1016/j.cmpb.2006.04.006
(Poisson weights). G. L. Steele, D. Lea, C. H. Flood, OOPSLA 2014, doi:10.1145/2660193.2660195
(SplitMix64).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from harness.challenge import SPLITMIX_STEP, mix64
from harness.metrics.scores import Floats, RankedScores

N_REPLICATES = 500
N_BUCKETS = 2**14

# How many of the 65,536 values of 16 random bits stand for the weight 0, 1, ..., 8. Poisson(1)
# would have 24109.3, 24109.3, 12054.7, 4018.2, 1004.6, 200.9, 33.5, 4.8 and 0.6; these integers
# give it a mean and a variance of exactly 1.
POISSON_COUNTS = (24109, 24110, 12055, 4017, 1005, 201, 34, 4, 1)
_LANES = 4
_MASK = 2**64 - 1
# Separate streams for separate uses of one seed.
_BACKGROUND, _BUCKETS, _DEALING, _BACKGROUND_BUCKETS = 1, 2, 3, 4
# Words mixed at once: 128 KiB stay in the second-level cache.
_BLOCK_WORDS = 2**14
# Weights held at once while thresholds are found: 8 MiB of cumulated 32-bit sums.
_MAX_WEIGHTS = 2**21


def poisson_weights(
    keys: NDArray[np.uint64], replicates: range, *, seed: int, stream: int
) -> NDArray[np.uint8]:
    """Return the weight of each key in each of `replicates`.

    Parameters
    ----------
    keys : ndarray of uint64, shape (n,)
        What is weighted: the hash of an event, the number of a bucket.
    replicates : range
        Which replicates; starts at a multiple of four.
    seed : int
        The challenge's seed.
    stream : int
        Separates the uses of one seed.

    Returns
    -------
    ndarray of uint8, shape (len(replicates), n)
        Poisson(1) to within 2e-5 of each probability; mean and variance exactly 1.
    """
    table = np.repeat(np.arange(len(POISSON_COUNTS), dtype=np.uint8), POISSON_COUNTS)
    states = mix64(keys ^ _stream_key(seed, stream))
    first, last = replicates.start // _LANES, -(-replicates.stop // _LANES)
    weights = np.empty((last - first, _LANES, len(keys)), dtype=np.uint8)
    step = max(_BLOCK_WORDS // max(len(keys), 1), 1)
    for start in range(first, last, step):
        numbers = range(start + 1, min(start + step, last) + 1)
        counters = np.array([number * SPLITMIX_STEP & _MASK for number in numbers], dtype=np.uint64)
        words = mix64(states + counters[:, None]).astype("<u8", copy=False)
        lanes = words.view("<u2").reshape(*words.shape, _LANES)
        rows = slice(start - first, start - first + len(numbers))
        weights[rows] = table[lanes].transpose(0, 2, 1)
    return weights.reshape(-1, len(keys))[: len(replicates)]


def _stream_key(seed: int, stream: int) -> np.uint64:
    words = np.array([seed & _MASK], dtype=np.uint64)
    return np.uint64(mix64(mix64(words + np.uint64(SPLITMIX_STEP)) + np.uint64(stream))[0])


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplicateCuts:
    """The cut of each replicate.

    Attributes
    ----------
    thresholds : ndarray of float64, shape (n_replicates,)
        An event passes if ``score >= threshold``,
    is_strict : ndarray of bool, shape (n_replicates,)
        or ``score > threshold`` where this is set.
    """

    thresholds: NDArray[np.float64]
    is_strict: NDArray[np.bool_]


def background_cuts(
    scores: NDArray[np.float64],
    hashes: NDArray[np.uint64],
    ranked: RankedScores,
    *,
    n_allowed: int,
    seed: int,
) -> ReplicateCuts:
    """Set the cut of every replicate on the weighted background.

    The rule is that of `harness.metrics.working_point.set_cut` with every background event
    counted as often as its weight says: the smallest score of an event of non-zero weight that
    background of weight `n_allowed` at most reaches.

    `n_allowed` is not drawn again with the replicate's total weight, which is N +- sqrt(N): that
    would narrow the intervals by the factor sqrt(1 - fpr), 0.05 % at 1e-3.

    Parameters
    ----------
    scores, hashes : ndarray, shape (n_background,)
        Scores of the test background and the content hashes of the same events.
    ranked : RankedScores
        The same scores in order.
    """
    n_tail = min(tail_length(n_allowed), ranked.n_events)
    while True:
        tail = background_tail(scores, hashes, ranked, n_tail)
        cuts = tail_cuts(tail, n_allowed=n_allowed, seed=seed)
        if cuts is not None:
            return cuts
        n_tail = min(2 * n_tail, ranked.n_events)


def tail_length(n_allowed: int) -> int:
    """Return a tail whose weight is less than `n_allowed` once in 1e15 replicates or so."""
    return n_allowed + math.ceil(8.0 * math.sqrt(n_allowed)) + 40


@dataclass(frozen=True, kw_only=True, slots=True)
class BackgroundTail:
    """The largest background scores, falling, and the hashes of their events.

    Attributes
    ----------
    is_whole : bool
        Whether this is all of the background.
    """

    descending: NDArray[np.float64]
    hashes: NDArray[np.uint64]
    is_whole: bool


def background_tail(
    scores: NDArray[np.float64], hashes: NDArray[np.uint64], ranked: RankedScores, n_tail: int
) -> BackgroundTail:
    """Return the `n_tail` largest scores; of events tied for the last places, the first ones."""
    last = ranked.from_top(n_tail)
    above = np.flatnonzero(scores > last)
    tied = np.flatnonzero(scores == last)[: n_tail - len(above)]
    chosen = np.concatenate([above[np.argsort(scores[above])[::-1]], tied])
    return BackgroundTail(
        descending=scores[chosen],
        hashes=np.asarray(hashes[chosen], dtype=np.uint64),
        is_whole=n_tail == ranked.n_events,
    )


def tail_cuts(tail: BackgroundTail, *, n_allowed: int, seed: int) -> ReplicateCuts | None:
    """Set the cut of every replicate, or return None if the tail is too short for one of them."""
    is_group_end = np.append(np.diff(tail.descending) != 0, True)
    ends = np.flatnonzero(is_group_end)
    cuts = ReplicateCuts(
        thresholds=np.empty(N_REPLICATES), is_strict=np.zeros(N_REPLICATES, dtype=bool)
    )
    for replicates in _chunks(len(tail.hashes)):
        weights = poisson_weights(tail.hashes, replicates, seed=seed, stream=_BACKGROUND)
        cumulated = np.cumsum(weights, axis=1, dtype=np.int32)[:, ends]
        # A group of ties that the end of the tail cuts through has weighed too much already.
        if not tail.is_whole and int(cumulated[:, -1].min()) <= n_allowed:
            return None
        groups, is_strict = _last_group(cumulated, n_allowed)
        rows = slice(replicates.start, replicates.stop)
        cuts.thresholds[rows] = tail.descending[ends[groups]]
        cuts.is_strict[rows] = is_strict
    return cuts


def _chunks(n_events: int) -> Iterator[range]:
    step = max(_MAX_WEIGHTS // (_LANES * n_events), 1) * _LANES
    for start in range(0, N_REPLICATES, step):
        yield range(start, min(start + step, N_REPLICATES))


def _last_group(
    cumulated: NDArray[np.int32], n_allowed: int
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Find the group of tied scores that is the threshold, and whether the cut is strict.

    `cumulated` is the weight of each group and all above it, shape (n_replicates, n_groups). The
    threshold is the last group of non-zero weight whose cumulated weight is allowed; where
    the first one present weighs too much, the cut lies strictly above it.
    """
    is_present = np.diff(cumulated, axis=1, prepend=0) > 0
    is_allowed = is_present & (cumulated <= n_allowed)
    last_allowed = cumulated.shape[1] - 1 - np.argmax(is_allowed[:, ::-1], axis=1)
    is_strict: NDArray[np.bool_] = ~np.any(is_allowed, axis=1)
    return np.where(is_strict, np.argmax(is_present, axis=1), last_allowed), is_strict


def bucket_weights(seed: int) -> NDArray[np.uint8]:
    """Return the weight of each bucket in each replicate, shape (N_REPLICATES, N_BUCKETS)."""
    return _weights_of_buckets(seed, _BUCKETS, N_BUCKETS)


def background_bucket_weights(seed: int) -> NDArray[np.uint8]:
    """Return the weights of the background's buckets, drawn apart from those of the signals."""
    return _weights_of_buckets(seed, _BACKGROUND_BUCKETS, N_BUCKETS)


@lru_cache(maxsize=2)
def _weights_of_buckets(seed: int, stream: int, n_buckets: int) -> NDArray[np.uint8]:
    """Draw the weights of one stream once for all signals of a run; read-only."""
    numbers = np.arange(n_buckets, dtype=np.uint64)
    weights = poisson_weights(numbers, range(N_REPLICATES), seed=seed, stream=stream)
    weights.setflags(write=False)
    return weights


def deal(hashes: NDArray[np.uint64], seed: int) -> NDArray[np.uint16]:
    """Return the bucket of each event, shape (n,)."""
    bits = mix64(hashes ^ _stream_key(seed, _DEALING))
    return (bits >> (64 - N_BUCKETS.bit_length() + 1)).astype(np.uint16)


@dataclass(frozen=True, kw_only=True, slots=True)
class Dealing:
    """Where the events of a signal were dealt, whatever their scores.

    Attributes
    ----------
    buckets : ndarray of uint16, shape (n,)
        The bucket of each event.
    total_weights : ndarray of float64, shape (n_replicates,)
        Weight of the whole signal in each replicate.
    """

    buckets: NDArray[np.uint16]
    total_weights: NDArray[np.float64]


def deal_events(hashes: NDArray[np.uint64], weights: NDArray[np.uint8], *, seed: int) -> Dealing:
    """Deal the events of a signal into buckets by their hashes."""
    buckets = deal(np.asarray(hashes, dtype=np.uint64), seed)
    return Dealing(
        buckets=buckets, total_weights=weigh(weights, np.bincount(buckets, minlength=N_BUCKETS))
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class DealtSignal:
    """A signal whose events have been dealt into buckets.

    Attributes
    ----------
    scores : ndarray of float, shape (m,)
        Scores of all events or of the highest, rising.
    buckets : ndarray of uint16, shape (m,)
        Buckets of the same events.
    n_events : int
        Events of the whole signal.
    total_weights : ndarray of float64, shape (n_replicates,)
        Weight of the whole signal in each replicate.
    """

    scores: Floats
    buckets: NDArray[np.uint16]
    n_events: int
    total_weights: NDArray[np.float64]


def deal_signal(scores: NDArray[np.float64], dealing: Dealing, *, lowest: float) -> DealtSignal:
    """Keep the dealt events of a signal that score `lowest` or more."""
    kept = np.flatnonzero(scores >= lowest)
    order = kept[np.argsort(scores[kept])]
    return DealtSignal(
        scores=scores[order],
        buckets=dealing.buckets[order],
        n_events=len(scores),
        total_weights=dealing.total_weights,
    )


def replicate_rates(
    signal: DealtSignal, cuts: ReplicateCuts, weights: NDArray[np.uint8]
) -> NDArray[np.float64]:
    """Return the TPR of a signal in every replicate, shape (n_replicates,).

    Parameters
    ----------
    signal : DealtSignal
        Holds every event that passes the loosest of `cuts`.
    cuts : ReplicateCuts
        The cuts of the same replicates.
    weights : ndarray of uint8, shape (n_replicates, n_buckets)
        From `bucket_weights`.

    Notes
    -----
    A replicate in which no signal event has weight, which only happens to a signal of a few
    events, says nothing about the signal: there every event counts once.
    """
    n_passing = len(signal.scores) - np.where(
        cuts.is_strict,
        np.searchsorted(signal.scores, cuts.thresholds, "right"),
        np.searchsorted(signal.scores, cuts.thresholds, "left"),
    )
    weighed = _weigh_passing(signal, n_passing, weights)
    is_drawn = signal.total_weights > 0
    unweighted = n_passing / signal.n_events
    return np.where(is_drawn, weighed / np.where(is_drawn, signal.total_weights, 1), unweighted)


def _weigh_passing(
    signal: DealtSignal, n_passing: NDArray[np.int64], weights: NDArray[np.uint8]
) -> NDArray[np.float64]:
    """Return the weight of the `n_passing` highest events of each replicate."""
    falling = signal.buckets[::-1]
    counts = np.zeros(weights.shape[1], dtype=np.int64)
    weighed = np.zeros(len(n_passing))
    start = 0
    # Replicates with equal cuts share their bucket counts, and tighter cuts' counts add up.
    for stop in np.unique(n_passing[n_passing > 0]).tolist():
        counts += np.bincount(falling[start:stop], minlength=len(counts))
        rows = n_passing == stop
        weighed[rows] = weigh(weights[rows], counts)
        start = stop
    return weighed


def weigh(weights: NDArray[np.uint8], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return ``weights @ counts``, exactly: integers, below 2**31 for a billion events."""
    # Integers below 2**24 are float32, whatever the order of their sum, and BLAS is faster.
    is_small = int(counts.sum()) * (len(POISSON_COUNTS) - 1) < 2**24
    kind = np.float32 if is_small else np.int32
    narrow = counts.astype(kind)
    result = np.empty(len(weights))
    # Sixteen rows of 32 bits stay in the second-level cache.
    for start in range(0, len(weights), 16):
        rows = slice(start, start + 16)
        wide = weights[rows].astype(kind)
        result[rows] = wide @ narrow if is_small else np.einsum("ij,j->i", wide, narrow)
    return result
